package response

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/status"
)

func object(t *testing.T, fields map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDesired adds to what earlier steps desire, and leaves that, and the request, as
// they are.
func TestDesired(t *testing.T) {
	theirs := &fnv1.Resource{Resource: object(t, map[string]any{"kind": "Bucket"}), Ready: fnv1.Ready_READY_TRUE}
	req := &fnv1.RunFunctionRequest{Desired: &fnv1.State{
		Composite: &fnv1.Resource{Resource: object(t, map[string]any{"status": map[string]any{"theirs": "a", "phase": "Old"}})},
		Resources: map[string]*fnv1.Resource{"bucket": theirs},
	}}
	before := proto.CloneOf(req)

	rsp := To(req, time.Minute)
	err := errors.Join(
		Desired(rsp, map[string]Resource{"a": {Object: object(t, map[string]any{"kind": "A"}), Ready: true}, "b": {Object: object(t, map[string]any{"kind": "B"})}}),
		Status(rsp, object(t, map[string]any{"apiVersion": "dittofs.io/v1alpha1", "kind": "DittoServer", "spec": map[string]any{"secret": "no"}}), map[string]any{"phase": "Running"}),
	)
	Unready(rsp)
	if err != nil {
		t.Fatal(err)
	}

	want := &fnv1.State{
		Composite: &fnv1.Resource{
			Resource: object(t, map[string]any{"apiVersion": "dittofs.io/v1alpha1", "kind": "DittoServer", "status": map[string]any{"theirs": "a", "phase": "Running"}}),
			Ready:    fnv1.Ready_READY_FALSE,
		},
		Resources: map[string]*fnv1.Resource{
			"bucket": theirs,
			"a":      {Resource: object(t, map[string]any{"kind": "A"}), Ready: fnv1.Ready_READY_TRUE},
			"b":      {Resource: object(t, map[string]any{"kind": "B"}), Ready: fnv1.Ready_READY_FALSE},
		},
	}
	if diff := cmp.Diff(want, rsp.GetDesired(), protocmp.Transform()); diff != "" {
		t.Errorf("desired: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(before, req, protocmp.Transform()); diff != "" {
		t.Errorf("the request: -before, +after:\n%s", diff)
	}
}

// TestDesiredTaken does not overwrite what an earlier step desires under the same name.
func TestDesiredTaken(t *testing.T) {
	rsp := To(&fnv1.RunFunctionRequest{Desired: &fnv1.State{Resources: map[string]*fnv1.Resource{"statefulset": {}}}}, time.Minute)
	err := Desired(rsp, map[string]Resource{"a": {}, "statefulset": {}})
	fatal := FatalError{}
	if !errors.As(err, &fatal) || fatal.Reason != ReasonNameTaken {
		t.Errorf("Desired(...): want reason %s, got %v", ReasonNameTaken, err)
	}
	if len(rsp.GetDesired().GetResources()) != 1 {
		t.Error("Desired(...): nothing should be added when one name is taken")
	}
}

// TestFatal puts conditions before the fatal result, as Crossplane looks at nothing that
// comes after it, and says of an error without a reason that the function has failed.
func TestFatal(t *testing.T) {
	known := observed.Condition{Type: status.TypeAvailable, Status: observed.True, Reason: "Serving"}
	rsp := &fnv1.RunFunctionResponse{Conditions: []*fnv1.Condition{{Type: status.TypeProgressing}}}
	Fatal(rsp, errors.New("boom"), known)

	want := &fnv1.RunFunctionResponse{
		Conditions: []*fnv1.Condition{
			{Type: status.TypeAvailable, Status: fnv1.Status_STATUS_CONDITION_TRUE, Reason: "Serving", Target: fnv1.Target_TARGET_COMPOSITE.Enum()},
			{Type: status.TypeConfigReady, Status: fnv1.Status_STATUS_CONDITION_FALSE, Reason: ReasonInternalError, Message: new("boom"), Target: fnv1.Target_TARGET_COMPOSITE.Enum()},
		},
		Results: []*fnv1.Result{{Severity: fnv1.Severity_SEVERITY_FATAL, Message: "boom", Target: fnv1.Target_TARGET_COMPOSITE.Enum()}},
	}
	if diff := cmp.Diff(want, rsp, protocmp.Transform()); diff != "" {
		t.Errorf("Fatal(...): -want, +got:\n%s", diff)
	}
}
