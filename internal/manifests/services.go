package manifests

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// Names of the pod's ports, and of the Services' ports that lead to them.
const (
	portAPI     = "api"
	portMetrics = "metrics"
)

// metricsLabel tells the Service of the metrics from the other Services.
const metricsLabel = "dittofs.io/metrics-service"

// services returns the Services of a server by the names of the composed resources.
// They lead to the pod with the given labels.
func services(ds *v1alpha1.DittoServer, pod map[string]string) map[string]runtime.Object {
	ss := map[string]runtime.Object{
		HeadlessServiceResource: headlessService(ds, pod),
		APIServiceResource:      apiService(ds, pod),
	}
	if *ds.Spec.AdapterServices.Enabled {
		for i := range ds.Spec.Adapters {
			a := &ds.Spec.Adapters[i]
			ss[map[string]string{v1alpha1.AdapterNFS: NFSServiceResource, v1alpha1.AdapterSMB: SMBServiceResource}[a.Type]] = adapterService(ds, pod, a)
		}
	}
	if ds.Spec.Metrics.Enabled {
		ss[MetricsServiceResource] = metricsService(ds, pod)
	}
	return ss
}

// headlessService gives the pod its DNS name.
func headlessService(ds *v1alpha1.DittoServer, pod map[string]string) *corev1.Service {
	s := service(ds, pod, "-headless", corev1.ServiceTypeClusterIP, servicePort(portAPI, *ds.Spec.ControlPlane.Port, intstr.FromString(portAPI)))
	s.Spec.ClusterIP = corev1.ClusterIPNone
	return s
}

// apiService leads clients to the REST API.
func apiService(ds *v1alpha1.DittoServer, pod map[string]string) *corev1.Service {
	s := service(ds, pod, "-api", ds.Spec.Service.Type, servicePort(portAPI, *ds.Spec.ControlPlane.Port, intstr.FromString(portAPI)))
	expose(s, ds.Spec.Service)
	return s
}

// adapterService leads clients to a file protocol. It points at numbers and not at named
// ports of the pod: see containerPorts.
func adapterService(ds *v1alpha1.DittoServer, pod map[string]string, a *v1alpha1.AdapterSpec) *corev1.Service {
	s := service(ds, pod, "-"+a.Type, ds.Spec.AdapterServices.Type, servicePort(a.Type, a.ServicePort, intstr.FromInt32(a.Port)))
	s.Spec.Ports = append(s.Spec.Ports, portmapperPorts(a)...)
	expose(s, &ds.Spec.AdapterServices.ServiceSpec)
	return s
}

// portmapperPorts lead clients to the portmapper, and to where it sends them: the port that
// the adapter listens on, whatever the Service's own. Locks and mounts of some clients go
// there over UDP.
func portmapperPorts(a *v1alpha1.AdapterSpec) []corev1.ServicePort {
	if !a.Portmapper.IsEnabled() {
		return nil
	}
	target, data := intstr.FromInt32(a.Portmapper.Port), intstr.FromInt32(a.Port)
	ports := []corev1.ServicePort{servicePort("portmapper", v1alpha1.PortmapperServicePort, target)}
	if a.Port != a.ServicePort {
		ports = append(ports, servicePort(a.Type+"-direct", a.Port, data))
	}
	for _, p := range []corev1.ServicePort{servicePort("portmapper-udp", v1alpha1.PortmapperServicePort, target), servicePort(a.Type+"-udp", a.Port, data)} {
		p.Protocol = corev1.ProtocolUDP
		ports = append(ports, p)
	}
	return ports
}

// metricsService leads Prometheus to the metrics, by its annotations or by the
// ServiceMonitor.
func metricsService(ds *v1alpha1.DittoServer, pod map[string]string) *corev1.Service {
	m := ds.Spec.Metrics
	s := service(ds, pod, "-metrics", corev1.ServiceTypeClusterIP, servicePort(portMetrics, *m.Port, intstr.FromString(portMetrics)))
	s.Labels = metricsLabels(ds)
	s.Annotations = map[string]string{
		// No prometheus.io/port: the endpoints have the port, and follow the pod.
		"prometheus.io/scrape": "true",
		"prometheus.io/path":   m.Path,
	}
	if m.TLS != nil {
		s.Annotations["prometheus.io/scheme"] = "https"
	}
	return s
}

func metricsLabels(ds *v1alpha1.DittoServer) map[string]string {
	l := map[string]string{metricsLabel: "true"}
	maps.Copy(l, labels(ds))
	return l
}

func service(ds *v1alpha1.DittoServer, pod map[string]string, suffix string, t corev1.ServiceType, port corev1.ServicePort) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta(ds, suffix),
		Spec:       corev1.ServiceSpec{Type: t, Selector: pod, Ports: []corev1.ServicePort{port}},
	}
}

func servicePort(name string, port int32, target intstr.IntOrString) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: port, TargetPort: target, Protocol: corev1.ProtocolTCP}
}
