package main

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	applyappsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

var sequences = flag.Uint64("sequences", usualSequences, "how many sequences TestAnySequence goes through")

const (
	usualSequences = 60
	stepsOfOne     = 40

	// LongestLag is how many reconciles and steps an observation may be behind.
	longestLag = 8
)

// TestAnySequence takes a server through all that may happen to it, in an order that
// is made at random: its spec and its Secrets change, Crossplane is interrupted, is
// late or observes what is no longer so, objects are deleted behind its back, and pods
// restart. In the middle of all that:
//
//   - A pod or a process that starts reads the configuration that its template was
//     rendered with.
//   - The part of the pod template that is ours changes for a reason only: not under
//     the policy Manual without a new token, and not while Secrets are missing.
//   - What others have added to the template stays.
//   - A restart that nobody asked for brings back what was there.
//   - The ConfigMaps of the template and of the pod are there.
//
// In the end, when nothing goes wrong any more, the server runs with what is wanted, or
// with what is held, and nothing else is left of the way there.
//
// The seed of a sequence is its name: run it again with -run TestAnySequence/SEED.
func TestAnySequence(t *testing.T) {
	seen, total := map[string]int{}, uint64(0)
	for seed := range *sequences {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			total++
			w := newWorld(t, seed)
			for range stepsOfOne {
				w.step()
				if t.Failed() {
					break
				}
			}
			if !t.Failed() {
				w.settleDown()
			}
			if t.Failed() {
				t.Logf("What happened:\n%s", strings.Join(w.log, "\n"))
			}
			for what := range w.seen {
				seen[what]++
			}
		})
	}

	// Sequences in which nothing goes wrong find nothing.
	if total < usualSequences || t.Failed() {
		return
	}
	t.Logf("Sequences in which it came up, of %d: %v", total, seen)
	for _, what := range situations {
		if seen[what] == 0 {
			t.Errorf("There is no sequence in which this came up: %s", what)
		}
	}
}

// Situations that must all come up.
var situations = []string{
	"advanced", "held for Secrets", "held by Manual", "held for its ConfigMap", "moved by a token", "created", "replaced while stopped",
	"interrupted", "interrupted before the StatefulSet", "refused by quota", "late", "late hold", "lagging StatefulSet", "lagging ConfigMap", "lagging DittoServer", "lagging after a token", "lagging after a rollout",
	"conflict", "function crashed", "ConfigMap deleted", "ConfigMap restored", "StatefulSet orphaned", "DittoServer orphaned",
	"scaled", "restarted by kubectl", "webhook", "process restarted while held", "pod deleted while held", "pod deleted while replaced", "pod waits", "pod of an older template", "three changes in a hurry", "change taken back",
	"database pending", "database ready", "ended held", "ended as wanted", "ended stopped",
}

// A world is a cluster with what runs on it: a controller of StatefulSets, a kubelet,
// and people.
type world struct {
	*cluster

	r    *rand.Rand
	log  []string
	seen map[string]bool

	// Past are the objects and the DittoServer as they were, the last ones last.
	past []moment

	// Kept is a composition that has not been applied, for later.
	kept *call

	pod *pod

	// Rendered are the configurations that templates were sent with, by their hashes.
	rendered map[string]string

	// Added is what others have added to the pod template, by field.
	added map[string]string

	// Injected are the names of variables and volumes that they have added.
	injected []string

	// Astray is set while ConfigMaps may be missing for a reason that is not the
	// function's: somebody has deleted one, or Crossplane has acted on what was no
	// longer so. The next reconcile that gets to its end mends it.
	astray bool

	// Lost are ConfigMaps that a pod has waited for, or that somebody has deleted. That
	// of the pod template can be written again, and no other one.
	lost map[string]bool

	// Unsaid is set if the pod template is another one, and the DittoServer's status
	// does not say so yet.
	unsaid bool

	// Leaky is set once Crossplane may have lost sight of a ConfigMap.
	leaky bool

	// Quota keeps ConfigMaps from being created.
	quota bool

	tokens, values int
	certificate    host.Pair
}

type moment struct {
	objects map[functest.ObjectID]*structpb.Struct
	xr      *structpb.Struct
}

// A pod of the server.
type pod struct {
	// Template is the one that it is made of.
	template *structpb.Value

	// Config is the config.yaml that its process has read, and started is set once
	// there is one. Mounted says that the kubelet has its files.
	config           string
	started, mounted bool
}

// A call of the function, with what it was told and what it answered.
type call struct {
	functest.Composition

	req *fnv1.RunFunctionRequest

	// Missing says that Secrets were not as they should be.
	missing bool

	// Stale is set if what it was told may be no longer so, and late if that is true of
	// more than the StatefulSet: against that Crossplane's order of things helps, and
	// nothing that the function could do.
	stale, late bool
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{
		cluster: newCluster(t), r: rand.New(rand.NewPCG(seed, 1)), seen: map[string]bool{},
		rendered: map[string]string{}, added: map[string]string{}, lost: map[string]bool{}, astray: true,
	}
	w.Unattended = true
	w.certificate = host.NewAuthority().Issue("files")
	w.restoreSecrets()
	if w.r.IntN(3) == 0 {
		w.Set("spec.rollout.policy", "Manual")
	}
	for range w.r.IntN(4) {
		w.reconciled(nothing)
		w.controllers()
	}
	return w
}

func (w *world) saw(what string) { w.seen[what] = true }

func (w *world) sayf(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%3d ", len(w.log))+fmt.Sprintf(format, args...))
}

// step does one thing that may happen.
func (w *world) step() {
	w.Helper()
	steps := []struct {
		weight int
		name   string
		do     func()
	}{
		{12, "reconcile", func() { w.reconciled(nothing) }},
		{10, "controllers", w.controllers},
		{3, "controller without status", func() { w.control(); w.kubelet() }},
		{4, "status without controller", w.hesitate},
		{9, "change of the spec", func() { w.changeSpec() }},
		{4, "change of a Secret", func() { w.changeSecret() }},
		{2, "token", w.newToken},
		{2, "three changes", func() {
			w.changeSpec()
			w.changeSpec()
			w.changeSpec()
			w.saw("three changes in a hurry")
		}},
		{2, "change that is taken back", w.takeBack},
		{7, "interrupted reconcile", w.interrupted},
		{3, "quota", func() { w.quota = !w.quota }},
		{2, "reconcile that is kept", func() { w.keep() }},
		{3, "late reconcile", w.late},
		{6, "lagging reconcile", w.lagging},
		{1, "lagging after a token", w.lagAfterToken},
		{1, "lagging after a rollout", w.lagAfterRollout},
		{1, "crash of the function", func() {
			w.FailReconcile(nil, errors.New("cannot run Composition pipeline step: it is gone"))
			w.saw("function crashed")
		}},
		{2, "ConfigMap deleted", w.deleteConfigMap},
		{1, "StatefulSet orphaned", w.orphanStatefulSet},
		{1, "DittoServer orphaned", w.orphanDittoServer},
		{1, "scaled", w.scale},
		{1, "restarted by kubectl", w.restartByKubectl},
		{1, "webhook", w.webhook},
		{4, "process restarts", w.restartProcess},
		{4, "pod is deleted", w.deletePod},
		{1, "database", w.database},
	}
	sum := 0
	for _, s := range steps {
		sum += s.weight
	}
	n := w.r.IntN(sum)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			w.sayf("%s", s.name)
			s.do()
			break
		}
	}
	w.check()
	w.remember()
}

// remember how things are now.
func (w *world) remember() {
	w.past = append(w.past, moment{objects: maps.Clone(w.Objects), xr: w.XR})
	w.past = w.past[max(len(w.past)-longestLag, 0):]
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
	c := &call{missing: w.missing(told), stale: but.lag > 0, late: but.lag > 0 && !slices.Equal(but.kinds, []string{"StatefulSet"})}
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

// record what a response says, and check that what belongs together is in it.
func (w *world) record(c *call) {
	w.Helper()
	ss := functest.Desired(c.Response, manifests.StatefulSetResource)
	if ss == nil || functest.TemplateOf(ss) == nil {
		return
	}
	observed := c.Observed[manifests.StatefulSetResource]
	name := configMapOf(functest.TemplateOf(ss))
	config, found := "", false
	for _, r := range c.Response.GetDesired().GetResources() {
		if o := r.GetResource(); functest.StringOf(o, "kind") == "ConfigMap" && functest.StringOf(o, "metadata", "name") == name {
			config, found = functest.StringOf(o, "data", dittofs.ConfigFile), true
		}
	}
	if !found {
		w.Errorf("The desired pod template names ConfigMap %q, which is not desired", name)
	}
	if noted := functest.StringOf(ss, "metadata", "annotations", manifests.AnnotationConfig); noted != config {
		w.Errorf("The StatefulSet's own annotation should have the configuration that the template names: -annotation, +ConfigMap:\n%s", cmpText(noted, config))
	}
	h := functest.HashOf(ss)
	if before, known := w.rendered[h]; known && before != config {
		w.Errorf("One hash stands for two configurations: -before, +now:\n%s", cmpText(before, config))
	}
	w.rendered[h] = config

	held := strings.TrimPrefix(functest.Condition(c.Response, "RestartPending"), "TRUE ")
	switch {
	case observed == nil:
	case functest.HashOf(observed) != h:
		w.saw("advanced")
		w.sayf("  it advances from %.6s to %.6s", functest.HashOf(observed), h)
	case held == "UNKNOWN SecretsMissing":
		w.saw("held for Secrets")
	case held == "ManualPolicy":
		w.saw("held by Manual")
	case held == "ConfigMapFirst":
		w.saw("held for its ConfigMap")
	case held == "DatabasePending":
		w.saw("database pending")
	}
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

// checkChange checks why a reconcile has changed what is ours of the pod template, and
// that it has changed nothing else.
func (w *world) checkChange(c *call, before, live *structpb.Struct) {
	w.Helper()
	if live == nil || functest.SameValue(functest.TemplateOf(before), functest.TemplateOf(live)) {
		return
	}
	if before == nil {
		w.saw("created")
		// A server that was held when it was observed is brought back as it was.
		if c.missing && !c.stale {
			w.Errorf("A server was created while Secrets are missing")
		}
		return
	}

	for field, value := range w.added {
		if got := functest.StringAt(w, live, field); got != value {
			w.Errorf("%s, which somebody else has set to %q, is %q", field, value, got)
		}
	}

	for _, name := range w.injected {
		if !named(functest.ValueAt(functest.Container(live), "env"), name) || !named(functest.ValueAt(live, "spec", "template", "spec", "volumes"), name) {
			w.Errorf("Variable or volume %q, which somebody else has added, is gone", name)
		}
	}

	was, is := w.owned(before), w.owned(live)
	if was == is {
		return
	}
	w.sayf("  the template is another one: %s", changedLines(cmpText(was, is)))
	policy := functest.ValueAt(c.req.GetObserved().GetComposite().GetResource(), "spec", "rollout", "policy").GetStringValue()
	token := functest.ValueAt(c.req.GetObserved().GetComposite().GetResource(), "spec", "rollout", "restartToken").GetStringValue()
	old := functest.StringOf(before, "spec", "template", "metadata", "annotations", manifests.AnnotationRestartToken)
	runs := functest.ValueAt(before, "spec", "replicas").GetNumberValue() > 0
	switch {
	case c.Observed[manifests.StatefulSetResource] == nil && c.stale:
		// What is to be created cannot know what it meets.
	case c.missing:
		w.Errorf("The pod template changed while Secrets are missing: -before, +now:\n%s", cmpText(was, is))
	case policy == "Manual" && runs && (token == "" || token == old):
		w.Errorf("The pod template changed under the policy Manual without a new token (%q): -before, +now:\n%s", token, cmpText(was, is))
	case c.stale && !c.late && policy != "Manual" && functest.HashOf(w.wanted(before)) == functest.HashOf(before) && functest.HashOf(before) != functest.HashOf(live):
		w.Errorf("The pod template was as wanted, and changed: -before, +now:\n%s", cmpText(was, is))
	case policy == "Manual" && runs:
		w.saw("moved by a token")
	case policy == "Manual":
		w.saw("replaced while stopped")
	}
}

// owned is what Crossplane owns of the pod template, as YAML.
func (w *world) owned(ss *structpb.Struct) string {
	w.Helper()
	typed := &appsv1.StatefulSet{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(functest.AsUnstructured(ss).Object, typed); err != nil {
		w.Fatal(err)
	}
	a, err := applyappsv1.ExtractStatefulSet(typed, w.Manager())
	if err != nil {
		w.Fatal(err)
	}
	if a.Spec == nil || a.Spec.Template == nil {
		return ""
	}
	y, err := yaml.Marshal(a.Spec.Template)
	if err != nil {
		w.Fatal(err)
	}
	return string(y)
}

// check what must hold at any moment.
func (w *world) check() {
	w.Helper()
	for _, id := range w.configMaps() {
		if w.lost[id.Name] {
			delete(w.lost, id.Name)
			w.saw("ConfigMap restored")
		}
	}
	if w.astray {
		if w.pod != nil && w.Objects[functest.ID("ConfigMap", configMapOf(w.pod.template))] == nil {
			w.lost[configMapOf(w.pod.template)] = true
		}
		return
	}
	// What is stopped, or starts, waits for its ConfigMap.
	if ss := w.Objects[functest.ID("StatefulSet", "files")]; ss != nil && w.pod != nil && w.pod.started {
		w.checkConfigMap("pod template", functest.TemplateOf(ss))
	}
	if w.pod != nil && w.pod.started && !w.lost[configMapOf(w.pod.template)] {
		w.checkConfigMap("pod", w.pod.template)
	}
}

func (w *world) checkConfigMap(what string, tmpl *structpb.Value) {
	w.Helper()
	cm := w.Objects[functest.ID("ConfigMap", configMapOf(tmpl))]
	if cm == nil {
		w.Errorf("The %s names ConfigMap %q, which is not there: the server would not start again", what, configMapOf(tmpl))
	} else if got, want := functest.StringOf(cm, "data", dittofs.ConfigFile), w.rendered[hashOfTemplate(tmpl)]; got != want {
		w.Errorf("The ConfigMap of the %s is not what it was rendered with: -want, +got:\n%s", what, cmpText(want, got))
	}
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

// What people do.

func (w *world) changeSpec() {
	n := func(i int) int { return w.r.IntN(i) }
	changes := []func() (string, any){
		func() (string, any) { return "spec.controlPlane.port", 8080 + n(3) },
		func() (string, any) { return "spec.logging.level", pick(w.r, "DEBUG", "INFO", "WARN") },
		func() (string, any) { return "spec.image", fmt.Sprint("example.com/dittofs:v", n(3)) },
		func() (string, any) { return "spec.resources.limits.memory", fmt.Sprint(1+n(3), "Gi") },
		func() (string, any) { return "spec.metrics.enabled", n(2) == 0 },
		func() (string, any) { return "spec.shutdownTimeout", fmt.Sprint(10+n(3), "s") },
		func() (string, any) { return "spec.controlPlane.certSecretName", pick(w.r, "tls", "") },
		func() (string, any) { return "spec.rollout.policy", pick(w.r, "Manual", "Automatic") },
		func() (string, any) { return "spec.replicas", min(n(4), 1) },
	}
	path, value := changes[n(len(changes))]()
	w.sayf("  %s: %v", path, value)
	if value == "" {
		if functest.ValueAt(w.XR, strings.Split(path, ".")...) != nil {
			w.Unset(path)
		}
		return
	}
	w.Set(path, value)
}

func (w *world) takeBack() {
	before := w.XR
	w.changeSpec()
	_ = w.reconciled(nothing)
	if w.r.IntN(2) == 0 {
		w.control()
	}
	crossplane := functest.ValueAt(w.XR, "spec", "crossplane")
	w.XR = functest.SetAt(w.XR, functest.ValueAt(before, "spec"), "spec")
	if crossplane != nil {
		w.XR = functest.SetAt(w.XR, crossplane, "spec", "crossplane")
	}
	w.saw("change taken back")
	_ = w.reconciled(nothing)
}

func (w *world) newToken() {
	w.tokens++
	if w.r.IntN(5) == 0 && functest.ValueAt(w.XR, "spec", "rollout", "restartToken") != nil {
		w.sayf("  none")
		w.Unset("spec.rollout.restartToken")
		return
	}
	w.Set("spec.rollout.restartToken", fmt.Sprint("token-", w.tokens))
}

func (w *world) changeSecret() {
	w.values++
	n := w.r.IntN(7)
	w.sayf("  %d", n)
	switch n {
	case 0, 1:
		w.SetSecret("jwt", "key", fmt.Sprint(strings.Repeat("k", 32), w.values))
	case 2:
		w.SetSecret("admin", "password", fmt.Sprint(functest.AdminPassword, w.values))
	case 3:
		w.DeleteSecret(pick(w.r, "jwt", "admin", "tls"))
	case 4:
		w.SetSecret(pick(w.r, "jwt", "admin"), "key", "short")
		w.SetSecret("admin", "password", "")
	default:
		w.restoreSecrets()
	}
}

func (w *world) restoreSecrets() {
	w.SetSecret("jwt", "key", functest.JWTKey)
	w.SetSecret("admin", "password", functest.AdminPassword)
	w.SetSecret("tls", "tls.crt", string(w.certificate.Cert))
	w.SetSecret("tls", "tls.key", string(w.certificate.Key))
}

// missing says whether a Secret that a DittoServer refers to is not as it should be.
func (w *world) missing(xr *structpb.Struct) bool {
	has := func(name, key string, least int) bool {
		return len(functest.ValueAt(w.Objects[functest.ID("Secret", name)], "data", key).GetStringValue()) >= least
	}
	return !has("jwt", "key", 44) || !has("admin", "password", 1) ||
		functest.StringOf(xr, "spec", "controlPlane", "certSecretName") != "" && (!has("tls", "tls.crt", 1) || !has("tls", "tls.key", 1)) ||
		functest.ValueAt(xr, "spec", "percona", "enabled").GetBoolValue() && !has("files-postgres-pguser-dittofs", "password", 1)
}

// database turns Percona's on, and then has it become ready. It is not turned off
// again, which is refused.
func (w *world) database() {
	if !functest.ValueAt(w.XR, "spec", "percona", "enabled").GetBoolValue() {
		w.Set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true})
		w.sayf("  is on")
		return
	}
	w.databaseReady()
}

func (w *world) databaseReady() {
	if w.Composed[manifests.PerconaResource] == nil {
		return
	}
	for key, value := range map[string]string{"host": "db", "port": "5432", "dbname": "dittofs", "user": "dittofs", "password": "battery staple"} {
		w.SetSecret("files-postgres-pguser-dittofs", key, value)
	}
	w.Edit(manifests.PerconaResource, "status.state", "ready")
	w.sayf("  is ready")
	w.saw("database ready")
}

func (w *world) configMaps() []functest.ObjectID {
	ids := []functest.ObjectID{}
	for id, o := range w.Objects {
		if id.Kind == "ConfigMap" && functest.StringOf(o, "metadata", "labels", manifests.LabelServer) == "files" {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b functest.ObjectID) int { return strings.Compare(a.Name, b.Name) })
	return ids
}

func (w *world) deleteConfigMap() {
	if ids := w.configMaps(); len(ids) > 0 {
		id := ids[w.r.IntN(len(ids))]
		w.sayf("  %s", id.Name)
		w.DeleteObject(id.Kind, id.Name)
		w.saw("ConfigMap deleted")
		w.lost[id.Name], w.astray = true, true
	}
}

func (w *world) orphanStatefulSet() {
	if w.Stored("StatefulSet", "files") != nil {
		w.DeleteObject("StatefulSet", "files")
		w.added, w.injected = map[string]string{}, nil
		w.saw("StatefulSet orphaned")
	}
}

// orphanDittoServer deletes the DittoServer and leaves its objects, and creates it
// again.
func (w *world) orphanDittoServer() {
	w.Pull()
	uid := functest.StringOf(w.XR, "metadata", "uid")
	for id, o := range w.Objects {
		if functest.Controller(o) == uid {
			w.Update(id, "kube-controller-manager", func(o *structpb.Struct) *structpb.Struct { return functest.Without(w, o, "metadata.ownerReferences") })
		}
	}
	w.values++
	w.XR = functest.Without(w, functest.SetAt(functest.SetAt(w.XR, fmt.Sprint("uid-", w.values), "metadata", "uid"), 1, "metadata", "generation"), "status")
	w.XR = functest.Without(w, w.XR, "spec.crossplane")
	w.Required, w.past, w.kept = nil, nil, nil
	w.Show()
	w.saw("DittoServer orphaned")
	if w.Stored("StatefulSet", "files") == nil {
		w.leaky = true
	}
}

func (w *world) scale() {
	if w.Stored("StatefulSet", "files") != nil {
		w.UpdateAs("kubectl", "StatefulSet", "files", map[string]any{"spec.replicas": w.r.IntN(2)})
		w.saw("scaled")
	}
}

// addToTemplate has somebody else set a field of the pod template.
func (w *world) addToTemplate(manager, field, value string) {
	w.UpdateAs(manager, "StatefulSet", "files", map[string]any{field: value})
	w.added[field] = value
}

func (w *world) restartByKubectl() {
	if w.Stored("StatefulSet", "files") == nil {
		return
	}
	w.values++
	w.addToTemplate("kubectl-rollout", "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]", fmt.Sprint("at ", w.values))
	w.saw("restarted by kubectl")
}

// webhook adds a variable and a volume, as one does that injects something.
func (w *world) webhook() {
	ss := w.Stored("StatefulSet", "files")
	if ss == nil {
		return
	}
	w.values++
	name := fmt.Sprint("webhook-", w.values)
	env := len(functest.ValueAt(functest.Container(ss), "env").GetListValue().GetValues())
	volumes := len(functest.ValueAt(ss, "spec", "template", "spec", "volumes").GetListValue().GetValues())
	w.UpdateAs("webhook", "StatefulSet", "files", map[string]any{
		fmt.Sprintf("spec.template.spec.containers[0].env[%d]", env): map[string]any{"name": name, "value": "theirs"},
		fmt.Sprintf("spec.template.spec.volumes[%d]", volumes):       map[string]any{"name": name, "emptyDir": map[string]any{}},
	})
	w.injected = append(w.injected, name)
	w.addToTemplate("webhook", "spec.template.metadata.labels[example.com/injected]", name)
	w.addToTemplate("webhook", "spec.template.spec.schedulerName", name)
	w.saw("webhook")
}

// What controllers and the kubelet do.

// controllers have seen everything, and said so.
func (w *world) controllers() {
	w.control()
	if w.r.IntN(2) == 0 {
		w.control()
	}
	w.kubelet()
	w.status()
}

// control does what the controller of StatefulSets does with pods.
func (w *world) control() {
	ss := w.Objects[functest.ID("StatefulSet", "files")]
	switch {
	case ss == nil: // The pod is an orphan, until there is another one.
	case functest.ValueAt(ss, "spec", "replicas").GetNumberValue() == 0:
		w.pod = nil
	case w.pod == nil:
		w.pod = &pod{template: functest.TemplateOf(ss)}
	case !functest.SameValue(w.pod.template, functest.TemplateOf(ss)):
		w.pod = nil
	}
}

// hesitate has the controller of StatefulSets see the newest template, and not get to
// the pod.
func (w *world) hesitate() {
	if ss := w.Objects[functest.ID("StatefulSet", "files")]; w.pod != nil && ss != nil && !functest.SameValue(w.pod.template, functest.TemplateOf(ss)) {
		w.saw("pod of an older template")
	}
	w.status()
}

// status says what the controller of StatefulSets has done.
func (w *world) status() {
	w.Pull()
	id := functest.ID("StatefulSet", "files")
	ss := w.Objects[id]
	if ss == nil {
		return
	}
	count := map[string]float64{"replicas": 0, "updatedReplicas": 0, "readyReplicas": 0, "currentReplicas": 0, "availableReplicas": 0}
	if w.pod != nil {
		count["replicas"] = 1
		if functest.SameValue(w.pod.template, functest.TemplateOf(ss)) {
			count["updatedReplicas"] = 1
		}
		if w.pod.started {
			count["readyReplicas"], count["availableReplicas"] = 1, 1
		}
	}
	status := functest.RolledOut(ss)
	for name, n := range count {
		status.GetStructValue().Fields[name] = structpb.NewNumberValue(n)
	}
	w.Put(id, functest.SetAt(ss, status, "status"))
	w.Show()
}

// kubelet starts the pod, if all is there that it needs.
func (w *world) kubelet() {
	if w.pod == nil || w.pod.started {
		return
	}
	cm := w.Objects[functest.ID("ConfigMap", configMapOf(w.pod.template))]
	if cm == nil && !w.pod.mounted || !w.secretsOf(w.pod.template) {
		w.saw("pod waits")
		return
	}
	if cm != nil {
		w.pod.config = functest.StringOf(cm, "data", dittofs.ConfigFile)
	}
	w.pod.started, w.pod.mounted = true, true
	w.started()
}

// started checks what a process reads that has just started.
func (w *world) started() {
	w.Helper()
	if want := w.rendered[hashOfTemplate(w.pod.template)]; want != w.pod.config {
		w.Errorf("A server started with a configuration that its pod template was not rendered with: -want, +got:\n%s", cmpText(want, w.pod.config))
	}
	config := struct {
		ControlPlane struct{ Port float64 }
		Metrics      struct{ Port float64 }
	}{}
	if err := yaml.Unmarshal([]byte(w.pod.config), &config); err != nil {
		w.Fatal(err)
	}
	ports := map[string]float64{"api": config.ControlPlane.Port}
	if config.Metrics.Port != 0 {
		ports["metrics"] = config.Metrics.Port
	}
	opened := map[string]float64{}
	for _, c := range functest.ValueAt(w.pod.template.GetStructValue(), "spec", "containers").GetListValue().GetValues() {
		for _, p := range functest.ValueAt(c.GetStructValue(), "ports").GetListValue().GetValues() {
			opened[functest.StringOf(p.GetStructValue(), "name")] = functest.ValueAt(p.GetStructValue(), "containerPort").GetNumberValue()
		}
	}
	if !maps.Equal(ports, opened) {
		w.Errorf("The server listens on %v, and the pod opens %v", ports, opened)
	}
}

// secretsOf says whether all Secrets are there that a pod cannot start without.
func (w *world) secretsOf(tmpl *structpb.Value) bool {
	there := func(ref *structpb.Struct, name, key string) bool {
		s := w.Objects[functest.ID("Secret", name)]
		return functest.ValueAt(ref, "optional").GetBoolValue() || s != nil && (key == "" || functest.ValueAt(s, "data", key) != nil)
	}
	for _, c := range functest.ValueAt(tmpl.GetStructValue(), "spec", "containers").GetListValue().GetValues() {
		for _, e := range functest.ValueAt(c.GetStructValue(), "env").GetListValue().GetValues() {
			if ref := functest.ValueAt(e.GetStructValue(), "valueFrom", "secretKeyRef").GetStructValue(); ref != nil && !there(ref, functest.StringOf(ref, "name"), functest.StringOf(ref, "key")) {
				return false
			}
		}
	}
	for _, v := range functest.ValueAt(tmpl.GetStructValue(), "spec", "volumes").GetListValue().GetValues() {
		if ref := functest.ValueAt(v.GetStructValue(), "secret").GetStructValue(); ref != nil && !there(ref, functest.StringOf(ref, "secretName"), "") {
			return false
		}
	}
	return true
}

// held says whether the server has yet to become what it is wanted to be.
func (w *world) held() bool {
	switch reason := functest.ConditionOf(w.XR, "RestartPending"); reason {
	case "", "False UpToDate":
		return false
	default:
		return true
	}
}

// restartProcess restarts the server in its pod, whose files stay the same ones.
func (w *world) restartProcess() {
	if w.pod == nil || !w.pod.started {
		return
	}
	if w.held() {
		w.saw("process restarted while held")
	}
	before := w.pod.config
	w.pod.started = false
	w.kubelet()
	if w.pod.config != before {
		w.Errorf("A server restarted by itself and reads another configuration: -before, +now:\n%s", cmpText(before, w.pod.config))
	}
}

// deletePod has the pod made anew, as when its node is drained.
func (w *world) deletePod() {
	ss := w.Objects[functest.ID("StatefulSet", "files")]
	if w.pod == nil || ss == nil || functest.ValueAt(ss, "spec", "replicas").GetNumberValue() == 0 {
		return
	}
	before := w.pod
	unchanged := functest.SameValue(before.template, functest.TemplateOf(ss))
	switch {
	case !unchanged:
		w.saw("pod deleted while replaced")
	case w.held():
		w.saw("pod deleted while held")
	}
	w.pod = &pod{template: functest.TemplateOf(ss)}
	w.kubelet()
	if unchanged && before.started && w.pod.started && w.pod.config != before.config {
		w.Errorf("A pod was made anew and reads another configuration: -before, +now:\n%s", cmpText(before.config, w.pod.config))
	}
}

// settleDown has all go well until nothing changes, and checks what has become of the
// server.
func (w *world) settleDown() {
	w.Helper()
	w.sayf("settle down")
	w.quota = false
	w.restoreSecrets()
	id := functest.ID("StatefulSet", "files")
	_ = w.reconciled(nothing)
	if functest.ValueAt(w.XR, "spec", "percona", "enabled").GetBoolValue() {
		w.databaseReady()
	}

	revisions := 0
	for i := 0; ; i++ {
		before, xr := maps.Clone(w.Objects), w.XR
		if err := w.reconciled(nothing); err != nil && !kerrors.IsConflict(err) {
			w.Fatalf("Nothing goes wrong any more, and yet: %v", err)
		}
		if old, now := before[id], w.Objects[id]; old != nil && now != nil && !functest.SameValue(functest.TemplateOf(old), functest.TemplateOf(now)) && w.owned(old) != w.owned(now) {
			revisions++
		}
		w.control()
		w.control()
		w.kubelet()
		w.status()
		w.check()
		if maps.EqualFunc(before, w.Objects, functest.Same) && functest.Same(xr, w.XR) {
			break
		}
		if i == 12 {
			w.Fatalf("The cluster does not come to rest:\n%s", functest.AsYAML(w, w.XR))
		}
	}
	if revisions > 1 {
		w.Errorf("The pod template changed %d times while nothing that is wanted changed", revisions)
	}
	w.checkEnd(w.Objects[id])
}

func (w *world) checkEnd(ss *structpb.Struct) {
	w.Helper()
	if ss == nil {
		w.Fatalf("There is no StatefulSet in the end:\n%s", functest.AsYAML(w, w.XR))
	}

	wanted := w.wanted(ss)
	asWanted := functest.HashOf(wanted) == functest.HashOf(ss) && functest.StringOf(functest.Container(wanted), "image") == functest.StringOf(functest.Container(ss), "image") &&
		functest.SameValue(functest.ValueAt(functest.Container(wanted), "resources"), functest.ValueAt(functest.Container(ss), "resources"))

	configs := 1
	replicas := functest.ValueAt(ss, "spec", "replicas").GetNumberValue()
	switch manual := functest.StringOf(w.XR, "spec", "rollout", "policy") == "Manual"; {
	case asWanted && replicas > 0:
		w.saw("ended as wanted")
	case asWanted:
		w.saw("ended stopped")
	case manual && replicas > 0:
		w.saw("ended held")
		if got := functest.ConditionOf(w.XR, "RestartPending"); got != "True ManualPolicy" {
			w.Errorf("A server that waits for its user should say so, and RestartPending is %s", got)
		}
		if configMapOf(functest.TemplateOf(ss)) != configMapOf(functest.TemplateOf(wanted)) {
			configs = 2
		}
	default:
		w.Errorf("The server is not as it is wanted: -wanted, +got:\n%s", cmpText(functest.AsYAML(w, functest.TemplateOf(wanted)), functest.AsYAML(w, functest.TemplateOf(ss))))
	}
	if asWanted {
		if got := functest.ConditionOf(w.XR, "RestartPending"); got != "False UpToDate" {
			w.Errorf("The server is as it is wanted, and RestartPending is %s", got)
		}
	}
	if replicas > 0 && (w.pod == nil || !w.pod.started || !functest.SameValue(w.pod.template, functest.TemplateOf(ss))) {
		w.Errorf("The server does not run with its pod template: %v", w.pod)
	}
	if ids := w.configMaps(); len(ids) != configs && !w.leaky {
		w.Errorf("In the end there are %d ConfigMaps, want %d: %v", len(ids), configs, ids)
	}
	observed := 0
	for _, o := range w.Composed {
		if functest.StringOf(o, "kind") == "ConfigMap" {
			observed++
		}
	}
	if observed != configs {
		w.Errorf("In the end %d ConfigMaps are composed, want %d", observed, configs)
	}
}

// wanted is the StatefulSet that a new server would get. A restartToken that has been
// taken away stays the one that it was.
func (w *world) wanted(ss *structpb.Struct) *structpb.Struct {
	w.Helper()
	req := w.Request(&fnv1.Requirements{})
	delete(req.GetObserved().GetResources(), manifests.StatefulSetResource)
	req.RequiredResources = map[string]*fnv1.Resources{}
	token := functest.StringOf(ss, "spec", "template", "metadata", "annotations", manifests.AnnotationRestartToken)
	if token != "" && functest.StringOf(w.XR, "spec", "rollout", "restartToken") == "" {
		req.Observed.Composite.Resource = functest.With(w, req.GetObserved().GetComposite().GetResource(), "spec.rollout.restartToken", token)
	}
	for {
		rsp, err := w.f.RunFunction(w.Context(), req)
		if err != nil {
			w.Fatal(err)
		}
		more := false
		for name, sel := range rsp.GetRequirements().GetResources() {
			if _, answered := req.GetRequiredResources()[name]; answered {
				continue
			}
			more = true
			req.RequiredResources[name] = w.LookUp(sel)
			if sel.GetKind() == "StatefulSet" {
				req.RequiredResources[name] = &fnv1.Resources{}
			}
		}
		if more {
			continue
		}
		if functest.Desired(rsp, manifests.StatefulSetResource) == nil {
			w.Fatalf("A new server would not be created:\n%s", functest.AsYAML(w, rsp))
		}
		return functest.Desired(rsp, manifests.StatefulSetResource)
	}
}

// What is in pod templates.

func configMapOf(tmpl *structpb.Value) string {
	for _, v := range functest.ValueAt(tmpl.GetStructValue(), "spec", "volumes").GetListValue().GetValues() {
		if functest.StringOf(v.GetStructValue(), "name") == manifests.ConfigVolume {
			return functest.StringOf(v.GetStructValue(), "configMap", "name")
		}
	}
	return ""
}

func hashOfTemplate(tmpl *structpb.Value) string {
	return functest.StringOf(tmpl.GetStructValue(), "metadata", "annotations", manifests.AnnotationConfigHash)
}

// named says whether one of a list has a name.
func named(list *structpb.Value, name string) bool {
	return slices.ContainsFunc(list.GetListValue().GetValues(), func(v *structpb.Value) bool { return functest.StringOf(v.GetStructValue(), "name") == name })
}

// cmpText is the difference of two texts.
func cmpText(x, y string) string { return cmp.Diff(strings.Split(x, "\n"), strings.Split(y, "\n")) }

// changedLines are those lines of a difference that differ, as one.
func changedLines(diff string) string {
	lines := []string{}
	for line := range strings.SplitSeq(diff, "\n") {
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(lines, " ")
}
