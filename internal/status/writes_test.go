package status

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// TestWritesOfARestart goes through a restart for a rotated Secret as Crossplane calls the
// function, and says what it writes after each call. Each is a write of its own, and each
// write is two events for its circuit breaker.
func TestWritesOfARestart(t *testing.T) {
	v := running()
	v.XR.Status.ConfigHash, v.Have.StatefulSet.ConfigHash, v.Decision.Annotations.ConfigHash = "old", "old", "old"
	ss := v.Have.StatefulSet
	fields := v.Fields("")
	call := func() []string {
		writes := []string{}
		now := v.Fields("")
		if !cmp.Equal(now, fields) {
			writes = append(writes, "fields")
		}
		conditions := map[string]observed.Condition{}
		for _, c := range Conditions(v) {
			conditions[c.Type] = c
		}
		if !cmp.Equal(conditions, v.XR.Conditions) {
			writes = append(writes, "conditions")
		}
		fields, v.XR.Conditions = now, conditions
		v.XR.Status.ConfigHash, v.XR.Status.ObservedGeneration = now["configHash"].(string), v.XR.Generation
		return writes
	}
	call()

	steps := []struct {
		what  string
		given func()
		want  []string
	}{
		{what: "nothing has changed", want: []string{}},
		{what: "the Secret is rotated", want: []string{"fields"}, given: func() {
			v.Decision = rollout.Decision{Action: rollout.Advance, Annotations: rollout.Annotations{ConfigHash: "new"}, Changes: []string{"the configuration"}}
		}},
		{what: "the controller sees the template", want: []string{"conditions"}, given: func() {
			v.Decision.Changes, ss.ConfigHash, ss.Generation = nil, "new", 2
			ss.Status.ObservedGeneration, ss.Status.UpdateRevision, ss.Status.UpdatedReplicas = 2, "s", 0
		}},
		{what: "the old pod ends", want: []string{}, given: func() { ss.Status.ReadyReplicas = 0 }},
		{what: "it is gone", want: []string{}, given: func() { ss.Status.Replicas = 0 }},
		{what: "the new pod starts", want: []string{}, given: func() { ss.Status.Replicas, ss.Status.UpdatedReplicas = 1, 1 }},
		{what: "it is ready", want: []string{"conditions"}, given: func() { ss.Status.ReadyReplicas, ss.Status.CurrentRevision = 1, "s" }},
		{what: "Crossplane calls for its own write", want: []string{"fields"}},
		{what: "and for that one", want: []string{}},
	}
	for _, s := range steps {
		if s.given != nil {
			s.given()
		}
		if diff := cmp.Diff(s.want, call()); diff != "" {
			t.Errorf("%s: -want writes, +got:\n%s", s.what, diff)
		}
	}
	if c := v.XR.Conditions[TypeRestartPending]; c.Reason != reasonUpToDate || fields["phase"] != "Running" || fields["configHash"] != "new" {
		t.Errorf("In the end, want a server that is up to date, runs and has the new hash, got %v and %v", c, fields)
	}
}
