// Package response writes the function's response.
package response

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/response"

	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/status"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// To returns a response that passes on what earlier steps desire. Unlike the SDK's, it
// shares no map with the request, so the request stays as it is.
func To(req *fnv1.RunFunctionRequest, ttl time.Duration) *fnv1.RunFunctionResponse {
	rsp := response.To(req, ttl)
	rsp.Desired = &fnv1.State{
		Composite: proto.CloneOf(req.GetDesired().GetComposite()),
		Resources: maps.Clone(req.GetDesired().GetResources()),
	}
	if rsp.GetDesired().GetComposite() == nil {
		rsp.Desired.Composite = &fnv1.Resource{}
	}
	if rsp.Desired.Resources == nil {
		rsp.Desired.Resources = map[string]*fnv1.Resource{}
	}
	return rsp
}

// A Resource is a desired composed resource.
type Resource struct {
	Object *structpb.Struct
	Ready  bool
}

// Desired adds composed resources by their names. It fails if an earlier step desires a
// resource of the same name.
func Desired(rsp *fnv1.RunFunctionResponse, resources map[string]Resource) error {
	if err := free(rsp, slices.Sorted(maps.Keys(resources))); err != nil {
		return err
	}
	for name, r := range resources {
		ready := fnv1.Ready_READY_FALSE
		if r.Ready {
			ready = fnv1.Ready_READY_TRUE
		}
		rsp.Desired.Resources[name] = &fnv1.Resource{Resource: r.Object, Ready: ready}
	}
	return nil
}

// free returns an error if an earlier step desires a resource with one of the names.
func free(rsp *fnv1.RunFunctionResponse, names []string) error {
	for _, name := range names {
		if _, taken := rsp.GetDesired().GetResources()[name]; taken {
			return FatalError{Reason: ReasonNameTaken, Err: errors.Errorf(
				"an earlier step of the pipeline desires a resource with the name %q, which this function uses. Give that resource another name in the Composition or the Operation, or remove a second step of this function", name)}
		}
	}
	return nil
}

// Unready makes the composite resource unready, even if all its composed resources are
// ready.
func Unready(rsp *fnv1.RunFunctionResponse) { rsp.Desired.Composite.Ready = fnv1.Ready_READY_FALSE }

// Status sets the fields of the composite resource's status that the function owns.
// Fields of earlier steps stay.
func Status(rsp *fnv1.RunFunctionResponse, composite *structpb.Struct, fields map[string]any) error {
	s, err := structpb.NewStruct(fields)
	if err != nil {
		return errors.Wrap(err, "cannot convert the status")
	}

	xr := rsp.GetDesired().GetComposite()
	if xr.GetResource() == nil {
		xr.Resource = &structpb.Struct{}
	}
	if xr.GetResource().GetFields() == nil {
		xr.Resource.Fields = map[string]*structpb.Value{}
	}
	f := xr.GetResource().GetFields()
	for _, k := range []string{"apiVersion", "kind"} {
		if v := structs.At(composite, k); v != nil {
			f[k] = v
		}
	}
	all := structs.Clone(f["status"].GetStructValue())
	maps.Copy(all.GetFields(), s.GetFields())
	f["status"] = structpb.NewStructValue(all)
	return nil
}

// Conditions sets conditions of the composite resource.
func Conditions(rsp *fnv1.RunFunctionResponse, conditions []observed.Condition) {
	statuses := map[observed.ConditionStatus]func(*fnv1.RunFunctionResponse, string, string) *response.ConditionOption{
		observed.True:    response.ConditionTrue,
		observed.False:   response.ConditionFalse,
		observed.Unknown: response.ConditionUnknown,
	}
	for _, c := range conditions {
		o := statuses[c.Status](rsp, c.Type, c.Reason).TargetComposite()
		if c.Message != "" {
			o.WithMessage(c.Message)
		}
	}
}

// Events adds events about the composite resource.
func Events(rsp *fnv1.RunFunctionResponse, events []status.Event) {
	for _, e := range events {
		if e.Warning {
			response.Warning(rsp, errors.New(e.Message)).TargetComposite().WithReason(e.Reason)
		} else {
			response.Normal(rsp, e.Message).TargetComposite().WithReason(e.Reason)
		}
	}
}

// Operation sets what an Operation applies, what is kept of it in the Operation's status,
// and what is said of it in an event.
func Operation(rsp *fnv1.RunFunctionResponse, objects map[string]*structpb.Struct, output map[string]any, message string, warning bool) error {
	if err := free(rsp, slices.Sorted(maps.Keys(objects))); err != nil {
		return err
	}
	for name, o := range objects {
		rsp.Desired.Resources[name] = &fnv1.Resource{Resource: o}
	}
	out, err := structpb.NewStruct(output)
	if err != nil {
		return errors.Wrap(err, "cannot convert the output")
	}
	rsp.Output = out
	if warning {
		response.Warning(rsp, errors.New(message))
	} else {
		response.Normal(rsp, message)
	}
	return nil
}

// FatalOperation answers that a step of an Operation cannot be taken.
func FatalOperation(rsp *fnv1.RunFunctionResponse, err error) { response.Fatal(rsp, err) }

// Reasons of a FatalError.
const (
	ReasonInvalidSpec   = "InvalidSpec"
	ReasonInvalidInput  = "InvalidInput"
	ReasonNameTaken     = "NameTaken"
	ReasonInternalError = "InternalError"
)

// A FatalError says why nothing can be composed.
type FatalError struct {
	Reason string
	Err    error
}

func (f FatalError) Error() string { return f.Err.Error() }

// Fatal answers that nothing can be composed. Besides the reason, it sets the conditions
// that only depend on what is observed, because they are still true. Crossplane drops all
// others, and ignores what comes after a fatal result, so the conditions come first.
func Fatal(rsp *fnv1.RunFunctionResponse, err error, known ...observed.Condition) {
	f := FatalError{Reason: ReasonInternalError}
	errors.As(err, &f)
	rsp.Conditions = nil
	Conditions(rsp, append(known, status.Failed(f.Reason, err.Error())))
	response.Fatal(rsp, err)
}
