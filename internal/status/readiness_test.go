package status

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/dittofs/function-dittoserver/internal/observed"
)

// TestRolledOut goes through the ways in which a StatefulSet is not done. What
// looks ready may be the old pod.
func TestRolledOut(t *testing.T) {
	done := appsv1.StatefulSetStatus{ObservedGeneration: 2, Replicas: 1, ReadyReplicas: 1, UpdatedReplicas: 1, CurrentRevision: "r", UpdateRevision: "r"}
	with := func(edit func(*appsv1.StatefulSetStatus)) appsv1.StatefulSetStatus {
		s := done
		edit(&s)
		return s
	}

	cases := map[string]struct {
		reason   string
		status   appsv1.StatefulSetStatus
		replicas int32
		want     bool

		// scaled is what the StatefulSet has of it, if it is something else.
		scaled *int32
	}{
		"Done":         {reason: "One pod of the newest template is ready.", status: done, replicas: 1, want: true},
		"NotSeen":      {reason: "The status is about an older spec.", status: with(func(s *appsv1.StatefulSetStatus) { s.ObservedGeneration = 1 }), replicas: 1},
		"NotReady":     {reason: "The pod is not ready.", status: with(func(s *appsv1.StatefulSetStatus) { s.ReadyReplicas = 0 }), replicas: 1},
		"NotUpdated":   {reason: "The ready pod is the old one.", status: with(func(s *appsv1.StatefulSetStatus) { s.UpdatedReplicas = 0 }), replicas: 1},
		"OtherCurrent": {reason: "The rollout is not finished.", status: with(func(s *appsv1.StatefulSetStatus) { s.CurrentRevision = "q" }), replicas: 1},
		"NoPod":        {reason: "There is no pod yet.", status: appsv1.StatefulSetStatus{ObservedGeneration: 2}, replicas: 1},
		"TooMany":      {reason: "The pod that should stop is still there.", status: done, replicas: 0},
		"Stopped":      {reason: "No pod is as wanted, and there is nothing to update.", status: appsv1.StatefulSetStatus{ObservedGeneration: 2, CurrentRevision: "q", UpdateRevision: "r"}, replicas: 0, want: true},
		"ScaledByHand": {reason: "Somebody has stopped the server that is to run.", status: appsv1.StatefulSetStatus{ObservedGeneration: 2}, replicas: 1, scaled: new(int32(0))},
		"NeverLooked":  {reason: "The controller has not seen the StatefulSet.", status: appsv1.StatefulSetStatus{}, replicas: 0},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ss := &observed.StatefulSet{Generation: 2, Replicas: tc.replicas, Status: tc.status}
			if tc.scaled != nil {
				ss.Replicas = *tc.scaled
			}
			if got := rolledOut(ss, tc.replicas); got != tc.want {
				t.Errorf("%s\nrolledOut(...): want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}
