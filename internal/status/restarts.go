package status

import "github.com/dittofs/function-dittoserver/internal/rollout"

// reasonFatalError is what Crossplane gives each condition if a reconcile fails after the
// function has answered, for example because an admission policy refuses an object.
const reasonFatalError = "FatalError"

// Restarts says whether a running server is sent a new pod template that it was not sent
// before. The status tells which hash was sent last, but of other changes only that a
// restart is under way. So a change without a new hash that comes meanwhile is taken for
// part of that restart. What Crossplane could not write is sent again, and is no second
// restart either.
func (v *View) Restarts() bool {
	ss, d := v.Have.StatefulSet, v.Decision
	if d.Action != rollout.Advance || ss == nil || !ss.Runs() || *v.XR.Spec.Replicas == 0 || len(d.Changes) == 0 {
		return false
	}
	was := v.XR.Conditions[TypeRestartPending].Reason
	if was == reasonFatalError && v.XR.Conditions[TypeConfigReady].Reason == reasonFatalError {
		return false
	}
	if ss.ConfigHash != d.Annotations.ConfigHash {
		return v.sendsNewHash()
	}
	return was != reasonRestarting && was != reasonRefused
}

// sendsNewHash says whether a server that runs is sent a hash that it was not sent before.
func (v *View) sendsNewHash() bool {
	ss, d := v.Have.StatefulSet, v.Decision
	hash := d.Annotations.ConfigHash
	return d.Action == rollout.Advance && ss != nil && ss.Runs() && ss.ConfigHash != hash && v.XR.Status.ConfigHash != hash
}
