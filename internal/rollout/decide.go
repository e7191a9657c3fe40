package rollout

// An Action is what happens to the StatefulSet.
type Action string

const (
	// Advance sends the wanted pod template: the pod is replaced if it is not the
	// one that it has.
	Advance Action = "Advance"

	// Hold sends the pod template as it was last sent, whole, with the
	// configuration that it names. A pod that restarts by itself comes back as it
	// was.
	Hold Action = "Hold"

	// Withhold creates no StatefulSet yet. It is never said of an existing one:
	// leaving that out would delete it.
	Withhold Action = "Withhold"
)

// A Reason is why the wanted pod template is not sent.
type Reason string

const (
	// LookupsPending means that Crossplane has not looked up yet what else is in
	// the namespace.
	LookupsPending Reason = "LookupsPending"

	// NameTaken means that something of somebody else has the name of the
	// StatefulSet, or of the ConfigMap that it needs.
	NameTaken Reason = "NameTaken"

	// SecretsPending means that Crossplane has not looked up all Secrets, or that
	// one is being created.
	SecretsPending Reason = "SecretsPending"

	// SecretsMissing means that a Secret, a key or a value is not as it must be. A
	// hash over a part of the inputs would restart the server now and once more
	// when the rest is there.
	SecretsMissing Reason = "SecretsMissing"

	// ConfigMapFirst means that the wanted ConfigMap is not there yet. A running
	// server's template must not name one that may never come.
	ConfigMapFirst Reason = "ConfigMapFirst"

	// DatabasePending means that the database that is new to the server is not
	// ready.
	DatabasePending Reason = "DatabasePending"

	// ManualPolicy means that the user wants to say when.
	ManualPolicy Reason = "ManualPolicy"
)

// Annotations are those of the pod template that replace the pod.
type Annotations struct {
	ConfigHash   string
	RestartToken string
}

// An Observed StatefulSet is what the decision looks at of it.
type Observed struct {
	Annotations

	// Runs is set unless it is scaled to zero and its pod is gone. What is stopped has
	// nothing to hold for the user or for a ConfigMap, which its pod waits for: it
	// starts with what is wanted.
	Runs bool
}

// A State is what the decision depends on.
type State struct {
	// Observed is the existing StatefulSet, or nil.
	Observed *Observed

	// Wanted are the annotations that the configuration and the Secrets call for,
	// and Changes what the wanted template would change of the observed one.
	Wanted  Annotations
	Changes []string

	// LookupsPending is set while it is not known what else is in the namespace,
	// and NameTaken if something of somebody else is in the way.
	LookupsPending, NameTaken bool

	// SecretsPending is set while Crossplane has not looked up all Secrets,
	// SecretsCreating while one is being created, and SecretsMissing when one is
	// not as it must be.
	SecretsPending, SecretsCreating, SecretsMissing bool

	// DatabasePending is set while the database is not ready that is new to the
	// server. One that fails over under a server that uses it holds nothing.
	DatabasePending bool

	// ProceedWithout missing Secrets.
	ProceedWithout bool

	// ConfigMapPending is set until the wanted ConfigMap was observed.
	ConfigMapPending bool

	// Manual is the rollout policy.
	Manual bool
}

// A Decision is what happens to the StatefulSet.
type Decision struct {
	Action Action

	// Annotations that the pod template gets, and Reason why they are not the
	// Wanted ones.
	Annotations, Wanted Annotations
	Reason              Reason

	// Changes are what the wanted template would change, whether or not it is sent.
	Changes []string

	// Pinned is set if the StatefulSet was observed: what is held, whether it runs, and
	// the restartToken that is carried on all depend on that. What is sent must not
	// reach a StatefulSet that has moved on since, as the observation may come from a
	// cache that lags, and would bring an old template back.
	Pinned bool
}

// Decide whether to send the wanted pod template. The rules are in order: what has
// to be right first comes first.
func Decide(s State) Decision {
	switch {
	case s.LookupsPending:
		return s.stay(LookupsPending)
	case s.NameTaken:
		return s.stay(NameTaken)
	case s.SecretsPending:
		return s.stay(SecretsPending)
	case s.DatabasePending:
		return s.stay(DatabasePending)
	case s.SecretsCreating:
		return s.stay(SecretsPending)
	case s.SecretsMissing && !s.ProceedWithout:
		return s.stay(SecretsMissing)
	case s.Manual && s.Observed != nil && s.Observed.Runs && s.Observed.RestartToken == s.Wanted.RestartToken && len(s.Changes) > 0:
		return s.stay(ManualPolicy)
	case s.ConfigMapPending && s.Observed != nil && s.Observed.Runs:
		return s.stay(ConfigMapFirst)
	}
	return Decision{
		Action: Advance, Annotations: s.Wanted, Wanted: s.Wanted, Changes: s.Changes,
		Pinned: s.Observed != nil,
	}
}

// stay leaves things as they are.
func (s *State) stay(why Reason) Decision {
	if s.Observed == nil {
		return Decision{Action: Withhold, Wanted: s.Wanted, Reason: why}
	}
	return Decision{Action: Hold, Annotations: s.Observed.Annotations, Wanted: s.Wanted, Reason: why, Changes: s.Changes, Pinned: true}
}
