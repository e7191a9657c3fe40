package functest

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// BasicXR is a DittoServer as Crossplane sends it: with fields of its own in metadata
// and spec.
const BasicXR = `
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

// What is in the Secrets of BasicXR.
const (
	JWTKey        = "a key that has more than thirty-two bytes"
	AdminPassword = "correct horse"
)

// Namespace is where the DittoServer is.
const Namespace = "team-a"

// What every cluster here has: the rights that come with the function, and the one
// optional kind that it may compose a database of.
const clusterObjects = `
apiVersion: apiextensions.crossplane.io/v1beta1
kind: EnvironmentConfig
metadata: {name: function-dittoserver}
data:
  readable: [statefulsets.apps, persistentvolumeclaims, networkpolicies.networking.k8s.io, servicemonitors.monitoring.coreos.com, prometheusrules.monitoring.coreos.com, perconapgclusters.pgv2.percona.com, poddisruptionbudgets.policy]
`

// A Cluster is Crossplane and an API server, as far as the function sees them: it
// looks up what the function requires, calls it until that is stable, applies what
// it desires, and refuses what Kubernetes refuses. Each call that it makes is
// checked for what must hold for all of them.
//
// How it composes is read from Crossplane's FunctionComposer: it observes what the
// composite resource refers to, deletes what is observed and not desired, writes the
// references, and only then applies, in random order, up to the first error that
// says anything but that an object is invalid.
type Cluster struct {
	testing.TB
	*apiServer

	function Function

	// What Crossplane sends: the composite resource, the pipeline step's input, and
	// what earlier steps desire.
	XR, input *structpb.Struct
	Earlier   *fnv1.State

	// Composed are the composed resources that Crossplane observes, by their names,
	// and Secrets all Secrets, by namespace and name. What is set or deleted here is
	// set or deleted in the cluster.
	Composed, Secrets map[string]*structpb.Struct
	shown             view

	// Seeded makes the first call of a reconcile come with what the last one
	// required, as Crossplane does from 2.4 on.
	Seeded   bool
	Required *fnv1.Requirements

	// Order is the one in which composed resources are applied, by their names. What
	// is not in it comes after that, in random order.
	Order []string
	rand  *rand.Rand

	// Unattended clusters have no controllers: a StatefulSet's status stays as it is.
	Unattended bool

	// InvalidExpected is set by tests that send what Kubernetes refuses.
	invalidExpected bool
}

// A view is what a cluster has shown of its objects.
type view struct{ composed, secrets map[string]*structpb.Struct }

// New returns a cluster with a DittoServer and its Secrets, in which the
// function has not run yet. It knows the kind PerconaPGCluster, and not ServiceMonitor
// or PrometheusRule.
func New(tb testing.TB, f Function) *Cluster {
	tb.Helper()
	c := NewEmpty(tb, f)
	c.XR = Object(tb, BasicXR)
	c.AddKind("PerconaPGCluster")
	c.SetSecret("jwt", "key", JWTKey)
	c.SetSecret("admin", "password", AdminPassword)
	return c
}

// NewEmpty returns a cluster without a DittoServer.
func NewEmpty(tb testing.TB, f Function) *Cluster {
	tb.Helper()
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(tb.Name()))
	c := &Cluster{
		TB:        tb,
		apiServer: newAPIServer(tb),
		function:  f,
		Earlier:   &fnv1.State{},
		rand:      rand.New(rand.NewPCG(seed.Sum64(), 0)),
	}
	c.AddObject(clusterObjects)
	return c
}

// Set a field of the DittoServer.
func (c *Cluster) Set(path string, value any) {
	c.Helper()
	c.replace(With(c, c.XR, path, value))
}

// Unset a field of the DittoServer.
func (c *Cluster) Unset(path string) {
	c.Helper()
	c.replace(Without(c, c.XR, path))
}

// replace replaces the DittoServer, as the API server does.
func (c *Cluster) replace(xr *structpb.Struct) {
	if generation := ValueAt(c.XR, "metadata", "generation").GetNumberValue(); !SameValue(ValueAt(c.XR, "spec"), ValueAt(xr, "spec")) {
		xr = SetAt(xr, generation+1, "metadata", "generation")
	}
	c.XR = xr
}

// SetInput gives the pipeline step an Input with the fields.
func (c *Cluster) SetInput(fields string) {
	c.Helper()
	c.input = Object(c, "apiVersion: dittoserver.fn.crossplane.io/v1beta1\nkind: Input\n"+fields)
}

// SetSecret sets a key of a Secret in the DittoServer's namespace, which it
// creates if need be.
func (c *Cluster) SetSecret(name, key, value string) {
	c.Helper()
	c.Pull()
	id := ID("Secret", name)
	s, ok := c.Objects[id]
	if !ok {
		s = Object(c, fmt.Sprintf("{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: %s, namespace: %s}, data: {}}", name, Namespace))
	}
	c.Put(id, With(c, s, "data["+key+"]", base64.StdEncoding.EncodeToString([]byte(value))))
	c.Show()
}

// UnsetSecret removes a key of a Secret.
func (c *Cluster) UnsetSecret(name, key string) {
	c.Helper()
	c.Pull()
	id := ID("Secret", name)
	c.Put(id, Without(c, c.Objects[id], "data["+key+"]"))
	c.Show()
}

// DeleteSecret deletes a Secret.
func (c *Cluster) DeleteSecret(name string) { c.DeleteObject("Secret", name) }

// SetConfigMap sets a key of a ConfigMap of the user's in the DittoServer's namespace,
// which it creates if need be.
func (c *Cluster) SetConfigMap(name, key, value string) {
	c.Helper()
	c.Pull()
	id := ID("ConfigMap", name)
	o, ok := c.Objects[id]
	if !ok {
		o = Object(c, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s}, data: {}}", name, Namespace))
	}
	c.Put(id, With(c, o, "data["+key+"]", value))
	c.Show()
}

// Edit a field of a composed resource, behind Crossplane's back.
func (c *Cluster) Edit(name, path string, value any) {
	c.Helper()
	c.Pull()
	if o, ok := c.Composed[name]; ok {
		c.change(IDOf(o), "kubectl-edit", func(o *structpb.Struct) *structpb.Struct { return With(c, o, path, value) })
	}
}

// AddObject adds an object of somebody else's, or replaces it.
func (c *Cluster) AddObject(text string) {
	c.Helper()
	c.Pull()
	c.create("kubectl-create", Object(c, text))
	c.Show()
}

// DeleteObject deletes an object, whoever it belongs to.
func (c *Cluster) DeleteObject(kind, name string) {
	c.Pull()
	for _, ns := range []string{Namespace, ""} {
		c.delete(ObjectID{kind, ns, name})
	}
	c.Show()
}

// Stored returns an object of the cluster, or nil.
func (c *Cluster) Stored(kind, name string) *structpb.Struct {
	c.Pull()
	if o, ok := c.Objects[ID(kind, name)]; ok {
		return o
	}
	return c.Objects[ObjectID{kind, "", name}]
}

// UpdateAs sets fields of an object as somebody does who does not apply, such as
// kubectl, a webhook or a controller. The paths are Crossplane's.
func (c *Cluster) UpdateAs(manager, kind, name string, fields map[string]any) {
	c.Helper()
	c.Pull()
	c.change(ID(kind, name), manager, func(o *structpb.Struct) *structpb.Struct { return WithAll(c, o, fields) })
}

// applyAs applies an object as somebody else, by force.
func (c *Cluster) applyAs(manager, text string) {
	c.Helper()
	c.Pull()
	before := c.Stored(Object(c, text).GetFields()["kind"].GetStringValue(), StringOf(Object(c, text), "metadata", "name"))
	if err := c.apply(manager, Object(c, text)); err != nil {
		c.Fatal(err)
	}
	c.control(before, IDOf(Object(c, text)))
	c.Show()
}

func (c *Cluster) change(id ObjectID, manager string, by func(*structpb.Struct) *structpb.Struct) {
	c.Helper()
	before := c.Objects[id]
	c.Update(id, manager, by)
	c.control(before, id)
	c.Show()
}

// AddClaim adds a PersistentVolumeClaim that is bound to a volume of the size.
func (c *Cluster) AddClaim(name, size string) {
	c.Helper()
	c.AddObject(fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s, namespace: %s}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: %s}}, volumeName: pv-%s}
status: {phase: Bound, accessModes: [ReadWriteOnce], capacity: {storage: %s}}
`, name, Namespace, size, name, size))
}

// Optional kinds: the CustomResourceDefinitions that clusters may have.
var optionalKinds = map[string]struct{ group, plural, version string }{
	"PerconaPGCluster": {"pgv2.percona.com", "perconapgclusters", "v2"},
	"ServiceMonitor":   {"monitoring.coreos.com", "servicemonitors", "v1"},
	"PrometheusRule":   {"monitoring.coreos.com", "prometheusrules", "v1"},
}

// AddKind has the cluster know an optional kind.
func (c *Cluster) AddKind(kind string) {
	c.Helper()
	k := optionalKinds[kind]
	c.AddObject(fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %s.%s}
spec:
  group: %s
  names: {kind: %s, plural: %s}
  scope: Namespaced
  versions: [{name: %s, served: true, storage: true}]
`, k.plural, k.group, k.group, kind, k.plural, k.version))
}

// SetReadable says what Crossplane has been given the right to read.
func (c *Cluster) SetReadable(resources ...any) {
	c.Helper()
	c.Pull()
	c.change(ObjectID{"EnvironmentConfig", "", "function-dittoserver"}, "kubectl-edit", func(o *structpb.Struct) *structpb.Struct {
		return With(c, o, "data.readable", resources)
	})
}

// UsePostgres gives the server a database with a Secret that has all keys.
func (c *Cluster) UsePostgres() {
	c.Helper()
	c.Set("spec.database.postgresSecretRef.name", "db")
	for key, value := range map[string]string{"host": "db.example", "port": "5433", "database": "dittofs", "user": "dittofs", "password": "battery staple", "sslmode": "require"} {
		c.SetSecret("db", key, value)
	}
}

// Pull what a test has changed in what the cluster has shown of its objects.
func (c *Cluster) Pull() {
	for name, o := range c.Composed {
		if before := c.shown.composed[name]; before == o {
			continue
		}
		id := IDOf(o)
		c.Put(id, With(c, o, "metadata.annotations[crossplane.io/composition-resource-name]", name))
		if refs := append(c.refs(), o); c.shown.composed[name] == nil {
			c.setRefs(refs)
		}
	}
	for name, o := range c.shown.composed {
		if _, kept := c.Composed[name]; !kept {
			c.delete(IDOf(o))
		}
	}
	for name, o := range c.Secrets {
		if ns, n, _ := strings.Cut(name, "/"); c.shown.secrets[name] != o {
			c.Put(ObjectID{"Secret", ns, n}, o)
		}
	}
	for name := range c.shown.secrets {
		if ns, n, _ := strings.Cut(name, "/"); c.Secrets[name] == nil {
			c.delete(ObjectID{"Secret", ns, n})
		}
	}
	c.shown = view{}
	c.Show()
}

// Show what there is.
func (c *Cluster) Show() {
	c.Composed, _ = c.Observe()
	c.Secrets = map[string]*structpb.Struct{}
	for id, o := range c.Objects {
		if id.Kind == "Secret" {
			c.Secrets[id.namespace+"/"+id.Name] = o
		}
	}
	c.shown = view{composed: maps.Clone(c.Composed), secrets: maps.Clone(c.Secrets)}
}
