package e2e

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// The fleet's Composition, the label by which the CronOperation selects its servers, and
// how many of these may be unavailable at once.
const (
	fleetName  = "waves"
	fleetLabel = "waves"
	waveSize   = 5
)

// The images that a fleet is upgraded to, one after the other.
const (
	fleetFirst  = "marmos91c/dittofs:v0.29.0"
	fleetNext   = "marmos91c/dittofs:v0.29.1"
	fleetBroken = "marmos91c/dittofs:" + brokenTag
	fleetMended = "marmos91c/dittofs:v0.29.2"
)

// A fleetInWaves is servers that are restarted in waves, and what was seen of them.
type fleetInWaves struct {
	*scenario

	servers    []*server // That are to be restarted, in the order in which they are.
	others     []*server // Of the same Composition, but not selected.
	paused     *server
	secretless *server

	cron  *cron
	specs map[*server]map[string]any // As their users have decided.
	named map[string]int             // How often waves have restarted each.
	waves []operation
	down  *downtime
}

// waves upgrades a fleet under a CronOperation. It holds still when a wave does not come
// back, and goes on when that is mended.
func waves(s *scenario) {
	startKwok(s.ctx, s)
	f := newFleetInWaves(s)
	all := plural(len(f.servers), "server")

	s.expect(all+" under the Input's Manual, and another image in the Input", "all wait, 0 restarts", func() string {
		f.upgrade(fleetNext)
		must(s, onEach(f.except([]*server{f.paused}), func(srv *server) error { return srv.reconcile(s.ctx) }))
		return "all wait, " + f.restarts(f.except(), 0)
	})

	var first, second, third []string
	s.expect("a CronOperation that restarts them, 5 at most", "5 restarted, then 5 others", func() string {
		f.cron = s.cron(fleetName, *everyWave, map[string]any{
			"kind": "Restart", "maxUnavailable": int64(waveSize), "selector": map[string]any{"matchLabels": map[string]any{fleetLabel: "yes"}},
		})
		first = f.wave().applied()
		f.run(first, fleetNext)
		second = f.wave().applied()
		f.cron.pause()
		f.run(second, fleetNext)
		if slices.ContainsFunc(second, func(n string) bool { return slices.Contains(first, n) }) {
			return fmt.Sprintf("%v, then %v", first, second)
		}
		return fmt.Sprintf("%d restarted, then %d others", len(first), len(second))
	})
	upgraded := f.serversOf(append(slices.Clone(first), second...))
	s.expect("and nothing else", "10 times 1 restart, 0 restarts", func() string {
		return f.restarts(upgraded, 1) + ", " + f.restarts(f.except(upgraded), 0)
	})

	const idle = 3
	s.expect("an image that does not start, after the second wave", fmt.Sprintf("5 others restarted that do not come back, and in %d more waves none: each names the 5, and warns", idle), func() string {
		f.upgrade(fleetBroken)
		third = f.wave().applied()
		f.startedWith(third, fleetBroken)
		// Those have waited for longer than who has just been restarted.
		if slices.ContainsFunc(f.serversOf(third), func(srv *server) bool { return slices.Contains(upgraded, srv) }) {
			return fmt.Sprintf("%v, then %v", upgraded, third)
		}
		for range idle {
			w := f.wave()
			if got := w.applied(); len(got) > 0 {
				return fmt.Sprintf("%v restarted", got)
			}
			if got := w.named("unhealthy", "inFlight"); !slices.Equal(got, third) {
				return fmt.Sprintf("%v are unavailable, and it names %s", third, w.text())
			}
			s.Log(s.warningsOf(w))
		}
		return fmt.Sprintf("%d others restarted that do not come back, and in %d more waves none: each names the %d, and warns", len(third), idle, len(third))
	})
	broken := f.serversOf(third)
	s.expect("and nothing else, of those that wait", "5 times 1 restart, 0 restarts", func() string {
		rest := f.except(broken)
		must(s, onEach(f.except(broken, []*server{f.paused}), func(srv *server) error { return srv.reconcile(s.ctx) }))
		return f.restarts(broken, 1) + ", " + f.restarts(rest, 0)
	})

	s.expect("the image mended", "the 5 that are down first, then all others, all run with it", func() string {
		f.upgrade(fleetMended)
		w := f.wave()
		if got := w.applied(); !slices.Equal(got, third) {
			return fmt.Sprintf("%v were down, and %v are restarted first", third, got)
		}
		f.run(third, fleetMended)
		f.untilNamed(f.except(broken, f.others, []*server{f.paused, f.secretless}), fleetMended)
		return "the 5 that are down first, then all others, all run with it"
	})
	s.expect("each restarted once for each image that it was to run, and none beside the selection", "30 times 1 restart, 0 restarts", func() string {
		must(s, onEach(f.others, func(srv *server) error { return srv.settle(s.ctx) }))
		return f.restarts(f.servers, 1) + ", " + f.restarts(f.except(f.servers), 0)
	})
	s.expect("what the waves have named", "each restart, and no other", func() string {
		for _, srv := range f.servers {
			want := 1 // For the last image.
			for _, before := range [][]*server{upgraded, broken} {
				if slices.Contains(before, srv) {
					want++
				}
			}
			if got := f.named[srv.String()]; got != want {
				return fmt.Sprintf("%s %d times", srv, got)
			}
		}
		if len(f.named) != len(f.servers) {
			return plural(len(f.named), "server")
		}
		return "each restart, and no other"
	})
	s.expect("at any moment since the first wave", "5 unavailable at most", func() string {
		return fmt.Sprintf("%d unavailable at most", f.down.most(time.Time{}, time.Now()))
	})
	s.expect("what the waves have written of them", "the token, and nothing else", f.onlyTokens)

	f.late()
	f.gitOps()

	s.expect("the CronOperation deleted", "gone, with its Operations", func() string {
		s.deleted(operationsVersion, "CronOperation", "", fleetName)
		must(s, await(s.ctx, "the Operations to be gone", func(ctx context.Context) error {
			left, err := f.cron.operations(ctx)
			if err == nil && len(left) > 0 {
				err = fmt.Errorf("there is %s", left[0].GetName())
			}
			return err
		}))
		return "gone, with its Operations"
	})
	f.measureWaves()
}

// newFleetInWaves creates the servers, which are ready then.
func newFleetInWaves(s *scenario) *fleetInWaves {
	s.Helper()
	const namespaces, perNamespace = 3, 10
	f := &fleetInWaves{scenario: s, specs: map[*server]map[string]any{}, named: map[string]int{}}
	must(s, s.composition(fleetName, fleetInput(fleetFirst)))
	for i := range namespaces {
		ns := fmt.Sprintf("%s-%d", fleetName, i)
		must(s, s.createNamespace(ns))
		for n := range perNamespace {
			f.servers = append(f.servers, s.suite.server(ns, fmt.Sprintf("server-%d", n)))
		}
		must(s, f.servers[len(f.servers)-1].createSecrets(s.ctx, basicSecrets()))
	}
	// They are among the others, by their names.
	f.others = []*server{s.suite.server(fleetName+"-0", "another"), s.suite.server(fleetName+"-2", "server-another")}
	f.paused, f.secretless = s.suite.server(fleetName+"-1", "paused"), s.suite.server(fleetName+"-1", "secretless")
	must(s, f.secretless.createSecret(s.ctx, f.secretless.Name, map[string]string{"key": newKey()}))

	must(s, onEach(f.except(), func(srv *server) error {
		if err := s.cluster.apply(s.ctx, f.manifest(srv)); err != nil {
			return err
		}
		if err := srv.awaitReady(s.ctx); err != nil {
			return err
		}
		return srv.settle(s.ctx)
	}))
	must(s, s.cluster.CoreV1().Secrets(f.secretless.Namespace).Delete(s.ctx, f.secretless.Name, metav1.DeleteOptions{}))
	must(s, f.secretless.awaitReason(s.ctx, "RestartPending", "SecretsMissing"))
	must(s, f.paused.pause(s.ctx, "true"))
	must(s, f.paused.awaitPaused(s.ctx))
	for _, srv := range f.except() {
		f.restartsSince(srv)
		f.specs[srv] = f.decided(srv)
	}
	f.down = s.downtimeOf(f.except(f.others))
	return f
}

// fleetInput is what the platform team decides for the fleet.
func fleetInput(image string) map[string]any {
	return map[string]any{"image": image, "rollout": map[string]any{"policy": "Manual"}}
}

// manifest is a DittoServer of the fleet as its users have it.
func (f *fleetInWaves) manifest(srv *server) *unstructured.Unstructured {
	label, jwt := "yes", "jwt"
	if slices.Contains(f.others, srv) {
		label = "no"
	}
	if srv == f.secretless {
		jwt = srv.Name
	}
	spec := basicSpec()
	spec["crossplane"] = map[string]any{"compositionRef": map[string]any{"name": fleetName}}
	spec["nodeSelector"] = map[string]any{kwokLabel: ""}
	spec["storage"].(map[string]any)["storageClassName"] = kwokNode // Nobody makes such volumes.
	spec["identity"].(map[string]any)["jwt"] = map[string]any{"secretRef": map[string]any{"name": jwt, "key": "key"}}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": dittoServers.GroupVersion().String(), "kind": "DittoServer",
		"metadata": map[string]any{"name": srv.Name, "namespace": srv.Namespace, "labels": map[string]any{fleetLabel: label}},
		"spec":     spec,
	}}
}

// decided is the spec of a DittoServer without what Crossplane, the tests (reconcile) and
// the waves write.
func (f *fleetInWaves) decided(srv *server) map[string]any {
	f.Helper()
	xr, err := srv.xr(f.ctx)
	must(f, err)
	spec, _, err := unstructured.NestedMap(xr.Object, "spec")
	must(f, err)
	delete(spec, "crossplane")
	delete(spec, "service")
	unstructured.RemoveNestedField(spec, "rollout", "restartToken")
	if r, ok := spec["rollout"].(map[string]any); ok && len(r) == 0 {
		delete(spec, "rollout")
	}
	return spec
}

// except are all servers but some.
func (f *fleetInWaves) except(some ...[]*server) []*server {
	all := slices.Concat(f.servers, f.others, []*server{f.paused, f.secretless})
	return slices.DeleteFunc(all, func(srv *server) bool {
		return slices.ContainsFunc(some, func(s []*server) bool { return slices.Contains(s, srv) })
	})
}

// serversOf are the servers of some names.
func (f *fleetInWaves) serversOf(names []string) (some []*server) {
	for _, srv := range f.except() {
		if slices.Contains(names, srv.String()) {
			some = append(some, srv)
		}
	}
	return some
}

// upgrade puts another image into the Input, while no wave comes, and waits until all wait
// for it that can.
func (f *fleetInWaves) upgrade(image string) {
	f.Helper()
	if f.cron != nil {
		f.cron.pause()
		for _, w := range f.cron.missed() {
			f.sawWave(w)
		}
	}
	pending := func(srv *server) string {
		xr, err := srv.xr(f.ctx)
		must(f, err)
		hash, _, _ := unstructured.NestedString(xr.Object, "status", "pendingHash")
		return hash
	}
	before := map[*server]string{}
	can := f.except([]*server{f.paused, f.secretless})
	for _, srv := range can {
		before[srv] = pending(srv)
	}
	must(f, f.composition(fleetName, fleetInput(image)))
	must(f, onEach(can, func(srv *server) error {
		return srv.awaitXR(f.ctx, "wait for "+image, func(xr *unstructured.Unstructured) error {
			hash, _, _ := unstructured.NestedString(xr.Object, "status", "pendingHash")
			if c := condition(xr, "RestartPending"); c["reason"] != "ManualPolicy" || hash == "" || hash == before[srv] {
				return fmt.Errorf("condition RestartPending is %v, the pending hash %q", c, hash)
			}
			return nil
		})
	}))
	if f.cron != nil {
		f.cron.resume()
	}
}

// wave waits for the next wave.
func (f *fleetInWaves) wave() operation {
	f.Helper()
	w := f.cron.next()
	f.sawWave(w)
	return w
}

func (f *fleetInWaves) sawWave(w operation) {
	f.Helper()
	f.Log(w.created.Format(time.TimeOnly), w.name, plural(int(w.failures), "failure"), w.text())
	f.waves = append(f.waves, w)
	if got := w.named("restarted"); w.failures == 0 && !slices.Equal(got, w.applied()) {
		f.Errorf("%s names %v, and has restarted %v", w.name, got, w.applied())
	}
	for _, n := range w.applied() {
		f.named[n]++
	}
}

// run waits until servers run with an image.
func (f *fleetInWaves) run(names []string, image string) {
	f.Helper()
	f.startedWith(names, image)
	must(f, onEach(f.serversOf(names), func(srv *server) error {
		if err := srv.awaitReason(f.ctx, "RestartPending", "UpToDate"); err != nil {
			return err
		}
		return srv.awaitReady(f.ctx)
	}))
}

// startedWith waits until the pods of servers have an image.
func (f *fleetInWaves) startedWith(names []string, image string) {
	f.Helper()
	must(f, onEach(f.serversOf(names), func(srv *server) error {
		return await(f.ctx, srv.String()+" to have the image "+image, func(ctx context.Context) error {
			p, err := f.cluster.CoreV1().Pods(srv.Namespace).Get(ctx, srv.Name+"-0", metav1.GetOptions{})
			if err != nil {
				return fmt.Errorf("cannot get pod: %w", err)
			}
			if got := p.Spec.Containers[0].Image; got != image {
				return fmt.Errorf("it has %s", got)
			}
			return nil
		})
	}))
}

// untilNamed waits for waves until each of some servers was restarted by one, and runs.
func (f *fleetInWaves) untilNamed(some []*server, image string) {
	f.Helper()
	left := map[string]bool{}
	for _, srv := range some {
		left[srv.String()] = true
	}
	for most := len(f.waves) + len(f.servers); len(left) > 0; {
		if len(f.waves) > most {
			f.Fatalf("no wave has restarted %v", left)
		}
		names := f.wave().applied()
		f.run(names, image)
		for _, n := range names {
			delete(left, n)
		}
	}
}

// restarts says whether each of some servers was restarted so often since the last time.
func (f *fleetInWaves) restarts(of []*server, n int) string {
	f.Helper()
	for _, srv := range of {
		if got := f.restartsSince(srv); got != (count{revisions: n, pods: n}).String() {
			return srv.String() + ": " + got
		}
	}
	if n == 0 {
		return plural(0, "restart")
	}
	return fmt.Sprintf("%d times %s", len(of), plural(n, "restart"))
}

// onlyTokens says whether waves have written nothing but tokens, and own nothing else.
func (f *fleetInWaves) onlyTokens() string {
	f.Helper()
	for _, srv := range f.servers {
		xr, err := srv.xr(f.ctx)
		must(f, err)
		rollout, _, err := unstructured.NestedMap(xr.Object, "spec", "rollout")
		must(f, err)
		if len(rollout) != 1 || rollout["restartToken"] == "" {
			return fmt.Sprintf("%s: spec.rollout is %v", srv, rollout)
		}
		if now := f.decided(srv); !reflect.DeepEqual(now, f.specs[srv]) {
			return fmt.Sprintf("%s: the spec was %v, and is %v", srv, f.specs[srv], now)
		}
		operations, users := 0, false
		for _, m := range xr.GetManagedFields() {
			fields := string(m.FieldsV1.Raw)
			if strings.HasPrefix(m.Manager, operationManager) {
				operations++
				if fields != `{"f:spec":{"f:rollout":{"f:restartToken":{}}}}` {
					return fmt.Sprintf("%s: %s owns %s", srv, m.Manager, fields)
				}
			}
			users = users || m.Manager == fieldManager && m.Operation == metav1.ManagedFieldsOperationApply && strings.Contains(fields, "f:storage")
		}
		if operations != 1 || !users {
			return fmt.Sprintf("%s: %s among its managers, the user's %t", srv, plural(operations, "Operation"), users)
		}
	}
	return "the token, and nothing else"
}

// late are the servers that could not be restarted by the waves so far.
func (f *fleetInWaves) late() {
	f.Helper()
	some := []*server{f.paused, f.secretless}
	f.expect("the paused one resumed, and the missing Secret back", "2 times 1 restart, 0 restarts", func() string {
		must(f, f.paused.pause(f.ctx, "false"))
		must(f, f.secretless.createSecret(f.ctx, f.secretless.Name, map[string]string{"key": newKey()}))
		f.untilNamed(some, fleetMended)
		must(f, onEach(some, func(srv *server) error { return srv.settle(f.ctx) }))
		return f.restarts(some, 1) + ", " + f.restarts(f.except(some), 0)
	})
}

// gitOps are those who have the DittoServers in Git, without the tokens of waves.
func (f *fleetInWaves) gitOps() {
	f.Helper()
	token := func(srv *server) string {
		xr, err := srv.xr(f.ctx)
		must(f, err)
		t, _, _ := unstructured.NestedString(xr.Object, "spec", "rollout", "restartToken")
		return t
	}
	applied, replaced := f.servers[0], f.servers[1]
	f.expect("a manifest without the token applied, as GitOps does", "the token stays, "+noRestart, func() string {
		before := token(applied)
		for _, manager := range []string{fieldManager, "argocd-controller"} {
			_, err := applied.xrs().Apply(f.ctx, applied.Name, f.manifest(applied), metav1.ApplyOptions{FieldManager: manager, Force: true})
			must(f, err)
		}
		got := f.restartsOf(applied)
		if now := token(applied); now != before {
			return fmt.Sprintf("the token was %q, and is %q", before, now)
		}
		return "the token stays, " + got
	})
	f.expect("a manifest without the token in place of what is there, and two waves", "no token, "+noRestart+", nobody restarted", func() string {
		xr, err := replaced.xr(f.ctx)
		must(f, err)
		unstructured.RemoveNestedField(xr.Object, "spec", "rollout")
		_, err = replaced.xrs().Update(f.ctx, xr, metav1.UpdateOptions{FieldManager: "kubectl-replace"})
		must(f, err)
		must(f, replaced.settle(f.ctx))
		for range 2 {
			if got := f.wave().applied(); len(got) > 0 {
				return fmt.Sprintf("%v restarted", got)
			}
		}
		if now := token(replaced); now != "" {
			return fmt.Sprintf("the token is %q", now)
		}
		return "no token, " + f.restartsOf(replaced) + ", nobody restarted"
	})
}

// measureWaves puts all waves into the table as they happened.
func (f *fleetInWaves) measureWaves() {
	for i, w := range f.waves {
		to := time.Now()
		if i+1 < len(f.waves) {
			to = f.waves[i+1].created
		}
		restarted := w.applied()
		seen := fmt.Sprintf("%d unavailable at most, %d restarted: %s", f.down.most(w.created, to), len(restarted), strings.Join(restarted, " "))
		f.measure(fmt.Sprintf("wave %d, %s", i+1, w.created.Format(time.TimeOnly)), seen, to.Sub(w.created))
	}
}

// A downtime is which servers have no pod that is ready, and how many there were when.
type downtime struct {
	mu      sync.Mutex
	down    map[types.NamespacedName]bool
	moments []moment
}

type moment struct {
	at   time.Time
	down int
}

// downtimeOf watches servers that are all ready.
func (s *scenario) downtimeOf(all []*server) *downtime {
	s.Helper()
	d := &downtime{down: map[types.NamespacedName]bool{}}
	see := func(o any, there bool) {
		if t, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = t.Obj
		}
		p, ok := o.(*corev1.Pod)
		if !ok {
			return
		}
		if n, ok := statefulSetOf(p); ok && slices.ContainsFunc(all, func(srv *server) bool { return srv.NamespacedName == n }) {
			d.see(n, !there || p.DeletionTimestamp != nil || !podReady(p))
		}
	}
	i := informers.NewSharedInformerFactory(s.cluster, 0)
	_, err := i.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { see(o, true) }, UpdateFunc: func(_, o any) { see(o, true) }, DeleteFunc: func(o any) { see(o, false) },
	})
	must(s, err)
	ctx, cancel := context.WithCancel(s.ctx)
	s.Cleanup(cancel)
	i.Start(ctx.Done())
	i.WaitForCacheSync(ctx.Done())
	return d
}

func (d *downtime) see(n types.NamespacedName, down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down[n] == down {
		return
	}
	delete(d.down, n)
	if down {
		d.down[n] = true
	}
	d.moments = append(d.moments, moment{at: time.Now(), down: len(d.down)})
}

// most returns how many were down at once, at most, between two moments.
func (d *downtime) most(from, to time.Time) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	before, most := 0, 0
	for _, m := range d.moments {
		switch {
		case m.at.Before(from):
			before = m.down
		case m.at.Before(to):
			most = max(most, m.down)
		}
	}
	return max(before, most)
}
