package manifests

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// The Prometheus operator's kind. It is optional in a cluster, so the function does not
// depend on its Go types.
const (
	ServiceMonitorAPIVersion = "monitoring.coreos.com/v1"
	ServiceMonitorKind       = "ServiceMonitor"
	ServiceMonitorCRD        = "servicemonitors.monitoring.coreos.com"
)

// serviceMonitor tells the Prometheus operator to scrape the Service of the metrics. A
// Prometheus may select it by the user's labels, which do not replace the server's.
func serviceMonitor(ds *v1alpha1.DittoServer) *unstructured.Unstructured {
	m := ds.Spec.Metrics

	endpoint := map[string]any{"port": portMetrics, "path": m.Path}
	if i := m.ServiceMonitor.Interval; i != "" {
		endpoint["interval"] = i
	}
	if r := m.BearerTokenSecret; r != nil {
		endpoint["authorization"] = map[string]any{
			"type":        "Bearer",
			"credentials": map[string]any{"name": r.Name, "key": r.Key},
		}
	}

	if m.TLS != nil {
		endpoint["scheme"] = "https"
		endpoint["tlsConfig"] = scraperTLS(ds)
	}

	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": ServiceMonitorAPIVersion,
		"kind":       ServiceMonitorKind,
		"spec": map[string]any{
			"selector":  map[string]any{"matchLabels": object(metricsLabels(ds))},
			"endpoints": []any{endpoint},
		},
	}}
	named(u, ds, "-metrics")
	u.SetLabels(withOwn(m.ServiceMonitor.Labels, metricsLabels(ds)))
	return u
}

// scraperTLS says how Prometheus verifies the server, and what it shows the server. It
// connects to the pod's address, which is in no certificate.
func scraperTLS(ds *v1alpha1.DittoServer) map[string]any {
	t := ds.Spec.Metrics.TLS
	key := func(name, key string) map[string]any {
		return map[string]any{"secret": map[string]any{"name": name, "key": key}}
	}
	m := ds.Spec.Metrics.ServiceMonitor.TLS
	c := map[string]any{"serverName": m.ServerName, "ca": key(t.CertSecretName, caKey)}
	if r := m.CASecretRef; r != nil {
		c["ca"] = key(r.Name, r.Key)
	}
	if s := m.ClientCertSecretName; s != "" {
		c["cert"] = key(s, corev1.TLSCertKey)
		c["keySecret"] = map[string]any{"name": s, "key": corev1.TLSPrivateKeyKey}
	}
	return c
}

// named gives an object without a Go type its metadata.
func named(u *unstructured.Unstructured, ds *v1alpha1.DittoServer, suffix string) {
	m := meta(ds, suffix)
	u.SetName(m.Name)
	u.SetNamespace(m.Namespace)
	u.SetLabels(m.Labels)
}

// withOwn returns the user's labels and the server's own, which the user's do not replace.
func withOwn(user, own map[string]string) map[string]string {
	l := make(map[string]string, len(user)+len(own))
	maps.Copy(l, user)
	maps.Copy(l, own)
	return l
}

// object converts a map of strings into a field of an unstructured object.
func object(m map[string]string) map[string]any {
	o := make(map[string]any, len(m))
	for k, v := range m {
		o[k] = v
	}
	return o
}
