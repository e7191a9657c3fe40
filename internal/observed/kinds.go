package observed

import (
	"strings"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A Kind says whether the cluster knows an optional kind. An object of a kind that
// it does not know would keep the DittoServer from ever being reconciled again:
// Crossplane writes down what it is about to compose, and fails to observe it.
type Kind string

const (
	// KindUnused means that no object of the kind is wanted.
	KindUnused Kind = ""
	// KindPending means that Crossplane has not looked it up yet.
	KindPending Kind = "Pending"
	// KindKnown means that the cluster knows the kind.
	KindKnown Kind = "Known"
	// KindMissing means that the cluster does not.
	KindMissing Kind = "Missing"
)

// Kinds are the optional ones.
type Kinds struct {
	ServiceMonitor, Percona Kind
}

// Kinds looks up the CustomResourceDefinitions of the kinds that a DittoServer
// wants. A kind of which there is an object already is known.
func (s *Surroundings) Kinds(xr *Composite, have *Composed) Kinds {
	k := Kinds{}
	if xr.Spec.Metrics.ServiceMonitor.Enabled {
		k.ServiceMonitor = s.kind(have, manifests.ServiceMonitorResource, manifests.ServiceMonitorCRD, manifests.ServiceMonitorAPIVersion)
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
