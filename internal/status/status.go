package status

import (
	"time"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/values"
)

// Fields returns all fields of the status that the function owns. Crossplane removes a
// field that is left out. The pendingHash is empty unless something waits for the user.
func (v *View) Fields(pendingHash string) map[string]any {
	xr, ss, d := v.XR, v.Have.StatefulSet, v.Decision
	unsettled := v.replacing() || v.concludes()
	status := map[string]any{
		"observedGeneration": xr.GetGeneration(),
		"replicas":           int64(0),
		"readyReplicas":      int64(0),
		"availableReplicas":  int64(0),
		"phase":              phase(xr, ss, unsettled),
	}
	if d.Annotations.ConfigHash != "" {
		status["configHash"] = d.Annotations.ConfigHash
	}
	if pendingHash != "" {
		status["pendingHash"] = pendingHash
	}
	if c := v.certificates(); len(c) > 0 {
		status["certificates"] = c
	}
	if xr.Spec.Percona.Enabled {
		status["perconaClusterName"] = manifests.PerconaName(xr.DittoServer)
	}
	if e := v.endpoints(); len(e) > 0 {
		status["endpoints"] = e
	}
	if ss != nil {
		status["replicas"] = int64(ss.Replicas)
	}
	if ss != nil && !unsettled {
		status["readyReplicas"] = int64(ss.Status.ReadyReplicas)
		status["availableReplicas"] = int64(ss.Status.AvailableReplicas)
	}
	return status
}

// certificates returns how long the server's certificates are valid. One that it does not
// have, or that cannot be read, is left out.
func (v *View) certificates() map[string]any {
	certs := map[string]any{}
	add := func(name string, value []byte) {
		if from, until, ok := values.Validity(value); ok {
			certs[name] = map[string]any{"notBefore": from.UTC().Format(time.RFC3339), "notAfter": until.UTC().Format(time.RFC3339)}
		}
	}
	add("api", v.Secrets.APICertificate)
	add("metrics", v.Secrets.MetricsCertificate)
	return certs
}

// phase returns the phase of a server. It is Stopped once no pod is left.
func phase(xr *observed.Composite, ss *observed.StatefulSet, unsettled bool) string {
	switch {
	case ss == nil || ss.Replicas != *xr.Spec.Replicas || unsettled:
		return v1alpha1.PhasePending
	case ss.Replicas == 0 && ss.Status.Replicas == 0:
		return v1alpha1.PhaseStopped
	case ss.Replicas > 0 && ss.Status.ReadyReplicas == ss.Replicas:
		return v1alpha1.PhaseRunning
	}
	return v1alpha1.PhasePending
}
