package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDecide goes through the order of the rules. What they mean to a server is
// tested with the whole function.
func TestDecide(t *testing.T) {
	old, wanted := Annotations{ConfigHash: "old", RestartToken: "token"}, Annotations{ConfigHash: "new", RestartToken: "token"}

	advance := Decision{Action: Advance, Annotations: wanted, Wanted: wanted}
	hold := func(r Reason) Decision { return Decision{Action: Hold, Annotations: old, Wanted: wanted, Reason: r} }
	withhold := func(r Reason) Decision { return Decision{Action: Withhold, Wanted: wanted, Reason: r} }

	cases := map[string]struct {
		reason string
		state  State
		want   Decision
	}{
		"Create":                  {reason: "A new server should have the hash at once.", state: State{Wanted: wanted}, want: advance},
		"CreateManual":            {reason: "The policy is about restarts.", state: State{Wanted: wanted, Manual: true}, want: advance},
		"Advance":                 {reason: "A changed input should restart the server.", state: State{Wanted: wanted, Observed: &old}, want: advance},
		"Pending":                 {reason: "Nothing can be said before all Secrets are looked up.", state: State{Wanted: wanted, Observed: &old, SecretsPending: true}, want: hold(SecretsPending)},
		"PendingNew":              {reason: "Nothing can be said before all Secrets are looked up.", state: State{Wanted: wanted, SecretsPending: true}, want: withhold(SecretsPending)},
		"PendingBeforeMissing":    {reason: "A Secret that is not looked up may explain one that is missing.", state: State{Wanted: wanted, Observed: &old, SecretsPending: true, SecretsMissing: true}, want: hold(SecretsPending)},
		"PendingProceed":          {reason: "To proceed without Secrets is not to proceed before they are looked up.", state: State{Wanted: wanted, Observed: &old, SecretsPending: true, ProceedWithout: true}, want: hold(SecretsPending)},
		"Missing":                 {reason: "A partial hash would restart the server twice.", state: State{Wanted: wanted, Observed: &old, SecretsMissing: true}, want: hold(SecretsMissing)},
		"MissingNew":              {reason: "A server without its Secrets does not start.", state: State{Wanted: wanted, SecretsMissing: true}, want: withhold(SecretsMissing)},
		"MissingBeforeConfigMap":  {reason: "Where two things are waited for, the user can do something about the Secret.", state: State{Wanted: wanted, Observed: &old, SecretsMissing: true, ConfigMapStale: true}, want: hold(SecretsMissing)},
		"MissingProceed":          {reason: "The platform team has said so.", state: State{Wanted: wanted, Observed: &old, SecretsMissing: true, ProceedWithout: true}, want: advance},
		"MissingProceedNew":       {reason: "The platform team has said so.", state: State{Wanted: wanted, SecretsMissing: true, ProceedWithout: true}, want: advance},
		"MissingProceedConfigMap": {reason: "The ConfigMap goes first, with Secrets and without.", state: State{Wanted: wanted, Observed: &old, SecretsMissing: true, ProceedWithout: true, ConfigMapStale: true}, want: hold(ConfigMapFirst)},
		"ConfigMap":               {reason: "A pod that starts before its ConfigMap is written keeps the old one.", state: State{Wanted: wanted, Observed: &old, ConfigMapStale: true}, want: hold(ConfigMapFirst)},
		"ConfigMapNew":            {reason: "A new pod too could read an old ConfigMap.", state: State{Wanted: wanted, ConfigMapStale: true}, want: withhold(ConfigMapFirst)},
		"ManualBeforeConfigMap":   {reason: "A user who wants to say when should be told so, whatever else is waited for.", state: State{Wanted: wanted, Observed: &old, ConfigMapStale: true, Manual: true}, want: hold(ManualPolicy)},
		"ManualTokenAndConfigMap": {reason: "A new token should find the ConfigMap written.", state: State{Wanted: wanted, Observed: &Annotations{ConfigHash: "old"}, ConfigMapStale: true, Manual: true}, want: Decision{Action: Hold, Annotations: Annotations{ConfigHash: "old"}, Wanted: wanted, Reason: ConfigMapFirst}},
		"Manual":                  {reason: "The user wants to say when.", state: State{Wanted: wanted, Observed: &old, Manual: true}, want: hold(ManualPolicy)},
		"ManualNewToken":          {reason: "The user says: now.", state: State{Wanted: wanted, Observed: &Annotations{ConfigHash: "old"}, Manual: true}, want: advance},
		"ManualNothingChanged":    {reason: "Nothing waits for the user.", state: State{Wanted: wanted, Observed: &wanted, Manual: true}, want: advance},
		"DatabasePendingNew":      {reason: "A server without its database does not start.", state: State{Wanted: wanted, DatabasePending: true}, want: withhold(DatabasePending)},
		"DatabasePendingRunning":  {reason: "A database that is not ready for a while is no reason to hold anything.", state: State{Wanted: wanted, Observed: &old, DatabasePending: true}, want: advance},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Decide(tc.state)); diff != "" {
				t.Errorf("%s\nDecide(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
