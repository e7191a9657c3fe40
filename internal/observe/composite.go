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

	// UserSpec is its spec without what Crossplane writes there.
	UserSpec map[string]any
}

// NewComposite reads a composite resource. Fields that the function does not know
// are passed over: a newer XRD may have them.
func NewComposite(xr *structpb.Struct) (*Composite, field.ErrorList) {
	meta := xr.GetFields()["metadata"].GetStructValue().GetFields()
	c := &Composite{DittoServer: &v1alpha1.DittoServer{}, Conditions: map[string]Condition{}, UserSpec: map[string]any{}}

	c.Name = meta["name"].GetStringValue()
	c.Namespace = meta["namespace"].GetStringValue()
	c.UID = types.UID(meta["uid"].GetStringValue())
	c.Generation = int64(meta["generation"].GetNumberValue())

	for _, v := range xr.GetFields()["status"].GetStructValue().GetFields()["conditions"].GetListValue().GetValues() {
		f := v.GetStructValue().GetFields()
		oc := Condition{
			Type:    f["type"].GetStringValue(),
			Status:  Status(f["status"].GetStringValue()),
			Reason:  f["reason"].GetStringValue(),
			Message: f["message"].GetStringValue(),
		}
		c.Conditions[oc.Type] = oc
	}

	for k, v := range xr.GetFields()["spec"].GetStructValue().GetFields() {
		if k != "crossplane" {
			c.UserSpec[k] = v.AsInterface()
		}
	}
	spec, errs := decode.Lenient[v1alpha1.DittoServerSpec](field.NewPath("spec"), c.UserSpec)
	if len(errs) > 0 {
		return nil, errs
	}
	c.Spec = *spec

	return c, nil
}
