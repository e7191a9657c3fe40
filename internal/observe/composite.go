// Package observe reads what Crossplane has observed, and says in readiness,
// conditions and status how the server is.
package observe

import (
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/decode"
)

// A Composite is the observed composite resource.
type Composite struct {
	*v1alpha1.DittoServer

	// Conditions that it has, by type.
	Conditions map[string]Condition
}

// IdentityOf returns what tells a composite resource from others.
func IdentityOf(xr *structpb.Struct) Identity {
	meta := xr.GetFields()["metadata"].GetStructValue().GetFields()
	return Identity{Name: meta["name"].GetStringValue(), Namespace: meta["namespace"].GetStringValue(), UID: meta["uid"].GetStringValue()}
}

// NewComposite reads a composite resource. Fields that the function does not know
// are passed over: a newer XRD may have them.
func NewComposite(xr *structpb.Struct) (*Composite, field.ErrorList) {
	meta := xr.GetFields()["metadata"].GetStructValue().GetFields()
	status := xr.GetFields()["status"].GetStructValue().GetFields()
	id := IdentityOf(xr)
	c := &Composite{DittoServer: &v1alpha1.DittoServer{}, Conditions: ConditionsOf(xr)}

	c.Name, c.Namespace, c.UID = id.Name, id.Namespace, types.UID(id.UID)
	c.Generation = int64(meta["generation"].GetNumberValue())
	c.Status.ConfigHash = status["configHash"].GetStringValue()

	user := map[string]any{}
	for k, v := range xr.GetFields()["spec"].GetStructValue().GetFields() {
		if k != "crossplane" {
			user[k] = v.AsInterface()
		}
	}
	spec, errs := decode.Lenient[v1alpha1.DittoServerSpec](field.NewPath("spec"), user)
	if len(errs) > 0 {
		return nil, errs
	}
	c.Spec = *spec

	return c, nil
}

// ConditionsOf returns the conditions of a composite resource, by type.
func ConditionsOf(xr *structpb.Struct) map[string]Condition {
	cs := map[string]Condition{}
	for _, v := range xr.GetFields()["status"].GetStructValue().GetFields()["conditions"].GetListValue().GetValues() {
		f := v.GetStructValue().GetFields()
		c := Condition{
			Type:    f["type"].GetStringValue(),
			Status:  Status(f["status"].GetStringValue()),
			Reason:  f["reason"].GetStringValue(),
			Message: f["message"].GetStringValue(),
		}
		cs[c.Type] = c
	}
	return cs
}
