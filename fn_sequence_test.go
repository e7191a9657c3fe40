package main

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
	kerrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

var sequences = flag.Uint64("sequences", usualSequences, "how many sequences TestAnySequence goes through")

const (
	usualSequences = 60
	stepsOfOne     = 40

	// LongestLag is how many reconciles and steps an observation may be behind.
	longestLag = 8
)

// TestAnySequence takes a server through all that may happen to it, in an order that
// is made at random: its spec, its Secrets and ConfigMaps of its user change, Crossplane is interrupted, is
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
	"advanced", "held for Secrets", "held for a ConfigMap", "held by Manual", "held for its ConfigMap", "moved by a token", "created", "replaced while stopped",
	"interrupted", "interrupted before the StatefulSet", "refused by quota", "late", "late hold", "lagging StatefulSet", "lagging ConfigMap", "lagging DittoServer", "lagging after a token", "lagging after a rollout",
	"conflict", "function crashed", "ConfigMap deleted", "ConfigMap restored", "StatefulSet orphaned", "DittoServer orphaned",
	"scaled", "restarted by kubectl", "webhook", "process restarted while held", "pod deleted while held", "pod deleted while replaced", "pod waits", "pod of an older template", "three changes in a hurry", "change taken back",
	"database pending", "database ready", "both keys of the database", "key of the database gone", "encrypted", "held for encryption", "ended held", "ended as wanted", "ended stopped",
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

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{
		cluster: newCluster(t), r: rand.New(rand.NewPCG(seed, 1)), seen: map[string]bool{},
		rendered: map[string]string{}, added: map[string]string{}, lost: map[string]bool{}, astray: true,
	}
	w.Unattended = true
	w.certificate = host.NewAuthority().Issue("files")
	if w.r.IntN(3) == 0 {
		w.UsePostgres()
	}
	if w.r.IntN(3) == 0 {
		w.encrypt()
	}
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
		{6, "change of a Secret", func() { w.changeSecret() }},
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
		{2, "database", w.database},
		{1, "encryption", w.encrypt},
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
