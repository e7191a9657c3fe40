package manifests

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// The Prometheus operator's kind of alerts. It is as optional as its ServiceMonitor.
const (
	PrometheusRuleAPIVersion = "monitoring.coreos.com/v1"
	PrometheusRuleKind       = "PrometheusRule"
	PrometheusRuleCRD        = "prometheusrules.monitoring.coreos.com"
)

// runbooks has a heading for each alert, which says what to do.
const runbooks = "https://github.com/dittofs/function-dittoserver/blob/main/docs/monitoring.md"

// Severities of alerts.
const (
	severityCritical = "critical" // Clients are affected, or data is.
	severityWarning  = "warning"  // Somebody has to do something soon.
	severityInfo     = "info"     // It waits for somebody, who may have meant it to.
)

// An alert of one server. Its expression is true of at most one series, or of one for
// each value of a label that the description names. Metrics of the server have the labels
// that Prometheus adds by its ServiceMonitor. Those of its volumes are the kubelet's.
// All others come from kube-state-metrics, with example/monitoring/kube-state-metrics.yaml.
type alert struct {
	name, severity, expr, lasts, summary, description string
}

// prometheusRule alerts of what only somebody can mend.
func prometheusRule(ds *v1alpha1.DittoServer, im Immutable) *unstructured.Unstructured {
	rules := []any{}
	for _, a := range alerts(ds, im) {
		rules = append(rules, map[string]any{
			"alert": a.name,
			"expr":  a.expr,
			"for":   a.lasts,
			"labels": map[string]any{
				"severity":    a.severity,
				"namespace":   ds.GetNamespace(),
				"dittoserver": ds.GetName(),
			},
			"annotations": map[string]any{
				"summary":     fmt.Sprintf("DittoServer %s/%s %s", ds.GetNamespace(), ds.GetName(), a.summary),
				"description": a.description,
				"runbook_url": runbooks + "#" + strings.ToLower(a.name),
			},
		})
	}

	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": PrometheusRuleAPIVersion,
		"kind":       PrometheusRuleKind,
		"spec": map[string]any{
			"groups": []any{map[string]any{"name": "dittoserver-" + ds.GetName(), "rules": rules}},
		},
	}}
	named(u, ds, "-alerts")
	u.SetLabels(withOwn(ds.Spec.Metrics.PrometheusRule.Labels, labels(ds)))
	return u
}

func alerts(ds *v1alpha1.DittoServer, im Immutable) []alert {
	scraped := fmt.Sprintf(`namespace=%q,service=%q`, ds.GetNamespace(), ds.GetName()+"-metrics")
	server := fmt.Sprintf(`namespace=%q,name=%q`, ds.GetNamespace(), ds.GetName())
	condition := func(matchers string) string { return "dittoserver_condition_info{" + server + "," + matchers + "}" }

	as := []alert{}
	if *ds.Spec.Replicas > 0 {
		as = append(as, alert{
			"DittoServerDown", severityCritical,
			fmt.Sprintf("absent(up{%s} == 1) or max(kube_statefulset_status_replicas_ready{namespace=%q,statefulset=%q}) == 0", scraped, ds.GetNamespace(), ds.GetName()),
			"3m", // A server that has much to open has 150 seconds to start.
			"is down", "Prometheus does not reach the server, or its pod is not ready. NFS and SMB clients wait.",
		})
	}
	as = append(as,
		alert{
			"DittoServerSecretsUnresolved", severityWarning,
			"max(" + condition(`type="SecretsResolved",status="False"`) + ") == 1", "15m",
			"lacks a Secret", "A Secret is missing or invalid. A server that runs is held as it is, and its pod may not start again.",
		},
		alert{
			"DittoServerRestartStuck", severityWarning,
			"max(" + condition(`type="RestartPending",status="True",reason!="ManualPolicy"`) + ") == 1", "15m",
			"does not get through a restart", "A change waits for something that takes seconds otherwise. What it was to revoke is still in use.",
		},
		alert{
			"DittoServerRestartPending", severityInfo,
			"max(" + condition(`type="RestartPending",status="True",reason="ManualPolicy"`) + ") == 1", "1d",
			"waits for a restartToken", "A change has waited for a day for spec.rollout.restartToken. What it was to revoke is still in use.",
		},
		alert{
			"DittoServerNotAsWanted", severityWarning,
			"max by (type) (" + condition(`type!~"Available|Progressing|RestartPending|SecretsResolved",status="False"`) + ") == 1", "15m",
			"is not as its spec wants it", "The condition {{ $labels.type }} is False. Its message says why.",
		},
	)
	as = append(as, volumeAlerts(ds, im)...)
	if ds.Spec.ControlPlane.CertSecretName != "" {
		as = append(as, certificateAlerts(server, "api", "The API's certificate, that of spec.controlPlane.certSecretName,", "no client accepts it")...)
	}
	if ds.Spec.Metrics.TLS != nil {
		as = append(as, certificateAlerts(server, "metrics", "The certificate of the metrics, that of spec.metrics.tls.certSecretName,", "Prometheus does not accept it")...)
	}
	return append(as,
		alert{
			"DittoServerRemoteDown", severityCritical,
			fmt.Sprintf("min by (share) (dittofs_remote_up{%s}) == 0", scraped), "10m",
			"does not reach a remote store", "The remote store of {{ $labels.share }} is away: what is written stays on the server's volume alone, and what is only there cannot be read.",
		},
		alert{
			"DittoServerDataCorrupt", severityCritical,
			fmt.Sprintf("sum(increase(dittofs_datapath_local_corruption_total{%s}[1h])) + sum(increase(dittofs_datapath_remote_corruption_total{%s}[1h])) > 0", scraped, scraped), "1m",
			"has read corrupt data", "Blocks that the server has read were not what was written, on its volume or in a remote store. Its log says which.",
		},
	)
}

// volumeAlerts say that a volume is nearly full. There is no such alert of inodes: a block
// is larger than what a file system has for each.
func volumeAlerts(ds *v1alpha1.DittoServer, im Immutable) []alert {
	names := make([]string, 0, len(im.VolumeClaimTemplates))
	for _, c := range im.VolumeClaimTemplates {
		names = append(names, ClaimName(ds.GetName(), c.GetName()))
	}
	claims := fmt.Sprintf(`namespace=%q,persistentvolumeclaim=~%q`, ds.GetNamespace(), strings.Join(names, "|"))
	free := fmt.Sprintf("min by (persistentvolumeclaim) (kubelet_volume_stats_available_bytes{%s} / kubelet_volume_stats_capacity_bytes{%s})", claims, claims)

	const name, summary, description = "DittoServerVolumeNearlyFull", "has a volume that is nearly full", "{{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} left."
	return []alert{
		{name, severityWarning, free + " < 0.1", "15m", summary, description},
		{name, severityCritical, free + " < 0.03", "5m", summary, description + " Without space the server can write nothing, and a database may not start again."},
	}
}

// certificateAlerts say that nobody has renewed a certificate, which has that name in the
// status: cert-manager does when a third of its time is left. The description says what it
// is, and what happens then.
func certificateAlerts(server, certificate, what, then string) []alert {
	date := func(of string) string {
		return fmt.Sprintf("max by (certificate) (dittoserver_certificate_%s_seconds{%s,certificate=%q})", of, server, certificate)
	}
	left := "(" + date("not_after") + " - time())"
	whole := "(" + date("not_after") + " - " + date("not_before") + ")"

	const name, summary = "DittoServerCertificateExpiring", "has a certificate that nobody has renewed"
	description := what + " is valid for {{ $value | humanizeDuration }} more. Then " + then + "."
	return []alert{
		{name, severityWarning, fmt.Sprintf("%s < 14 * 86400 and %s / %s < 0.2", left, left, whole), "10m", summary, description},
		{name, severityCritical, fmt.Sprintf("%s < 2 * 86400 and %s / %s < 0.05", left, left, whole), "10m", summary, description},
	}
}
