package compose

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/observe"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// TestConditions tells of a condition as an event when somebody has to do
// something, and when it is done. An event with each call would flood the API
// server.
func TestConditions(t *testing.T) {
	bad := observe.Condition{Type: observe.TypeSecretsResolved, Status: observe.False, Reason: "Unresolved", Message: `Secret "a"`}
	worse := observe.Condition{Type: observe.TypeSecretsResolved, Status: observe.False, Reason: "Unresolved", Message: `Secret "a" and Secret "b"`}
	good := observe.Condition{Type: observe.TypeSecretsResolved, Status: observe.True, Reason: "Resolved"}
	unknown := observe.Condition{Type: observe.TypeSecretsResolved, Status: observe.Unknown, Reason: "Pending"}
	manual := observe.Condition{Type: observe.TypeRestartPending, Status: observe.True, Reason: string(rollout.ManualPolicy)}
	configMap := observe.Condition{Type: observe.TypeRestartPending, Status: observe.True, Reason: string(rollout.ConfigMapFirst)}
	progressing := observe.Condition{Type: observe.TypeProgressing, Status: observe.True, Reason: "RollingOut"}

	cases := map[string]struct {
		reason string
		was    observe.Condition
		is     observe.Condition
		want   []string
	}{
		"TurnsBad":      {reason: "What turns bad is told.", was: good, is: bad, want: []string{"SEVERITY_WARNING Unresolved"}},
		"BadFromStart":  {reason: "What is bad from the start is told.", is: bad, want: []string{"SEVERITY_WARNING Unresolved"}},
		"StaysBad":      {reason: "What stays bad is not told again.", was: bad, is: bad},
		"TurnsWorse":    {reason: "What is bad in another way is told.", was: bad, is: worse, want: []string{"SEVERITY_WARNING Unresolved"}},
		"TurnsGood":     {reason: "What turns good is told.", was: bad, is: good, want: []string{"SEVERITY_NORMAL Resolved"}},
		"StaysGood":     {reason: "What stays good is not told.", was: good, is: good},
		"GoodFromStart": {reason: "What is good from the start is not told.", is: good},
		"TurnsUnknown":  {reason: "What is not known yet is not told: the next call knows.", was: bad, is: unknown},
		"Manual":        {reason: "A restart that waits for the user is told.", is: manual, want: []string{"SEVERITY_WARNING ManualPolicy"}},
		"ManualDone":    {reason: "A restart that no longer waits for the user is told.", was: manual, is: configMap, want: []string{"SEVERITY_NORMAL ConfigMapFirst"}},
		"Waiting":       {reason: "What the function waits for by itself is nobody's task.", is: configMap},
		"Other":         {reason: "What goes on by itself is nobody's task.", is: progressing},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			was := map[string]observe.Condition{}
			if tc.was.Type != "" {
				was[tc.was.Type] = tc.was
			}
			rsp := &fnv1.RunFunctionResponse{}
			Conditions(rsp, was, tc.is)

			var got []string
			for _, r := range rsp.GetResults() {
				got = append(got, r.GetSeverity().String()+" "+r.GetReason())
				if r.GetTarget() != fnv1.Target_TARGET_COMPOSITE {
					t.Errorf("%s\nConditions(...): events are about the composite resource, got %s", tc.reason, r.GetTarget())
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nConditions(...): -want, +got:\n%s", tc.reason, diff)
			}
			if len(rsp.GetConditions()) != 1 {
				t.Errorf("%s\nConditions(...): want 1 condition, got %d", tc.reason, len(rsp.GetConditions()))
			}
		})
	}
}
