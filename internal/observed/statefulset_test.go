package observed

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
)

// TestKept keeps of a StatefulSet what cannot change, and nothing that Kubernetes has
// added: to send that would be to own it.
func TestKept(t *testing.T) {
	spec := map[string]any{
		"replicas":            1,
		"serviceName":         "files-headless",
		"podManagementPolicy": "OrderedReady",
		"selector":            map[string]any{"matchExpressions": []any{map[string]any{"key": "a", "operator": "Exists"}}},
		"volumeClaimTemplates": []any{map[string]any{
			"apiVersion": "v1", "kind": "PersistentVolumeClaim",
			"metadata": map[string]any{"name": "metadata", "creationTimestamp": nil},
			"spec":     map[string]any{"dataSource": map[string]any{"name": "backup"}, "resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}}},
			"status":   map[string]any{"phase": "Pending"},
		}},
	}
	want := map[string]any{
		"serviceName":         "files-headless",
		"podManagementPolicy": "OrderedReady",
		"selector":            spec["selector"],
		"volumeClaimTemplates": []any{map[string]any{
			"metadata": map[string]any{"name": "metadata"},
			"spec":     map[string]any{"dataSource": map[string]any{"name": "backup"}, "resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}}},
		}},
	}

	s := object(t, map[string]any{"spec": spec})
	before := structpb.NewStructValue(object(t, map[string]any{"spec": spec}))
	ss, err := newStatefulSet(s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(object(t, want).GetFields(), ss.Kept, protocmp.Transform()); diff != "" {
		t.Errorf("Kept: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(before, structpb.NewStructValue(s), protocmp.Transform()); diff != "" {
		t.Errorf("What was observed must stay as it is: -want, +got:\n%s", diff)
	}
}

// TestImmutableUnreadable fails on claim templates that the wanted objects depend on and
// that cannot be read: a StatefulSet that was left out would be deleted.
func TestImmutableUnreadable(t *testing.T) {
	for name, claims := range map[string]any{
		"no list": "none",
		"no size": []any{map[string]any{"metadata": map[string]any{"name": "metadata"}, "spec": map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": "much"}}}}},
	} {
		if _, err := newStatefulSet(object(t, map[string]any{"spec": map[string]any{"volumeClaimTemplates": claims}})); err == nil {
			t.Errorf("newStatefulSet(...) with %s: want an error", name)
		}
	}
}
