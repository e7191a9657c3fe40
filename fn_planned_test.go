package main

import (
	"strings"
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

// TestDeletionProtection asks for protection, which Crossplane gives once it has seen the
// Usage. Until then the server is as ready as any other.
func TestDeletionProtection(t *testing.T) {
	type want struct {
		Composed  bool
		Condition string
		Ready     string
		Results   []string
	}

	protected := func(c *cluster) {
		c.Set("spec.deletionProtection", true)
		c.Settle()
		// What Crossplane does.
		c.Edit(manifests.UsageResource, "status.conditions", []any{map[string]any{"type": "Ready", "status": "True", "reason": "Available"}})
		c.Set("metadata.labels[crossplane.io/in-use]", "true")
	}
	cases := map[string]struct {
		reason string
		when   func(c *cluster)
		want   want
	}{
		"Off": {
			reason: "A server that asks for none says nothing about it.",
			when:   func(c *cluster) { c.Set("spec.deletionProtection", false) },
			want:   want{Condition: "UNSPECIFIED ", Ready: "UNSPECIFIED", Results: []string{}},
		},
		"On": {
			reason: "A Usage should be composed where its name is free, and is not yet seen.",
			when:   func(c *cluster) { c.Set("spec.deletionProtection", true) },
			want:   want{Composed: true, Condition: "FALSE NotReady", Ready: "FALSE", Results: []string{}},
		},
		"NobodyProtects": {
			reason: "Where Crossplane does nothing about Usages, the server runs all the same.",
			when: func(c *cluster) {
				c.Set("spec.deletionProtection", true)
				c.Settle()
			},
			want: want{Composed: true, Condition: "FALSE NotReady", Ready: "TRUE", Results: []string{}},
		},
		"Protected": {
			reason: "Once Crossplane has seen the Usage, the condition should say so.",
			when:   protected,
			want:   want{Composed: true, Condition: "TRUE Protected", Ready: "TRUE", Results: []string{}},
		},
		"LabelLost": {
			reason: "Whoever replaces the DittoServer takes the label away, and the protection with it.",
			when: func(c *cluster) {
				protected(c)
				c.Settle()
				c.Unset("metadata.labels")
			},
			want: want{Composed: true, Condition: "FALSE NotReady", Ready: "TRUE", Results: []string{}},
		},
		"Held": {
			reason: "A server that is held may be deleted by mistake too.",
			when: func(c *cluster) {
				c.DeleteSecret("jwt")
				c.Set("spec.deletionProtection", true)
			},
			want: want{Composed: true, Condition: "FALSE NotReady", Ready: "FALSE", Results: []string{"SEVERITY_WARNING Unresolved"}},
		},
		"OfOthers": {
			reason: "A Usage of somebody else is left alone.",
			when: func(c *cluster) {
				c.AddObject("{apiVersion: protection.crossplane.io/v1beta1, kind: Usage, metadata: {name: files-deletion-protection, namespace: team-a}, spec: {of: {apiVersion: v1, kind: Secret, resourceRef: {name: s}}, reason: theirs}}")
				c.Set("spec.deletionProtection", true)
			},
			want: want{Condition: "FALSE NotReady", Ready: "UNSPECIFIED", Results: []string{"SEVERITY_WARNING Taken"}},
		},
		"SwitchedOff": {
			reason: "A Usage that is no longer wanted should go, and its condition should not stay as it was.",
			when: func(c *cluster) {
				protected(c)
				c.Settle()
				c.Set("spec.deletionProtection", false)
			},
			want: want{Condition: "TRUE NotUsed", Ready: "UNSPECIFIED", Results: []string{}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.Settle()
			tc.when(c)

			rsp := c.Reconcile()

			u := rsp.GetDesired().GetResources()[manifests.UsageResource]
			got := want{
				Composed:  u != nil,
				Condition: functest.Condition(rsp, "DeletionProtectionReady"),
				Ready:     strings.TrimPrefix(u.GetReady().String(), "READY_"),
				Results:   functest.Results(rsp),
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
