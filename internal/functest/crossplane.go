package functest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// refs are the references of the composite resource.
func (c *Cluster) refs() []*structpb.Struct {
	refs := []*structpb.Struct{}
	for _, v := range ValueAt(c.XR, "spec", "crossplane", "resourceRefs").GetListValue().GetValues() {
		refs = append(refs, v.GetStructValue())
	}
	return refs
}

// setRefs has the composite resource refer to objects.
func (c *Cluster) setRefs(refs []*structpb.Struct) {
	c.Helper()
	list := []any{}
	for _, o := range refs {
		f := o.GetFields()
		name := f["name"].GetStringValue()
		if name == "" {
			name = StringOf(o, "metadata", "name")
		}
		list = append(list, map[string]any{"apiVersion": f["apiVersion"].GetStringValue(), "kind": f["kind"].GetStringValue(), "name": name})
	}
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	before := ValueAt(c.XR, "spec", "crossplane", "resourceRefs").GetListValue().AsSlice()
	if fmt.Sprint(before) == fmt.Sprint(list) {
		return
	}
	c.writeXR(With(c, c.XR, "spec.crossplane.resourceRefs", list))
}

// writeXR stores the composite resource.
func (c *Cluster) writeXR(xr *structpb.Struct) {
	if Same(c.XR, xr) {
		return
	}
	c.version++
	xr = SetAt(xr, strconv.Itoa(c.version), "metadata", "resourceVersion")
	if !SameValue(ValueAt(c.XR, "spec"), ValueAt(xr, "spec")) {
		xr = SetAt(xr, ValueAt(xr, "metadata", "generation").GetNumberValue()+1, "metadata", "generation")
	}
	c.XR = xr
}

// errAnonymous is why Crossplane goes no further when the composite resource refers
// to an object that Crossplane has not composed.
var errAnonymous = errors.New("encountered composed resource without required \"crossplane.io/composition-resource-name\" annotation")

// Observe the composed resources, as Crossplane does before it calls the function.
func (c *Cluster) Observe() (map[string]*structpb.Struct, error) {
	observed := map[string]*structpb.Struct{}
	for _, ref := range c.refs() {
		if !c.knows(ref) {
			return observed, fmt.Errorf("cannot get composed resource: no matches for kind %q", StringOf(ref, "kind"))
		}
		o, exists := c.Objects[ObjectID{StringOf(ref, "kind"), Namespace, StringOf(ref, "name")}]
		if !exists {
			continue
		}
		if owner := Controller(o); owner != "" && owner != StringOf(c.XR, "metadata", "uid") {
			continue
		}
		name := StringOf(o, "metadata", "annotations", annotationResourceName)
		if name == "" {
			return observed, errAnonymous
		}
		observed[name] = o
	}
	return observed, nil
}

const annotationResourceName = "crossplane.io/composition-resource-name"

// Controller is the UID of the object that another one belongs to, if any.
func Controller(o *structpb.Struct) string {
	for _, v := range ValueAt(o, "metadata", "ownerReferences").GetListValue().GetValues() {
		if f := v.GetStructValue().GetFields(); f["controller"].GetBoolValue() {
			return f["uid"].GetStringValue()
		}
	}
	return ""
}

// Request is what Crossplane sends when it has looked up what was required.
func (c *Cluster) Request(required *fnv1.Requirements) *fnv1.RunFunctionRequest {
	c.Pull()
	if _, err := c.Observe(); err != nil {
		c.Errorf("Crossplane can no longer call the function: %v", err)
	}
	return proto.CloneOf(c.RequestOf(c.Composed, required))
}

// RequestOf is what Crossplane sends when it has observed what may be no longer so. Its
// objects are the cluster's.
func (c *Cluster) RequestOf(observed map[string]*structpb.Struct, required *fnv1.Requirements) *fnv1.RunFunctionRequest {
	req := &fnv1.RunFunctionRequest{
		Meta:              &fnv1.RequestMeta{Tag: "tag", Capabilities: []fnv1.Capability{fnv1.Capability_CAPABILITY_CAPABILITIES, fnv1.Capability_CAPABILITY_REQUIRED_SCHEMAS}},
		Input:             c.input,
		Observed:          &fnv1.State{Composite: &fnv1.Resource{Resource: c.XR}, Resources: map[string]*fnv1.Resource{}},
		Desired:           c.Earlier,
		RequiredResources: map[string]*fnv1.Resources{},
		RequiredSchemas:   map[string]*fnv1.Schema{},
	}
	for name, s := range observed {
		req.Observed.Resources[name] = &fnv1.Resource{Resource: s}
	}
	for name, sel := range required.GetResources() {
		req.RequiredResources[name] = c.LookUp(sel)
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

// LookUp what a function requires.
func (c *Cluster) LookUp(sel *fnv1.ResourceSelector) *fnv1.Resources {
	r := &fnv1.Resources{}
	add := func(o *structpb.Struct) {
		if o != nil && StringOf(o, "apiVersion") == sel.GetApiVersion() {
			r.Items = append(r.Items, &fnv1.Resource{Resource: o})
		}
	}
	switch m := sel.GetMatch().(type) {
	case *fnv1.ResourceSelector_MatchName:
		add(c.Objects[ObjectID{sel.GetKind(), sel.GetNamespace(), m.MatchName}])
	case *fnv1.ResourceSelector_MatchLabels:
		for _, o := range c.find(sel.GetKind(), sel.GetNamespace(), m.MatchLabels.GetLabels()) {
			add(o)
		}
	}
	return r
}

// Call the function, and check what must hold for every call.
func (c *Cluster) Call(req *fnv1.RunFunctionRequest) *fnv1.RunFunctionResponse {
	c.Helper()

	before := proto.CloneOf(req)
	rsp, err := c.function.RunFunction(c.Context(), req)
	if err != nil {
		c.Fatalf("f.RunFunction(...): %v", err)
	}
	if diff := Diff(before, req); diff != "" {
		c.Errorf("The function must not modify its request.\nf.RunFunction(...): -req before, +req after:\n%s", diff)
	}
	again, err := c.function.RunFunction(c.Context(), req)
	if diff := Diff(masked(c, req, rsp), masked(c, req, again)); err != nil || diff != "" {
		c.Errorf("The same request must always have the same response.\nf.RunFunction(...): -1st rsp, +2nd rsp, %v:\n%s", err, diff)
	}
	for _, v := range Violations(req, rsp) {
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
		known := AsYAML(tb, req)
		data := ValueAt(r.GetResource(), "data").GetStructValue().GetFields()
		for key, v := range data {
			if !strings.Contains(known, v.GetStringValue()) {
				data[key] = structpb.NewStringValue("made just now")
			}
		}
	}
	return out
}

// MaxCalls is how often Crossplane calls a function in one reconcile.
const MaxCalls = 6

// Reconcile calls the function as Crossplane does: again and again, until it has
// what it requires.
func (c *Cluster) Reconcile() *fnv1.RunFunctionResponse {
	c.Helper()

	required := &fnv1.Requirements{}
	if c.Seeded && c.Required != nil {
		required = c.Required
	}
	for range MaxCalls {
		rsp := c.Call(c.Request(required))
		if IsFatal(rsp) {
			return rsp
		}
		stable := proto.Equal(required, rsp.GetRequirements())
		required = rsp.GetRequirements()
		if stable {
			c.Required = required
			return rsp
		}
	}
	c.Fatalf("The function's requirements are not stable after %d calls", MaxCalls)
	return nil
}

// Settle reconciles until nothing changes, and returns what the function answers
// from then on.
func (c *Cluster) Settle() *fnv1.RunFunctionResponse {
	c.Helper()

	last := &fnv1.RunFunctionResponse{}
	for range 10 {
		rsp := c.Reconcile()
		if proto.Equal(last, rsp) {
			return rsp
		}
		last = rsp
		if err := c.Apply(rsp); kerrors.IsConflict(err) {
			last = nil
		}
	}
	c.Fatalf("The function does not come to rest. Its last response:\n%s", AsYAML(c, last))
	return nil
}
