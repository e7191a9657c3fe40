package operations

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/status"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// resize raises the claims of DittoServers to the sizes in their specs. It looks only at
// servers that say that their volumes differ from that.
func resize(in *v1beta1.Resize, look *observed.Lookups) (*Result, error) {
	// An EnvironmentConfig says that Crossplane may change claims. Otherwise the first of
	// them would be refused with a message that does not say what to do.
	rights := look.Get("rights", observed.Ref{APIVersion: "apiextensions.crossplane.io/v1beta1", Kind: "EnvironmentConfig", Name: "function-dittoserver-resize"})
	fleet, known := servers(look, in.Selector)
	if !known || !rights.Known {
		return nil, nil
	}
	if !structs.At(rights.Object, "data", "resizes").GetBoolValue() {
		return nil, errors.New("Crossplane may not change claims: apply example/resize/rbac.yaml. If you grant the rights in another way, apply its EnvironmentConfig alone")
	}

	r := &resizing{look: look, desired: map[string]*structpb.Struct{}}
	for _, s := range fleet {
		if inSync, _ := s.condition(status.TypeStorageInSync); inSync == observed.False && !s.paused() {
			r.add(s)
		}
	}
	if look.Pending() {
		return nil, nil
	}
	return r.result(len(fleet)), nil
}

// A resizing is the claims that grow, and why others do not.
type resizing struct {
	look    *observed.Lookups
	desired map[string]*structpb.Struct

	resized, growing, refused group
}

// add finds out which claims of a server are to grow.
func (r *resizing) add(s *server) {
	xr, errs := observed.NewComposite(s.object)
	bad := len(errs) > 0
	if !bad {
		xr.Default(v1alpha1.Defaults{Image: dittofs.DefaultImage})
		bad = slices.ContainsFunc(xr.Validate(), ofStorage)
	}
	if bad {
		// An error would quote the spec, which may be of other people than the Operation.
		r.refused.addf("%s: its spec cannot be read, or its spec.storage is not valid. Its condition ConfigReady says more", s)
		return
	}

	statefulSet := r.look.Get("statefulset/"+s.String(), observed.Ref{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: s.namespace(), Name: s.name()})
	for _, size := range manifests.Sizes(xr.DittoServer) {
		name := manifests.ClaimName(s.name(), size.Claim)
		claim := r.look.Get("claim/"+s.namespace()+"/"+name, observed.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: s.namespace(), Name: name})
		if !statefulSet.Known || !claim.Known {
			continue
		}
		if why := notOf(s, statefulSet.Object, size.Claim, claim.Object); why != "" {
			r.refused.addf("%s, %s: %s", s, size.Field, why)
			continue
		}
		r.grow(s, size, claim.Object)
	}
}

// ofStorage says whether an error is about the volumes. The rest of a spec may depend on
// the Composition's Input, which an Operation does not have.
func ofStorage(err *field.Error) bool {
	return strings.HasPrefix(err.Field, "spec.storage.")
}

// notOf says why a claim is not one that a server has for a volume.
func notOf(s *server, statefulSet *structpb.Struct, template string, claim *structpb.Struct) string {
	owner := structs.ControllerOf(statefulSet)
	switch {
	case statefulSet == nil:
		return fmt.Sprintf("there is no StatefulSet %q", s.name())
	case owner == nil || owner.UID != structs.Text(s.object, "metadata", "uid"):
		return fmt.Sprintf("StatefulSet %q is somebody else's, and so are its claims", s.name())
	case !hasTemplate(statefulSet, template):
		return fmt.Sprintf("StatefulSet %q has no such volume", s.name())
	case claim == nil:
		return fmt.Sprintf("there is no claim %q", manifests.ClaimName(s.name(), template))
	}
	holder := structs.ControllerOf(claim)
	label, labelled := structs.Fields(claim, "metadata", "labels")[manifests.LabelServer]
	if holder != nil && holder.UID != structs.Text(statefulSet, "metadata", "uid") || labelled && label.GetStringValue() != s.name() {
		return fmt.Sprintf("claim %q is somebody else's", structs.Name(claim))
	}
	return ""
}

func hasTemplate(statefulSet *structpb.Struct, name string) bool {
	for _, t := range structs.Objects(statefulSet, "spec", "volumeClaimTemplates") {
		if structs.Name(t) == name {
			return true
		}
	}
	return false
}

// grow raises a claim to a size, if that is larger and can be.
func (r *resizing) grow(s *server, size manifests.Size, claim *structpb.Struct) {
	name, want := s.namespace()+"/"+structs.Name(claim), size.Quantity
	asked, err := resource.ParseQuantity(structs.Text(claim, "spec", "resources", "requests", "storage"))
	if err != nil {
		r.refused.addf("%s: has no size", name)
		return
	}
	switch want.Cmp(asked) {
	case 0:
		if has, err := resource.ParseQuantity(structs.Text(claim, "status", "capacity", "storage")); err != nil || has.Cmp(asked) < 0 {
			r.growing.addf("%s: asks for %s, and has %s", name, &asked, orNothing(has))
		}
		return
	case -1:
		r.refused.addf("%s: has %s, and %s is %s. Kubernetes cannot make it smaller. Set the field back", name, &asked, size.Field, &want)
		return
	}
	if structs.Text(claim, "status", "phase") != "Bound" || structs.Text(claim, "metadata", "deletionTimestamp") != "" {
		r.refused.addf("%s: is not bound to a volume, or is to be deleted", name)
		return
	}
	if why, known := r.fixed(claim); !known || why != "" {
		if known {
			r.refused.addf("%s: %s", name, why)
		}
		return
	}
	r.desired[name] = apply(claim, nested(want.String(), "resources", "requests", "storage"))
	r.resized.addf("%s: from %s to %s", name, &asked, &want)
}

func orNothing(q resource.Quantity) string {
	if q.IsZero() {
		return "nothing yet"
	}
	return q.String()
}

// fixed says why a claim cannot grow.
func (r *resizing) fixed(claim *structpb.Struct) (why string, known bool) {
	name := structs.Text(claim, "spec", "storageClassName")
	if name == "" {
		return "has no StorageClass, so nothing can make it larger", true
	}
	class := r.look.Get("class/"+name, observed.Ref{APIVersion: "storage.k8s.io/v1", Kind: "StorageClass", Name: name})
	switch {
	case !class.Known:
		return "", false
	case class.Object == nil:
		return fmt.Sprintf("its StorageClass %q does not exist", name), true
	case !structs.At(class.Object, "allowVolumeExpansion").GetBoolValue():
		return fmt.Sprintf("its StorageClass %q has no allowVolumeExpansion: true", name), true
	}
	return "", true
}

// result says what happens.
func (r *resizing) result(selected int) *Result {
	message := "Resizes nothing"
	if len(r.resized) > 0 {
		message = "Resizes " + r.resized.names()
	}
	if len(r.refused) > 0 {
		message += ". Cannot resize " + r.refused.names()
	}
	return &Result{
		Desired: r.desired,
		Output:  output(map[string]any{"selected": selected}, map[string]group{"resized": r.resized, "growing": r.growing, "refused": r.refused}),
		Message: message,
		Warning: len(r.refused) > 0,
	}
}
