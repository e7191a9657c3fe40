package dittofs

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/resource"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/test/dittofs/kubelet"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// A cluster has one DittoServer, the Secrets and ConfigMaps of its namespace, and what was
// composed.
// No controllers run in it.
type cluster struct {
	crossplane *functest.Cluster

	// secrets are the Secrets of the namespace. What is changed here is changed in the
	// cluster by the next call of the function.
	secrets map[string]*corev1.Secret

	// store is what the pod can refer to of all that.
	store *kubelet.Store
}

// rows are the directories of testdata.
func rows(t *testing.T) []string {
	t.Helper()
	names, err := matrix.Rows("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// load reads a row of the matrix.
func load(t *testing.T, row string) *cluster {
	t.Helper()
	c := &cluster{crossplane: functest.NewEmpty(t, function), secrets: map[string]*corev1.Secret{}}
	c.store = &kubelet.Store{ConfigMaps: map[string]*corev1.ConfigMap{}, Secrets: c.secrets}
	c.crossplane.Unattended = true
	for _, kind := range []string{"PerconaPGCluster", "ServiceMonitor", "PrometheusRule"} {
		c.crossplane.AddKind(kind)
	}
	// The right to see that there is no claim yet.
	c.crossplane.SetReadable("persistentvolumeclaims")

	for _, doc := range documents(t, filepath.Join("testdata", row, "xr.yaml")) {
		c.crossplane.XR = functest.SetAt(functest.Object(t, string(doc)), "uid-of-files", "metadata", "uid")
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
	for _, doc := range documents(t, filepath.Join("testdata", row, "configmaps.yaml")) {
		cm := &corev1.ConfigMap{}
		if err := yaml.UnmarshalStrict(doc, cm); err != nil {
			t.Fatal(err)
		}
		c.crossplane.AddObject(string(doc))
		c.store.ConfigMaps[cm.GetName()] = cm
	}
	return c
}

// documents are the YAML documents of a file, which may not exist.
func documents(t *testing.T, path string) [][]byte {
	t.Helper()
	docs, err := matrix.Documents(path)
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

// set gives a field of the DittoServer a value, or takes it away.
func (c *cluster) set(t *testing.T, field string, value any) {
	t.Helper()
	if value == nil {
		c.crossplane.Unset(field)
		return
	}
	c.crossplane.Set(field, value)
}

// render asks the function, as often as it asks back, and changes nothing.
func (c *cluster) render(t *testing.T) *fnv1.RunFunctionResponse {
	t.Helper()
	c.push(t)
	return c.crossplane.Reconcile()
}

// reconcile does what Crossplane does until nothing changes any more.
func (c *cluster) reconcile(t *testing.T) {
	t.Helper()
	c.push(t)
	rsp := c.crossplane.Settle()
	if c.crossplane.Composed[manifests.PerconaResource] != nil {
		// What the function waits for.
		c.crossplane.Edit(manifests.PerconaResource, "status.state", "ready")
		rsp = c.crossplane.Settle()
	}
	if reason := refusal(rsp); reason != "" {
		t.Fatalf("the function refuses the DittoServer: %s", reason)
	}
	c.pull(t)
}

// push has the Secrets in the cluster that there are.
func (c *cluster) push(t *testing.T) {
	t.Helper()
	for name, secret := range c.secrets {
		s, err := resource.AsStruct(secret)
		if err != nil {
			t.Fatal(err)
		}
		if id := functest.Namespace + "/" + name; !functest.Same(c.crossplane.Secrets[id], s) {
			c.crossplane.Secrets[id] = s
		}
	}
}

// pull what the pod can refer to. A ConfigMap that is deleted stays with the pod.
func (c *cluster) pull(t *testing.T) {
	t.Helper()
	for _, s := range c.crossplane.Secrets {
		secret := as[corev1.Secret](t, s)
		c.secrets[secret.GetName()] = secret
	}
	for _, s := range c.crossplane.Composed {
		if functest.StringOf(s, "kind") == "ConfigMap" {
			cm := as[corev1.ConfigMap](t, s)
			c.store.ConfigMaps[cm.GetName()] = cm
		}
	}
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

// statefulSet is the composed StatefulSet.
func (c *cluster) statefulSet(t *testing.T) *appsv1.StatefulSet {
	t.Helper()
	s, ok := c.crossplane.Composed[manifests.StatefulSetResource]
	if !ok {
		t.Fatal("the function composes no StatefulSet")
	}
	return as[appsv1.StatefulSet](t, s)
}

// services are the composed Services.
func (c *cluster) services(t *testing.T) []*corev1.Service {
	t.Helper()
	svcs := []*corev1.Service{}
	for _, name := range slices.Sorted(maps.Keys(c.crossplane.Composed)) {
		if c.crossplane.Composed[name].GetFields()["kind"].GetStringValue() == "Service" {
			svcs = append(svcs, as[corev1.Service](t, c.crossplane.Composed[name]))
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
