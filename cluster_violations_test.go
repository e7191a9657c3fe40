package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// violations says what is wrong with a response to any request at all.
func violations(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse) []string {
	v := []string{}
	fail := func(format string, args ...any) { v = append(v, fmt.Sprintf(format, args...)) }

	if _, err := protojson.Marshal(rsp); err != nil {
		fail("the response cannot be sent: %v", err)
	}
	if ttl := rsp.GetMeta().GetTtl().AsDuration(); ttl <= 0 {
		fail("without a TTL Crossplane before 2.4 never looks at the Secrets again, got %s", ttl)
	}

	namespace := valueAt(req.GetObserved().GetComposite().GetResource(), "metadata", "namespace").GetStringValue()
	for name, sel := range rsp.GetRequirements().GetResources() {
		if sel.GetMatchName() == "" {
			fail("requirement %q names no Secret, so all Secrets would be sent", name)
		}
		if sel.Namespace == nil || sel.GetNamespace() != namespace || namespace == "" {
			fail("requirement %q is for namespace %q, but the DittoServer is in %q", name, sel.GetNamespace(), namespace)
		}
	}

	if isFatal(rsp) {
		if !slices.ContainsFunc(rsp.GetConditions(), func(c *fnv1.Condition) bool {
			return c.GetType() == "ConfigReady" && c.GetStatus() == fnv1.Status_STATUS_CONDITION_FALSE
		}) {
			fail("a fatal result must come with the condition ConfigReady=False")
		}
		return v
	}

	observed, exists := req.GetObserved().GetResources()[manifests.StatefulSetResource]
	desired, wanted := rsp.GetDesired().GetResources()[manifests.StatefulSetResource]
	if exists && !wanted {
		fail("the observed StatefulSet is not desired, so Crossplane deletes it")
	}
	if exists && wanted && hashOf(desired.GetResource()) != hashOf(observed.GetResource()) && len(hashOf(desired.GetResource())) != 64 {
		fail("the StatefulSet's hash must be the observed one or a whole new one, got %q", hashOf(desired.GetResource()))
	}
	for name, want := range req.GetDesired().GetResources() {
		if got := rsp.GetDesired().GetResources()[name]; !proto.Equal(want, got) {
			fail("desired resource %q of an earlier step must stay as it is", name)
		}
	}
	for name, r := range rsp.GetDesired().GetResources() {
		if _, foreign := req.GetDesired().GetResources()[name]; foreign {
			continue
		}
		if r.GetReady() == fnv1.Ready_READY_UNSPECIFIED {
			fail("desired resource %q says nothing about its readiness", name)
		}
		walk(r.GetResource(), fail)
	}
	return v
}

// walk complains about all that a desired object should not say: what we send is
// ours for ever. Capabilities may be an empty object, if the user says so.
func walk(s *structpb.Struct, fail func(string, ...any)) {
	kind := s.GetFields()["kind"].GetStringValue()

	var each func(path string, v *structpb.Value)
	each = func(path string, v *structpb.Value) {
		switch k := v.GetKind().(type) {
		case *structpb.Value_NullValue, nil:
			fail("desired %s has a null at %s", kind, path)
		case *structpb.Value_NumberValue:
			if n := k.NumberValue; n != float64(int64(n)) || n == 0 && path != "spec.replicas" {
				fail("desired %s has the number %v at %s", kind, n, path)
			}
		case *structpb.Value_StringValue:
			if k.StringValue == "" && !strings.HasSuffix(path, ".storageClassName") {
				fail("desired %s has an empty string at %s", kind, path)
			}
		case *structpb.Value_ListValue:
			if len(k.ListValue.GetValues()) == 0 {
				fail("desired %s has an empty list at %s", kind, path)
			}
			for i, e := range k.ListValue.GetValues() {
				each(fmt.Sprintf("%s[%d]", path, i), e)
			}
		case *structpb.Value_StructValue:
			if len(k.StructValue.GetFields()) == 0 && !strings.HasSuffix(path, ".emptyDir") && !strings.HasSuffix(path, ".capabilities") {
				fail("desired %s has an empty object at %s", kind, path)
			}
			for name, f := range k.StructValue.GetFields() {
				p := strings.TrimPrefix(path+"."+name, ".")
				if name == "status" {
					fail("desired %s has a status at %s", kind, p)
				}
				each(p, f)
			}
		}
	}
	each("", structpb.NewStructValue(s))
}
