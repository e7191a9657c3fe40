package status

import (
	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// Fields returns all fields of the status that the function owns. Crossplane removes a
// field that is left out. The pendingHash is empty unless something waits for the user.
func (v *View) Fields(pendingHash string) map[string]any {
	xr, ss, d := v.XR, v.Have.StatefulSet, v.Decision
	status := map[string]any{
		"observedGeneration": xr.GetGeneration(),
		"replicas":           int64(0),
		"readyReplicas":      int64(0),
		"availableReplicas":  int64(0),
		"phase":              v.phase(),
	}
	if d.Annotations.ConfigHash != "" {
		status["configHash"] = d.Annotations.ConfigHash
	}
	if pendingHash != "" {
		status["pendingHash"] = pendingHash
	}
	if xr.Spec.Percona.Enabled {
		status["perconaClusterName"] = manifests.PerconaName(xr.DittoServer)
	}
	if ss != nil {
		status["replicas"] = int64(ss.Replicas)
	}
	if ss != nil && !v.replacing() && !v.Concludes() {
		status["readyReplicas"] = int64(ss.Status.ReadyReplicas)
		status["availableReplicas"] = int64(ss.Status.AvailableReplicas)
	}
	return status
}

// phase returns the phase of a server. It is Stopped once no pod is left.
func (v *View) phase() string {
	ss := v.Have.StatefulSet
	switch {
	case ss == nil || ss.Replicas != *v.XR.Spec.Replicas || v.replacing() || v.Concludes():
		return v1alpha1.PhasePending
	case ss.Replicas == 0 && ss.Status.Replicas == 0:
		return v1alpha1.PhaseStopped
	case ss.Replicas > 0 && ss.Status.ReadyReplicas == ss.Replicas:
		return v1alpha1.PhaseRunning
	}
	return v1alpha1.PhasePending
}
