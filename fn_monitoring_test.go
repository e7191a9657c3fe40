package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestMonitoringKinds composes an optional kind only where the cluster knows it, and looks
// for it only where somebody asks for it: an object of an unknown kind keeps Crossplane from
// applying all others.
func TestMonitoringKinds(t *testing.T) {
	kinds := map[string]struct {
		resource, crd, field, name string
		needs                      func(c *cluster)
	}{
		"ServiceMonitor": {
			resource: manifests.ServiceMonitorResource, crd: manifests.ServiceMonitorCRD, field: "spec.metrics.serviceMonitor.enabled", name: "files-metrics",
			needs: func(*cluster) {},
		},
		"PrometheusRule": {
			resource: manifests.PrometheusRuleResource, crd: manifests.PrometheusRuleCRD, field: "spec.metrics.prometheusRule.enabled", name: "files-alerts",
			needs: func(c *cluster) {
				c.AddKind("ServiceMonitor")
				c.Set("spec.metrics.serviceMonitor.enabled", true)
			},
		},
	}

	type want struct {
		Composed, LookedUp bool
		Condition          string
		Results            []string
	}

	cases := map[string]struct {
		reason                 string
		unknown, taken, exists bool
		off, never             bool
		want                   want
	}{
		"Known":     {reason: "Where the kind is known, it should be composed.", want: want{Composed: true, LookedUp: true, Condition: "TRUE Composed", Results: []string{}}},
		"Unknown":   {reason: "Where the kind is not known, the user should be told. A cluster may know the other one.", unknown: true, want: want{LookedUp: true, Condition: "FALSE KindMissing", Results: []string{"SEVERITY_WARNING KindMissing"}}},
		"Existing":  {reason: "An object that exists should stay, and its kind needs no look.", exists: true, want: want{Composed: true, Condition: "TRUE Composed", Results: []string{}}},
		"Others":    {reason: "An object of somebody else should stay as it is.", taken: true, want: want{LookedUp: true, Condition: "TRUE Composed", Results: []string{"SEVERITY_WARNING Taken"}}},
		"TurnedOff": {reason: "An object that is no longer wanted should go, and its condition should not stay as it was.", exists: true, off: true, want: want{Condition: "TRUE NotUsed", Results: []string{}}},
		"NeverOn":   {reason: "Where nobody asks for it, nothing should be looked up.", never: true, want: want{Condition: "UNSPECIFIED ", Results: []string{}}},
	}

	for kind, k := range kinds {
		for name, tc := range cases {
			for path, seeded := range map[string]bool{"UnresolvedThenResolved": false, "ResolvedAtFirstCall": true} {
				t.Run(kind+"/"+name+"/"+path, func(t *testing.T) {
					c := newCluster(t)
					c.Seeded = seeded
					c.Set("spec.metrics", map[string]any{"enabled": true})
					k.needs(c)
					c.Set(k.field, !tc.never)
					if !tc.unknown {
						c.AddKind(kind)
					}
					if tc.taken {
						c.AddObject(fmt.Sprintf("{apiVersion: monitoring.coreos.com/v1, kind: %s, metadata: {name: %s, namespace: team-a}}", kind, k.name))
					}
					if tc.exists {
						c.Settle()
					}
					if tc.off {
						c.Set(k.field, false)
					}

					rsp := c.Reconcile()

					got := want{Composed: functest.Desired(rsp, k.resource) != nil, Condition: functest.Condition(rsp, kind+"Ready"), Results: functest.Results(rsp)}
					for requirement := range rsp.GetRequirements().GetResources() {
						got.LookedUp = got.LookedUp || strings.HasSuffix(requirement, k.crd)
					}
					if diff := cmp.Diff(tc.want, got); diff != "" {
						t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
					}
				})
			}
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
