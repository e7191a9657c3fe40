package observed

import (
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// Surroundings look up objects that Crossplane does not observe for a DittoServer. The
// function looks an object up only while it is not observed.
type Surroundings struct {
	lookups *Lookups
	xr      Identity
}

// An Identity tells one DittoServer from another.
type Identity struct {
	Name, Namespace, UID string
}

// NewSurroundings returns the surroundings of a DittoServer.
func NewSurroundings(l *Lookups, xr Identity) *Surroundings {
	return &Surroundings{lookups: l, xr: xr}
}

// A Holder says who has the name of an object that the DittoServer needs.
type Holder string

const (
	// Unasked means that Crossplane has not looked yet.
	Unasked Holder = ""

	// Nobody means that the name is free, or that Crossplane may not look.
	Nobody Holder = "Nobody"

	// Ours means that the object belongs to the DittoServer: it is left over from an
	// orphaning delete, or restored from a backup.
	Ours Holder = "Ours"

	// Leaving means that the object goes away with an earlier DittoServer.
	Leaving Holder = "Leaving"

	// Others means that the object belongs to somebody else.
	Others Holder = "Others"
)

// annotationResourceName tells Crossplane which composed resource an object is.
// Crossplane fails on objects that have one of our names but not this annotation.
const annotationResourceName = "crossplane.io/composition-resource-name"

// Holder looks up who has the name of an object that is to be composed.
func (s *Surroundings) Holder(resource, apiVersion, kind, name string) (Holder, *structpb.Struct) {
	switch known, may := s.lookups.MayRead(kind); {
	case !known:
		return Unasked, nil
	case !may:
		return Nobody, nil
	}
	a := s.lookups.Get("object/"+resource, Ref{APIVersion: apiVersion, Kind: kind, Namespace: s.xr.Namespace, Name: name})
	switch {
	case !a.Known:
		return Unasked, nil
	case a.Object == nil:
		return Nobody, nil
	}
	return s.HolderOf(a.Object), a.Object
}

// HolderOf says whose an object is.
func (s *Surroundings) HolderOf(o *structpb.Struct) Holder {
	owner := structs.ControllerOf(o)
	switch {
	case owner != nil && owner.UID == s.xr.UID:
		return Ours
	case owner != nil && owner.Kind == v1alpha1.Kind && owner.Name == s.xr.Name:
		return Leaving
	case owner != nil || !s.labelled(o) || structs.Annotation(o, annotationResourceName) == "":
		return Others
	}
	return Ours
}

// labelled says whether an object has the labels of the DittoServer's objects, in their
// present or their former version.
func (s *Surroundings) labelled(o *structpb.Struct) bool {
	return structs.Label(o, manifests.LabelServer) == s.xr.Name ||
		structs.Label(o, "app.kubernetes.io/name") == "dittofs" && structs.Label(o, "app.kubernetes.io/instance") == s.xr.Name
}

// Adopt looks for a StatefulSet that Crossplane does not observe, and for its
// ConfigMaps. If they belong to the DittoServer, they count as observed. It returns
// who has the StatefulSet's name.
func (s *Surroundings) Adopt(have *Composed) (Holder, error) {
	if have.StatefulSet != nil {
		return Ours, nil
	}

	objects, known := s.lookups.List("configs", Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: s.xr.Namespace}, map[string]string{manifests.LabelServer: s.xr.Name})
	for _, o := range objects {
		resource := structs.Annotation(o, annotationResourceName)
		if _, exists := have.ConfigMaps[resource]; exists || !manifests.IsConfigMapResource(resource) || s.HolderOf(o) != Ours {
			continue
		}
		if err := have.add(resource, o); err != nil {
			return Unasked, err
		}
	}

	h, o := s.Holder(manifests.StatefulSetResource, "apps/v1", "StatefulSet", s.xr.Name)
	if !known {
		h = Unasked
	}
	if h == Ours {
		return h, have.add(manifests.StatefulSetResource, o)
	}
	return h, nil
}

// A Claim is a PersistentVolumeClaim of a server.
type Claim struct {
	// Known is set once Crossplane has looked, and MayRead if it may look.
	Known, MayRead bool

	// Object is nil if there is no such claim.
	Object *structpb.Struct
}

// Claim looks up the claim that Kubernetes created from a claim template.
func (s *Surroundings) Claim(template string) Claim {
	known, may := s.lookups.MayRead("PersistentVolumeClaim")
	if !known || !may {
		return Claim{Known: known}
	}
	name := manifests.ClaimName(s.xr.Name, template)
	a := s.lookups.Get("claim/"+name, Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: s.xr.Namespace, Name: name})
	return Claim{Known: a.Known, MayRead: true, Object: a.Object}
}
