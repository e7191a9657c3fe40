package dittofs

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/resource"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/test/dittofs/kubelet"
)

// A cluster is what an API server would hold of one DittoServer: the DittoServer
// itself, the Secrets of its namespace, and what was composed.
type cluster struct {
	xr       *structpb.Struct
	secrets  map[string]*corev1.Secret
	composed map[string]*structpb.Struct

	// store is what the pod can refer to of all that.
	store *kubelet.Store
}

// rows are the directories of testdata.
func rows(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// load reads a row of the matrix. Its files are templates, because certificates
// and keytabs are made, not kept.
func load(t *testing.T, row string) *cluster {
	t.Helper()
	c := &cluster{secrets: map[string]*corev1.Secret{}}
	c.store = &kubelet.Store{ConfigMaps: map[string]*corev1.ConfigMap{}, Secrets: c.secrets}

	for _, doc := range documents(t, filepath.Join("testdata", row, "xr.yaml")) {
		c.xr = toStruct(t, doc)
	}
	for _, doc := range documents(t, filepath.Join("testdata", row, "secrets.yaml")) {
		s := &corev1.Secret{}
		if err := yaml.UnmarshalStrict(doc, s); err != nil {
			t.Fatal(err)
		}
		// As an API server does.
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		for k, v := range s.StringData {
			s.Data[k] = []byte(v)
		}
		s.StringData = nil
		c.secrets[s.GetName()] = s
	}
	return c
}

// documents are the YAML documents of a file, which may not exist.
func documents(t *testing.T, path string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.New(path).Funcs(template.FuncMap{
		"ca":   func(name string) string { return quoted(newAuthority(name).certificate()) },
		"cert": func(ca, name string) string { return quoted(newAuthority(ca).issue(name).cert) },
		"key":  func(ca, name string) string { return quoted(newAuthority(ca).issue(name).key) },
		"keytab": func(principal string, kvno int) string {
			return base64.StdEncoding.EncodeToString(keytab(principal, kvno))
		},
	}).Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	out := &bytes.Buffer{}
	if err := tmpl.Execute(out, nil); err != nil {
		t.Fatal(err)
	}
	return bytes.Split(out.Bytes(), []byte("\n---\n"))
}

// quoted is a text that YAML can have anywhere.
func quoted(b []byte) string { return strconv.Quote(string(b)) }

func toStruct(t *testing.T, doc []byte) *structpb.Struct {
	t.Helper()
	m := map[string]any{}
	if err := yaml.Unmarshal(doc, &m); err != nil {
		t.Fatal(err)
	}
	s, err := structpb.NewStruct(m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// set gives a field of the DittoServer a value, or takes it away.
func (c *cluster) set(t *testing.T, field string, value any) {
	t.Helper()
	path := strings.Split(field, ".")
	last := len(path) - 1
	s := c.xr
	for _, name := range path[:last] {
		if _, ok := s.GetFields()[name]; !ok {
			s.Fields[name] = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{}})
		}
		s = s.GetFields()[name].GetStructValue()
	}
	if value == nil {
		delete(s.GetFields(), path[last])
		return
	}
	v, err := structpb.NewValue(value)
	if err != nil {
		t.Fatal(err)
	}
	s.Fields[path[last]] = v
}

// render asks the function, as often as it asks back, and changes nothing.
func (c *cluster) render(t *testing.T) *fnv1.RunFunctionResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), functionDeadline)
	defer cancel()

	req := &fnv1.RunFunctionRequest{
		Meta: &fnv1.RequestMeta{Tag: t.Name(), Capabilities: []fnv1.Capability{
			fnv1.Capability_CAPABILITY_CAPABILITIES,
			fnv1.Capability_CAPABILITY_CONDITIONS,
			fnv1.Capability_CAPABILITY_REQUIRED_RESOURCES,
		}},
		Observed: &fnv1.State{
			Composite: &fnv1.Resource{Resource: c.xr},
			Resources: map[string]*fnv1.Resource{},
		},
	}
	for name, s := range c.composed {
		req.Observed.Resources[name] = &fnv1.Resource{Resource: observed(s)}
	}

	// Crossplane gives a function six calls to settle on what it requires.
	asked := &fnv1.Requirements{}
	for range 6 {
		rsp, err := function.RunFunction(ctx, req, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		if proto.Equal(rsp.GetRequirements(), asked) {
			return rsp
		}
		asked = rsp.GetRequirements()
		req.RequiredResources = c.lookUp(t, asked)
	}
	t.Fatal("the function does not settle on its requirements")
	return nil
}

// observed is an object with what its controller, where the function waits for
// one, would report of it.
func observed(s *structpb.Struct) *structpb.Struct {
	if s.GetFields()["kind"].GetStringValue() != "PerconaPGCluster" {
		return s
	}
	s = proto.CloneOf(s)
	s.Fields["status"] = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"state": structpb.NewStringValue("ready")}})
	return s
}

// lookUp is what Crossplane answers to requirements.
func (c *cluster) lookUp(t *testing.T, asked *fnv1.Requirements) map[string]*fnv1.Resources {
	t.Helper()
	found := map[string]*fnv1.Resources{}
	for name, sel := range asked.GetResources() {
		found[name] = &fnv1.Resources{}
		if o := c.object(t, sel); o != nil {
			found[name].Items = []*fnv1.Resource{{Resource: o}}
		}
	}
	return found
}

// object is what there is of what is asked for: Secrets, every kind that the function
// may want, and the right to see that there is no claim yet.
func (c *cluster) object(t *testing.T, sel *fnv1.ResourceSelector) *structpb.Struct {
	t.Helper()
	switch sel.GetKind() {
	case "Secret":
		secret, ok := c.secrets[sel.GetMatchName()]
		if !ok || sel.GetNamespace() != secret.GetNamespace() {
			return nil
		}
		s, err := resource.AsStruct(secret)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case "CustomResourceDefinition":
		return toStruct(t, fmt.Appendf(nil, "{kind: CustomResourceDefinition, metadata: {name: %s}, spec: {versions: [{name: v1, served: true}, {name: v2, served: true}]}}", sel.GetMatchName()))
	case "EnvironmentConfig":
		return toStruct(t, fmt.Appendf(nil, "{kind: EnvironmentConfig, metadata: {name: %s}, data: {readable: [persistentvolumeclaims]}}", sel.GetMatchName()))
	}
	return nil
}

// reconcile does what Crossplane does until nothing changes any more.
func (c *cluster) reconcile(t *testing.T) {
	t.Helper()
	for range 6 {
		rsp := c.render(t)
		if reason := refusal(rsp); reason != "" {
			t.Fatalf("the function refuses the DittoServer: %s", reason)
		}
		if !c.apply(t, rsp) {
			return
		}
	}
	t.Fatal("the function keeps changing its mind")
}

// refusal is why the function refuses a DittoServer, if it does.
func refusal(rsp *fnv1.RunFunctionResponse) string {
	for _, r := range rsp.GetResults() {
		if r.GetSeverity() == fnv1.Severity_SEVERITY_FATAL {
			return r.GetMessage()
		}
	}
	return ""
}

// apply makes what is desired what there is, and says whether that is new.
func (c *cluster) apply(t *testing.T, rsp *fnv1.RunFunctionResponse) (changed bool) {
	t.Helper()
	desired := map[string]*structpb.Struct{}
	for name, r := range rsp.GetDesired().GetResources() {
		desired[name] = r.GetResource()
		switch r.GetResource().GetFields()["kind"].GetStringValue() {
		case "ConfigMap":
			cm := as[corev1.ConfigMap](t, r.GetResource())
			c.store.ConfigMaps[cm.GetName()] = cm
		case "Secret":
			s := as[corev1.Secret](t, r.GetResource())
			c.secrets[s.GetName()] = s
		}
	}
	changed = !maps.EqualFunc(desired, c.composed, func(a, b *structpb.Struct) bool { return proto.Equal(a, b) })
	c.composed = desired
	return changed
}

// statefulSet is the composed StatefulSet.
func (c *cluster) statefulSet(t *testing.T) *appsv1.StatefulSet {
	t.Helper()
	s, ok := c.composed[manifests.StatefulSetResource]
	if !ok {
		t.Fatal("the function composes no StatefulSet")
	}
	return as[appsv1.StatefulSet](t, s)
}

// services are the composed Services.
func (c *cluster) services(t *testing.T) []*corev1.Service {
	t.Helper()
	svcs := []*corev1.Service{}
	for _, name := range slices.Sorted(maps.Keys(c.composed)) {
		if c.composed[name].GetFields()["kind"].GetStringValue() == "Service" {
			svcs = append(svcs, as[corev1.Service](t, c.composed[name]))
		}
	}
	return svcs
}

// hash is the annotation whose change replaces the pod.
func (c *cluster) hash(t *testing.T) string {
	t.Helper()
	return c.statefulSet(t).Spec.Template.Annotations[manifests.AnnotationConfigHash]
}

// as reads an object strictly: a field that Kubernetes does not know is an error.
func as[T any](t *testing.T, s *structpb.Struct) *T {
	t.Helper()
	o := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(s.AsMap(), o, true); err != nil {
		t.Fatal(err)
	}
	return o
}
