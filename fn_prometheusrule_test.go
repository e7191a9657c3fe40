package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestPrometheusRule composes one more optional kind only where the cluster knows it, and
// looks for it only where somebody asks for it.
func TestPrometheusRule(t *testing.T) {
	type want struct {
		Composed, LookedUp bool
		Condition          string
		Results            []string
	}

	cases := map[string]struct {
		reason string
		given  func(c *cluster)
		when   func(c *cluster)
		want   want
	}{
		"Known": {
			reason: "Where the kind is known, it should be composed.",
			given:  func(c *cluster) { c.AddKind("PrometheusRule") },
			want:   want{Composed: true, LookedUp: true, Condition: "TRUE Composed", Results: []string{}},
		},
		"Unknown": {
			reason: "A cluster may know ServiceMonitors alone.",
			given:  func(*cluster) {},
			want:   want{LookedUp: true, Condition: "FALSE KindMissing", Results: []string{"SEVERITY_WARNING KindMissing"}},
		},
		"Existing": {
			reason: "A PrometheusRule that exists should stay, and its kind needs no look.",
			given: func(c *cluster) {
				c.AddKind("PrometheusRule")
				c.Settle()
			},
			want: want{Composed: true, Condition: "TRUE Composed", Results: []string{}},
		},
		"Others": {
			reason: "A PrometheusRule of somebody else should stay as it is.",
			given: func(c *cluster) {
				c.AddKind("PrometheusRule")
				c.AddObject("{apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, metadata: {name: files-alerts, namespace: team-a}}")
			},
			want: want{LookedUp: true, Condition: "TRUE Composed", Results: []string{"SEVERITY_WARNING Taken"}},
		},
		"TurnedOff": {
			reason: "A PrometheusRule that is no longer wanted should go, and its condition should not stay as it was.",
			given: func(c *cluster) {
				c.AddKind("PrometheusRule")
				c.Settle()
			},
			when: func(c *cluster) { c.Set("spec.metrics.prometheusRule.enabled", false) },
			want: want{Condition: "TRUE NotUsed", Results: []string{}},
		},
		"NeverOn": {
			reason: "Where nobody asks for it, nothing should be looked up.",
			given: func(c *cluster) {
				c.AddKind("PrometheusRule")
				c.Set("spec.metrics.prometheusRule.enabled", false)
			},
			want: want{Condition: "UNSPECIFIED ", Results: []string{}},
		},
	}

	for name, tc := range cases {
		for path, seeded := range map[string]bool{"UnresolvedThenResolved": false, "ResolvedAtFirstCall": true} {
			t.Run(name+"/"+path, func(t *testing.T) {
				c := newCluster(t)
				c.Seeded = seeded
				c.AddKind("ServiceMonitor")
				c.Set("spec.metrics", map[string]any{"enabled": true, "serviceMonitor": map[string]any{"enabled": true}, "prometheusRule": map[string]any{"enabled": true}})
				tc.given(c)
				if tc.when != nil {
					tc.when(c)
				}

				rsp := c.Reconcile()

				got := want{Composed: functest.Desired(rsp, manifests.PrometheusRuleResource) != nil, Condition: functest.Condition(rsp, "PrometheusRuleReady"), Results: functest.Results(rsp)}
				for requirement := range rsp.GetRequirements().GetResources() {
					got.LookedUp = got.LookedUp || strings.HasSuffix(requirement, manifests.PrometheusRuleCRD)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
				}
			})
		}
	}
}

// TestCertificateStatus says how long the server's certificates are valid, for alerts.
func TestCertificateStatus(t *testing.T) {
	metrics := func(c *cluster) {
		own := host.NewAuthority().Issue("files")
		c.Set("spec.metrics", map[string]any{"enabled": true, "tls": map[string]any{"certSecretName": "metrics-tls"}})
		c.SetSecret("metrics-tls", "tls.crt", string(own.Cert))
		c.SetSecret("metrics-tls", "tls.key", string(own.Key))
	}
	valid := map[string]any{"notBefore": "2020-01-01T00:00:00Z", "notAfter": "2120-01-01T00:00:00Z"}
	cases := map[string]struct {
		reason string
		given  func(c *cluster)
		want   any
	}{
		"None": {
			reason: "A server without a certificate has none that ends.",
			given:  func(*cluster) {},
		},
		"API": {
			reason: "It is the server's own, not that of its issuer, which comes after it.",
			given: func(c *cluster) {
				authority := host.NewAuthority()
				own := authority.Issue("files")
				c.Set("spec.controlPlane.certSecretName", "tls")
				c.SetSecret("tls", "tls.crt", string(own.Cert)+string(authority.Certificate()))
				c.SetSecret("tls", "tls.key", string(own.Key))
			},
			want: map[string]any{"api": valid},
		},
		"Metrics": {
			reason: "The metrics have one of their own.",
			given:  metrics,
			want:   map[string]any{"metrics": valid},
		},
		"MetricsOff": {
			reason: "A server without metrics does not have their certificate.",
			given: func(c *cluster) {
				metrics(c)
				c.Set("spec.metrics.enabled", false)
			},
		},
		"OneUnreadable": {
			reason: "Of the other there is something to say.",
			given: func(c *cluster) {
				metrics(c)
				c.Set("spec.controlPlane.certSecretName", "tls")
				c.SetSecret("tls", "tls.crt", "text")
				c.SetSecret("tls", "tls.key", "text")
			},
			want: map[string]any{"metrics": valid},
		},
		"Unreadable": {
			reason: "Of what cannot be read there is nothing to say.",
			given: func(c *cluster) {
				c.Set("spec.controlPlane.certSecretName", "tls")
				c.SetSecret("tls", "tls.crt", "-----BEGIN CERTIFICATE-----\ndGV4dA==\n-----END CERTIFICATE-----\n")
				c.SetSecret("tls", "tls.key", "text")
			},
		},
		"Missing": {
			reason: "Of what is not there neither.",
			given:  func(c *cluster) { c.Set("spec.controlPlane.certSecretName", "tls") },
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			tc.given(c)

			rsp := c.Reconcile()

			got := functest.ValueAt(rsp.GetDesired().GetComposite().GetResource(), "status", "certificates").AsInterface()
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nstatus.certificates: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
