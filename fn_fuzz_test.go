package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/operations"
	"github.com/dittofs/function-dittoserver/internal/response"
)

// The fuzz targets replace one part of a request of a running server by whatever
// it may be. Each should find neither a panic, which RunFunction would hide, nor
// an answer that breaks what must always hold.

func FuzzComposite(f *testing.F) {
	c, _ := newRunningCluster(f)
	seed(f, c.XR)
	seed(f, functest.Without(f, c.XR, "apiVersion"))
	seed(f, functest.Without(f, c.XR, "kind"))
	for _, edit := range []map[string]any{
		{"spec": nil},
		{"spec": "none"},
		{"spec.storage": []any{}},
		{"spec.replicas": 1e300},
		{"spec.replicas": "one"},
		{"spec.resources.limits.memory": "1e1000000"},
		{"spec.securityContext.capabilities": map[string]any{}},
		{"spec.service.annotations": map[string]any{}},
		{"spec.database.postgresSecretRef": map[string]any{"name": "db"}},
		{"spec.rollout.policy": "Manual"},
		{"spec.env": []any{map[string]any{"name": "A", "valueFrom": map[string]any{"configMapKeyRef": map[string]any{"name": "m", "key": "k"}}}}},
		{"spec.envFrom": []any{map[string]any{"prefix": "DITTOFS_", "secretRef": map[string]any{"name": "jwt"}}}},
		{"spec.volumes": []any{map[string]any{"name": "v", "projected": map[string]any{"sources": []any{nil}}}}, "spec.volumeMounts": []any{map[string]any{"name": "v", "mountPath": "/v"}}},
		{"status.conditions": []any{"none", nil, map[string]any{"type": 1}}},
		{"metadata": nil},
		{"metadata.generation": -1e300},
	} {
		seed(f, functest.WithAll(f, c.XR, edit))
	}

	f.Fuzz(func(t *testing.T, j []byte) {
		run(t, c, func(req *fnv1.RunFunctionRequest) { req.Observed.Composite.Resource = parse(t, j) })
	})
}

func FuzzInput(f *testing.F) {
	c, _ := newRunningCluster(f)
	for _, text := range []string{
		"{}",
		"{apiVersion: dittoserver.fn.crossplane.io/v1beta1, kind: Input, ttl: 5m, pendingTTL: 1s, missingSecrets: Proceed, includeGeneration: true}",
		"{image: example.com/dittofs:next, storageClassName: fast, resources: {limits: {memory: 1Gi}}, service: {type: NodePort}}",
		"{ttl: 60, service: null, resources: []}",
		"{imgae: x}",
	} {
		seed(f, functest.Object(f, text))
	}

	f.Fuzz(func(t *testing.T, j []byte) {
		run(t, c, func(req *fnv1.RunFunctionRequest) { req.Input = parse(t, j) })
	})
}

func FuzzObserved(f *testing.F) {
	c, _ := newRunningCluster(f)
	for _, name := range []string{c.configMap(), manifests.HeadlessServiceResource, manifests.APIServiceResource, manifests.StatefulSetResource} {
		s := c.Composed[name]
		seed(f, s, name)
		for _, field := range []string{"metadata", "data", "spec", "status"} {
			for _, v := range []any{nil, "none", map[string]any{}, []any{nil}} {
				seed(f, functest.With(f, s, field, v), name)
			}
		}
	}

	f.Fuzz(func(t *testing.T, j []byte, name string) {
		if !utf8.ValidString(name) {
			t.Skip("gRPC delivers no such request.")
		}
		run(t, c, func(req *fnv1.RunFunctionRequest) {
			req.Observed.Resources[name] = &fnv1.Resource{Resource: parse(t, j)}
		}, "spec.volumeClaimTemplates", "spec.selector") // What cannot be changed is taken over, however odd.
	})
}

func FuzzSecret(f *testing.F) {
	c, _ := newRunningCluster(f)
	s := c.Secrets["team-a/jwt"]
	seed(f, s)
	for _, field := range []string{"kind", "metadata", "metadata.name", "data", "data.key"} {
		for _, v := range []any{nil, "", "none", 1, map[string]any{}, []any{nil}} {
			seed(f, functest.With(f, s, field, v))
		}
	}

	f.Fuzz(func(t *testing.T, j []byte) {
		run(t, c, func(req *fnv1.RunFunctionRequest) {
			for _, r := range req.GetRequiredResources() {
				r.Items = append(r.Items, &fnv1.Resource{Resource: parse(t, j)})
			}
		})
	})
}

func FuzzConfigMap(f *testing.F) {
	c := newCluster(f)
	withExtras(c)
	c.Settle()
	o := c.Stored("ConfigMap", "tuning")
	seed(f, o)
	for _, field := range []string{"kind", "metadata", "metadata.name", "data", "data.gc", "binaryData", "binaryData.gc"} {
		for _, v := range []any{nil, "", "none", 1, map[string]any{}, []any{nil}} {
			seed(f, functest.With(f, o, field, v))
		}
	}

	f.Fuzz(func(t *testing.T, j []byte) {
		run(t, c, func(req *fnv1.RunFunctionRequest) {
			for name, r := range req.GetRequiredResources() {
				if strings.HasPrefix(name, "configmap/") {
					r.Items = []*fnv1.Resource{{Resource: parse(t, j)}}
				}
			}
		})
	})
}

func FuzzOperation(f *testing.F) {
	c := newWaitingCluster(f)
	server, claim := c.XR, c.Stored("PersistentVolumeClaim", "metadata-files-0")
	for _, kind := range []string{restartInput, resizeInput} {
		input := functest.Object(f, kind)
		seed3(f, input, server, claim)
		for _, edit := range []map[string]any{
			{"maxUnavailable": "10%", "healthy.conditions": []any{"Available"}, "healthy.minReadySeconds": 60},
			{"selector.namespaces": []any{"team-a", "team-b"}, "selector.matchLabels": map[string]any{}},
			{"selector.namespaces": []any{"team-b"}},
			{"selector.matchLabels": map[string]any{"ring": "1"}},
			{"selector": []any{}},
			{"maxUnavailable": 1e300},
		} {
			seed3(f, functest.WithAll(f, input, edit), server, claim)
		}
		for _, edit := range []map[string]any{
			{"spec": nil},
			{"spec": "none"},
			{"spec.storage": []any{}},
			{"spec.storage.metadataSize": "1e1000000"},
			{"spec.rollout": "none"},
			{"status": nil},
			{"status.pendingHash": 7},
			{"status.conditions": []any{"none", nil, map[string]any{"type": 1}}},
			{"status.observedGeneration": "none"},
			{"metadata.name": ""},
			{"metadata.uid": nil},
			{"metadata.resourceVersion": 7},
			{"metadata.namespace": "team-b"},
			{"metadata.generation": -1e300},
			{"metadata.annotations": "none"},
			{"apiVersion": nil},
		} {
			seed3(f, input, functest.WithAll(f, server, edit), claim)
		}
		for _, edit := range []map[string]any{
			{"spec": nil},
			{"spec.resources.requests.storage": "much"},
			{"spec.resources.requests.storage": "1e1000000"},
			{"spec.resources.requests.storage": -1},
			{"spec.storageClassName": []any{}},
			{"status": "none"},
			{"metadata.ownerReferences": []any{nil, "none", map[string]any{"controller": "true"}}},
			{"metadata.labels": []any{}},
		} {
			seed3(f, input, server, functest.WithAll(f, claim, edit))
		}
	}

	f.Fuzz(func(t *testing.T, input, server, claim []byte) {
		in, ds, pvc := parse(t, input), parse(t, server), parse(t, claim)
		if !operations.Is(functest.StringOf(in, "kind")) {
			t.Skip("It is no Operation.")
		}
		for name, r := range operation(t, c, in, ds, pvc).GetDesired().GetResources() {
			for _, v := range unwantedOf(in, ds, r.GetResource()) {
				t.Errorf("%s: %s: %v", name, v, r.GetResource())
			}
		}
	})
}

// operation takes a step of an Operation, in which each DittoServer and each claim that is
// looked up is one of those given. Unlike RunFunction it does not recover from panics.
func operation(t *testing.T, c *cluster, input, server, claim *structpb.Struct) *fnv1.RunFunctionResponse {
	t.Helper()

	given := map[string]*structpb.Struct{"DittoServer": server, "PersistentVolumeClaim": claim}
	req := &fnv1.RunFunctionRequest{Input: input}
	var last *fnv1.Requirements
	for range functest.MaxCalls {
		before := proto.CloneOf(req)
		rsp := response.To(req, 1)
		err := c.f.operate(functest.StringOf(input, "kind"), req, rsp)
		if diff := functest.Diff(before, req); diff != "" {
			t.Errorf("The function must not modify its request: -before, +after:\n%s", diff)
		}
		if _, err := protojson.Marshal(rsp); err != nil {
			t.Errorf("The response cannot be sent: %v", err)
		}
		if err != nil && len(rsp.GetDesired().GetResources()) > 0 {
			t.Errorf("With an error, nothing should be desired: %v", rsp.GetDesired())
		}
		if err != nil || proto.Equal(last, rsp.GetRequirements()) {
			return rsp
		}
		last = rsp.GetRequirements()
		req.RequiredResources = map[string]*fnv1.Resources{}
		for key, sel := range last.GetResources() {
			req.RequiredResources[key] = c.LookUp(sel)
			if o, ok := given[sel.GetKind()]; ok {
				req.RequiredResources[key] = &fnv1.Resources{Items: []*fnv1.Resource{{Resource: o}}}
			}
		}
	}
	t.Errorf("The requirements are not stable after %d calls: %v", functest.MaxCalls, last)
	return nil
}

// unwantedOf says what an Operation should not say of an object.
func unwantedOf(input, server, o *structpb.Struct) []string {
	v := []string{}
	changes := map[string]string{"DittoServer": "spec.rollout.restartToken", "PersistentVolumeClaim": "spec.resources.requests.storage"}[functest.StringOf(o, "kind")]
	identity := []string{"apiVersion", "kind", "metadata.namespace", "metadata.name", "metadata.uid", "metadata.resourceVersion"}
	for path, value := range leaves(o) {
		switch {
		case path == changes && value.GetStringValue() == "":
			v = append(v, "nothing is set")
		case path != changes && !slices.Contains(identity, path):
			v = append(v, "has "+path)
		}
	}
	if leaves(o)[changes] == nil {
		v = append(v, "changes nothing")
	}

	namespaces := functest.ValueAt(input, "selector", "namespaces").GetListValue().GetValues()
	in := func(ns *structpb.Value) bool {
		return ns.GetStringValue() == functest.StringOf(server, "metadata", "namespace")
	}
	if len(namespaces) > 0 && !slices.ContainsFunc(namespaces, in) {
		v = append(v, "is of a namespace that is not selected")
	}
	for label, value := range functest.ValueAt(input, "selector", "matchLabels").GetStructValue().GetFields() {
		if has := functest.ValueAt(server, "metadata", "labels", label); has == nil || has.GetStringValue() != value.GetStringValue() {
			v = append(v, "is of a server without label "+label)
		}
	}
	return v
}

// leaves returns all fields of an object that are no objects, by their paths.
func leaves(o *structpb.Struct) map[string]*structpb.Value {
	all := map[string]*structpb.Value{}
	for name, v := range o.GetFields() {
		if v.GetStructValue() == nil {
			all[name] = v
		}
		for path, leaf := range leaves(v.GetStructValue()) {
			all[name+"."+path] = leaf
		}
	}
	return all
}

// seed3 adds three objects to a corpus.
func seed3(f *testing.F, a, b, c *structpb.Struct) {
	f.Helper()
	texts := make([]any, 0, 3)
	for _, s := range []*structpb.Struct{a, b, c} {
		j, err := json.Marshal(s.AsMap())
		if err != nil {
			f.Fatal(err)
		}
		texts = append(texts, j)
	}
	f.Add(texts...)
}

// seed adds objects to a corpus, and what else the target takes.
func seed(f *testing.F, s *structpb.Struct, more ...any) {
	f.Helper()
	j, err := json.Marshal(s.AsMap())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]any{j}, more...)...)
}

// parse returns the object that a JSON text is, if it is one.
func parse(t *testing.T, j []byte) *structpb.Struct {
	t.Helper()
	s := &structpb.Struct{}
	if err := protojson.Unmarshal(j, s); err != nil {
		t.Skip(err)
	}
	return s
}

// run the function on a request of the cluster, edited. Unlike RunFunction it does
// not recover from panics. Violations at tolerated paths are none.
func run(t *testing.T, c *cluster, edit func(*fnv1.RunFunctionRequest), tolerated ...string) {
	t.Helper()

	req := c.Request(c.Required)
	edit(req)
	before := proto.CloneOf(req)

	rsp := response.To(req, 1)
	p := newPlan(req)
	if err := c.f.compose(p, rsp); err != nil {
		response.Fatal(rsp, err, p.available()...)
	}

	for _, v := range functest.Violations(req, rsp) {
		if !slices.ContainsFunc(tolerated, func(path string) bool { return strings.Contains(v, " at "+path) }) {
			t.Error(v)
		}
	}
	if diff := functest.Diff(before, req); diff != "" {
		t.Errorf("The function must not modify its request: -before, +after:\n%s", diff)
	}
}
