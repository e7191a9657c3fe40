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

	tokens, values   int
	certificate, key string
}

type moment struct {
	objects map[objectID]*structpb.Struct
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
	composition

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
	w.unattended = true
	w.certificate, w.key = newCertificate(t)
	w.restoreSecrets()
	if w.r.IntN(3) == 0 {
		w.set("spec.rollout.policy", "Manual")
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
			w.fail(nil, errors.New("cannot run Composition pipeline step: it is gone"))
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
	w.past = append(w.past, moment{objects: maps.Clone(w.objects), xr: w.xr})
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
func (w *world) seenBy(but trouble) (objects map[objectID]*structpb.Struct, xr *structpb.Struct) {
	objects, xr = maps.Clone(w.objects), w.xr
	if but.lag == 0 || len(w.past) == 0 {
		return objects, xr
	}
	then := w.past[max(len(w.past)-but.lag, 0)]
	lags := func(id objectID, _ *structpb.Struct) bool { return slices.Contains(but.kinds, id.kind) }
	maps.DeleteFunc(objects, lags)
	for id, o := range then.objects {
		if lags(id, o) {
			objects[id] = o
		}
	}
	if slices.Contains(but.kinds, "DittoServer") {
		xr = then.xr
		// To forget its references would be Crossplane's own defect.
		if crossplane := valueAt(w.xr, "spec", "crossplane"); crossplane != nil {
			xr = setAt(xr, crossplane, "spec", "crossplane")
		}
	}
	return objects, xr
}

// ask the function, as Crossplane does.
func (w *world) ask(but trouble) *call {
	w.Helper()
	w.pull()

	live, xr := w.objects, w.xr
	seen, told := w.seenBy(but)
	c := &call{missing: w.missing(told), stale: but.lag > 0, late: but.lag > 0 && !slices.Equal(but.kinds, []string{"StatefulSet"})}
	w.xr = told
	defer func() { w.objects, w.xr = live, xr }()

	// What is not in the cache is read from the API server.
	read := maps.Clone(seen)
	for id, o := range live {
		if _, cached := read[id]; !cached {
			read[id] = o
		}
	}
	w.objects = read
	observed, err := w.observe()
	if err != nil {
		w.Errorf("Crossplane can no longer call the function: %v", err)
	}
	w.objects = seen

	// It remembers what was required at last.
	required := &fnv1.Requirements{}
	if w.required != nil {
		required = w.required
	}
	for range maxCalls {
		c.req = w.requestOf(observed, required)
		rsp, err := w.f.RunFunction(w.Context(), c.req)
		if err != nil {
			w.Fatal(err)
		}
		if w.r.IntN(4) == 0 { // It takes as long as the function does.
			for _, v := range violations(c.req, rsp) {
				w.Errorf("f.RunFunction(...): %s", v)
			}
		}
		stable := proto.Equal(required, rsp.GetRequirements())
		required = rsp.GetRequirements()
		c.composition = composition{observed: observed, rsp: rsp}
		if stable || isFatal(rsp) {
			w.required = required
			w.record(c)
			return c
		}
	}
	w.Fatalf("The function's requirements are not stable after %d calls", maxCalls)
	return nil
}

// record what a response says, and check that what belongs together is in it.
func (w *world) record(c *call) {
	w.Helper()
	ss := desired(c.rsp, manifests.StatefulSetResource)
	if ss == nil || templateOf(ss) == nil {
		return
	}
	observed := c.observed[manifests.StatefulSetResource]
	name := configMapOf(templateOf(ss))
	config, found := "", false
	for _, r := range c.rsp.GetDesired().GetResources() {
		if o := r.GetResource(); stringOf(o, "kind") == "ConfigMap" && stringOf(o, "metadata", "name") == name {
			config, found = stringOf(o, "data", dittofs.ConfigFile), true
		}
	}
	if !found {
		w.Errorf("The desired pod template names ConfigMap %q, which is not desired", name)
	}
	if noted := stringOf(ss, "metadata", "annotations", manifests.AnnotationConfig); noted != config {
		w.Errorf("The StatefulSet's own annotation should have the configuration that the template names: -annotation, +ConfigMap:\n%s", cmpText(noted, config))
	}
	h := hashOf(ss)
	if before, known := w.rendered[h]; known && before != config {
		w.Errorf("One hash stands for two configurations: -before, +now:\n%s", cmpText(before, config))
	}
	w.rendered[h] = config

	held := strings.TrimPrefix(condition(c.rsp, "RestartPending"), "TRUE ")
	switch {
	case observed == nil:
	case hashOf(observed) != h:
		w.saw("advanced")
		w.sayf("  it advances from %.6s to %.6s", hashOf(observed), h)
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
	id := objectID{"StatefulSet", xrNamespace, "files"}
	before := w.objects[id]

	applied := []string{}
	c.refuse = func(id objectID) error {
		if after >= 0 && len(applied) == after {
			return errCrash
		}
		if w.quota && id.kind == "ConfigMap" && w.objects[id] == nil {
			w.saw("refused by quota")
			return kerrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, id.name, errors.New("exceeded quota"))
		}
		applied = append(applied, id.kind)
		return nil
	}
	err := w.compose(c.composition)
	w.sayf("  applied %v: %v", applied, err)

	live := w.objects[id]
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
	w.unsaid = err != nil && (w.unsaid || before == nil || live == nil || !sameValue(templateOf(before), templateOf(live)))
	return err
}

// checkChange checks why a reconcile has changed what is ours of the pod template, and
// that it has changed nothing else.
func (w *world) checkChange(c *call, before, live *structpb.Struct) {
	w.Helper()
	if live == nil || sameValue(templateOf(before), templateOf(live)) {
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
		if got := stringAt(w, live, field); got != value {
			w.Errorf("%s, which somebody else has set to %q, is %q", field, value, got)
		}
	}

	for _, name := range w.injected {
		if !named(valueAt(container(live), "env"), name) || !named(valueAt(live, "spec", "template", "spec", "volumes"), name) {
			w.Errorf("Variable or volume %q, which somebody else has added, is gone", name)
		}
	}

	was, is := w.owned(before), w.owned(live)
	if was == is {
		return
	}
	w.sayf("  the template is another one: %s", changedLines(cmpText(was, is)))
	policy := valueAt(c.req.GetObserved().GetComposite().GetResource(), "spec", "rollout", "policy").GetStringValue()
	token := valueAt(c.req.GetObserved().GetComposite().GetResource(), "spec", "rollout", "restartToken").GetStringValue()
	old := stringOf(before, "spec", "template", "metadata", "annotations", manifests.AnnotationRestartToken)
	runs := valueAt(before, "spec", "replicas").GetNumberValue() > 0
	switch {
	case c.observed[manifests.StatefulSetResource] == nil && c.stale:
		// What is to be created cannot know what it meets.
	case c.missing:
		w.Errorf("The pod template changed while Secrets are missing: -before, +now:\n%s", cmpText(was, is))
	case policy == "Manual" && runs && (token == "" || token == old):
		w.Errorf("The pod template changed under the policy Manual without a new token (%q): -before, +now:\n%s", token, cmpText(was, is))
	case c.stale && !c.late && policy != "Manual" && hashOf(w.wanted(before)) == hashOf(before) && hashOf(before) != hashOf(live):
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
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(asUnstructured(ss).Object, typed); err != nil {
		w.Fatal(err)
	}
	a, err := applyappsv1.ExtractStatefulSet(typed, w.manager())
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
		if w.lost[id.name] {
			delete(w.lost, id.name)
			w.saw("ConfigMap restored")
		}
	}
	if w.astray {
		if w.pod != nil && w.objects[objectID{"ConfigMap", xrNamespace, configMapOf(w.pod.template)}] == nil {
			w.lost[configMapOf(w.pod.template)] = true
		}
		return
	}
	// What is stopped, or starts, waits for its ConfigMap.
	if ss := w.objects[objectID{"StatefulSet", xrNamespace, "files"}]; ss != nil && w.pod != nil && w.pod.started {
		w.checkConfigMap("pod template", templateOf(ss))
	}
	if w.pod != nil && w.pod.started && !w.lost[configMapOf(w.pod.template)] {
		w.checkConfigMap("pod", w.pod.template)
	}
}

func (w *world) checkConfigMap(what string, tmpl *structpb.Value) {
	w.Helper()
	cm := w.objects[objectID{"ConfigMap", xrNamespace, configMapOf(tmpl)}]
	if cm == nil {
		w.Errorf("The %s names ConfigMap %q, which is not there: the server would not start again", what, configMapOf(tmpl))
	} else if got, want := stringOf(cm, "data", dittofs.ConfigFile), w.rendered[hashOfTemplate(tmpl)]; got != want {
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
		w.order = []string{manifests.StatefulSetResource}
		defer func() { w.order = nil }()
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
	if w.kept == nil || stringOf(w.kept.req.GetObserved().GetComposite().GetResource(), "metadata", "uid") != stringOf(w.xr, "metadata", "uid") {
		w.kept = nil
		w.keep()
		return
	}
	c := w.kept
	w.kept = nil
	w.saw("late")
	if observed := c.observed[manifests.StatefulSetResource]; observed != nil && hashOf(observed) == hashOf(desired(c.rsp, manifests.StatefulSetResource)) {
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
	w.set("spec.rollout.policy", pickOf(w.r, "Manual", "Automatic"))
	for range 2 {
		w.newToken()
		_ = w.reconciled(nothing)
		_ = w.reconciled(nothing)
		w.controllers()
	}
	if w.r.IntN(2) == 0 {
		w.changeSpec()
	} else if valueAt(w.xr, "spec", "rollout", "restartToken") != nil {
		w.unset("spec.rollout.restartToken")
	}
	w.saw("lagging after a token")
	w.lag(trouble{after: -1, lag: 2 + w.r.IntN(longestLag-1), kinds: []string{"StatefulSet"}})
}

// lagAfterRollout has a server go from one configuration to another, a third one
// wanted, and the StatefulSet observed as it was with the first one.
func (w *world) lagAfterRollout() {
	w.set("spec.rollout.policy", "Automatic")
	for range 2 {
		w.values++
		w.set("spec.controlPlane.port", 9100+w.values)
		_ = w.reconciled(nothing)
		_ = w.reconciled(nothing)
		w.control()
		w.controllers()
		w.remember()
	}
	w.values++
	w.set("spec.controlPlane.port", 9100+w.values)
	w.saw("lagging after a rollout")
	w.lag(trouble{after: -1, lag: 2 + w.r.IntN(longestLag-1), kinds: []string{"StatefulSet"}})
}

// What people do.

func (w *world) changeSpec() {
	n := func(i int) int { return w.r.IntN(i) }
	changes := []func() (string, any){
		func() (string, any) { return "spec.controlPlane.port", 8080 + n(3) },
		func() (string, any) { return "spec.logging.level", pickOf(w.r, "DEBUG", "INFO", "WARN") },
		func() (string, any) { return "spec.image", fmt.Sprint("example.com/dittofs:v", n(3)) },
		func() (string, any) { return "spec.resources.limits.memory", fmt.Sprint(1+n(3), "Gi") },
		func() (string, any) { return "spec.metrics.enabled", n(2) == 0 },
		func() (string, any) { return "spec.shutdownTimeout", fmt.Sprint(10+n(3), "s") },
		func() (string, any) { return "spec.controlPlane.certSecretName", pickOf(w.r, "tls", "") },
		func() (string, any) { return "spec.rollout.policy", pickOf(w.r, "Manual", "Automatic") },
		func() (string, any) { return "spec.replicas", min(n(4), 1) },
	}
	path, value := changes[n(len(changes))]()
	w.sayf("  %s: %v", path, value)
	if value == "" {
		if valueAt(w.xr, strings.Split(path, ".")...) != nil {
			w.unset(path)
		}
		return
	}
	w.set(path, value)
}

func (w *world) takeBack() {
	before := w.xr
	w.changeSpec()
	_ = w.reconciled(nothing)
	if w.r.IntN(2) == 0 {
		w.control()
	}
	crossplane := valueAt(w.xr, "spec", "crossplane")
	w.xr = setAt(w.xr, valueAt(before, "spec"), "spec")
	if crossplane != nil {
		w.xr = setAt(w.xr, crossplane, "spec", "crossplane")
	}
	w.saw("change taken back")
	_ = w.reconciled(nothing)
}

func (w *world) newToken() {
	w.tokens++
	if w.r.IntN(5) == 0 && valueAt(w.xr, "spec", "rollout", "restartToken") != nil {
		w.sayf("  none")
		w.unset("spec.rollout.restartToken")
		return
	}
	w.set("spec.rollout.restartToken", fmt.Sprint("token-", w.tokens))
}

func (w *world) changeSecret() {
	w.values++
	n := w.r.IntN(7)
	w.sayf("  %d", n)
	switch n {
	case 0, 1:
		w.setSecret("jwt", "key", fmt.Sprint(strings.Repeat("k", 32), w.values))
	case 2:
		w.setSecret("admin", "password", fmt.Sprint(adminPassword, w.values))
	case 3:
		w.deleteSecret(pickOf(w.r, "jwt", "admin", "tls"))
	case 4:
		w.setSecret(pickOf(w.r, "jwt", "admin"), "key", "short")
		w.setSecret("admin", "password", "")
	default:
		w.restoreSecrets()
	}
}

func (w *world) restoreSecrets() {
	w.setSecret("jwt", "key", jwtKey)
	w.setSecret("admin", "password", adminPassword)
	w.setSecret("tls", "tls.crt", w.certificate)
	w.setSecret("tls", "tls.key", w.key)
}

// missing says whether a Secret that a DittoServer refers to is not as it should be.
func (w *world) missing(xr *structpb.Struct) bool {
	has := func(name, key string, least int) bool {
		return len(valueAt(w.objects[objectID{"Secret", xrNamespace, name}], "data", key).GetStringValue()) >= least
	}
	return !has("jwt", "key", 44) || !has("admin", "password", 1) ||
		stringOf(xr, "spec", "controlPlane", "certSecretName") != "" && (!has("tls", "tls.crt", 1) || !has("tls", "tls.key", 1)) ||
		valueAt(xr, "spec", "percona", "enabled").GetBoolValue() && !has("files-postgres-pguser-dittofs", "password", 1)
}

// database turns Percona's on, and then has it become ready. It is not turned off
// again, which is refused.
func (w *world) database() {
	if !valueAt(w.xr, "spec", "percona", "enabled").GetBoolValue() {
		w.set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true})
		w.sayf("  is on")
		return
	}
	w.databaseReady()
}

func (w *world) databaseReady() {
	if w.composed[manifests.PerconaResource] == nil {
		return
	}
	for key, value := range map[string]string{"host": "db", "port": "5432", "dbname": "dittofs", "user": "dittofs", "password": "battery staple"} {
		w.setSecret("files-postgres-pguser-dittofs", key, value)
	}
	w.edit(manifests.PerconaResource, "status.state", "ready")
	w.sayf("  is ready")
	w.saw("database ready")
}

func (w *world) configMaps() []objectID {
	ids := []objectID{}
	for id, o := range w.objects {
		if id.kind == "ConfigMap" && stringOf(o, "metadata", "labels", manifests.LabelServer) == "files" {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b objectID) int { return strings.Compare(a.name, b.name) })
	return ids
}

func (w *world) deleteConfigMap() {
	if ids := w.configMaps(); len(ids) > 0 {
		id := ids[w.r.IntN(len(ids))]
		w.sayf("  %s", id.name)
		w.deleteObject(id.kind, id.name)
		w.saw("ConfigMap deleted")
		w.lost[id.name], w.astray = true, true
	}
}

func (w *world) orphanStatefulSet() {
	if w.stored("StatefulSet", "files") != nil {
		w.deleteObject("StatefulSet", "files")
		w.added, w.injected = map[string]string{}, nil
		w.saw("StatefulSet orphaned")
	}
}

// orphanDittoServer deletes the DittoServer and leaves its objects, and creates it
// again.
func (w *world) orphanDittoServer() {
	w.pull()
	uid := stringOf(w.xr, "metadata", "uid")
	for id, o := range w.objects {
		if controller(o) == uid {
			w.update(id, "kube-controller-manager", func(o *structpb.Struct) *structpb.Struct { return without(w, o, "metadata.ownerReferences") })
		}
	}
	w.values++
	w.xr = without(w, setAt(setAt(w.xr, fmt.Sprint("uid-", w.values), "metadata", "uid"), 1, "metadata", "generation"), "status")
	w.xr = without(w, w.xr, "spec.crossplane")
	w.required, w.past, w.kept = nil, nil, nil
	w.show()
	w.saw("DittoServer orphaned")
	if w.stored("StatefulSet", "files") == nil {
		w.leaky = true
	}
}

func (w *world) scale() {
	if w.stored("StatefulSet", "files") != nil {
		w.updateAs("kubectl", "StatefulSet", "files", map[string]any{"spec.replicas": w.r.IntN(2)})
		w.saw("scaled")
	}
}

// addToTemplate has somebody else set a field of the pod template.
func (w *world) addToTemplate(manager, field, value string) {
	w.updateAs(manager, "StatefulSet", "files", map[string]any{field: value})
	w.added[field] = value
}

func (w *world) restartByKubectl() {
	if w.stored("StatefulSet", "files") == nil {
		return
	}
	w.values++
	w.addToTemplate("kubectl-rollout", "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]", fmt.Sprint("at ", w.values))
	w.saw("restarted by kubectl")
}

// webhook adds a variable and a volume, as one does that injects something.
func (w *world) webhook() {
	ss := w.stored("StatefulSet", "files")
	if ss == nil {
		return
	}
	w.values++
	name := fmt.Sprint("webhook-", w.values)
	env := len(valueAt(container(ss), "env").GetListValue().GetValues())
	volumes := len(valueAt(ss, "spec", "template", "spec", "volumes").GetListValue().GetValues())
	w.updateAs("webhook", "StatefulSet", "files", map[string]any{
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
	ss := w.objects[objectID{"StatefulSet", xrNamespace, "files"}]
	switch {
	case ss == nil: // The pod is an orphan, until there is another one.
	case valueAt(ss, "spec", "replicas").GetNumberValue() == 0:
		w.pod = nil
	case w.pod == nil:
		w.pod = &pod{template: templateOf(ss)}
	case !sameValue(w.pod.template, templateOf(ss)):
		w.pod = nil
	}
}

// hesitate has the controller of StatefulSets see the newest template, and not get to
// the pod.
func (w *world) hesitate() {
	if ss := w.objects[objectID{"StatefulSet", xrNamespace, "files"}]; w.pod != nil && ss != nil && !sameValue(w.pod.template, templateOf(ss)) {
		w.saw("pod of an older template")
	}
	w.status()
}

// status says what the controller of StatefulSets has done.
func (w *world) status() {
	w.pull()
	id := objectID{"StatefulSet", xrNamespace, "files"}
	ss := w.objects[id]
	if ss == nil {
		return
	}
	count := map[string]float64{"replicas": 0, "updatedReplicas": 0, "readyReplicas": 0, "currentReplicas": 0, "availableReplicas": 0}
	if w.pod != nil {
		count["replicas"] = 1
		if sameValue(w.pod.template, templateOf(ss)) {
			count["updatedReplicas"] = 1
		}
		if w.pod.started {
			count["readyReplicas"], count["availableReplicas"] = 1, 1
		}
	}
	status := rolledOut(ss)
	for name, n := range count {
		status.GetStructValue().Fields[name] = structpb.NewNumberValue(n)
	}
	w.put(id, setAt(ss, status, "status"))
	w.show()
}

// kubelet starts the pod, if all is there that it needs.
func (w *world) kubelet() {
	if w.pod == nil || w.pod.started {
		return
	}
	cm := w.objects[objectID{"ConfigMap", xrNamespace, configMapOf(w.pod.template)}]
	if cm == nil && !w.pod.mounted || !w.secretsOf(w.pod.template) {
		w.saw("pod waits")
		return
	}
	if cm != nil {
		w.pod.config = stringOf(cm, "data", dittofs.ConfigFile)
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
	for _, c := range valueAt(w.pod.template.GetStructValue(), "spec", "containers").GetListValue().GetValues() {
		for _, p := range valueAt(c.GetStructValue(), "ports").GetListValue().GetValues() {
			opened[stringOf(p.GetStructValue(), "name")] = valueAt(p.GetStructValue(), "containerPort").GetNumberValue()
		}
	}
	if !maps.Equal(ports, opened) {
		w.Errorf("The server listens on %v, and the pod opens %v", ports, opened)
	}
}

// secretsOf says whether all Secrets are there that a pod cannot start without.
func (w *world) secretsOf(tmpl *structpb.Value) bool {
	there := func(ref *structpb.Struct, name, key string) bool {
		s := w.objects[objectID{"Secret", xrNamespace, name}]
		return valueAt(ref, "optional").GetBoolValue() || s != nil && (key == "" || valueAt(s, "data", key) != nil)
	}
	for _, c := range valueAt(tmpl.GetStructValue(), "spec", "containers").GetListValue().GetValues() {
		for _, e := range valueAt(c.GetStructValue(), "env").GetListValue().GetValues() {
			if ref := valueAt(e.GetStructValue(), "valueFrom", "secretKeyRef").GetStructValue(); ref != nil && !there(ref, stringOf(ref, "name"), stringOf(ref, "key")) {
				return false
			}
		}
	}
	for _, v := range valueAt(tmpl.GetStructValue(), "spec", "volumes").GetListValue().GetValues() {
		if ref := valueAt(v.GetStructValue(), "secret").GetStructValue(); ref != nil && !there(ref, stringOf(ref, "secretName"), "") {
			return false
		}
	}
	return true
}

// held says whether the server has yet to become what it is wanted to be.
func (w *world) held() bool {
	switch reason := conditionOf(w.xr, "RestartPending"); reason {
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
	ss := w.objects[objectID{"StatefulSet", xrNamespace, "files"}]
	if w.pod == nil || ss == nil || valueAt(ss, "spec", "replicas").GetNumberValue() == 0 {
		return
	}
	before := w.pod
	unchanged := sameValue(before.template, templateOf(ss))
	switch {
	case !unchanged:
		w.saw("pod deleted while replaced")
	case w.held():
		w.saw("pod deleted while held")
	}
	w.pod = &pod{template: templateOf(ss)}
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
	id := objectID{"StatefulSet", xrNamespace, "files"}
	_ = w.reconciled(nothing)
	if valueAt(w.xr, "spec", "percona", "enabled").GetBoolValue() {
		w.databaseReady()
	}

	revisions := 0
	for i := 0; ; i++ {
		before, xr := maps.Clone(w.objects), w.xr
		if err := w.reconciled(nothing); err != nil && !kerrors.IsConflict(err) {
			w.Fatalf("Nothing goes wrong any more, and yet: %v", err)
		}
		if old, now := before[id], w.objects[id]; old != nil && now != nil && !sameValue(templateOf(old), templateOf(now)) && w.owned(old) != w.owned(now) {
			revisions++
		}
		w.control()
		w.control()
		w.kubelet()
		w.status()
		w.check()
		if maps.EqualFunc(before, w.objects, same) && same(xr, w.xr) {
			break
		}
		if i == 12 {
			w.Fatalf("The cluster does not come to rest:\n%s", asYAML(w, w.xr))
		}
	}
	if revisions > 1 {
		w.Errorf("The pod template changed %d times while nothing that is wanted changed", revisions)
	}
	w.checkEnd(w.objects[id])
}

func (w *world) checkEnd(ss *structpb.Struct) {
	w.Helper()
	if ss == nil {
		w.Fatalf("There is no StatefulSet in the end:\n%s", asYAML(w, w.xr))
	}

	wanted := w.wanted(ss)
	asWanted := hashOf(wanted) == hashOf(ss) && stringOf(container(wanted), "image") == stringOf(container(ss), "image") &&
		sameValue(valueAt(container(wanted), "resources"), valueAt(container(ss), "resources"))

	configs := 1
	replicas := valueAt(ss, "spec", "replicas").GetNumberValue()
	switch manual := stringOf(w.xr, "spec", "rollout", "policy") == "Manual"; {
	case asWanted && replicas > 0:
		w.saw("ended as wanted")
	case asWanted:
		w.saw("ended stopped")
	case manual && replicas > 0:
		w.saw("ended held")
		if got := conditionOf(w.xr, "RestartPending"); got != "True ManualPolicy" {
			w.Errorf("A server that waits for its user should say so, and RestartPending is %s", got)
		}
		if configMapOf(templateOf(ss)) != configMapOf(templateOf(wanted)) {
			configs = 2
		}
	default:
		w.Errorf("The server is not as it is wanted: -wanted, +got:\n%s", cmpText(asYAML(w, templateOf(wanted)), asYAML(w, templateOf(ss))))
	}
	if asWanted {
		if got := conditionOf(w.xr, "RestartPending"); got != "False UpToDate" {
			w.Errorf("The server is as it is wanted, and RestartPending is %s", got)
		}
	}
	if replicas > 0 && (w.pod == nil || !w.pod.started || !sameValue(w.pod.template, templateOf(ss))) {
		w.Errorf("The server does not run with its pod template: %v", w.pod)
	}
	if ids := w.configMaps(); len(ids) != configs && !w.leaky {
		w.Errorf("In the end there are %d ConfigMaps, want %d: %v", len(ids), configs, ids)
	}
	observed := 0
	for _, o := range w.composed {
		if stringOf(o, "kind") == "ConfigMap" {
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
	req := w.request(&fnv1.Requirements{})
	delete(req.GetObserved().GetResources(), manifests.StatefulSetResource)
	req.RequiredResources = map[string]*fnv1.Resources{}
	token := stringOf(ss, "spec", "template", "metadata", "annotations", manifests.AnnotationRestartToken)
	if token != "" && stringOf(w.xr, "spec", "rollout", "restartToken") == "" {
		req.Observed.Composite.Resource = with(w, req.GetObserved().GetComposite().GetResource(), "spec.rollout.restartToken", token)
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
			req.RequiredResources[name] = w.lookUp(sel)
			if sel.GetKind() == "StatefulSet" {
				req.RequiredResources[name] = &fnv1.Resources{}
			}
		}
		if more {
			continue
		}
		if desired(rsp, manifests.StatefulSetResource) == nil {
			w.Fatalf("A new server would not be created:\n%s", asYAML(w, rsp))
		}
		return desired(rsp, manifests.StatefulSetResource)
	}
}

// What is in pod templates.

func configMapOf(tmpl *structpb.Value) string {
	for _, v := range valueAt(tmpl.GetStructValue(), "spec", "volumes").GetListValue().GetValues() {
		if stringOf(v.GetStructValue(), "name") == manifests.ConfigVolume {
			return stringOf(v.GetStructValue(), "configMap", "name")
		}
	}
	return ""
}

func hashOfTemplate(tmpl *structpb.Value) string {
	return stringOf(tmpl.GetStructValue(), "metadata", "annotations", manifests.AnnotationConfigHash)
}

func templateOf(ss *structpb.Struct) *structpb.Value { return valueAt(ss, "spec", "template") }

// named says whether one of a list has a name.
func named(list *structpb.Value, name string) bool {
	return slices.ContainsFunc(list.GetListValue().GetValues(), func(v *structpb.Value) bool { return stringOf(v.GetStructValue(), "name") == name })
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

func pickOf(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }
