package observed

import (
	"slices"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// alwaysReadable are kinds that Crossplane may read in every installation.
//
//nolint:gochecknoglobals // A constant.
var alwaysReadable = []string{"ConfigMap", "Secret", "Service", "ServiceAccount", manifests.UsageKind}

// readable has the kinds that Crossplane needs a right for, with their names in the list
// of rights.
//
//nolint:gochecknoglobals // A table.
var readable = map[string]string{
	"StatefulSet":                "statefulsets.apps",
	"NetworkPolicy":              "networkpolicies.networking.k8s.io",
	"PersistentVolumeClaim":      "persistentvolumeclaims",
	"PodDisruptionBudget":        "poddisruptionbudgets.policy",
	manifests.ServiceMonitorKind: manifests.ServiceMonitorCRD,
	manifests.PrometheusRuleKind: manifests.PrometheusRuleCRD,
	manifests.PerconaKind:        manifests.PerconaCRD,
}

// MayRead says whether Crossplane has the right to read a kind. An EnvironmentConfig says
// so; it comes with the ClusterRole that grants the right. Crossplane must not be asked
// for an object to find out: without the right, it would wait for its cache to fill, and
// reconcile no other composite resource meanwhile.
func (l *Lookups) MayRead(kind string) (known, may bool) {
	if slices.Contains(alwaysReadable, kind) {
		return true, true
	}
	a := l.Get("rights", Ref{APIVersion: "apiextensions.crossplane.io/v1beta1", Kind: "EnvironmentConfig", Name: "function-dittoserver"})
	for _, v := range structs.At(a.Object, "data", "readable").GetListValue().GetValues() {
		may = may || v.GetStringValue() == readable[kind]
	}
	return a.Known, may
}
