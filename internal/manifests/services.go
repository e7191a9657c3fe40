package manifests

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// portAPI is the name of the REST API's port, in the pod and in the Services.
const portAPI = "api"

// headlessService gives the pod its DNS name.
func headlessService(ds *v1alpha1.DittoServer) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta(ds, "-headless"),
		Spec: corev1.ServiceSpec{
			Type:      corev1.ServiceTypeClusterIP,
			ClusterIP: corev1.ClusterIPNone,
			Selector:  labels(ds),
			Ports:     []corev1.ServicePort{servicePort(portAPI, *ds.Spec.ControlPlane.Port)},
		},
	}
}

// apiService is how clients reach the REST API.
func apiService(ds *v1alpha1.DittoServer) *corev1.Service {
	svc := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta(ds, "-api"),
		Spec: corev1.ServiceSpec{
			Type:     ds.Spec.Service.Type,
			Selector: labels(ds),
			Ports:    []corev1.ServicePort{servicePort(portAPI, *ds.Spec.ControlPlane.Port)},
		},
	}
	svc.Annotations = ds.Spec.Service.Annotations
	return svc
}

// servicePort points at the pod's port of the same name.
func servicePort(name string, port int32) corev1.ServicePort {
	return corev1.ServicePort{
		Name:       name,
		Port:       port,
		TargetPort: intstr.FromString(name),
		Protocol:   corev1.ProtocolTCP,
	}
}
