package observed

import (
	"strings"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A Kind says whether the cluster knows an optional kind. Composing an object of an
// unknown kind would block the DittoServer for good: Crossplane first writes down
// what it is about to compose, and from then on fails to observe it.
type Kind string

const (
	// KindUnused means that the DittoServer wants no object of the kind.
	KindUnused Kind = ""
	// KindPending means that Crossplane has not looked it up yet.
	KindPending Kind = "Pending"
	// KindKnown means that the cluster knows the kind.
	KindKnown Kind = "Known"
	// KindMissing means that the cluster does not know the kind.
	KindMissing Kind = "Missing"
)

// Kinds says whether the cluster knows each of the optional kinds.
type Kinds struct {
	ServiceMonitor, PrometheusRule, Percona Kind
}

// Kinds looks up the CustomResourceDefinitions of the kinds that a DittoServer
// wants. If an object of a kind is observed, the kind is known.
func (s *Surroundings) Kinds(xr *Composite, have *Composed) Kinds {
	k := Kinds{}
	if xr.Spec.Metrics.ServiceMonitor.Enabled {
		k.ServiceMonitor = s.kind(have, manifests.ServiceMonitorResource, manifests.ServiceMonitorCRD, manifests.ServiceMonitorAPIVersion)
	}
	if xr.Spec.Metrics.PrometheusRule.Enabled {
		k.PrometheusRule = s.kind(have, manifests.PrometheusRuleResource, manifests.PrometheusRuleCRD, manifests.PrometheusRuleAPIVersion)
	}
	if xr.Spec.Percona.Enabled {
		k.Percona = s.kind(have, manifests.PerconaResource, manifests.PerconaCRD, manifests.PerconaAPIVersion)
	}
	return k
}

func (s *Surroundings) kind(have *Composed, resource, crd, apiVersion string) Kind {
	if have.Exists[resource] {
		return KindKnown
	}
	a := s.lookups.Get("crd/"+crd, Ref{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition", Name: crd})
	if !a.Known {
		return KindPending
	}
	_, version, _ := strings.Cut(apiVersion, "/")
	for _, v := range structs.Objects(a.Object, "spec", "versions") {
		if structs.Text(v, "name") == version && structs.At(v, "served").GetBoolValue() {
			return KindKnown
		}
	}
	return KindMissing
}
