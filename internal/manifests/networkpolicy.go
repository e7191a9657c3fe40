package manifests

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// networkPolicy opens the ports that the Services lead to, and no others.
func networkPolicy(ds *v1alpha1.DittoServer) *networkingv1.NetworkPolicy {
	ports := []networkingv1.NetworkPolicyPort{policyPort(*ds.Spec.ControlPlane.Port)}
	for _, a := range ds.Spec.Adapters {
		ports = append(ports, policyPort(a.Port))
	}
	if ds.Spec.Metrics.Enabled {
		ports = append(ports, policyPort(*ds.Spec.Metrics.Port))
	}

	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: meta(ds, ""),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: labels(ds)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{Ports: ports, From: ds.Spec.NetworkPolicy.From}},
		},
	}
}

func policyPort(port int32) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(port))}
}
