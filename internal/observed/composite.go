// Package observed reads what Crossplane has observed and looked up for a DittoServer. It
// decides nothing.
package observed

import (
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/decode"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A Composite is the observed composite resource.
type Composite struct {
	*v1alpha1.DittoServer

	// Conditions of the composite resource by their types.
	Conditions map[string]Condition

	// InUse is set while Crossplane asks its Usages before it is deleted.
	InUse bool
}

// IdentityOf returns the identity of a composite resource.
func IdentityOf(xr *structpb.Struct) Identity {
	return Identity{Name: structs.Name(xr), Namespace: structs.Namespace(xr), UID: structs.Text(xr, "metadata", "uid")}
}

// Identity returns the identity of the composite resource.
func (c *Composite) Identity() Identity {
	return Identity{Name: c.Name, Namespace: c.Namespace, UID: string(c.UID)}
}

// NewComposite reads a composite resource. It ignores fields that the function does
// not know: a newer XRD may have them.
func NewComposite(xr *structpb.Struct) (*Composite, field.ErrorList) {
	id := IdentityOf(xr)
	c := &Composite{DittoServer: &v1alpha1.DittoServer{}, Conditions: ConditionsOf(xr), InUse: structs.Label(xr, manifests.LabelInUse) == "true"}

	c.Name, c.Namespace, c.UID = id.Name, id.Namespace, types.UID(id.UID)
	c.Generation = int64(structs.Number(xr, "metadata", "generation"))
	c.Status.ObservedGeneration = int64(structs.Number(xr, "status", "observedGeneration"))
	c.Status.ConfigHash = structs.Text(xr, "status", "configHash")

	user := map[string]any{}
	for k, v := range structs.Fields(xr, "spec") {
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
	for _, o := range structs.Objects(xr, "status", "conditions") {
		c := Condition{
			Type:    structs.Text(o, "type"),
			Status:  ConditionStatus(structs.Text(o, "status")),
			Reason:  structs.Text(o, "reason"),
			Message: structs.Text(o, "message"),
		}
		cs[c.Type] = c
	}
	return cs
}

// A ConditionStatus is the status of a condition.
type ConditionStatus string

// Statuses of a condition.
const (
	True    ConditionStatus = "True"
	False   ConditionStatus = "False"
	Unknown ConditionStatus = "Unknown"
)

// A Condition of the composite resource.
type Condition struct {
	Type    string
	Status  ConditionStatus
	Reason  string
	Message string
}
