package manifests

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// networkPolicy opens the ports that the Services lead to, and no others. It uses the
// names of the pod's ports where they have one, so it always fits the present pod.
func networkPolicy(ds *v1alpha1.DittoServer, pod map[string]string) *networkingv1.NetworkPolicy {
	const tcp, udp = corev1.ProtocolTCP, corev1.ProtocolUDP
	ports := []networkingv1.NetworkPolicyPort{policyPort(tcp, intstr.FromString(portAPI))}
	for _, a := range ds.Spec.Adapters {
		ports = append(ports, policyPort(tcp, intstr.FromInt32(a.Port)))
		if m := a.Portmapper; m.IsEnabled() {
			ports = append(ports, policyPort(tcp, intstr.FromInt32(m.Port)), policyPort(udp, intstr.FromInt32(m.Port)), policyPort(udp, intstr.FromInt32(a.Port)))
		}
	}
	if ds.Spec.Metrics.Enabled {
		ports = append(ports, policyPort(tcp, intstr.FromString(portMetrics)))
	}

	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: meta(ds, ""),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: pod},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{Ports: ports, From: ds.Spec.NetworkPolicy.From}},
		},
	}
}

func policyPort(protocol corev1.Protocol, port intstr.IntOrString) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &port}
}
