package observe

import (
	"fmt"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// A Status of a condition.
type Status string

// Statuses of a condition.
const (
	True    Status = "True"
	False   Status = "False"
	Unknown Status = "Unknown"
)

// Types of the conditions that the function sets on the composite resource.
const (
	TypeConfigReady     = "ConfigReady"
	TypeSecretsResolved = "SecretsResolved"
	TypeAvailable       = "Available"
	TypeProgressing     = "Progressing"
	TypeStorageInSync   = "StorageInSync"
	TypeRestartPending  = "RestartPending"

	// TypeDatabaseReady is set only where the function composes the database, and
	// TypeServiceMonitorReady only where the user asks for a ServiceMonitor.
	TypeDatabaseReady       = "DatabaseReady"
	TypeServiceMonitorReady = "ServiceMonitorReady"
)

// A Condition of the composite resource. Messages have neither times nor
// counters: a message that changes is a write, and a write runs the function.
type Condition struct {
	Type    string
	Status  Status
	Reason  string
	Message string
}

// NeedsAttention says whether somebody has to do something.
func (c *Condition) NeedsAttention() bool {
	switch c.Type {
	case TypeSecretsResolved, TypeStorageInSync:
		return c.Status == False && c.Reason != reasonCreating
	case TypeServiceMonitorReady:
		return c.Status == False
	case TypeRestartPending:
		return c.Status == True && c.Reason == string(rollout.ManualPolicy)
	}
	return false
}

// reasonCreating is given while something is being created for the first time.
const reasonCreating = "Creating"

// Conditions of a server that could be rendered, in a fixed order.
func Conditions(xr *Composite, have *Composed, want *manifests.Objects, secrets *podinputs.Resolution, k Kind, d rollout.Decision) []Condition {
	cs := []Condition{
		configReady(have, want),
		secretsResolved(secrets, d),
		available(have.StatefulSet, xr),
		progressing(have.StatefulSet, want, d),
		storageInSync(have.StatefulSet, xr),
		restartPending(have.StatefulSet, d),
	}
	if xr.Spec.Percona.Enabled {
		cs = append(cs, databaseReady(xr, have))
	}
	if xr.Spec.Metrics.ServiceMonitor.Enabled {
		cs = append(cs, serviceMonitorReady(k))
	}
	return cs
}

func databaseReady(xr *Composite, have *Composed) Condition {
	if have.PerconaReady {
		return Condition{Type: TypeDatabaseReady, Status: True, Reason: "Ready"}
	}
	return Condition{
		Type: TypeDatabaseReady, Status: False, Reason: "NotReady",
		Message: fmt.Sprintf("PerconaPGCluster %q is not ready. A new server is created once it is", manifests.PerconaName(xr.DittoServer)),
	}
}

func serviceMonitorReady(k Kind) Condition {
	c := Condition{Type: TypeServiceMonitorReady, Status: True, Reason: "Composed"}
	switch k {
	case KindKnown:
	case KindPending:
		c.Status, c.Reason = Unknown, "Pending"
		c.Message = "Crossplane has not looked up yet whether the cluster knows the kind"
	case KindMissing:
		c.Status, c.Reason = False, "KindMissing"
		c.Message = "The cluster does not know the kind ServiceMonitor (monitoring.coreos.com/v1). Install the Prometheus operator, or set spec.metrics.serviceMonitor.enabled to false"
	case KindUnknowable:
		c.Status, c.Reason = False, "KindUnknowable"
		c.Message = "This Crossplane cannot tell whether the cluster knows the kind ServiceMonitor: it takes 2.2 or later"
	}
	return c
}

// Invalid is the condition of a composite resource or an Input that cannot be
// rendered.
func Invalid(message string) Condition {
	return Condition{Type: TypeConfigReady, Status: False, Reason: "InvalidSpec", Message: message}
}

func configReady(have *Composed, want *manifests.Objects) Condition {
	c := Condition{Type: TypeConfigReady, Status: True, Reason: "Written"}
	switch {
	case have.Config == nil:
		c.Status, c.Reason, c.Message = False, reasonCreating, fmt.Sprintf("ConfigMap %q is being created", want.ConfigMap.GetName())
	case *have.Config != want.Config():
		c.Status, c.Reason, c.Message = False, "Updating", fmt.Sprintf("ConfigMap %q is being updated", want.ConfigMap.GetName())
	}
	return c
}

func secretsResolved(secrets *podinputs.Resolution, d rollout.Decision) Condition {
	c := Condition{Type: TypeSecretsResolved, Status: True, Reason: "Resolved"}
	switch {
	case len(secrets.Problems) > 0:
		lines := make([]string, 0, len(secrets.Problems))
		for _, p := range secrets.Problems {
			lines = append(lines, p.String())
		}
		c.Status, c.Reason = False, "Unresolved"
		c.Message = strings.Join(lines, "; ") + ". " + consequence(d)
	case len(secrets.Creating) > 0:
		c.Status, c.Reason = False, reasonCreating
		c.Message = "Secrets that are being created: " + strings.Join(secrets.Creating, ", ")
	case len(secrets.Pending) > 0:
		c.Status, c.Reason = Unknown, "Pending"
		c.Message = "Crossplane has not looked up all Secrets yet"
	}
	return c
}

// consequence says what an unresolved Secret means for the server.
func consequence(d rollout.Decision) string {
	switch d.Action {
	case rollout.Withhold:
		return "The server is created once this is mended."
	case rollout.Hold:
		return "The running server is not restarted until this is mended. Do not change its image or resources meanwhile: that replaces the pod, and the new one needs the Secrets."
	case rollout.Advance:
	}
	return "The Input says missingSecrets: Proceed, so the server is run all the same."
}

func available(ss *StatefulSet, xr *Composite) Condition {
	c := Condition{Type: TypeAvailable, Status: True, Reason: "Serving"}
	switch {
	case *xr.Spec.Replicas == 0:
		c.Reason, c.Message = "Stopped", "spec.replicas is 0"
	case ss == nil:
		c.Status, c.Reason, c.Message = False, "NotCreated", "There is no StatefulSet yet"
	case ss.Status.ReadyReplicas == 0:
		c.Status, c.Reason, c.Message = False, "NotReady", "The pod is not ready"
	}
	return c
}

func progressing(ss *StatefulSet, want *manifests.Objects, d rollout.Decision) Condition {
	c := Condition{Type: TypeProgressing, Status: False, Reason: "RolledOut"}
	switch {
	case d.Action == rollout.Withhold:
		c.Reason, c.Message = "Waiting", "The StatefulSet is not created yet"
	case ss == nil:
		c.Status, c.Reason, c.Message = True, reasonCreating, "The StatefulSet is being created"
	case !statefulSetReady(ss, want, d):
		c.Status, c.Reason = True, "RollingOut"
		c.Message = "The pod is not yet ready with the newest configuration"
	}
	return c
}

func storageInSync(ss *StatefulSet, xr *Composite) Condition {
	c := Condition{Type: TypeStorageInSync, Status: True, Reason: "InSync"}
	if ss == nil {
		return c
	}
	if drift := manifests.StorageDrift(xr.DittoServer, &ss.Immutable); len(drift) > 0 {
		c.Status, c.Reason = False, "Immutable"
		c.Message = strings.Join(drift, "; ") + ". " + manifests.StorageWayOut(xr.GetName())
	}
	return c
}

func restartPending(ss *StatefulSet, d rollout.Decision) Condition {
	c := Condition{Type: TypeRestartPending, Status: False, Reason: "UpToDate"}
	if ss == nil {
		return c
	}
	switch d.Reason {
	case rollout.ManualPolicy:
		c.Status, c.Reason = True, string(d.Reason)
		c.Message = fmt.Sprintf("The server runs with configuration %s, and %s waits. Give spec.rollout.restartToken a new value to restart it", ShortHash(ss.Annotations.ConfigHash), ShortHash(d.Wanted.ConfigHash))
	case rollout.ConfigMapFirst:
		c.Status, c.Reason, c.Message = True, string(d.Reason), "The server restarts as soon as its ConfigMap is written"
		if d.Wanted == ss.Annotations {
			c.Status, c.Message = False, "The ConfigMap is being put back as the server has read it"
		}
	case rollout.DatabasePending:
		// Said only of a server that is not created yet.
	case rollout.SecretsPending, rollout.SecretsMissing:
		c.Status, c.Reason, c.Message = Unknown, string(d.Reason), "Whether the server has to restart is known when its Secrets are"
	}
	return c
}

// ShortHash is enough of a hash to tell two apart.
func ShortHash(hash string) string {
	if len(hash) > shortHashLength {
		return hash[:shortHashLength]
	}
	return hash
}

const shortHashLength = 8
