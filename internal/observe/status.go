package observe

import (
	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// XRStatus is the complete status that the function owns: a field that is left
// out is removed.
func XRStatus(xr *Composite, ss *StatefulSet, d rollout.Decision) map[string]any {
	replicas := *xr.Spec.Replicas
	status := map[string]any{
		"observedGeneration": xr.GetGeneration(),
		"replicas":           int64(replicas),
		"readyReplicas":      int64(0),
		"availableReplicas":  int64(0),
		"phase":              v1alpha1.PhasePending,
	}
	if d.Annotations.ConfigHash != "" {
		status["configHash"] = d.Annotations.ConfigHash
	}

	if xr.Spec.Percona.Enabled {
		status["perconaClusterName"] = manifests.PerconaName(xr.DittoServer)
	}

	ready := int32(0)
	if ss != nil {
		ready = ss.Status.ReadyReplicas
		status["readyReplicas"] = int64(ready)
		status["availableReplicas"] = int64(ss.Status.AvailableReplicas)
	}

	switch {
	case replicas == 0:
		status["phase"] = v1alpha1.PhaseStopped
	case ready == replicas:
		status["phase"] = v1alpha1.PhaseRunning
	}
	return status
}
