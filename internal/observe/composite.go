// Package observe reads what Crossplane has observed, and says in readiness,
// conditions and status how the server is.
package observe

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
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
	if err := decodeSpec(c.UserSpec, &c.Spec); err != nil {
		return nil, explain(field.NewPath("spec"), c.UserSpec, func(v any) any { return v })
	}

	return c, nil
}

func decodeSpec(spec map[string]any, into *v1alpha1.DittoServerSpec) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(spec, into)
}

// explain returns the innermost values that cannot be decoded, each with its
// path. The within function puts a value back into a spec that holds nothing
// else.
func explain(p *field.Path, value any, within func(any) any) field.ErrorList {
	spec, _ := within(value).(map[string]any)
	err := decodeSpec(spec, &v1alpha1.DittoServerSpec{})
	if err == nil {
		return nil
	}

	errs := field.ErrorList{}
	switch v := value.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			errs = append(errs, explain(p.Child(k), v[k], func(leaf any) any { return within(map[string]any{k: leaf}) })...)
		}
	case []any:
		for i := range v {
			errs = append(errs, explain(p.Index(i), v[i], func(leaf any) any { return within([]any{leaf}) })...)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, field.Invalid(p, describe(value), fmt.Sprintf("has another type or form than the field: %s", errors.Cause(err))))
	}
	return errs
}

// describe keeps an error readable when the value is a whole block.
func describe(value any) any {
	switch value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	}
	return value
}
