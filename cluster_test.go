package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"

	"github.com/crossplane/crossplane-runtime/v2/pkg/fieldpath"
	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// A DittoServer as Crossplane sends it: with fields of its own in metadata and
// spec.
const basicXR = `
apiVersion: dittofs.io/v1alpha1
kind: DittoServer
metadata:
  name: files
  namespace: team-a
  uid: 5cd2f3ee-8d4a-4f0e-9c5a-1f4e6d1b2a30
  resourceVersion: "4711"
  generation: 4
spec:
  crossplane:
    compositionRef: {name: dittoserver}
    compositionRevisionRef: {name: dittoserver-1}
  storage:
    metadataSize: 10Gi
    contentSize: 50Gi
  identity:
    jwt:
      secretRef: {name: jwt, key: key}
    admin:
      passwordSecretRef: {name: admin, key: password}
`

const (
	jwtKey        = "a key that has more than thirty-two bytes"
	adminPassword = "correct horse"
)

// A cluster is Crossplane and an API server, as far as the function sees them: it
// looks up what the function requires, calls it until that is stable, stores what
// it desires, and refuses what Kubernetes refuses. Each call that it makes is
// checked for what must hold for all of them.
type cluster struct {
	testing.TB

	f *Function

	// What Crossplane sends: the composite resource, the pipeline step's input, what
	// earlier steps desire, and the composed resources by their names.
	xr, input *structpb.Struct
	earlier   *fnv1.State
	composed  map[string]*structpb.Struct

	// Secrets of the cluster, by namespace and name, and its optional kinds.
	secrets map[string]*structpb.Struct
	kinds   []string

	// Seeded makes the first call of a reconcile come with what the last one
	// required, as Crossplane does from 2.4 on.
	seeded   bool
	required *fnv1.Requirements
}

// newCluster returns a cluster with a DittoServer and its Secrets, in which the
// function has not run yet.
func newCluster(tb testing.TB) *cluster {
	tb.Helper()
	c := &cluster{
		TB:       tb,
		f:        newFunction(logging.NewNopLogger(), time.Minute, nil),
		xr:       object(tb, basicXR),
		earlier:  &fnv1.State{},
		composed: map[string]*structpb.Struct{},
		secrets:  map[string]*structpb.Struct{},
	}
	c.setSecret("jwt", "key", jwtKey)
	c.setSecret("admin", "password", adminPassword)
	return c
}

// newRunningCluster returns a cluster in which the server runs, and what the
// function answers as long as nothing changes.
func newRunningCluster(tb testing.TB) (*cluster, *fnv1.RunFunctionResponse) {
	tb.Helper()
	c := newCluster(tb)
	rsp := c.settle()
	return c, rsp
}

// set a field of the DittoServer.
func (c *cluster) set(path string, value any) {
	c.Helper()
	c.xr = with(c, c.xr, path, value)
}

// unset a field of the DittoServer.
func (c *cluster) unset(path string) {
	c.Helper()
	c.xr = without(c, c.xr, path)
}

// setInput gives the pipeline step an Input with the fields.
func (c *cluster) setInput(fields string) {
	c.Helper()
	c.input = object(c, "apiVersion: dittoserver.fn.crossplane.io/v1beta1\nkind: Input\n"+fields)
}

// setSecret sets a key of a Secret in the DittoServer's namespace, which it
// creates if need be.
func (c *cluster) setSecret(name, key, value string) {
	c.Helper()
	s, ok := c.secrets["team-a/"+name]
	if !ok {
		s = object(c, fmt.Sprintf("{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: %s, namespace: team-a}, data: {}}", name))
	}
	c.secrets["team-a/"+name] = with(c, s, "data["+key+"]", base64.StdEncoding.EncodeToString([]byte(value)))
}

// unsetSecret removes a key of a Secret.
func (c *cluster) unsetSecret(name, key string) {
	c.Helper()
	c.secrets["team-a/"+name] = without(c, c.secrets["team-a/"+name], "data["+key+"]")
}

// deleteSecret deletes a Secret.
func (c *cluster) deleteSecret(name string) { delete(c.secrets, "team-a/"+name) }

// edit a field of a composed resource, behind Crossplane's back.
func (c *cluster) edit(name, path string, value any) {
	c.Helper()
	if s, ok := c.composed[name]; ok {
		c.composed[name] = with(c, s, path, value)
	}
}

// usePostgres gives the server a database with a Secret that has all keys.
func (c *cluster) usePostgres() {
	c.Helper()
	c.set("spec.database.postgresSecretRef.name", "db")
	for key, value := range map[string]string{"host": "db.example", "port": "5433", "database": "dittofs", "user": "dittofs", "password": "battery staple", "sslmode": "require"} {
		c.setSecret("db", key, value)
	}
}

// request is what Crossplane sends when it has looked up what was required.
func (c *cluster) request(required *fnv1.Requirements) *fnv1.RunFunctionRequest {
	req := &fnv1.RunFunctionRequest{
		Meta:              &fnv1.RequestMeta{Tag: "tag", Capabilities: []fnv1.Capability{fnv1.Capability_CAPABILITY_CAPABILITIES, fnv1.Capability_CAPABILITY_REQUIRED_SCHEMAS}},
		Input:             c.input,
		Observed:          &fnv1.State{Composite: &fnv1.Resource{Resource: c.xr}, Resources: map[string]*fnv1.Resource{}},
		Desired:           c.earlier,
		RequiredResources: map[string]*fnv1.Resources{},
		RequiredSchemas:   map[string]*fnv1.Schema{},
	}
	for name, s := range c.composed {
		req.Observed.Resources[name] = &fnv1.Resource{Resource: s}
	}
	for name, sel := range required.GetResources() {
		r := &fnv1.Resources{}
		if s, ok := c.secrets[sel.GetNamespace()+"/"+sel.GetMatchName()]; ok && sel.GetApiVersion() == "v1" && sel.GetKind() == "Secret" {
			r.Items = []*fnv1.Resource{{Resource: s}}
		}
		req.RequiredResources[name] = r
	}
	for name, sel := range required.GetSchemas() {
		req.RequiredSchemas[name] = &fnv1.Schema{}
		if slices.Contains(c.kinds, sel.GetKind()) {
			req.RequiredSchemas[name].OpenapiV3 = &structpb.Struct{Fields: map[string]*structpb.Value{"type": structpb.NewStringValue("object")}}
		}
	}
	return proto.CloneOf(req)
}

// call the function, and check what must hold for every call.
func (c *cluster) call(req *fnv1.RunFunctionRequest) *fnv1.RunFunctionResponse {
	c.Helper()

	before := proto.CloneOf(req)
	rsp, err := c.f.RunFunction(c.Context(), req)
	if err != nil {
		c.Fatalf("f.RunFunction(...): %v", err)
	}
	if diff := diff(before, req); diff != "" {
		c.Errorf("The function must not modify its request.\nf.RunFunction(...): -req before, +req after:\n%s", diff)
	}
	again, err := c.f.RunFunction(c.Context(), req)
	if diff := diff(masked(c, req, rsp), masked(c, req, again)); err != nil || diff != "" {
		c.Errorf("The same request must always have the same response.\nf.RunFunction(...): -1st rsp, +2nd rsp, %v:\n%s", err, diff)
	}
	for _, v := range violations(req, rsp) {
		c.Errorf("f.RunFunction(...): %s", v)
	}
	return rsp
}

// masked is a response without the values of Secrets that have just been made,
// which are the only thing that is random.
func masked(tb testing.TB, req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse) *fnv1.RunFunctionResponse {
	tb.Helper()
	out := proto.CloneOf(rsp)
	for _, r := range out.GetDesired().GetResources() {
		if r.GetResource().GetFields()["kind"].GetStringValue() != "Secret" {
			continue
		}
		known := asYAML(tb, req)
		data := valueAt(r.GetResource(), "data").GetStructValue().GetFields()
		for key, v := range data {
			if !strings.Contains(known, v.GetStringValue()) {
				data[key] = structpb.NewStringValue("made just now")
			}
		}
	}
	return out
}

// maxCalls is how often Crossplane calls a function in one reconcile.
const maxCalls = 6

// reconcile calls the function as Crossplane does: again and again, until it has
// what it requires.
func (c *cluster) reconcile() *fnv1.RunFunctionResponse {
	c.Helper()

	required := &fnv1.Requirements{}
	if c.seeded && c.required != nil {
		required = c.required
	}
	for range maxCalls {
		rsp := c.call(c.request(required))
		if isFatal(rsp) {
			return rsp
		}
		stable := proto.Equal(required, rsp.GetRequirements())
		required = rsp.GetRequirements()
		if stable {
			c.required = required
			return rsp
		}
	}
	c.Fatalf("The function's requirements are not stable after %d calls", maxCalls)
	return nil
}

// settle reconciles until nothing changes, and returns what the function answers
// from then on.
func (c *cluster) settle() *fnv1.RunFunctionResponse {
	c.Helper()

	last := &fnv1.RunFunctionResponse{}
	for range 10 {
		rsp := c.reconcile()
		if proto.Equal(last, rsp) {
			return rsp
		}
		last = rsp
		c.apply(rsp)
	}
	c.Fatalf("The function does not come to rest. Its last response:\n%s", asYAML(c, last))
	return nil
}

// apply stores what the function desires, and removes what it no longer does. All
// that comes up is ready at once.
func (c *cluster) apply(rsp *fnv1.RunFunctionResponse) {
	c.Helper()

	c.xr = withConditions(c, c.xr, rsp.GetConditions())
	if isFatal(rsp) {
		return
	}
	status := map[string]any{}
	for name, v := range valueAt(rsp.GetDesired().GetComposite().GetResource(), "status").GetStructValue().GetFields() {
		status["status."+name] = v.AsInterface()
	}
	c.xr = withAll(c, c.xr, status)

	stored := map[string]*structpb.Struct{}
	for name, r := range rsp.GetDesired().GetResources() {
		stored[name] = c.store(name, r.GetResource())
		if r.GetResource().GetFields()["kind"].GetStringValue() == "Secret" {
			c.secrets["team-a/"+stringAt(c, r.GetResource(), "metadata.name")] = stored[name]
		}
	}
	c.composed = stored
}

// store an object as the API server does, with all that it adds.
func (c *cluster) store(name string, s *structpb.Struct) *structpb.Struct {
	c.Helper()

	s = withAll(c, s, map[string]any{
		"metadata.uid":                                                  "uid-of-" + name,
		"metadata.creationTimestamp":                                    "2025-01-01T00:00:00Z",
		"metadata.labels[crossplane.io/composite]":                      "files",
		"metadata.ownerReferences":                                      []any{map[string]any{"kind": "DittoServer", "name": "files", "uid": stringAt(c, c.xr, "metadata.uid"), "controller": true}},
		"metadata.annotations[crossplane.io/composition-resource-name]": name,
	})

	switch s.GetFields()["kind"].GetStringValue() {
	case "Service":
		added := map[string]any{"spec.sessionAffinity": "None", "status.loadBalancer": map[string]any{}}
		if valueAt(s, "spec", "clusterIP") == nil {
			added["spec.clusterIP"] = "10.96.0.1"
		}
		return withAll(c, s, added)
	case "StatefulSet":
		return c.storeStatefulSet(c.composed[name], s)
	}
	if status := valueAt(c.composed[name], "status"); status != nil {
		s.Fields["status"] = status
	}
	return s
}

func (c *cluster) storeStatefulSet(old, s *structpb.Struct) *structpb.Struct {
	c.Helper()

	added := map[string]any{
		"spec.updateStrategy":                                     map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"partition": 0}},
		"spec.revisionHistoryLimit":                               10,
		"spec.template.metadata.creationTimestamp":                nil,
		"spec.template.spec.restartPolicy":                        "Always",
		"spec.template.spec.dnsPolicy":                            "ClusterFirst",
		"spec.template.spec.containers[0].terminationMessagePath": "/dev/termination-log",
	}
	for i := range valueAt(s, "spec", "volumeClaimTemplates").GetListValue().GetValues() {
		claim := fmt.Sprintf("spec.volumeClaimTemplates[%d].", i)
		added[claim+"apiVersion"] = "v1"
		added[claim+"kind"] = "PersistentVolumeClaim"
		added[claim+"metadata.creationTimestamp"] = nil
		added[claim+"status.phase"] = "Pending"
	}
	s = withAll(c, s, added)

	generation := 1.0
	if old != nil {
		for _, field := range []string{"serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates"} {
			if diff := diff(valueAt(old, "spec", field), valueAt(s, "spec", field)); diff != "" {
				c.Errorf("Kubernetes refuses a StatefulSet whose spec.%s changes: -old, +new:\n%s", field, diff)
			}
		}
		generation = valueAt(old, "metadata", "generation").GetNumberValue()
		if !proto.Equal(valueAt(old, "spec"), valueAt(s, "spec")) {
			generation++
		}
	}
	replicas := valueAt(s, "spec", "replicas").GetNumberValue()
	return withAll(c, s, map[string]any{
		"metadata.generation": generation,
		"status": map[string]any{
			"observedGeneration": generation,
			"replicas":           replicas, "readyReplicas": replicas, "updatedReplicas": replicas, "currentReplicas": replicas, "availableReplicas": replicas,
			"currentRevision": "files-1", "updateRevision": "files-1",
		},
	})
}

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

// What is in responses.

func isFatal(rsp *fnv1.RunFunctionResponse) bool {
	return slices.ContainsFunc(rsp.GetResults(), func(r *fnv1.Result) bool { return r.GetSeverity() == fnv1.Severity_SEVERITY_FATAL })
}

func desired(rsp *fnv1.RunFunctionResponse, name string) *structpb.Struct {
	return rsp.GetDesired().GetResources()[name].GetResource()
}

// hashOf is the config hash of a StatefulSet.
func hashOf(s *structpb.Struct) string {
	return valueAt(s, "spec", "template", "metadata", "annotations", manifests.AnnotationConfigHash).GetStringValue()
}

// container is the server's container of a StatefulSet.
func container(ss *structpb.Struct) *structpb.Struct {
	for _, c := range valueAt(ss, "spec", "template", "spec", "containers").GetListValue().GetValues() {
		return c.GetStructValue()
	}
	return nil
}

// condition returns a condition in short: its status and reason.
func condition(rsp *fnv1.RunFunctionResponse, typ string) string {
	c := fullCondition(rsp, typ)
	return strings.TrimPrefix(c.GetStatus().String(), "STATUS_CONDITION_") + " " + c.GetReason()
}

func fullCondition(rsp *fnv1.RunFunctionResponse, typ string) *fnv1.Condition {
	for _, c := range rsp.GetConditions() {
		if c.GetType() == typ {
			return c
		}
	}
	return nil
}

// results returns the results in short: their severities and reasons.
func results(rsp *fnv1.RunFunctionResponse) []string {
	rs := []string{}
	for _, r := range rsp.GetResults() {
		rs = append(rs, r.GetSeverity().String()+" "+r.GetReason())
	}
	return rs
}

// What objects are made with.

func object(tb testing.TB, text string) *structpb.Struct {
	tb.Helper()
	j, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	s := &structpb.Struct{}
	if err := protojson.Unmarshal(j, s); err != nil {
		tb.Fatal(err)
	}
	return s
}

// with returns an object with a field set. The path is one of Crossplane's.
func with(tb testing.TB, s *structpb.Struct, path string, value any) *structpb.Struct {
	tb.Helper()
	return withAll(tb, s, map[string]any{path: value})
}

// withAll returns an object with fields set.
func withAll(tb testing.TB, s *structpb.Struct, fields map[string]any) *structpb.Struct {
	tb.Helper()
	p := fieldpath.Pave(s.AsMap())
	for path, value := range fields {
		if err := p.SetValue(path, value); err != nil {
			tb.Fatal(err)
		}
	}
	out, err := structpb.NewStruct(p.UnstructuredContent())
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// without returns an object without a field.
func without(tb testing.TB, s *structpb.Struct, path string) *structpb.Struct {
	tb.Helper()
	p := fieldpath.Pave(s.AsMap())
	if err := p.DeleteField(path); err != nil {
		tb.Fatal(err)
	}
	out, err := structpb.NewStruct(p.UnstructuredContent())
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func withConditions(tb testing.TB, xr *structpb.Struct, conditions []*fnv1.Condition) *structpb.Struct {
	tb.Helper()
	byType := map[string]any{}
	for _, v := range valueAt(xr, "status", "conditions").GetListValue().GetValues() {
		byType[v.GetStructValue().GetFields()["type"].GetStringValue()] = v.AsInterface()
	}
	for _, c := range conditions {
		status := map[fnv1.Status]string{fnv1.Status_STATUS_CONDITION_TRUE: "True", fnv1.Status_STATUS_CONDITION_FALSE: "False", fnv1.Status_STATUS_CONDITION_UNKNOWN: "Unknown"}[c.GetStatus()]
		byType[c.GetType()] = map[string]any{"type": c.GetType(), "status": status, "reason": c.GetReason(), "message": c.GetMessage(), "lastTransitionTime": "2025-01-01T00:00:00Z"}
	}
	list := []any{}
	for _, typ := range slices.Sorted(maps.Keys(byType)) {
		list = append(list, byType[typ])
	}
	return with(tb, xr, "status.conditions", list)
}

// valueAt returns a field of an object, or nil.
func valueAt(s *structpb.Struct, fields ...string) *structpb.Value {
	v := structpb.NewStructValue(s)
	for _, f := range fields {
		v = v.GetStructValue().GetFields()[f]
	}
	return v
}

// stringAt returns a field of an object as a string, or nothing. The path is one
// of Crossplane's.
func stringAt(tb testing.TB, s *structpb.Struct, path string) string {
	tb.Helper()
	v, err := fieldpath.Pave(s.AsMap()).GetValue(path)
	if fieldpath.IsNotFound(err) {
		return ""
	}
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprint(v)
}

// diff is cmp.Diff for messages that are mostly equal, which it finds out faster.
func diff(x, y proto.Message) string {
	if proto.Equal(x, y) {
		return ""
	}
	return cmp.Diff(x, y, protocmp.Transform())
}

// asYAML returns a message in a form that people can read and compare.
func asYAML(tb testing.TB, m proto.Message) string {
	tb.Helper()
	j, err := protojson.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	y, err := yaml.JSONToYAML(j)
	if err != nil {
		tb.Fatal(err)
	}
	return string(y)
}
