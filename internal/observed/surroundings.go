package observed

import (
	"slices"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// Surroundings are what Crossplane does not observe for a DittoServer, and the
// function has to know of. Objects are looked up while they are not observed, and
// no longer.
type Surroundings struct {
	lookups *Lookups
	xr      Identity
}

// An Identity is what tells one DittoServer from another.
type Identity struct {
	Name, Namespace, UID string
}

// NewSurroundings returns those of a DittoServer.
func NewSurroundings(l *Lookups, xr Identity) *Surroundings {
	return &Surroundings{lookups: l, xr: xr}
}

// A Holder is who has a name that an object of the DittoServer is to have.
type Holder string

const (
	// Unasked means that Crossplane has not looked yet.
	Unasked Holder = ""

	// Nobody has the name, or Crossplane may not look.
	Nobody Holder = "Nobody"

	// Ours means that the object is the DittoServer's: an orphaning delete has left
	// it, or it has been restored from a backup.
	Ours Holder = "Ours"

	// Leaving means that the object goes away with an earlier DittoServer.
	Leaving Holder = "Leaving"

	// Others means that it is somebody else's.
	Others Holder = "Others"
)

// Annotation by which Crossplane knows which composed resource an object is. It
// fails on objects that have a name of ours and no such annotation.
const annotationResourceName = "crossplane.io/composition-resource-name"

// Holder looks up who has the name of an object that is to be composed.
func (s *Surroundings) Holder(resource, apiVersion, kind, name string) (Holder, *structpb.Struct) {
	switch known, may := s.mayRead(kind); {
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
	case owner != nil && owner.Kind == "DittoServer" && owner.Name == s.xr.Name:
		return Leaving
	case owner != nil || !s.labelled(o) || structs.Annotation(o, annotationResourceName) == "":
		return Others
	}
	return Ours
}

// labelled says whether an object has the labels of the DittoServer's objects, or
// those that they had before.
func (s *Surroundings) labelled(o *structpb.Struct) bool {
	return structs.Label(o, manifests.LabelServer) == s.xr.Name ||
		structs.Label(o, "app.kubernetes.io/name") == "dittofs" && structs.Label(o, "app.kubernetes.io/instance") == s.xr.Name
}

// Kinds that Crossplane may read in every installation, as it composes or serves
// them by itself.
//
//nolint:gochecknoglobals // A constant.
var alwaysReadable = []string{"ConfigMap", "Secret", "Service"}

// Kinds whose reading takes a right, by the name that the rights list them with.
//
//nolint:gochecknoglobals // A table.
var readable = map[string]string{
	"StatefulSet":                "statefulsets.apps",
	"NetworkPolicy":              "networkpolicies.networking.k8s.io",
	"PersistentVolumeClaim":      "persistentvolumeclaims",
	manifests.ServiceMonitorKind: manifests.ServiceMonitorCRD,
	manifests.PerconaKind:        manifests.PerconaCRD,
}

// mayRead says whether Crossplane has the right to read a kind. It is told by an
// EnvironmentConfig, which comes with the ClusterRole that gives the right. To ask
// for what it may not read is no way to find out: it would wait for its cache to
// fill, and meanwhile read nothing else for any composite resource.
func (s *Surroundings) mayRead(kind string) (known, may bool) {
	if slices.Contains(alwaysReadable, kind) {
		return true, true
	}
	a := s.lookups.Get("rights", Ref{APIVersion: "apiextensions.crossplane.io/v1beta1", Kind: "EnvironmentConfig", Name: "function-dittoserver"})
	for _, v := range structs.At(a.Object, "data", "readable").GetListValue().GetValues() {
		may = may || v.GetStringValue() == readable[kind]
	}
	return a.Known, may
}

// Adopt looks for a StatefulSet that Crossplane does not observe, with its
// ConfigMaps, and counts what is the DittoServer's as observed. It says who has the
// StatefulSet's name.
func (s *Surroundings) Adopt(have *Composed) (Holder, error) {
	if have.StatefulSet != nil {
		return Ours, nil
	}

	objects, known := s.lookups.List("configs", Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: s.xr.Namespace}, manifests.LabelServer, s.xr.Name)
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

	// Object is nil if there is none.
	Object *structpb.Struct
}

// Claim looks up a claim of the server by its claim template.
func (s *Surroundings) Claim(template string) Claim {
	known, may := s.mayRead("PersistentVolumeClaim")
	if !known || !may {
		return Claim{Known: known}
	}
	name := manifests.ClaimName(s.xr.Name, template)
	a := s.lookups.Get("claim/"+name, Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: s.xr.Namespace, Name: name})
	return Claim{Known: a.Known, MayRead: true, Object: a.Object}
}
