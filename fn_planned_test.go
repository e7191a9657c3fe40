package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestPodDisruptionBudget asks for a budget, which concerns no template: a server that is
// held gets and loses it like any other.
func TestPodDisruptionBudget(t *testing.T) {
	type want struct {
		Composed       bool
		NamesAvailable string
	}

	enabled := func(c *cluster) { c.Set("spec.podDisruptionBudget.enabled", true) }
	cases := map[string]struct {
		reason string
		when   func(c *cluster)
		want   want
	}{
		"Off": {
			reason: "A server that asks for none has none.",
			when:   func(c *cluster) { c.Set("spec.podDisruptionBudget", map[string]any{}) },
			want:   want{NamesAvailable: "UNSPECIFIED "},
		},
		"On": {
			reason: "It should be composed where its name is free.",
			when:   enabled,
			want:   want{Composed: true, NamesAvailable: "UNSPECIFIED "},
		},
		"OfOthers": {
			reason: "That of somebody else is left alone.",
			when: func(c *cluster) {
				c.AddObject("{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: files, namespace: team-a}, spec: {minAvailable: 1}}")
				enabled(c)
			},
			want: want{NamesAvailable: "FALSE Taken"},
		},
		"Held": {
			reason: "A drain is no less of an outage for a server that is held.",
			when: func(c *cluster) {
				c.DeleteSecret("jwt")
				enabled(c)
			},
			want: want{Composed: true, NamesAvailable: "UNSPECIFIED "},
		},
		"SwitchedOff": {
			reason: "One that is no longer wanted should go.",
			when: func(c *cluster) {
				enabled(c)
				c.Settle()
				c.Set("spec.podDisruptionBudget.enabled", false)
			},
			want: want{NamesAvailable: "UNSPECIFIED "},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.Settle()
			tc.when(c)

			rsp := c.Reconcile()

			got := want{Composed: functest.Desired(rsp, manifests.PodDisruptionBudgetResource) != nil, NamesAvailable: functest.Condition(rsp, "NamesAvailable")}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
