package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDecide goes through the order of the rules. What they mean to a server is
// tested with the whole function.
func TestDecide(t *testing.T) {
	wanted := Annotations{ConfigHash: "new", RestartToken: "token"}
	running := Observed{Annotations: Annotations{ConfigHash: "old", RestartToken: "token"}, Runs: true}
	stopped := Observed{Annotations: running.Annotations}
	untold := Observed{Annotations: Annotations{ConfigHash: "old"}, Runs: true}
	changes := []string{configuration}

	state := func(observed *Observed, edits ...func(*State)) State {
		s := State{Wanted: wanted, Observed: observed}
		if observed != nil {
			s.Changes = changes
		}
		for _, e := range edits {
			e(&s)
		}
		return s
	}
	advance := Decision{Action: Advance, Annotations: wanted, Wanted: wanted, Changes: changes, Pinned: true}
	create := Decision{Action: Advance, Annotations: wanted, Wanted: wanted}
	hold := func(o *Observed, r Reason) Decision {
		return Decision{Action: Hold, Annotations: o.Annotations, Wanted: wanted, Reason: r, Changes: changes, Pinned: true}
	}
	withhold := func(r Reason) Decision { return Decision{Action: Withhold, Wanted: wanted, Reason: r} }

	lookups := func(s *State) { s.LookupsPending = true }
	taken := func(s *State) { s.NameTaken = true }
	pending := func(s *State) { s.SecretsPending = true }
	creating := func(s *State) { s.SecretsCreating = true }
	missing := func(s *State) { s.SecretsMissing = true }
	proceed := func(s *State) { s.ProceedWithout = true }
	database := func(s *State) { s.DatabasePending = true }
	configMap := func(s *State) { s.ConfigMapPending = true }
	manual := func(s *State) { s.Manual = true }
	unchanged := func(s *State) { s.Changes = nil }

	cases := map[string]struct {
		reason string
		state  State
		want   Decision
	}{
		"Create":                  {reason: "A new server should have the hash at once.", state: state(nil), want: create},
		"CreateManual":            {reason: "The policy is about restarts.", state: state(nil, manual), want: create},
		"CreateBesideConfigMap":   {reason: "A new pod waits for its ConfigMap.", state: state(nil, configMap), want: create},
		"Advance":                 {reason: "A changed input should restart the server.", state: state(&running), want: advance},
		"Lookups":                 {reason: "Nothing is created before it is known whether its name is free.", state: state(nil, lookups), want: withhold(LookupsPending)},
		"Taken":                   {reason: "Nothing of others is taken over.", state: state(nil, taken, missing), want: withhold(NameTaken)},
		"TakenRunning":            {reason: "A ConfigMap of others is not one to start with.", state: state(&running, taken), want: hold(&running, NameTaken)},
		"Pending":                 {reason: "Nothing can be said before all Secrets are looked up.", state: state(&running, pending), want: hold(&running, SecretsPending)},
		"PendingNew":              {reason: "Nothing can be said before all Secrets are looked up.", state: state(nil, pending), want: withhold(SecretsPending)},
		"PendingBeforeMissing":    {reason: "A Secret that is not looked up may explain one that is missing.", state: state(&running, pending, missing), want: hold(&running, SecretsPending)},
		"PendingProceed":          {reason: "To proceed without Secrets is not to proceed before they are looked up.", state: state(&running, pending, proceed), want: hold(&running, SecretsPending)},
		"Creating":                {reason: "A Secret that is being created is there in a moment.", state: state(&running, creating, missing), want: hold(&running, SecretsPending)},
		"Missing":                 {reason: "A partial hash would restart the server twice.", state: state(&running, missing), want: hold(&running, SecretsMissing)},
		"MissingNew":              {reason: "A server without its Secrets does not start.", state: state(nil, missing), want: withhold(SecretsMissing)},
		"MissingStopped":          {reason: "A partial hash is wrong also for a server that is stopped.", state: state(&stopped, missing), want: hold(&stopped, SecretsMissing)},
		"MissingBeforeConfigMap":  {reason: "Where two things are waited for, the user can do something about the Secret.", state: state(&running, missing, configMap), want: hold(&running, SecretsMissing)},
		"MissingProceed":          {reason: "The platform team has said so.", state: state(&running, missing, proceed), want: advance},
		"MissingProceedNew":       {reason: "The platform team has said so.", state: state(nil, missing, proceed), want: create},
		"MissingProceedConfigMap": {reason: "The ConfigMap goes first, with Secrets and without.", state: state(&running, missing, proceed, configMap), want: hold(&running, ConfigMapFirst)},
		"ConfigMap":               {reason: "A running server's template must not name a ConfigMap that may never come.", state: state(&running, configMap), want: hold(&running, ConfigMapFirst)},
		"ConfigMapStopped":        {reason: "A pod that starts waits for its ConfigMap.", state: state(&stopped, manual, configMap), want: advance},
		"ManualBeforeConfigMap":   {reason: "A user who wants to say when should be told so, whatever else is waited for.", state: state(&running, manual, configMap), want: hold(&running, ManualPolicy)},
		"ManualTokenAndConfigMap": {reason: "A new token should find the ConfigMap written.", state: state(&untold, manual, configMap), want: hold(&untold, ConfigMapFirst)},
		"Manual":                  {reason: "The user wants to say when.", state: state(&running, manual), want: hold(&running, ManualPolicy)},
		"ManualNewToken":          {reason: "The user says: now.", state: state(&untold, manual), want: advance},
		"ManualStopped":           {reason: "What is stopped has nothing to hold. That it is stopped was observed, and may be so no longer.", state: state(&stopped, manual), want: advance},
		"ManualNothingChanged":    {reason: "Nothing waits for the user.", state: state(&running, manual, unchanged), want: Decision{Action: Advance, Annotations: wanted, Wanted: wanted, Pinned: true}},
		"Database":                {reason: "A server without its database does not start.", state: state(nil, database), want: withhold(DatabasePending)},
		"DatabaseRunning":         {reason: "A running server stays on its database until the new one is ready, also where it has no account yet.", state: state(&running, database, creating), want: hold(&running, DatabasePending)},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Decide(tc.state)); diff != "" {
				t.Errorf("%s\nDecide(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
