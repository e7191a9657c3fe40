package rollout

// An Action is what happens to the StatefulSet.
type Action string

const (
	// Advance sends the wanted pod template. If that differs from the present one, the
	// pod is replaced.
	Advance Action = "Advance"

	// Hold sends the whole pod template as it was last sent, with the configuration
	// that it names. A pod that restarts by itself comes back as it was.
	Hold Action = "Hold"

	// Withhold creates no StatefulSet yet. It never applies to an existing one, because
	// leaving that out would delete it.
	Withhold Action = "Withhold"
)

// A Reason says why the wanted pod template is not sent.
type Reason string

const (
	// LookupsPending means that Crossplane has not looked up yet what else is in
	// the namespace.
	LookupsPending Reason = "LookupsPending"

	// NameTaken means that somebody else's object has the name of the StatefulSet, or
	// of the ConfigMap that it needs.
	NameTaken Reason = "NameTaken"

	// SecretsPending means that Crossplane has not looked up all that the pod needs:
	// Secrets, ConfigMaps and claims of the user's, the ServiceAccount. Or one of them is
	// being created.
	SecretsPending Reason = "SecretsPending"

	// SecretsMissing means that one of these or a key is missing, or that a value is
	// invalid. A hash over the other inputs would restart the server now, and once more
	// when the rest is there.
	SecretsMissing Reason = "SecretsMissing"

	// ConfigMapFirst means that the wanted ConfigMap is not there yet. A running
	// server's template must not name one that may never come.
	ConfigMapFirst Reason = "ConfigMapFirst"

	// DatabasePending means that a database which is new to the server is not ready.
	DatabasePending Reason = "DatabasePending"

	// ManualPolicy means that the user decides when the pod is replaced.
	ManualPolicy Reason = "ManualPolicy"
)

// Annotations of the pod template that replace the pod when they change.
type Annotations struct {
	ConfigHash   string
	RestartToken string

	// EncryptionKeys names the master keys of encrypted stores.
	EncryptionKeys string
}

// An Observed has the parts of an existing StatefulSet that the decision depends on.
type Observed struct {
	Annotations

	// Runs is set unless the StatefulSet is scaled to zero and its pod is gone. A stopped
	// server holds nothing for the user, and its next pod can wait for its ConfigMap: it
	// starts with what is wanted.
	Runs bool
}

// A State is everything that the decision depends on.
type State struct {
	// Observed is the existing StatefulSet, or nil.
	Observed *Observed

	// Wanted are the annotations for the present configuration and inputs. Changes
	// names what the wanted template would change.
	Wanted  Annotations
	Changes []string

	// LookupsPending is set while it is unknown what else is in the namespace.
	// NameTaken is set if somebody else's object is in the way.
	LookupsPending, NameTaken bool

	// SecretsPending is set while Crossplane has not looked up all Secrets, ConfigMaps,
	// claims and the ServiceAccount that the pod needs, SecretsCreating while one is being
	// created, and SecretsMissing if one is missing or invalid.
	SecretsPending, SecretsCreating, SecretsMissing bool

	// DatabasePending is set while a database that is new to the server is not ready.
	// A database that the server already uses may fail over.
	DatabasePending bool

	// ProceedWithout what is missing or invalid.
	ProceedWithout bool

	// ConfigMapPending is set until the wanted ConfigMap was observed.
	ConfigMapPending bool

	// Manual is set if that is the rollout policy.
	Manual bool
}

// A Decision is what happens to the StatefulSet.
type Decision struct {
	Action Action

	// Annotations that the pod template gets. If they are not the Wanted ones, Reason
	// says why.
	Annotations, Wanted Annotations
	Reason              Reason

	// Changes names what the wanted template would change, whether or not it is sent.
	Changes []string

	// Pinned is set if the StatefulSet was observed. What is held, whether it runs and
	// which restartToken is carried on all depend on that observation, which may come
	// from a cache that lags. So what is sent must not reach a StatefulSet that has
	// changed since: it would bring an old template back.
	Pinned bool
}

// Decide says whether to send the wanted pod template. The first rule that applies
// counts.
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

// stay leaves the StatefulSet as it is.
func (s *State) stay(why Reason) Decision {
	if s.Observed == nil {
		return Decision{Action: Withhold, Wanted: s.Wanted, Reason: why}
	}
	return Decision{Action: Hold, Annotations: s.Observed.Annotations, Wanted: s.Wanted, Reason: why, Changes: s.Changes, Pinned: true}
}
