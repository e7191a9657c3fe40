package main

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// What Crossplane does in a sequence, and what goes wrong with it.

// A call of the function, with what it was told and what it answered.
type call struct {
	functest.Composition

	req *fnv1.RunFunctionRequest

	// Missing says that Secrets or ConfigMaps were not as they should be, as far as it was
	// told.
	missing bool

	// Stale is set if what it was told may be no longer so, and late if that is true of
	// more than the StatefulSet: against that Crossplane's order of things helps, and
	// nothing that the function could do.
	stale, late bool
}

// Things that go wrong with a reconcile.
type trouble struct {
	// After is how many objects are applied, or less than 0.
	after int

	// Lag is how many moments what is observed is behind, of the kinds.
	lag   int
	kinds []string
}

var nothing = trouble{after: -1}

// seenBy returns the objects and the DittoServer that Crossplane sees, some as they
// were some steps ago.
func (w *world) seenBy(but trouble) (objects map[functest.ObjectID]*structpb.Struct, xr *structpb.Struct) {
	objects, xr = maps.Clone(w.Objects), w.XR
	if but.lag == 0 || len(w.past) == 0 {
		return objects, xr
	}
	then := w.past[max(len(w.past)-but.lag, 0)]
	lags := func(id functest.ObjectID, _ *structpb.Struct) bool { return slices.Contains(but.kinds, id.Kind) }
	maps.DeleteFunc(objects, lags)
	for id, o := range then.objects {
		if lags(id, o) {
			objects[id] = o
			// Crossplane deletes nothing that it sees without an owner, and forgets it.
			w.leaky = w.leaky || id.Kind == "ConfigMap" && id.Name != "extra" && functest.Controller(o) == ""
		}
	}
	if slices.Contains(but.kinds, "DittoServer") {
		xr = then.xr
		// To forget its references would be Crossplane's own defect.
		if crossplane := functest.ValueAt(w.XR, "spec", "crossplane"); crossplane != nil {
			xr = functest.SetAt(xr, crossplane, "spec", "crossplane")
		}
	}
	return objects, xr
}

// ask the function, as Crossplane does.
func (w *world) ask(but trouble) *call {
	w.Helper()
	w.Pull()

	live, xr := w.Objects, w.XR
	seen, told := w.seenBy(but)
	c := &call{stale: but.lag > 0, late: but.lag > 0 && !slices.Equal(but.kinds, []string{"StatefulSet"})}
	w.XR = told
	defer func() { w.Objects, w.XR = live, xr }()

	// What is not in the cache is read from the API server.
	read := maps.Clone(seen)
	for id, o := range live {
		if _, cached := read[id]; !cached {
			read[id] = o
		}
	}
	w.Objects = read
	observed, err := w.Observe()
	if err != nil {
		w.Errorf("Crossplane can no longer call the function: %v", err)
	}
	w.Objects = seen
	c.missing = w.missing(told)

	// It remembers what was required at last.
	required := &fnv1.Requirements{}
	if w.Required != nil {
		required = w.Required
	}
	for range functest.MaxCalls {
		c.req = w.RequestOf(observed, required)
		rsp, err := w.f.RunFunction(w.Context(), c.req)
		if err != nil {
			w.Fatal(err)
		}
		if w.r.IntN(4) == 0 { // It takes as long as the function does.
			for _, v := range functest.Violations(c.req, rsp) {
				w.Errorf("f.RunFunction(...): %s", v)
			}
		}
		stable := proto.Equal(required, rsp.GetRequirements())
		required = rsp.GetRequirements()
		c.Composition = functest.Composition{Observed: observed, Response: rsp}
		if stable || functest.IsFatal(rsp) {
			w.Required = required
			w.record(c)
			return c
		}
	}
	w.Fatalf("The function's requirements are not stable after %d calls", functest.MaxCalls)
	return nil
}

// errCrash is the end of a reconcile whose Crossplane has crashed.
var errCrash = kerrors.NewConflict(schema.GroupResource{}, "", errors.New("Crossplane has crashed"))

// finish a reconcile: apply what was desired, and check what that has done.
func (w *world) finish(c *call, after int) error {
	w.Helper()
	id := functest.ID("StatefulSet", "files")
	before := w.Objects[id]

	applied := []string{}
	c.Refuse = func(id functest.ObjectID) error {
		if after >= 0 && len(applied) == after {
			return errCrash
		}
		if w.quota && id.Kind == "ConfigMap" && w.Objects[id] == nil {
			w.saw("refused by quota")
			return kerrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, id.Name, errors.New("exceeded quota"))
		}
		applied = append(applied, id.Kind)
		return nil
	}
	err := w.Compose(c.Composition)
	w.sayf("  applied %v: %v", applied, err)

	live := w.Objects[id]
	w.checkChange(c, before, live)
	switch {
	case errors.Is(err, errCrash):
		w.saw("interrupted")
		if !slices.Contains(applied, "StatefulSet") {
			w.saw("interrupted before the StatefulSet")
		}
	case kerrors.IsConflict(err):
		w.saw("conflict")
	}
	switch {
	case c.late, c.stale && w.unsaid:
		w.astray = true
	case err == nil:
		w.astray = false
	case before == nil:
		w.astray = true // It is being created.
	}
	w.unsaid = err != nil && (w.unsaid || before == nil || live == nil || !functest.SameValue(functest.TemplateOf(before), functest.TemplateOf(live)))
	return err
}

// reconciled is one reconcile from its beginning to its end.
func (w *world) reconciled(but trouble) error {
	w.Helper()
	defer w.remember()
	return w.finish(w.ask(but), but.after)
}

// interrupted reconciles up to some object, which often is the StatefulSet.
func (w *world) interrupted() {
	but := trouble{after: w.r.IntN(8)}
	if w.r.IntN(3) == 0 {
		w.Order = []string{manifests.StatefulSetResource}
		defer func() { w.Order = nil }()
		but.after = 1
	}
	_ = w.reconciled(but)
}

// keep has the function called, and what it answers applied later.
func (w *world) keep() {
	if w.kept == nil {
		w.kept = w.ask(nothing)
	}
}

// late applies what has been kept, after what else there was.
func (w *world) late() {
	if w.kept == nil || functest.StringOf(w.kept.req.GetObserved().GetComposite().GetResource(), "metadata", "uid") != functest.StringOf(w.XR, "metadata", "uid") {
		w.kept = nil
		w.keep()
		return
	}
	c := w.kept
	w.kept = nil
	w.saw("late")
	if observed := c.Observed[manifests.StatefulSetResource]; observed != nil && functest.HashOf(observed) == functest.HashOf(functest.Desired(c.Response, manifests.StatefulSetResource)) {
		w.saw("late hold")
	}
	c.stale, c.late, w.leaky = true, true, true
	_ = w.finish(c, -1)
}

// lagging reconciles on what was observed some steps ago.
func (w *world) lagging() {
	if len(w.past) == 0 {
		return
	}
	but := trouble{after: -1, lag: 1 + w.r.IntN(longestLag)}
	for _, kind := range []string{"StatefulSet", "ConfigMap", "DittoServer"} {
		if w.r.IntN(2) == 0 {
			but.kinds = append(but.kinds, kind)
			w.saw("lagging " + kind)
		}
	}
	w.lag(but)
}

func (w *world) lag(but trouble) {
	w.sayf("  by %d: %v", but.lag, but.kinds)
	_ = w.reconciled(but)
}

// lagAfterToken has a server restarted by a token, its spec changed or the token taken
// away, and the StatefulSet observed as it was before all that.
func (w *world) lagAfterToken() {
	w.Set("spec.rollout.policy", pick(w.r, "Manual", "Automatic"))
	for range 2 {
		w.newToken()
		_ = w.reconciled(nothing)
		_ = w.reconciled(nothing)
		w.controllers()
	}
	if w.r.IntN(2) == 0 {
		w.changeSpec()
	} else if functest.ValueAt(w.XR, "spec", "rollout", "restartToken") != nil {
		w.Unset("spec.rollout.restartToken")
	}
	w.saw("lagging after a token")
	w.lag(trouble{after: -1, lag: 2 + w.r.IntN(longestLag-1), kinds: []string{"StatefulSet"}})
}

// lagAfterRollout has a server go from one configuration to another, a third one
// wanted, and the StatefulSet observed as it was with the first one.
func (w *world) lagAfterRollout() {
	w.Set("spec.rollout.policy", "Automatic")
	for range 2 {
		w.values++
		w.Set("spec.controlPlane.port", 9100+w.values)
		_ = w.reconciled(nothing)
		_ = w.reconciled(nothing)
		w.control()
		w.controllers()
		w.remember()
	}
	w.values++
	w.Set("spec.controlPlane.port", 9100+w.values)
	w.saw("lagging after a rollout")
	w.lag(trouble{after: -1, lag: 2 + w.r.IntN(longestLag-1), kinds: []string{"StatefulSet"}})
}
