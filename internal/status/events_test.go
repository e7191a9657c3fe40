package status

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// TestEvents tells of a condition as an event when somebody has to do
// something, and when it is done. An event with each call would flood the API
// server.
func TestEvents(t *testing.T) {
	bad := observed.Condition{Type: TypeSecretsResolved, Status: observed.False, Reason: "Unresolved", Message: `Secret "a"`}
	worse := observed.Condition{Type: TypeSecretsResolved, Status: observed.False, Reason: "Unresolved", Message: `Secret "a" and Secret "b"`}
	good := observed.Condition{Type: TypeSecretsResolved, Status: observed.True, Reason: "Resolved"}
	unknown := observed.Condition{Type: TypeSecretsResolved, Status: observed.Unknown, Reason: "Pending"}
	manual := observed.Condition{Type: TypeRestartPending, Status: observed.True, Reason: string(rollout.ManualPolicy)}
	configMap := observed.Condition{Type: TypeRestartPending, Status: observed.True, Reason: string(rollout.ConfigMapFirst)}
	progressing := observed.Condition{Type: TypeProgressing, Status: observed.True, Reason: "RollingOut"}

	cases := map[string]struct {
		reason string
		was    observed.Condition
		is     observed.Condition
		want   []string
	}{
		"TurnsBad":      {reason: "What turns bad is told.", was: good, is: bad, want: []string{"Warning Unresolved"}},
		"BadFromStart":  {reason: "What is bad from the start is told.", is: bad, want: []string{"Warning Unresolved"}},
		"StaysBad":      {reason: "What stays bad is not told again.", was: bad, is: bad},
		"TurnsWorse":    {reason: "What is bad in another way is told.", was: bad, is: worse, want: []string{"Warning Unresolved"}},
		"TurnsGood":     {reason: "What turns good is told.", was: bad, is: good, want: []string{"Normal Resolved"}},
		"StaysGood":     {reason: "What stays good is not told.", was: good, is: good},
		"GoodFromStart": {reason: "What is good from the start is not told.", is: good},
		"TurnsUnknown":  {reason: "What is not known yet is not told: the next call knows.", was: bad, is: unknown},
		"Manual":        {reason: "A restart that waits for the user is told.", is: manual, want: []string{"Warning ManualPolicy"}},
		"ManualDone":    {reason: "A restart that no longer waits for the user is told.", was: manual, is: configMap, want: []string{"Normal ConfigMapFirst"}},
		"Waiting":       {reason: "What the function waits for by itself is nobody's task.", is: configMap},
		"Other":         {reason: "What goes on by itself is nobody's task.", is: progressing},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			was := map[string]observed.Condition{}
			if tc.was.Type != "" {
				was[tc.was.Type] = tc.was
			}
			var got []string
			for _, e := range Events(was, []observed.Condition{tc.is}) {
				severity := "Normal "
				if e.Warning {
					severity = "Warning "
				}
				got = append(got, severity+e.Reason)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nEvents(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
