package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestServiceMonitor composes an optional kind only where the cluster knows it: an
// object of an unknown kind keeps Crossplane from applying all others.
func TestServiceMonitor(t *testing.T) {
	type want struct {
		Composed  bool
		Condition string
		Results   []string
	}

	cases := map[string]struct {
		reason string
		given  func(c *cluster)
		when   func(c *cluster)
		want   want
	}{
		"Known": {
			reason: "Where the kind is known, it should be composed.",
			given:  func(c *cluster) { c.AddKind("ServiceMonitor") },
			want:   want{Composed: true, Condition: "TRUE Composed", Results: []string{}},
		},
		"Unknown": {
			reason: "Where the kind is not known, the user should be told.",
			given:  func(*cluster) {},
			want:   want{Condition: "FALSE KindMissing", Results: []string{"SEVERITY_WARNING KindMissing"}},
		},
		"Existing": {
			reason: "A ServiceMonitor that exists should stay.",
			given: func(c *cluster) {
				c.AddKind("ServiceMonitor")
				c.Settle()
			},
			want: want{Composed: true, Condition: "TRUE Composed", Results: []string{}},
		},
		"TurnedOff": {
			reason: "A ServiceMonitor that is no longer wanted should go, and its condition should not stay as it was.",
			given: func(c *cluster) {
				c.AddKind("ServiceMonitor")
				c.Settle()
			},
			when: func(c *cluster) { c.Set("spec.metrics.serviceMonitor.enabled", false) },
			want: want{Condition: "TRUE NotUsed", Results: []string{}},
		},
	}

	for name, tc := range cases {
		for path, seeded := range map[string]bool{"UnresolvedThenResolved": false, "ResolvedAtFirstCall": true} {
			t.Run(name+"/"+path, func(t *testing.T) {
				c := newCluster(t)
				c.Seeded = seeded
				c.Set("spec.metrics", map[string]any{"enabled": true, "serviceMonitor": map[string]any{"enabled": true}})
				tc.given(c)
				if tc.when != nil {
					tc.when(c)
				}

				rsp := c.Reconcile()

				got := want{Composed: functest.Desired(rsp, manifests.ServiceMonitorResource) != nil, Condition: functest.Condition(rsp, "ServiceMonitorReady"), Results: functest.Results(rsp)}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
				}
			})
		}
	}
}
