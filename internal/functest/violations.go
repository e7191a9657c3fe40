package functest

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

// Violations says what is wrong with a response to any request at all.
func Violations(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse) []string {
	v := []string{}
	fail := func(format string, args ...any) { v = append(v, fmt.Sprintf(format, args...)) }

	if _, err := protojson.Marshal(rsp); err != nil {
		fail("the response cannot be sent: %v", err)
	}
	lookUpViolations(req, rsp, fail)

	if IsFatal(rsp) {
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
	held := ValueAt(desired.GetResource(), "metadata", "resourceVersion") != nil && HashOf(desired.GetResource()) == "" // Somebody else owns the annotation.
	if exists && wanted && !held && HashOf(desired.GetResource()) != HashOf(observed.GetResource()) && len(HashOf(desired.GetResource())) != 64 {
		fail("the StatefulSet's hash must be the observed one or a whole new one, got %q", HashOf(desired.GetResource()))
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
		if ValueAt(r.GetResource(), "metadata", "uid") != nil {
			// Crossplane copies it into the composite's resourceRefs, whose schema has no such field.
			fail("desired resource %q has a uid, with which Crossplane can no longer apply the composite resource", name)
		}
		walk(r.GetResource(), fail)
	}
	return v
}

// Kinds of which objects may be required. Crossplane may read some only where it has
// been given the right to, and some have no namespace.
var requiredKinds = map[string]struct {
	right         string
	clusterScoped bool
}{
	"Secret":                   {},
	"ConfigMap":                {},
	"Service":                  {},
	"Usage":                    {},
	"ServiceAccount":           {},
	"StatefulSet":              {right: "statefulsets.apps"},
	"PersistentVolumeClaim":    {right: "persistentvolumeclaims"},
	"NetworkPolicy":            {right: "networkpolicies.networking.k8s.io"},
	"ServiceMonitor":           {right: "servicemonitors.monitoring.coreos.com"},
	"PrometheusRule":           {right: "prometheusrules.monitoring.coreos.com"},
	"PodDisruptionBudget":      {right: "poddisruptionbudgets.policy"},
	"PerconaPGCluster":         {right: "perconapgclusters.pgv2.percona.com"},
	"CustomResourceDefinition": {clusterScoped: true},
	"EnvironmentConfig":        {clusterScoped: true},
}

// lookUpViolations says what is wrong with what a response requires, and with how
// long it is good for: as long as something is not looked up, not at all, or
// Crossplane would store it and answer with it once more.
func lookUpViolations(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, fail func(string, ...any)) {
	readable := map[string]bool{"": true}
	for _, item := range req.GetRequiredResources()["rights"].GetItems() {
		for _, v := range ValueAt(item.GetResource(), "data", "readable").GetListValue().GetValues() {
			readable[v.GetStringValue()] = true
		}
	}

	namespace := ValueAt(req.GetObserved().GetComposite().GetResource(), "metadata", "namespace").GetStringValue()
	unanswered := false
	for name, sel := range rsp.GetRequirements().GetResources() {
		if _, answered := req.GetRequiredResources()[name]; !answered {
			unanswered = true
		}
		kind, known := requiredKinds[sel.GetKind()]
		if !known || !readable[kind.right] {
			fail("requirement %q is for a kind that Crossplane may not be able to read: %s", name, sel.GetKind())
		}
		if sel.GetMatchName() == "" && (name != "configs" || len(sel.GetMatchLabels().GetLabels()) == 0) {
			fail("requirement %q names no object, so all of them would be sent", name)
		}
		switch {
		case kind.clusterScoped && sel.Namespace != nil:
			fail("requirement %q is for namespace %q, but a %s has none", name, sel.GetNamespace(), sel.GetKind())
		case !kind.clusterScoped && (sel.GetNamespace() != namespace || namespace == ""):
			fail("requirement %q is for namespace %q, but the DittoServer is in %q", name, sel.GetNamespace(), namespace)
		}
	}

	switch ttl := rsp.GetMeta().GetTtl().AsDuration(); {
	case unanswered && ttl != 0:
		fail("while something is not looked up yet the response must not be stored, but its TTL is %s", ttl)
	case !unanswered && ttl <= 0:
		fail("without a TTL Crossplane before 2.4 never looks at the Secrets again, got %s", ttl)
	}
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
			if n := k.NumberValue; n != float64(int64(n)) || n == 0 && path != "spec.replicas" && path != "spec.maxUnavailable" && path != "spec.proxy.pgBouncer.replicas" {
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
