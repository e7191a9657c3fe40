package compose

import (
	"maps"
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

// Desired adds a server's objects to the response, each with its readiness. A
// StatefulSet that is withheld makes the whole composite resource unready: all
// that is there may well be ready.
func Desired(rsp *fnv1.RunFunctionResponse, want *manifests.Objects, have *observe.Composed, d rollout.Decision) error {
	desired := maps.Clone(want.Companions)
	desired[manifests.ConfigMapResource] = want.ConfigMap
	switch d.Action {
	case rollout.Withhold:
		rsp.Desired.Composite.Ready = fnv1.Ready_READY_FALSE
	case rollout.Hold:
		pod, err := have.StatefulSet.PodSpec()
		if err != nil {
			return err
		}
		want.Hold(pod)
	case rollout.Advance:
	}
	if d.Action != rollout.Withhold {
		t := &want.StatefulSet.Spec.Template
		t.Annotations = annotations(t.Annotations, d.Annotations)
		desired[manifests.StatefulSetResource] = want.StatefulSet
	}

	for name, o := range desired {
		s, err := Resource(o)
		if err != nil {
			return err
		}
		r := &fnv1.Resource{Resource: s, Ready: fnv1.Ready_READY_FALSE}
		if observe.Ready(name, o, have, want, d) {
			r.Ready = fnv1.Ready_READY_TRUE
		}
		rsp.Desired.Resources[name] = r
	}
	return nil
}

// annotations adds to a pod template's annotations those that replace the pod.
func annotations(existing map[string]string, a rollout.Annotations) map[string]string {
	as := maps.Clone(existing)
	if as == nil {
		as = map[string]string{}
	}
	if a.ConfigHash != "" {
		as[manifests.AnnotationConfigHash] = a.ConfigHash
	}
	if a.RestartToken != "" {
		as[manifests.AnnotationRestartToken] = a.RestartToken
	}
	return as
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

// Restart tells as an event why the pod is about to be replaced.
func Restart(rsp *fnv1.RunFunctionResponse, observed *rollout.Annotations, d rollout.Decision) {
	if d.Action == rollout.Advance && observed != nil && observed.ConfigHash != d.Annotations.ConfigHash {
		response.Normalf(rsp, "The server restarts: what it has read at its start has changed (configuration %s, in place of %s)",
			observe.ShortHash(d.Annotations.ConfigHash), observe.ShortHash(observed.ConfigHash)).TargetComposite().WithReason("ConfigHashChanged")
	}
}

// Fatal answers that there is nothing that can be composed. The condition comes
// first: what comes after a fatal result is not looked at.
func Fatal(rsp *fnv1.RunFunctionResponse, err error) {
	set(rsp, observe.Invalid(err.Error()))
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
