// Package status reports the state of a server: readiness, conditions, status and events.
package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// Types of the conditions that the function sets on the composite resource.
const (
	TypeConfigReady     = "ConfigReady"
	TypeSecretsResolved = "SecretsResolved"
	TypeAvailable       = "Available"
	TypeProgressing     = "Progressing"
	TypeStorageInSync   = "StorageInSync"
	TypeRestartPending  = "RestartPending"

	// TypeDatabaseReady is set if the function composes the database,
	// TypeServiceMonitorReady and TypePrometheusRuleReady if the user asks for such an object,
	// TypeDeletionProtectionReady if for protection, TypeServicesInSync if Kubernetes
	// cannot make of a Service what the user wants, and TypeNamesAvailable if a name is
	// taken. Crossplane keeps a condition that is no longer set, so one that was set is
	// set to True when it is no longer used.
	TypeDatabaseReady           = "DatabaseReady"
	TypeServiceMonitorReady     = "ServiceMonitorReady"
	TypePrometheusRuleReady     = "PrometheusRuleReady"
	TypeDeletionProtectionReady = "DeletionProtectionReady"
	TypeServicesInSync          = "ServicesInSync"
	TypeNamesAvailable          = "NamesAvailable"
)

// typeSynced is Crossplane's own condition.
const typeSynced = "Synced"

// Reasons of Available if nobody expects a server.
const (
	ReasonNotCreated = "NotCreated"
	ReasonStopped    = "Stopped"
)

// Reasons of conditions, beside those of a decision.
const (
	reasonCreating    = "Creating"
	reasonKindMissing = "KindMissing"
	reasonTaken       = "Taken"
	reasonRestarting  = "Restarting"
	reasonRefused     = "Refused"
	reasonUpToDate    = "UpToDate"
	reasonNotReady    = "NotReady"
	reasonNotUsed     = "NotUsed"
	reasonInSync      = "InSync"
	reasonImmutable   = "Immutable"
)

// A View is everything that the conditions depend on.
type View struct {
	XR       *observed.Composite
	Have     *observed.Composed
	Want     *manifests.Objects
	Secrets  *podinputs.Resolution
	Gone     []podinputs.Problem
	Kinds    observed.Kinds
	Names    []observed.Name
	Drift    []string
	Decision rollout.Decision
}

// Conditions returns the conditions of a server that could be rendered, in a fixed
// order.
func Conditions(v *View) []observed.Condition {
	cs := []observed.Condition{
		v.configReady(),
		v.secretsResolved(),
		v.available(),
		v.progressing(),
		v.storageInSync(),
		v.restartPending(),
	}
	if v.Announces() {
		for i, c := range cs {
			switch c.Type {
			case TypeAvailable, TypeProgressing, TypeRestartPending:
				cs[i] = v.XR.Conditions[c.Type]
			}
		}
	}
	for _, c := range []observed.Condition{v.databaseReady(), v.serviceMonitorReady(), v.prometheusRuleReady(), v.deletionProtectionReady(), v.servicesInSync(), v.namesAvailable()} {
		if _, was := v.XR.Conditions[c.Type]; was || c.Reason != reasonNotUsed {
			cs = append(cs, c)
		}
	}
	return cs
}

func (v *View) databaseReady() observed.Condition {
	c := observed.Condition{Type: TypeDatabaseReady, Status: observed.False}
	switch {
	case v.Kinds.Percona == observed.KindUnused:
		c.Status, c.Reason = observed.True, reasonNotUsed
	case v.Kinds.Percona == observed.KindPending:
		c.Status, c.Reason, c.Message = observed.Unknown, string(observed.KindPending), kindPending
	case v.Kinds.Percona == observed.KindMissing:
		c.Reason, c.Message = reasonKindMissing, kindMissing(manifests.PerconaKind, manifests.PerconaAPIVersion)+
			"Install version 2.8 or later of Percona's operator for PostgreSQL, or remove spec.percona"
	case v.Have.PerconaReady:
		c.Status, c.Reason = observed.True, "Ready"
	default:
		c.Reason = "NotReady"
		c.Message = fmt.Sprintf("PerconaPGCluster %q is not ready. A server that does not use it yet waits for it", manifests.PerconaName(v.XR.DittoServer))
	}
	return c
}

func (v *View) serviceMonitorReady() observed.Condition {
	return monitoringReady(TypeServiceMonitorReady, v.Kinds.ServiceMonitor, manifests.ServiceMonitorKind, manifests.ServiceMonitorAPIVersion, "spec.metrics.serviceMonitor.enabled")
}

func (v *View) prometheusRuleReady() observed.Condition {
	return monitoringReady(TypePrometheusRuleReady, v.Kinds.PrometheusRule, manifests.PrometheusRuleKind, manifests.PrometheusRuleAPIVersion, "spec.metrics.prometheusRule.enabled")
}

// monitoringReady says whether an object of one of the Prometheus operator's kinds is
// composed, which a field of the spec asks for.
func monitoringReady(typ string, k observed.Kind, kind, apiVersion, field string) observed.Condition {
	c := observed.Condition{Type: typ, Status: observed.True}
	switch k {
	case observed.KindUnused:
		c.Reason = reasonNotUsed
	case observed.KindKnown:
		c.Reason = "Composed"
	case observed.KindPending:
		c.Status, c.Reason, c.Message = observed.Unknown, string(observed.KindPending), kindPending
	case observed.KindMissing:
		c.Status, c.Reason = observed.False, reasonKindMissing
		c.Message = kindMissing(kind, apiVersion) + "Install the Prometheus operator, or set " + field + " to false"
	}
	return c
}

// deletionProtectionReady says whether Crossplane refuses to delete the DittoServer. Where
// it does nothing about Usages, nobody can tell that from one that is about to.
func (v *View) deletionProtectionReady() observed.Condition {
	c := observed.Condition{Type: TypeDeletionProtectionReady, Status: observed.True}
	switch {
	case !v.XR.Spec.DeletionProtection:
		c.Reason = reasonNotUsed
	case v.Have.Usage && v.XR.InUse:
		c.Reason = "Protected"
	default:
		c.Status, c.Reason = observed.False, reasonNotReady
		c.Message = fmt.Sprintf("Crossplane does not protect the DittoServer yet: Usage %q is not ready, or the label %s is missing. "+
			"Crossplane sees to both, unless it runs with --enable-usages=false or without webhooks", manifests.UsageName(v.XR.DittoServer), manifests.LabelInUse)
	}
	return c
}

// servicesInSync says what about Services Kubernetes cannot change.
func (v *View) servicesInSync() observed.Condition {
	c := observed.Condition{Type: TypeServicesInSync, Status: observed.True, Reason: reasonNotUsed}
	if len(v.Want.ServiceDrift) > 0 {
		c.Status, c.Reason = observed.False, reasonImmutable
		c.Message = strings.Join(v.Want.ServiceDrift, "; ") + ". Kubernetes cannot change that. Set the field back, or delete the Service: it is created again as wanted, with other addresses"
	} else if _, was := v.XR.Conditions[TypeServicesInSync]; was {
		c.Reason = reasonInSync
	}
	return c
}

const kindPending = "Crossplane has not looked up yet whether the cluster knows the kind"

func kindMissing(kind, apiVersion string) string {
	return fmt.Sprintf("The cluster does not know the kind %s (%s). ", kind, apiVersion)
}

// Failed returns the condition of a call that ends with a fatal result.
func Failed(reason, message string) observed.Condition {
	return observed.Condition{Type: TypeConfigReady, Status: observed.False, Reason: reason, Message: message}
}

func (v *View) configReady() observed.Condition {
	c := observed.Condition{Type: TypeConfigReady, Status: observed.True, Reason: "Written"}
	name := v.Want.ConfigMap.GetName()
	switch cm, exists := v.Have.ConfigMaps[manifests.ConfigMapResource(v.Want.Config)]; {
	case v.Have.HasConfig(v.Want.Config):
	case exists && cm.Immutable:
		c.Status, c.Reason = observed.False, "Altered"
		c.Message = fmt.Sprintf("ConfigMap %q is not as the function wrote it, and it is immutable. Delete it, and the function writes it again", name)
	default:
		c.Status, c.Reason, c.Message = observed.False, reasonCreating, fmt.Sprintf("ConfigMap %q is being created", name)
	}
	return c
}

func (v *View) secretsResolved() observed.Condition {
	c := observed.Condition{Type: TypeSecretsResolved, Status: observed.True, Reason: "Resolved"}
	switch s := v.Secrets; {
	case len(s.Problems) > 0:
		c.Status, c.Reason = observed.False, "Unresolved"
		c.Message = list(s.Problems) + ". " + consequence(v.Decision)
	case len(v.Gone) > 0:
		c.Status, c.Reason = observed.False, "GoneForRunning"
		c.Message = list(v.Gone) + ". The new configuration has everything that it needs, but the server still runs with the old one, and its pod cannot start again without this. " +
			"Restore it, or let the server restart with the new configuration (see RestartPending)"
	case len(s.Creating) > 0:
		c.Status, c.Reason = observed.False, reasonCreating
		c.Message = "Being created: " + refs(s.Creating)
	case len(s.Pending) > 0:
		c.Status, c.Reason = observed.Unknown, "Pending"
		c.Message = "Crossplane has not looked up all " + v.sources() + " yet"
	}
	return c
}

// sources names what the pod waits for. Few servers have anything but Secrets.
func (v *View) sources() string {
	other := func(r podinputs.Ref) bool { return r.Kind != podinputs.KindSecret }
	if slices.ContainsFunc(v.Secrets.Pending, other) ||
		slices.ContainsFunc(v.Secrets.Problems, func(p podinputs.Problem) bool { return other(p.Source) }) {
		return "Secrets, ConfigMaps, ServiceAccount and claims"
	}
	return "Secrets"
}

func list(problems []podinputs.Problem) string {
	lines := make([]string, 0, len(problems))
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "; ")
}

func refs(rs []podinputs.Ref) string {
	names := make([]string, 0, len(rs))
	for _, r := range rs {
		names = append(names, fmt.Sprintf("%s %q", r.Kind, r.Name))
	}
	return strings.Join(names, ", ")
}

// consequence says what an unresolved Secret means for the server.
func consequence(d rollout.Decision) string {
	switch d.Action {
	case rollout.Withhold:
		return "The server is created once this is corrected."
	case rollout.Hold:
		return "Until then the running server stays as it is, and its pod is not replaced. A pod that ends by itself may not start again before."
	case rollout.Advance:
	}
	return "The Input has missingSecrets: Proceed, so the server runs anyway."
}

const notReady = "The pod is not ready"

// Available says whether the server serves. It depends on what is observed, so it needs
// no valid spec: replicas are nil if they are unknown.
func Available(ss *observed.StatefulSet, replicas *int32) observed.Condition {
	c := observed.Condition{Type: TypeAvailable, Status: observed.True, Reason: "Serving"}
	switch {
	case ss == nil:
		c.Status, c.Reason, c.Message = observed.False, ReasonNotCreated, "There is no StatefulSet yet"
	case ss.Replicas == 0 && ss.Status.Replicas == 0 && (replicas == nil || *replicas == 0):
		c.Reason, c.Message = ReasonStopped, "The server is scaled to 0"
	case ss.Status.ReadyReplicas == 0:
		c.Status, c.Reason, c.Message = observed.False, reasonNotReady, notReady
	}
	return c
}

// available says of a pod that is being replaced that it does not serve, if only in a
// moment, because each change of a condition is a write.
func (v *View) available() observed.Condition {
	c := Available(v.Have.StatefulSet, v.XR.Spec.Replicas)
	if v.replacing() {
		c.Status, c.Reason, c.Message = observed.False, reasonNotReady, notReady
	}
	return c
}

func (v *View) progressing() observed.Condition {
	c := observed.Condition{Type: TypeProgressing, Status: observed.False, Reason: "RolledOut"}
	switch {
	case v.Decision.Action == rollout.Withhold:
		c.Reason, c.Message = "Waiting", "The StatefulSet is not created yet"
	case v.Have.StatefulSet == nil:
		c.Status, c.Reason, c.Message = observed.True, reasonCreating, "The StatefulSet is being created"
	case !v.StatefulSetReady():
		c.Status, c.Reason = observed.True, "RollingOut"
		c.Message = "The pod is not yet ready with the newest configuration"
	}
	return c
}

func (v *View) storageInSync() observed.Condition {
	c := observed.Condition{Type: TypeStorageInSync, Status: observed.True, Reason: reasonInSync}
	if len(v.Drift) > 0 {
		c.Status, c.Reason = observed.False, reasonImmutable
		c.Message = strings.Join(v.Drift, "; ") + ". " + manifests.StorageWayOut(v.XR.GetName())
	}
	return c
}

// restartPending says what about the server's pod is not yet as wanted, and why.
func (v *View) restartPending() observed.Condition {
	c := observed.Condition{Type: TypeRestartPending, Status: observed.False, Reason: reasonUpToDate}
	ss, d := v.Have.StatefulSet, v.Decision
	if ss == nil {
		return c
	}
	waits := strings.Join(d.Changes, ", ")
	if d.Action == rollout.Advance {
		if !v.advancing() {
			return c
		}
		c.Status, c.Reason, c.Message = observed.True, reasonRestarting, "The server's pod is being replaced"
		if v.refused() {
			c.Reason = reasonRefused
			c.Message = fmt.Sprintf("The StatefulSet was sent, but the API server did not accept it. Pending changes: %s. The condition Synced and Crossplane's events say why, "+
				"for example an admission policy or another field manager", waits)
		}
		return c
	}

	c.Reason = string(d.Reason)
	switch d.Reason {
	case rollout.ManualPolicy:
		c.Status = observed.True
		c.Message = fmt.Sprintf("Waiting for a new spec.rollout.restartToken: %s", waits)
		if ss.Status.ReadyReplicas == 0 {
			c.Message += ". The server is not ready. If one of these changes is to repair it, that needs a new token too"
		}
	case rollout.ConfigMapFirst:
		c.Status, c.Message = observed.True, "The server restarts as soon as its ConfigMap is written"
		if len(d.Changes) == 0 {
			c.Status, c.Message = observed.False, "The ConfigMap that the server runs with is being written again"
		}
	case rollout.DatabasePending:
		c.Status, c.Message = observed.True, "The server restarts when its new database is ready"
	case rollout.NameTaken:
		c.Status, c.Message = observed.True, "The server restarts when the name of its ConfigMap is free"
	case rollout.SecretsPending, rollout.SecretsMissing, rollout.LookupsPending:
		c.Status, c.Message = observed.Unknown, "The function can tell whether the server has to restart once its "+v.sources()+" are known and valid"
	}
	return c
}

// advancing says whether the pod does not have the template yet that is sent. It stays
// true until the pod is ready, because each change of a condition is a write.
func (v *View) advancing() bool {
	was, ss := v.XR.Conditions[TypeRestartPending].Reason, v.Have.StatefulSet
	return len(v.Decision.Changes) > 0 || ss.Replacing() ||
		(was == reasonRestarting || was == reasonRefused) && !rolledOut(ss, *v.XR.Spec.Replicas)
}

// replacing says whether the pod ends for a new template, or is about to.
func (v *View) replacing() bool {
	ss := v.Have.StatefulSet
	if ss == nil || v.Decision.Action != rollout.Advance {
		return false
	}
	return v.Announces() || v.advancing() && !v.refused() && !ss.Settled()
}

// Announces says whether a server that runs as wanted is sent a new hash for the first
// time, with its spec unchanged. Then only the fields of the status change, and the
// conditions follow once the StatefulSet is seen to have it. Crossplane writes the two
// one after the other, is called back by each, and by the StatefulSet too, and while it
// has not seen its own last write it writes the conditions from before it again. All of
// that counts towards its circuit breaker. After a change of the spec, others look at the
// conditions to see whether it is done.
func (v *View) Announces() bool {
	xr, ss := v.XR, v.Have.StatefulSet
	return v.sendsNewHash() && xr.Status.ConfigHash == ss.ConfigHash && xr.Status.ObservedGeneration == xr.Generation &&
		xr.Conditions[TypeRestartPending].Reason == reasonUpToDate && rolledOut(ss, *xr.Spec.Replicas)
}

// concludes says whether a restart is over. Then only the conditions change, and the
// fields of the status follow in the next call, for the same reason.
func (v *View) concludes() bool {
	return v.XR.Conditions[TypeRestartPending].Reason == reasonRestarting && v.restartPending().Reason == reasonUpToDate
}

// refused says whether the API server has not accepted a template that was sent before.
// Crossplane then applies the other objects, and says so in Synced.
func (v *View) refused() bool {
	was := v.XR.Conditions[TypeRestartPending].Reason
	return len(v.Decision.Changes) > 0 && (was == reasonRestarting || was == reasonRefused) && v.XR.Conditions[typeSynced].Status == observed.False
}

// Refused says whether the template that is sent is refused, so that it must be sent
// again.
func (v *View) Refused() bool {
	return v.Have.StatefulSet != nil && v.Decision.Action == rollout.Advance && v.refused()
}

// namesAvailable lists objects of others that have the names of the server's objects.
func (v *View) namesAvailable() observed.Condition {
	c := observed.Condition{Type: TypeNamesAvailable, Status: observed.True, Reason: reasonNotUsed}
	taken, leaving := []string{}, []string{}
	for _, n := range v.Names {
		switch n.Holder {
		case observed.Others:
			taken = append(taken, n.String())
		case observed.Leaving:
			leaving = append(leaving, n.String())
		case observed.Unasked, observed.Nobody, observed.Ours:
		}
	}
	switch {
	case len(taken) > 0:
		c.Status, c.Reason = observed.False, reasonTaken
		c.Message = fmt.Sprintf("Somebody else has objects of these names: %s. The function leaves them alone and does not compose its own. Delete them, or create the DittoServer under another name", strings.Join(taken, ", "))
	case len(leaving) > 0:
		c.Status, c.Reason = observed.False, "Deleting"
		c.Message = "Being deleted with an earlier DittoServer of the name: " + strings.Join(leaving, ", ")
	default:
		if _, was := v.XR.Conditions[TypeNamesAvailable]; was {
			c.Reason = "Available"
		}
	}
	return c
}
