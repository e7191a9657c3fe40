package rollout

// An Action is what happens to the StatefulSet.
type Action string

const (
	// Advance gives the pod template the new hash: the pod is replaced if it is
	// not the one that it has.
	Advance Action = "Advance"

	// Hold leaves the hash of the running StatefulSet, and what goes with it.
	// Everything else may change.
	Hold Action = "Hold"

	// Withhold creates no StatefulSet yet. It is never said of an existing one:
	// leaving that out would delete it.
	Withhold Action = "Withhold"
)

// A Reason is why the hash is not advanced.
type Reason string

const (
	// SecretsPending means that Crossplane has not looked up all Secrets, or that
	// one is being created.
	SecretsPending Reason = "SecretsPending"

	// SecretsMissing means that a Secret, a key or a value is not as it must be. A
	// hash over a part of the inputs would restart the server now and once more
	// when the rest is there.
	SecretsMissing Reason = "SecretsMissing"

	// ConfigMapFirst means that the ConfigMap is not yet as wanted. Crossplane
	// applies objects in no order, and a pod that starts before its ConfigMap is
	// written keeps the old configuration for good.
	ConfigMapFirst Reason = "ConfigMapFirst"

	// DatabasePending means that a new server's database is not ready.
	DatabasePending Reason = "DatabasePending"

	// ManualPolicy means that the user wants to say when.
	ManualPolicy Reason = "ManualPolicy"
)

// Annotations are those of the pod template that replace the pod.
type Annotations struct {
	ConfigHash   string
	RestartToken string
}

// A State is what the decision depends on.
type State struct {
	// Observed are the annotations of the existing StatefulSet's pod template, or
	// nil if there is no StatefulSet.
	Observed *Annotations

	// Wanted are the annotations that the configuration and the Secrets call for.
	Wanted Annotations

	// SecretsPending is set while Crossplane has not looked up all Secrets, or one
	// is being created, and SecretsMissing when one is not as it must be.
	SecretsPending, SecretsMissing bool

	// DatabasePending is set while the server's database is not ready.
	DatabasePending bool

	// ProceedWithout missing Secrets.
	ProceedWithout bool

	// ConfigMapStale is set when there is a ConfigMap and it is not as wanted, or
	// when a StatefulSet has lost its ConfigMap.
	ConfigMapStale bool

	// Manual is the user's rollout policy.
	Manual bool
}

// A Decision is what happens to the StatefulSet.
type Decision struct {
	Action Action

	// Annotations that the pod template gets, and Reason why they are not the
	// Wanted ones.
	Annotations, Wanted Annotations
	Reason              Reason
}

// Decide whether to advance the hash. The rules are in order: what has to be
// right first comes first.
func Decide(s State) Decision {
	switch {
	case s.SecretsPending:
		return s.stay(SecretsPending)
	case s.SecretsMissing && !s.ProceedWithout:
		return s.stay(SecretsMissing)
	case s.DatabasePending && s.Observed == nil:
		return s.stay(DatabasePending)
	case s.Manual && s.Observed != nil && s.Observed.RestartToken == s.Wanted.RestartToken && s.Observed.ConfigHash != s.Wanted.ConfigHash:
		return s.stay(ManualPolicy)
	case s.ConfigMapStale:
		return s.stay(ConfigMapFirst)
	}
	return Decision{Action: Advance, Annotations: s.Wanted, Wanted: s.Wanted}
}

// stay leaves things as they are.
func (s *State) stay(why Reason) Decision {
	if s.Observed == nil {
		return Decision{Action: Withhold, Wanted: s.Wanted, Reason: why}
	}
	return Decision{Action: Hold, Annotations: *s.Observed, Wanted: s.Wanted, Reason: why}
}
