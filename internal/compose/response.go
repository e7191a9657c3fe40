package compose

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/response"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observe"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// To returns a response that passes on what earlier steps desire. Unlike the
// SDK's it shares no map with the request, which stays as it is.
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

// Objects are what is desired of a server, and why.
type Objects struct {
	XR       *observe.Composite
	Have     *observe.Composed
	Want     *manifests.Objects
	Decision rollout.Decision

	// StatefulSet as it is wanted, in the form that it is sent in.
	StatefulSet *structpb.Struct

	// Names are those of objects that must not be sent.
	Names []observe.Name
}

// Desired adds a server's objects to the response, each with its readiness. One that
// is withheld or left out makes the whole composite resource unready: all that is
// there may well be ready.
func Desired(rsp *fnv1.RunFunctionResponse, o *Objects) error {
	objects := maps.Clone(o.Want.Companions)
	maps.Copy(objects, configMaps(o))
	for _, n := range o.Names {
		delete(objects, n.Resource)
		rsp.Desired.Composite.Ready = fnv1.Ready_READY_FALSE
	}
	resources := map[string]*structpb.Struct{}
	for name, object := range objects {
		s, err := Resource(object)
		if err != nil {
			return err
		}
		resources[name] = s
	}

	if o.Decision.Action == rollout.Withhold {
		rsp.Desired.Composite.Ready = fnv1.Ready_READY_FALSE
	} else {
		resources[manifests.StatefulSetResource] = statefulSet(o)
		objects[manifests.StatefulSetResource] = o.Want.StatefulSet
	}

	for _, name := range slices.Sorted(maps.Keys(resources)) {
		if _, taken := rsp.GetDesired().GetResources()[name]; taken {
			return FatalError{Reason: ReasonNameTaken, Err: errors.Errorf(
				"an earlier step of the pipeline desires a resource with the name %q, which is this function's. Give it another name in the Composition, or remove a second step of this function", name)}
		}
	}
	for name, s := range resources {
		r := &fnv1.Resource{Resource: s, Ready: fnv1.Ready_READY_FALSE}
		if observe.Ready(name, objects[name], o.Have, o.Want, o.Decision) {
			r.Ready = fnv1.Ready_READY_TRUE
		}
		rsp.Desired.Resources[name] = r
	}
	return nil
}

// Status sets the fields of the composite resource's status that the function
// owns. Those of earlier steps stay.
func Status(rsp *fnv1.RunFunctionResponse, observed *fnv1.Resource, status map[string]any) error {
	s, err := structpb.NewStruct(status)
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
		if v, ok := observed.GetResource().GetFields()[k]; ok {
			f[k] = v
		}
	}
	if f["status"].GetStructValue().GetFields() == nil {
		f["status"] = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{}})
	}
	maps.Copy(f["status"].GetStructValue().GetFields(), s.GetFields())
	return nil
}

// Conditions sets conditions of the composite resource. When somebody has to do
// something about one, or no longer has to, that is told as an event too, once.
func Conditions(rsp *fnv1.RunFunctionResponse, was map[string]observe.Condition, conditions ...observe.Condition) {
	for _, c := range conditions {
		set(rsp, c)

		switch before := was[c.Type]; {
		case c.NeedsAttention() && c != before:
			response.Warning(rsp, errors.Errorf("%s: %s", c.Type, c.Message)).TargetComposite().WithReason(c.Reason)
		case before.NeedsAttention() && !c.NeedsAttention() && c.Status != observe.Unknown:
			response.Normalf(rsp, "%s: no longer needs attention", c.Type).TargetComposite().WithReason(c.Reason)
		}
	}
}

// Restart tells as an event why the pod is about to be replaced, once for each hash.
func Restart(rsp *fnv1.RunFunctionResponse, o *Objects) {
	d, ss := o.Decision, o.Have.StatefulSet
	if d.Action != rollout.Advance || ss == nil || ss.Replicas == 0 || ss.Annotations.ConfigHash == d.Annotations.ConfigHash || o.XR.Status.ConfigHash == d.Annotations.ConfigHash {
		return
	}
	response.Normalf(rsp, "The server restarts: what it has read at its start has changed (configuration %s, in place of %s)",
		observe.ShortHash(d.Annotations.ConfigHash), observe.ShortHash(ss.Annotations.ConfigHash)).TargetComposite().WithReason("ConfigHashChanged")
}

// Reasons of a FatalError.
const (
	ReasonInvalidSpec   = "InvalidSpec"
	ReasonInvalidInput  = "InvalidInput"
	ReasonNameTaken     = "NameTaken"
	ReasonInternalError = "InternalError"
)

// A FatalError is why nothing can be composed.
type FatalError struct {
	Reason string
	Err    error
}

func (f FatalError) Error() string { return f.Err.Error() }

// Fatal answers that there is nothing that can be composed. The conditions come
// first: what comes after a fatal result is not looked at. Beside why it failed they
// are those that only tell what is observed, which stays true. Crossplane takes
// all others back.
func Fatal(rsp *fnv1.RunFunctionResponse, err error, observed ...observe.Condition) {
	f := FatalError{Reason: ReasonInternalError}
	errors.As(err, &f)
	rsp.Conditions = nil
	for _, c := range append(observed, observe.Failed(f.Reason, err.Error())) {
		set(rsp, c)
	}
	response.Fatal(rsp, err)
}

func set(rsp *fnv1.RunFunctionResponse, c observe.Condition) {
	statuses := map[observe.Status]func(*fnv1.RunFunctionResponse, string, string) *response.ConditionOption{
		observe.True:    response.ConditionTrue,
		observe.False:   response.ConditionFalse,
		observe.Unknown: response.ConditionUnknown,
	}
	o := statuses[c.Status](rsp, c.Type, c.Reason).TargetComposite()
	if c.Message != "" {
		o.WithMessage(c.Message)
	}
}
