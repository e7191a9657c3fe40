package functest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
	kerrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// Apply what the function desires, as Crossplane does, and return why it did not get
// to the end. All that comes up is ready at once.
func (c *Cluster) Apply(rsp *fnv1.RunFunctionResponse) error {
	c.Helper()
	c.Pull()
	return c.Compose(Composition{Observed: c.Composed, Response: rsp})
}

// A Composition is what Crossplane has to do once it has called the function.
type Composition struct {
	// Observed are the composed resources that the function was told of.
	Observed map[string]*structpb.Struct
	Response *fnv1.RunFunctionResponse

	// Refuse says why the API server does not take an object. It may be nil.
	Refuse func(id ObjectID) error
}

// errFatal is what a reconcile ends with when the function says so.
var errFatal = errors.New("pipeline step returned a fatal result")

// Compose does what FunctionComposer.Compose and the reconciler around it do after
// they have called the function.
func (c *Cluster) Compose(do Composition) error {
	c.Helper()
	defer c.Show()

	if IsFatal(do.Response) {
		c.FailReconcile(do.Response.GetConditions(), errFatal)
		return errFatal
	}
	unsynced, err := c.applyAll(do)
	switch {
	case kerrors.IsConflict(err): // It is tried again, and nobody is told.
		return err
	case err != nil:
		c.FailReconcile(nil, err)
		return err
	}

	// Crossplane owns the status that the function desires, and no more.
	status := ValueAt(do.Response.GetDesired().GetComposite().GetResource(), "status").GetStructValue()
	if conditions := ValueAt(c.XR, "status", "conditions"); conditions != nil {
		status = SetAt(status, conditions, "conditions")
	}
	xr := SetAt(c.XR, structpb.NewStructValue(status), "status")

	synced := &fnv1.Condition{Type: "Synced", Status: fnv1.Status_STATUS_CONDITION_TRUE, Reason: "ReconcileSuccess"}
	if len(unsynced) > 0 {
		synced = &fnv1.Condition{Type: "Synced", Status: fnv1.Status_STATUS_CONDITION_FALSE, Reason: "ReconcileError", Message: new("Unsynced resources: " + strings.Join(unsynced, ", "))}
	}
	c.writeXR(withConditions(c, xr, append(slices.Clone(do.Response.GetConditions()), synced, readiness(do.Response))))
	return nil
}

// FailReconcile tells of a reconcile that did not get to its end. What is not known of it is
// unknown.
func (c *Cluster) FailReconcile(known []*fnv1.Condition, err error) {
	c.Helper()
	conditions := []*fnv1.Condition{{Type: "Synced", Status: fnv1.Status_STATUS_CONDITION_FALSE, Reason: "ReconcileError", Message: new("cannot compose resources: " + err.Error())}}
	for _, v := range ValueAt(c.XR, "status", "conditions").GetListValue().GetValues() {
		if typ := v.GetStructValue().GetFields()["type"].GetStringValue(); typ != "Synced" && typ != "Ready" {
			conditions = append(conditions, &fnv1.Condition{
				Type: typ, Status: fnv1.Status_STATUS_CONDITION_UNKNOWN, Reason: "FatalError",
				Message: new("A fatal error occurred before the status of this condition could be determined."),
			})
		}
	}
	c.writeXR(withConditions(c, c.XR, append(conditions, known...)))
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
func (c *Cluster) applyAll(do Composition) (unsynced []string, err error) {
	c.Helper()

	desired := map[string]*structpb.Struct{}
	for name, r := range do.Response.GetDesired().GetResources() {
		desired[name] = c.render(name, do.Observed[name], r.GetResource())
	}
	if err := c.collect(do.Observed, desired); err != nil {
		return nil, err
	}
	c.setRefs(slices.Collect(maps.Values(desired)))
	for _, o := range do.Observed {
		if err := c.upgrade(o); err != nil {
			return nil, err
		}
	}

	names := slices.Sorted(maps.Keys(desired))
	c.rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	slices.SortStableFunc(names, func(a, b string) int { return c.turn(a) - c.turn(b) })
	for _, name := range names {
		o := desired[name]
		id := IDOf(o)
		before := c.Objects[id]
		err := error(nil)
		if do.Refuse != nil {
			err = do.Refuse(id)
		}
		if err == nil {
			err = c.apply(c.Manager(), o)
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
func (c *Cluster) turn(name string) int {
	if i := slices.Index(c.Order, name); i >= 0 {
		return i
	}
	return len(c.Order)
}

// Manager is the field manager of Crossplane's for composed resources of the
// composite resource.
func (c *Cluster) Manager() string {
	return fmt.Sprintf("apiextensions.crossplane.io/composed/%x", sha256.Sum256([]byte(StringOf(c.XR, "metadata", "name")+"DittoServer.dittofs.io")))
}

// render adds what Crossplane adds to a desired object. One that is observed keeps
// its name.
func (c *Cluster) render(name string, observed, desired *structpb.Struct) *structpb.Struct {
	c.Helper()
	o := desired
	if observed != nil {
		o = SetAt(o, StringOf(observed, "metadata", "name"), "metadata", "name")
	}
	o = SetAt(o, Namespace, "metadata", "namespace")
	o = SetAt(o, name, "metadata", "annotations", annotationResourceName)
	o = SetAt(o, StringOf(c.XR, "metadata", "name"), "metadata", "labels", "crossplane.io/composite")
	owner := map[string]any{
		"apiVersion": StringOf(c.XR, "apiVersion"), "kind": "DittoServer", "name": StringOf(c.XR, "metadata", "name"), "uid": StringOf(c.XR, "metadata", "uid"),
		"controller": true, "blockOwnerDeletion": true,
	}
	o = SetAt(o, []any{owner}, "metadata", "ownerReferences")
	return o
}

// collect deletes what is observed and not desired, if it is Crossplane's.
func (c *Cluster) collect(observed, desired map[string]*structpb.Struct) error {
	for name, o := range observed {
		if _, kept := desired[name]; kept {
			continue
		}
		switch owner := Controller(o); owner {
		case "":
			continue
		case StringOf(c.XR, "metadata", "uid"):
		default:
			return fmt.Errorf("refusing to delete composed resource %q that is controlled by %q", name, owner)
		}
		live := c.Objects[IDOf(o)]
		if live == nil {
			continue
		}
		if StringOf(live, "metadata", "resourceVersion") != StringOf(o, "metadata", "resourceVersion") {
			return conflict(IDOf(o))
		}
		c.delete(IDOf(o))
	}
	return nil
}

// upgrade the field managers of an object that Crossplane has not applied, so that
// what it applies no longer is taken away.
func (c *Cluster) upgrade(observed *structpb.Struct) error {
	entries := ValueAt(observed, "metadata", "managedFields").GetListValue().GetValues()
	manages := func(prefix string) func(*structpb.Value) bool {
		return func(v *structpb.Value) bool {
			return strings.HasPrefix(v.GetStructValue().GetFields()["manager"].GetStringValue(), prefix)
		}
	}
	ours := slices.ContainsFunc(entries, manages("apiextensions.crossplane.io/composed"))
	first := slices.IndexFunc(entries, manages("before-first-apply"))
	live := c.Objects[IDOf(observed)]
	switch {
	case live == nil, ours && first < 0:
		return nil
	case StringOf(live, "metadata", "resourceVersion") != StringOf(observed, "metadata", "resourceVersion"):
		return conflict(IDOf(observed))
	}
	kept := &structpb.ListValue{}
	if ours {
		kept.Values = slices.Delete(slices.Clone(entries), first, first+1)
	}
	c.Put(IDOf(live), SetAt(live, structpb.NewListValue(kept), "metadata", "managedFields"))
	return nil
}

// control is what controllers do once an object has changed.
func (c *Cluster) control(before *structpb.Struct, id ObjectID) {
	o := c.Objects[id]
	if c.Unattended || o == nil || id.Kind != "StatefulSet" || SameValue(ValueAt(before, "spec"), ValueAt(o, "spec")) && ValueAt(o, "status") != nil {
		return
	}
	c.Put(id, SetAt(o, RolledOut(o), "status"))
}
