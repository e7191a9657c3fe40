package functest

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/applyconfigurations"
)

// An ObjectID tells an object of a cluster from all others. One that has no
// namespace is of the whole cluster.
type ObjectID struct{ Kind, namespace, Name string }

// ID is the ID of an object in the DittoServer's namespace.
func ID(kind, name string) ObjectID { return ObjectID{kind, Namespace, name} }

func (id ObjectID) String() string { return fmt.Sprintf("%s %s/%s", id.Kind, id.namespace, id.Name) }

// IDOf returns the ID of an object.
func IDOf(o *structpb.Struct) ObjectID {
	return ObjectID{
		Kind:      o.GetFields()["kind"].GetStringValue(),
		namespace: ValueAt(o, "metadata", "namespace").GetStringValue(),
		Name:      ValueAt(o, "metadata", "name").GetStringValue(),
	}
}

// An apiServer stores objects as Kubernetes' does. Server-side apply and the
// ownership of fields are Kubernetes' own code; what Kubernetes adds and refuses is
// as much of it as the function can meet.
type apiServer struct {
	tb      testing.TB
	Objects map[ObjectID]*structpb.Struct

	// Version is the last resourceVersion, and uids how many objects there were.
	version, uids int

	// Applied is what each field manager has applied last, and which version that
	// was of the object: to apply it again changes nothing.
	applied map[ObjectID]map[string]configuration
}

type configuration struct {
	of      *structpb.Struct
	version string
}

func newAPIServer(tb testing.TB) *apiServer {
	tb.Helper()
	return &apiServer{tb: tb, Objects: map[ObjectID]*structpb.Struct{}, version: 4711, applied: map[ObjectID]map[string]configuration{}}
}

// apply an object as a field manager, by force.
func (a *apiServer) apply(manager string, o *structpb.Struct) error {
	a.tb.Helper()

	id := IDOf(o)
	live := a.Objects[id]
	version := StringOf(live, "metadata", "resourceVersion")
	if last, ok := a.applied[id][manager]; ok && live != nil && last.version == version && Same(last.of, o) {
		return nil
	}
	if !a.knows(o) {
		return fmt.Errorf("no matches for kind %q in version %q", id.Kind, StringOf(o, "apiVersion"))
	}
	// An object that is created is created whatever version its manager has seen.
	if wanted := StringOf(o, "metadata", "resourceVersion"); wanted != "" && live != nil && wanted != version {
		return conflict(id)
	}

	patch := AsUnstructured(o)
	patch.SetResourceVersion("")
	delete(patch.Object, "status")
	old := AsUnstructured(live)
	if live == nil {
		old.SetGroupVersionKind(patch.GroupVersionKind())
	}
	merged, err := fieldManager(patch.GroupVersionKind()).Apply(old, patch, manager, true)
	if err != nil {
		return fmt.Errorf("cannot apply %s: %w", id, err)
	}
	changed := a.fromObject(merged)
	if errs := validate(live, changed); len(errs) > 0 {
		return kerrors.NewInvalid(schema.GroupKind{Kind: id.Kind}, id.Name, errs)
	}
	a.store(id, changed)
	if a.applied[id] == nil {
		a.applied[id] = map[string]configuration{}
	}
	a.applied[id][manager] = configuration{of: o, version: StringOf(a.Objects[id], "metadata", "resourceVersion")}
	return nil
}

// create an object as a client does that does not apply. One that exists is
// replaced.
func (a *apiServer) create(manager string, o *structpb.Struct) {
	a.tb.Helper()
	empty := AsUnstructured(nil)
	empty.SetGroupVersionKind(AsUnstructured(o).GroupVersionKind())
	delete(a.Objects, IDOf(o))
	a.store(IDOf(o), a.fromObject(changedBy(empty, o, manager)))
}

// Update an object as a client does that does not apply: what it changes is its own
// from then on. Nothing is refused, so that tests can have objects as they like.
func (a *apiServer) Update(id ObjectID, manager string, change func(*structpb.Struct) *structpb.Struct) {
	a.tb.Helper()
	live, ok := a.Objects[id]
	if !ok {
		a.tb.Fatalf("There is no %s to update", id)
	}
	o := change(live)
	if Same(withoutStatus(live), withoutStatus(o)) {
		a.Put(id, o)
		return
	}
	a.store(id, a.fromObject(changedBy(AsUnstructured(live), o, manager)))
}

// changedBy returns an object with the fields that a manager has changed as its own. An
// object that no API server would take, which tests make too, stays as it is.
func changedBy(live *unstructured.Unstructured, o *structpb.Struct, manager string) *unstructured.Unstructured {
	u := AsUnstructured(o)
	setDefaults(u.Object)
	updated, err := fieldManager(u.GroupVersionKind()).Update(live, u, manager)
	if err != nil {
		return AsUnstructured(o)
	}
	return updated.(*unstructured.Unstructured)
}

// Put an object as it stands, status and all.
func (a *apiServer) Put(id ObjectID, o *structpb.Struct) {
	if Same(a.Objects[id], o) {
		return
	}
	a.version++
	a.Objects[id] = SetAt(o, strconv.Itoa(a.version), "metadata", "resourceVersion")
}

// delete an object.
func (a *apiServer) delete(id ObjectID) {
	delete(a.Objects, id)
	delete(a.applied, id)
}

// store an object that has been changed, with what Kubernetes keeps of it.
func (a *apiServer) store(id ObjectID, o *structpb.Struct) {
	live := a.Objects[id]
	if live == nil {
		a.uids++
		o = SetAt(o, fmt.Sprintf("uid-%d-of-%s", a.uids, id.Name), "metadata", "uid")
		o = SetAt(o, "2025-01-01T00:00:00Z", "metadata", "creationTimestamp")
	}
	generation := ValueAt(live, "metadata", "generation").GetNumberValue()
	if generations[id.Kind] && !SameValue(ValueAt(live, "spec"), ValueAt(o, "spec")) &&
		ValueAt(o, "metadata", "generation").GetNumberValue() == generation {
		o = SetAt(o, generation+1, "metadata", "generation")
	}
	a.Put(id, o)
}

// Kinds whose generation rises with their spec.
var generations = map[string]bool{"StatefulSet": true, "NetworkPolicy": true, "PerconaPGCluster": true, "ServiceMonitor": true, "PrometheusRule": true, "PodDisruptionBudget": true, "Usage": true}

// knows says whether the API server serves the kind of an object. Crossplane brings its
// own.
func (a *apiServer) knows(o *structpb.Struct) bool {
	gvk := AsUnstructured(o).GroupVersionKind()
	return builtIn().Recognizes(gvk) || gvk.Group == "protection.crossplane.io" || a.crd(gvk) != nil
}

// crd returns the CustomResourceDefinition that serves a kind, or nil.
func (a *apiServer) crd(gvk schema.GroupVersionKind) *structpb.Struct {
	for id, o := range a.Objects {
		if id.Kind != "CustomResourceDefinition" || StringOf(o, "spec", "group") != gvk.Group || StringOf(o, "spec", "names", "kind") != gvk.Kind {
			continue
		}
		for _, v := range ValueAt(o, "spec", "versions").GetListValue().GetValues() {
			if f := v.GetStructValue().GetFields(); f["name"].GetStringValue() == gvk.Version && f["served"].GetBoolValue() {
				return o
			}
		}
	}
	return nil
}

// find the objects that a field of a kind selects, in the order of their names.
func (a *apiServer) find(kind, namespace string, labels map[string]string) []*structpb.Struct {
	found := []*structpb.Struct{}
	for _, id := range slices.SortedFunc(maps.Keys(a.Objects), func(x, y ObjectID) int { return strings.Compare(x.String(), y.String()) }) {
		o := a.Objects[id]
		matches := id.Kind == kind && id.namespace == namespace
		for k, v := range labels {
			matches = matches && StringOf(o, "metadata", "labels", k) == v
		}
		if matches {
			found = append(found, o)
		}
	}
	return found
}

func conflict(id ObjectID) error {
	return kerrors.NewConflict(schema.GroupResource{Resource: id.Kind}, id.Name, fmt.Errorf("the object has been modified; please apply your changes to the latest version and try again"))
}

// validate returns what Kubernetes refuses of an object that replaces another one.
func validate(live, o *structpb.Struct) field.ErrorList {
	errs := field.ErrorList{}

	controllers := 0
	for _, v := range ValueAt(o, "metadata", "ownerReferences").GetListValue().GetValues() {
		if v.GetStructValue().GetFields()["controller"].GetBoolValue() {
			controllers++
		}
	}
	if controllers > 1 {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "ownerReferences"), controllers, "only one reference can have controller set to true"))
	}

	if live == nil {
		return errs
	}
	immutable := func(path ...string) {
		if !SameValue(ValueAt(live, path...), ValueAt(o, path...)) {
			errs = append(errs, field.Forbidden(field.NewPath(path[0], path[1:]...), "field is immutable"))
		}
	}
	switch o.GetFields()["kind"].GetStringValue() {
	case "ConfigMap", "Secret":
		if live.GetFields()["immutable"].GetBoolValue() {
			immutable("immutable")
			immutable("data")
			immutable("binaryData")
		}
	case "Service":
		const balanced = "LoadBalancer"
		if StringOf(live, "spec", "type") == balanced && StringOf(o, "spec", "type") == balanced {
			immutable("spec", "loadBalancerClass")
		}
	case "StatefulSet":
		for _, name := range immutableOfStatefulSet {
			immutable("spec", name)
		}
	}
	return errs
}

var immutableOfStatefulSet = []string{"serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates"}

// setDefaults adds to an object what Kubernetes adds, which belongs to nobody.
func setDefaults(object map[string]any) {
	switch object["kind"] {
	case "Service":
		setDefault(object, "None", "spec", "sessionAffinity")
		setDefault(object, "10.96.0.1", "spec", "clusterIP")
		setDefault(object, map[string]any{}, "status", "loadBalancer")
	case "StatefulSet":
		setDefault(object, map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"partition": int64(0)}}, "spec", "updateStrategy")
		setDefault(object, "OrderedReady", "spec", "podManagementPolicy")
		setDefault(object, int64(1), "spec", "replicas")
		setDefault(object, int64(10), "spec", "revisionHistoryLimit")
		setDefault(object, nil, "spec", "template", "metadata", "creationTimestamp")
		setDefault(object, "Always", "spec", "template", "spec", "restartPolicy")
		setDefault(object, "ClusterFirst", "spec", "template", "spec", "dnsPolicy")
		setDefault(object, "default-scheduler", "spec", "template", "spec", "schedulerName")
		containers, _, _ := unstructured.NestedSlice(object, "spec", "template", "spec", "containers")
		for _, c := range containers {
			setDefault(c.(map[string]any), "/dev/termination-log", "terminationMessagePath")
			setDefault(c.(map[string]any), "File", "terminationMessagePolicy")
			setDefault(c.(map[string]any), "IfNotPresent", "imagePullPolicy")
		}
		if len(containers) > 0 {
			_ = unstructured.SetNestedSlice(object, containers, "spec", "template", "spec", "containers")
		}
		claims, _, _ := unstructured.NestedSlice(object, "spec", "volumeClaimTemplates")
		for _, c := range claims {
			setDefault(c.(map[string]any), "v1", "apiVersion")
			setDefault(c.(map[string]any), "PersistentVolumeClaim", "kind")
			setDefault(c.(map[string]any), nil, "metadata", "creationTimestamp")
			setDefault(c.(map[string]any), "Pending", "status", "phase")
		}
		if len(claims) > 0 {
			_ = unstructured.SetNestedSlice(object, claims, "spec", "volumeClaimTemplates")
		}
	}
}

func setDefault(object map[string]any, value any, path ...string) {
	if _, found, err := unstructured.NestedFieldNoCopy(object, path...); !found && err == nil {
		_ = unstructured.SetNestedField(object, value, path...)
	}
}

// RolledOut is the status of a StatefulSet whose pods are all as they should be.
func RolledOut(ss *structpb.Struct) *structpb.Value {
	replicas := ValueAt(ss, "spec", "replicas")
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, ValueAt(ss, "spec", "template").AsInterface())
	revision := structpb.NewStringValue(fmt.Sprintf("%s-%x", StringOf(ss, "metadata", "name"), h.Sum32()))
	status := map[string]*structpb.Value{"observedGeneration": ValueAt(ss, "metadata", "generation"), "currentRevision": revision, "updateRevision": revision}
	for _, count := range []string{"replicas", "readyReplicas", "updatedReplicas", "currentReplicas", "availableReplicas"} {
		status[count] = replicas
	}
	return structpb.NewStructValue(&structpb.Struct{Fields: status})
}

// What Kubernetes' own code asks for.

// builtIn are the kinds that every cluster has.
var builtIn = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
})

// types are those of the fields of built-in kinds, which say what is merged how.
var types = sync.OnceValue(func() managedfields.TypeConverter { return applyconfigurations.NewTypeConverter(builtIn()) })

var fieldManagers sync.Map

// fieldManager merges objects of a kind.
func fieldManager(gvk schema.GroupVersionKind) *managedfields.FieldManager {
	if m, ok := fieldManagers.Load(gvk); ok {
		return m.(*managedfields.FieldManager)
	}
	var m *managedfields.FieldManager
	var err error
	if builtIn().Recognizes(gvk) {
		m, err = managedfields.NewDefaultFieldManager(types(), sameVersion{}, sameVersion{}, sameVersion{}, gvk, gvk.GroupVersion(), "", nil)
	} else {
		m, err = managedfields.NewDefaultCRDFieldManager(managedfields.NewDeducedTypeConverter(), sameVersion{}, sameVersion{}, sameVersion{}, gvk, gvk.GroupVersion(), "", nil)
	}
	if err != nil {
		panic(err)
	}
	fieldManagers.Store(gvk, m)
	return m
}

// sameVersion converts objects of clusters that know but one version of each kind,
// and adds Kubernetes' defaults to them.
type sameVersion struct{}

// Convert does nothing: there is one version.
func (sameVersion) Convert(_, _, _ any) error { return nil }

// ConvertToVersion returns the object as it is.
func (sameVersion) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

// ConvertFieldLabel returns the label as it is.
func (sameVersion) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

// Default sets what Kubernetes sets.
func (sameVersion) Default(o runtime.Object) { setDefaults(o.(*unstructured.Unstructured).Object) }

// New returns an empty object of a kind.
func (sameVersion) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	u := AsUnstructured(nil)
	u.SetGroupVersionKind(gvk)
	return u, nil
}

// AsUnstructured returns an object as Kubernetes' code has it. Its numbers are whole.
func AsUnstructured(o *structpb.Struct) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	if o != nil {
		u.Object = whole(o.AsMap()).(map[string]any)
	}
	return u
}

func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = whole(v[k])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case float64:
		if n := int64(v); float64(n) == v {
			return n
		}
	}
	return v
}

// fromObject returns an object as Crossplane sends it. Nothing happens at a time of
// its own.
func (a *apiServer) fromObject(o runtime.Object) *structpb.Struct {
	a.tb.Helper()
	s, err := structpb.NewStruct(o.(*unstructured.Unstructured).Object)
	if err != nil {
		a.tb.Fatal(err)
	}
	for _, v := range ValueAt(s, "metadata", "managedFields").GetListValue().GetValues() {
		v.GetStructValue().GetFields()["time"] = structpb.NewStringValue("2025-01-01T00:00:00Z")
	}
	return s
}

func withoutStatus(o *structpb.Struct) *structpb.Struct {
	fields := maps.Clone(o.GetFields())
	delete(fields, "status")
	return &structpb.Struct{Fields: fields}
}
