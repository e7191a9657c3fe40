package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
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

// xrNamespace is where the DittoServer is.
const xrNamespace = "team-a"

// What every cluster here has: the rights that come with the function, and the one
// optional kind that it may compose a database of.
const clusterObjects = `
apiVersion: apiextensions.crossplane.io/v1beta1
kind: EnvironmentConfig
metadata: {name: function-dittoserver}
data:
  readable: [statefulsets.apps, persistentvolumeclaims, networkpolicies.networking.k8s.io, servicemonitors.monitoring.coreos.com, perconapgclusters.pgv2.percona.com]
`

// A cluster is Crossplane and an API server, as far as the function sees them: it
// looks up what the function requires, calls it until that is stable, applies what
// it desires, and refuses what Kubernetes refuses. Each call that it makes is
// checked for what must hold for all of them.
//
// How it composes is read from Crossplane's FunctionComposer: it observes what the
// composite resource refers to, deletes what is observed and not desired, writes the
// references, and only then applies, in random order, up to the first error that
// says anything but that an object is invalid.
type cluster struct {
	testing.TB
	*apiServer

	f *Function

	// What Crossplane sends: the composite resource, the pipeline step's input, and
	// what earlier steps desire.
	xr, input *structpb.Struct
	earlier   *fnv1.State

	// Composed are the composed resources that Crossplane observes, by their names,
	// and secrets all Secrets, by namespace and name. What is set or deleted here is
	// set or deleted in the cluster.
	composed, secrets map[string]*structpb.Struct
	shown             view

	// Seeded makes the first call of a reconcile come with what the last one
	// required, as Crossplane does from 2.4 on.
	seeded   bool
	required *fnv1.Requirements

	// Order is the one in which composed resources are applied, by their names. What
	// is not in it comes after that, in random order.
	order []string
	rand  *rand.Rand

	// Unattended clusters have no controllers: a StatefulSet's status stays as it is.
	unattended bool

	// InvalidExpected is set by tests that send what Kubernetes refuses.
	invalidExpected bool
}

// A view is what a cluster has shown of its objects.
type view struct{ composed, secrets map[string]*structpb.Struct }

// newCluster returns a cluster with a DittoServer and its Secrets, in which the
// function has not run yet. It knows the kind PerconaPGCluster, and not ServiceMonitor.
func newCluster(tb testing.TB) *cluster {
	tb.Helper()
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(tb.Name()))
	c := &cluster{
		TB:        tb,
		apiServer: newAPIServer(tb),
		f:         newFunction(logging.NewNopLogger(), time.Minute, nil),
		xr:        object(tb, basicXR),
		earlier:   &fnv1.State{},
		rand:      rand.New(rand.NewPCG(seed.Sum64(), 0)),
	}
	c.addObject(clusterObjects)
	c.addKind("PerconaPGCluster")
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
	c.pull()
	id := objectID{"Secret", xrNamespace, name}
	s, ok := c.objects[id]
	if !ok {
		s = object(c, fmt.Sprintf("{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: %s, namespace: %s}, data: {}}", name, xrNamespace))
	}
	c.put(id, with(c, s, "data["+key+"]", base64.StdEncoding.EncodeToString([]byte(value))))
	c.show()
}

// unsetSecret removes a key of a Secret.
func (c *cluster) unsetSecret(name, key string) {
	c.Helper()
	c.pull()
	id := objectID{"Secret", xrNamespace, name}
	c.put(id, without(c, c.objects[id], "data["+key+"]"))
	c.show()
}

// deleteSecret deletes a Secret.
func (c *cluster) deleteSecret(name string) { c.deleteObject("Secret", name) }

// edit a field of a composed resource, behind Crossplane's back.
func (c *cluster) edit(name, path string, value any) {
	c.Helper()
	c.pull()
	if o, ok := c.composed[name]; ok {
		c.change(idOf(o), "kubectl-edit", func(o *structpb.Struct) *structpb.Struct { return with(c, o, path, value) })
	}
}

// addObject adds an object of somebody else's, or replaces it.
func (c *cluster) addObject(text string) {
	c.Helper()
	c.pull()
	c.create("kubectl-create", object(c, text))
	c.show()
}

// deleteObject deletes an object, whoever it belongs to.
func (c *cluster) deleteObject(kind, name string) {
	c.pull()
	for _, ns := range []string{xrNamespace, ""} {
		c.delete(objectID{kind, ns, name})
	}
	c.show()
}

// stored returns an object of the cluster, or nil.
func (c *cluster) stored(kind, name string) *structpb.Struct {
	c.pull()
	if o, ok := c.objects[objectID{kind, xrNamespace, name}]; ok {
		return o
	}
	return c.objects[objectID{kind, "", name}]
}

// updateAs sets fields of an object as somebody does who does not apply, such as
// kubectl, a webhook or a controller. The paths are Crossplane's.
func (c *cluster) updateAs(manager, kind, name string, fields map[string]any) {
	c.Helper()
	c.pull()
	c.change(objectID{kind, xrNamespace, name}, manager, func(o *structpb.Struct) *structpb.Struct { return withAll(c, o, fields) })
}

// applyAs applies an object as somebody else, by force.
func (c *cluster) applyAs(manager, text string) {
	c.Helper()
	c.pull()
	before := c.stored(object(c, text).GetFields()["kind"].GetStringValue(), stringOf(object(c, text), "metadata", "name"))
	if err := c.apiServer.apply(manager, object(c, text)); err != nil {
		c.Fatal(err)
	}
	c.control(before, idOf(object(c, text)))
	c.show()
}

func (c *cluster) change(id objectID, manager string, by func(*structpb.Struct) *structpb.Struct) {
	c.Helper()
	before := c.objects[id]
	c.update(id, manager, by)
	c.control(before, id)
	c.show()
}

// addClaim adds a PersistentVolumeClaim that is bound to a volume of the size.
func (c *cluster) addClaim(name, size string) {
	c.Helper()
	c.addObject(fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s, namespace: %s}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: %s}}, volumeName: pv-%s}
status: {phase: Bound, accessModes: [ReadWriteOnce], capacity: {storage: %s}}
`, name, xrNamespace, size, name, size))
}

// Optional kinds: the CustomResourceDefinitions that clusters may have.
var optionalKinds = map[string]struct{ group, plural, version string }{
	"PerconaPGCluster": {"pgv2.percona.com", "perconapgclusters", "v2"},
	"ServiceMonitor":   {"monitoring.coreos.com", "servicemonitors", "v1"},
}

// addKind has the cluster know an optional kind.
func (c *cluster) addKind(kind string) {
	c.Helper()
	k := optionalKinds[kind]
	c.addObject(fmt.Sprintf(`
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

// setReadable says what Crossplane has been given the right to read.
func (c *cluster) setReadable(resources ...any) {
	c.Helper()
	c.pull()
	c.change(objectID{"EnvironmentConfig", "", "function-dittoserver"}, "kubectl-edit", func(o *structpb.Struct) *structpb.Struct {
		return with(c, o, "data.readable", resources)
	})
}

// usePostgres gives the server a database with a Secret that has all keys.
func (c *cluster) usePostgres() {
	c.Helper()
	c.set("spec.database.postgresSecretRef.name", "db")
	for key, value := range map[string]string{"host": "db.example", "port": "5433", "database": "dittofs", "user": "dittofs", "password": "battery staple", "sslmode": "require"} {
		c.setSecret("db", key, value)
	}
}

// pull what a test has changed in what the cluster has shown of its objects.
func (c *cluster) pull() {
	for name, o := range c.composed {
		if before := c.shown.composed[name]; before == o {
			continue
		}
		id := idOf(o)
		c.put(id, with(c, o, "metadata.annotations[crossplane.io/composition-resource-name]", name))
		if refs := append(c.refs(), o); c.shown.composed[name] == nil {
			c.setRefs(refs)
		}
	}
	for name, o := range c.shown.composed {
		if _, kept := c.composed[name]; !kept {
			c.delete(idOf(o))
		}
	}
	for name, o := range c.secrets {
		if ns, n, _ := strings.Cut(name, "/"); c.shown.secrets[name] != o {
			c.put(objectID{"Secret", ns, n}, o)
		}
	}
	for name := range c.shown.secrets {
		if ns, n, _ := strings.Cut(name, "/"); c.secrets[name] == nil {
			c.delete(objectID{"Secret", ns, n})
		}
	}
	c.shown = view{}
	c.show()
}

// show what there is.
func (c *cluster) show() {
	c.composed, _ = c.observe()
	c.secrets = map[string]*structpb.Struct{}
	for id, o := range c.objects {
		if id.kind == "Secret" {
			c.secrets[id.namespace+"/"+id.name] = o
		}
	}
	c.shown = view{composed: maps.Clone(c.composed), secrets: maps.Clone(c.secrets)}
}

// refs are the references of the composite resource.
func (c *cluster) refs() []*structpb.Struct {
	refs := []*structpb.Struct{}
	for _, v := range valueAt(c.xr, "spec", "crossplane", "resourceRefs").GetListValue().GetValues() {
		refs = append(refs, v.GetStructValue())
	}
	return refs
}

// setRefs has the composite resource refer to objects.
func (c *cluster) setRefs(refs []*structpb.Struct) {
	c.Helper()
	list := []any{}
	for _, o := range refs {
		f := o.GetFields()
		name := f["name"].GetStringValue()
		if name == "" {
			name = stringOf(o, "metadata", "name")
		}
		list = append(list, map[string]any{"apiVersion": f["apiVersion"].GetStringValue(), "kind": f["kind"].GetStringValue(), "name": name})
	}
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	before := valueAt(c.xr, "spec", "crossplane", "resourceRefs").GetListValue().AsSlice()
	if fmt.Sprint(before) == fmt.Sprint(list) {
		return
	}
	c.writeXR(with(c, c.xr, "spec.crossplane.resourceRefs", list))
}

// writeXR stores the composite resource.
func (c *cluster) writeXR(xr *structpb.Struct) {
	if same(c.xr, xr) {
		return
	}
	c.version++
	xr = setAt(xr, strconv.Itoa(c.version), "metadata", "resourceVersion")
	if !sameValue(valueAt(c.xr, "spec"), valueAt(xr, "spec")) {
		xr = setAt(xr, valueAt(xr, "metadata", "generation").GetNumberValue()+1, "metadata", "generation")
	}
	c.xr = xr
}

// errAnonymous is why Crossplane goes no further when the composite resource refers
// to an object that Crossplane has not composed.
var errAnonymous = errors.New("encountered composed resource without required \"crossplane.io/composition-resource-name\" annotation")

// observe the composed resources, as Crossplane does before it calls the function.
func (c *cluster) observe() (map[string]*structpb.Struct, error) {
	observed := map[string]*structpb.Struct{}
	for _, ref := range c.refs() {
		if !c.knows(ref) {
			return observed, fmt.Errorf("cannot get composed resource: no matches for kind %q", stringOf(ref, "kind"))
		}
		o, exists := c.objects[objectID{stringOf(ref, "kind"), xrNamespace, stringOf(ref, "name")}]
		if !exists {
			continue
		}
		if owner := controller(o); owner != "" && owner != stringOf(c.xr, "metadata", "uid") {
			continue
		}
		name := stringOf(o, "metadata", "annotations", annotationResourceName)
		if name == "" {
			return observed, errAnonymous
		}
		observed[name] = o
	}
	return observed, nil
}

const annotationResourceName = "crossplane.io/composition-resource-name"

// controller is the UID of the object that another one belongs to, if any.
func controller(o *structpb.Struct) string {
	for _, v := range valueAt(o, "metadata", "ownerReferences").GetListValue().GetValues() {
		if f := v.GetStructValue().GetFields(); f["controller"].GetBoolValue() {
			return f["uid"].GetStringValue()
		}
	}
	return ""
}

// request is what Crossplane sends when it has looked up what was required.
func (c *cluster) request(required *fnv1.Requirements) *fnv1.RunFunctionRequest {
	c.pull()
	if _, err := c.observe(); err != nil {
		c.Errorf("Crossplane can no longer call the function: %v", err)
	}
	return proto.CloneOf(c.requestOf(c.composed, required))
}

// requestOf is what Crossplane sends when it has observed what may be no longer so. Its
// objects are the cluster's.
func (c *cluster) requestOf(observed map[string]*structpb.Struct, required *fnv1.Requirements) *fnv1.RunFunctionRequest {
	req := &fnv1.RunFunctionRequest{
		Meta:              &fnv1.RequestMeta{Tag: "tag", Capabilities: []fnv1.Capability{fnv1.Capability_CAPABILITY_CAPABILITIES, fnv1.Capability_CAPABILITY_REQUIRED_SCHEMAS}},
		Input:             c.input,
		Observed:          &fnv1.State{Composite: &fnv1.Resource{Resource: c.xr}, Resources: map[string]*fnv1.Resource{}},
		Desired:           c.earlier,
		RequiredResources: map[string]*fnv1.Resources{},
		RequiredSchemas:   map[string]*fnv1.Schema{},
	}
	for name, s := range observed {
		req.Observed.Resources[name] = &fnv1.Resource{Resource: s}
	}
	for name, sel := range required.GetResources() {
		req.RequiredResources[name] = c.lookUp(sel)
	}
	for name, sel := range required.GetSchemas() {
		req.RequiredSchemas[name] = &fnv1.Schema{}
		gv, _ := schema.ParseGroupVersion(sel.GetApiVersion())
		if c.crd(gv.WithKind(sel.GetKind())) != nil {
			req.RequiredSchemas[name].OpenapiV3 = &structpb.Struct{Fields: map[string]*structpb.Value{"type": structpb.NewStringValue("object")}}
		}
	}
	return req
}

// lookUp what a function requires.
func (c *cluster) lookUp(sel *fnv1.ResourceSelector) *fnv1.Resources {
	r := &fnv1.Resources{}
	add := func(o *structpb.Struct) {
		if o != nil && stringOf(o, "apiVersion") == sel.GetApiVersion() {
			r.Items = append(r.Items, &fnv1.Resource{Resource: o})
		}
	}
	switch m := sel.GetMatch().(type) {
	case *fnv1.ResourceSelector_MatchName:
		add(c.objects[objectID{sel.GetKind(), sel.GetNamespace(), m.MatchName}])
	case *fnv1.ResourceSelector_MatchLabels:
		for _, o := range c.find(sel.GetKind(), sel.GetNamespace(), m.MatchLabels.GetLabels()) {
			add(o)
		}
	}
	return r
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
		if err := c.apply(rsp); kerrors.IsConflict(err) {
			last = nil
		}
	}
	c.Fatalf("The function does not come to rest. Its last response:\n%s", asYAML(c, last))
	return nil
}

// apply what the function desires, as Crossplane does, and return why it did not get
// to the end. All that comes up is ready at once.
func (c *cluster) apply(rsp *fnv1.RunFunctionResponse) error {
	c.Helper()
	c.pull()
	return c.compose(composition{observed: c.composed, rsp: rsp})
}

// A composition is what Crossplane has to do once it has called the function.
type composition struct {
	// Observed are the composed resources that the function was told of.
	observed map[string]*structpb.Struct
	rsp      *fnv1.RunFunctionResponse

	// Refuse says why the API server does not take an object. It may be nil.
	refuse func(id objectID) error
}

// errFatal is what a reconcile ends with when the function says so.
var errFatal = errors.New("pipeline step returned a fatal result")

// compose does what FunctionComposer.Compose and the reconciler around it do after
// they have called the function.
func (c *cluster) compose(do composition) error {
	c.Helper()
	defer c.show()

	if isFatal(do.rsp) {
		c.fail(do.rsp.GetConditions(), errFatal)
		return errFatal
	}
	unsynced, err := c.applyAll(do)
	switch {
	case kerrors.IsConflict(err): // It is tried again, and nobody is told.
		return err
	case err != nil:
		c.fail(nil, err)
		return err
	}

	// Crossplane owns the status that the function desires, and no more.
	status := valueAt(do.rsp.GetDesired().GetComposite().GetResource(), "status").GetStructValue()
	if conditions := valueAt(c.xr, "status", "conditions"); conditions != nil {
		status = setAt(status, conditions, "conditions")
	}
	xr := setAt(c.xr, structpb.NewStructValue(status), "status")

	synced := &fnv1.Condition{Type: "Synced", Status: fnv1.Status_STATUS_CONDITION_TRUE, Reason: "ReconcileSuccess"}
	if len(unsynced) > 0 {
		synced = &fnv1.Condition{Type: "Synced", Status: fnv1.Status_STATUS_CONDITION_FALSE, Reason: "ReconcileError", Message: new("Unsynced resources: " + strings.Join(unsynced, ", "))}
	}
	c.writeXR(withConditions(c, xr, append(slices.Clone(do.rsp.GetConditions()), synced, readiness(do.rsp))))
	return nil
}

// fail tells of a reconcile that did not get to its end. What is not known of it is
// unknown.
func (c *cluster) fail(known []*fnv1.Condition, err error) {
	c.Helper()
	conditions := []*fnv1.Condition{{Type: "Synced", Status: fnv1.Status_STATUS_CONDITION_FALSE, Reason: "ReconcileError", Message: new("cannot compose resources: " + err.Error())}}
	for _, v := range valueAt(c.xr, "status", "conditions").GetListValue().GetValues() {
		if typ := v.GetStructValue().GetFields()["type"].GetStringValue(); typ != "Synced" && typ != "Ready" {
			conditions = append(conditions, &fnv1.Condition{
				Type: typ, Status: fnv1.Status_STATUS_CONDITION_UNKNOWN, Reason: "FatalError",
				Message: new("A fatal error occurred before the status of this condition could be determined."),
			})
		}
	}
	c.writeXR(withConditions(c, c.xr, append(conditions, known...)))
}

// readiness of the composite resource, as Crossplane derives it.
func readiness(rsp *fnv1.RunFunctionResponse) *fnv1.Condition {
	unready := []string{}
	for name, r := range rsp.GetDesired().GetResources() {
		if r.GetReady() != fnv1.Ready_READY_TRUE {
			unready = append(unready, name)
		}
	}
	slices.Sort(unready)

	ready := &fnv1.Condition{Type: "Ready", Status: fnv1.Status_STATUS_CONDITION_TRUE, Reason: "Available"}
	switch rsp.GetDesired().GetComposite().GetReady() {
	case fnv1.Ready_READY_TRUE:
	case fnv1.Ready_READY_FALSE:
		ready = &fnv1.Condition{Type: "Ready", Status: fnv1.Status_STATUS_CONDITION_FALSE, Reason: "Creating"}
	case fnv1.Ready_READY_UNSPECIFIED:
		if len(unready) > 0 {
			ready = &fnv1.Condition{Type: "Ready", Status: fnv1.Status_STATUS_CONDITION_FALSE, Reason: "Creating", Message: new("Unready resources: " + strings.Join(unready, ", "))}
		}
	}
	return ready
}

// applyAll deletes what is not desired, and applies what is.
func (c *cluster) applyAll(do composition) (unsynced []string, err error) {
	c.Helper()

	desired := map[string]*structpb.Struct{}
	for name, r := range do.rsp.GetDesired().GetResources() {
		desired[name] = c.render(name, do.observed[name], r.GetResource())
	}
	if err := c.collect(do.observed, desired); err != nil {
		return nil, err
	}
	c.setRefs(slices.Collect(maps.Values(desired)))
	for _, o := range do.observed {
		if err := c.upgrade(o); err != nil {
			return nil, err
		}
	}

	names := slices.Sorted(maps.Keys(desired))
	c.rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	slices.SortStableFunc(names, func(a, b string) int { return c.turn(a) - c.turn(b) })
	for _, name := range names {
		o := desired[name]
		id := idOf(o)
		before := c.objects[id]
		err := error(nil)
		if do.refuse != nil {
			err = do.refuse(id)
		}
		if err == nil {
			err = c.apiServer.apply(c.manager(), o)
		}
		switch {
		case kerrors.IsInvalid(err):
			if !c.invalidExpected {
				c.Errorf("Kubernetes refuses composed resource %q: %v", name, err)
			}
			unsynced = append(unsynced, name)
		case err != nil:
			return nil, fmt.Errorf("cannot apply composed resource %q: %w", name, err)
		}
		c.control(before, id)
	}
	slices.Sort(unsynced)
	return unsynced, nil
}

// turn is when a composed resource is applied.
func (c *cluster) turn(name string) int {
	if i := slices.Index(c.order, name); i >= 0 {
		return i
	}
	return len(c.order)
}

// manager is the field manager of Crossplane's for composed resources of the
// composite resource.
func (c *cluster) manager() string {
	return fmt.Sprintf("apiextensions.crossplane.io/composed/%x", sha256.Sum256([]byte(stringOf(c.xr, "metadata", "name")+"DittoServer.dittofs.io")))
}

// render adds what Crossplane adds to a desired object. One that is observed keeps
// its name.
func (c *cluster) render(name string, observed, desired *structpb.Struct) *structpb.Struct {
	c.Helper()
	o := desired
	if observed != nil {
		o = setAt(o, stringOf(observed, "metadata", "name"), "metadata", "name")
	}
	o = setAt(o, xrNamespace, "metadata", "namespace")
	o = setAt(o, name, "metadata", "annotations", annotationResourceName)
	o = setAt(o, stringOf(c.xr, "metadata", "name"), "metadata", "labels", "crossplane.io/composite")
	owner := map[string]any{
		"apiVersion": stringOf(c.xr, "apiVersion"), "kind": "DittoServer", "name": stringOf(c.xr, "metadata", "name"), "uid": stringOf(c.xr, "metadata", "uid"),
		"controller": true, "blockOwnerDeletion": true,
	}
	o = setAt(o, []any{owner}, "metadata", "ownerReferences")
	return o
}

// collect deletes what is observed and not desired, if it is Crossplane's.
func (c *cluster) collect(observed, desired map[string]*structpb.Struct) error {
	for name, o := range observed {
		if _, kept := desired[name]; kept {
			continue
		}
		switch owner := controller(o); owner {
		case "":
			continue
		case stringOf(c.xr, "metadata", "uid"):
		default:
			return fmt.Errorf("refusing to delete composed resource %q that is controlled by %q", name, owner)
		}
		live := c.objects[idOf(o)]
		if live == nil {
			continue
		}
		if stringOf(live, "metadata", "resourceVersion") != stringOf(o, "metadata", "resourceVersion") {
			return conflict(idOf(o))
		}
		c.delete(idOf(o))
	}
	return nil
}

// upgrade the field managers of an object that Crossplane has not applied, so that
// what it applies no longer is taken away.
func (c *cluster) upgrade(observed *structpb.Struct) error {
	entries := valueAt(observed, "metadata", "managedFields").GetListValue().GetValues()
	manages := func(prefix string) func(*structpb.Value) bool {
		return func(v *structpb.Value) bool {
			return strings.HasPrefix(v.GetStructValue().GetFields()["manager"].GetStringValue(), prefix)
		}
	}
	ours := slices.ContainsFunc(entries, manages("apiextensions.crossplane.io/composed"))
	first := slices.IndexFunc(entries, manages("before-first-apply"))
	live := c.objects[idOf(observed)]
	switch {
	case live == nil, ours && first < 0:
		return nil
	case stringOf(live, "metadata", "resourceVersion") != stringOf(observed, "metadata", "resourceVersion"):
		return conflict(idOf(observed))
	}
	kept := &structpb.ListValue{}
	if ours {
		kept.Values = slices.Delete(slices.Clone(entries), first, first+1)
	}
	c.put(idOf(live), setAt(live, structpb.NewListValue(kept), "metadata", "managedFields"))
	return nil
}

// control is what controllers do once an object has changed.
func (c *cluster) control(before *structpb.Struct, id objectID) {
	o := c.objects[id]
	if c.unattended || o == nil || id.kind != "StatefulSet" || sameValue(valueAt(before, "spec"), valueAt(o, "spec")) && valueAt(o, "status") != nil {
		return
	}
	c.put(id, setAt(o, rolledOut(o), "status"))
}
