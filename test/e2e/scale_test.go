package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// scale is many servers, of which some or all have their key rotated.
func scale(s *scenario) {
	f := newFleet(s)
	used := s.usage()
	f.to(*servers)
	f.rotateFew()
	now := s.usage()
	for _, who := range slices.Sorted(maps.Keys(now)) {
		s.measure(fmt.Sprintf("%s for %s", who, plural(*servers, "DittoServer")),
			fmt.Sprintf("%.1f s of CPU, %d MiB at most", (now[who].CPU-used[who].CPU).Seconds(), now[who].Peak>>20), 0)
	}
}

// A fleet is many servers on one Crossplane. No machine that tests run on has room for
// their pods, so kwok stands for the node.
type fleet struct {
	*scenario

	all []*server

	// What watches have seen of them. To ask the API server for so many would be most of
	// what it has to do.
	xrs, statefulSets cache.Store
}

// A step is what was done to a fleet.
type step struct {
	servers int // That it was done to.
	took    time.Duration
	calls   int // Of the function.
	used    map[string]host.Usage
}

// A size is what was done to a fleet of so many servers.
type size struct {
	servers   int
	create    step
	hashes    time.Duration // Until all new hashes were there.
	rotateAll step
	idle      step
	rotateOne []time.Duration // Until the new hash was there.
}

const (
	// How many servers are in a namespace.
	perNamespace = 10

	// How many are rotated one by one.
	oneByOne = 5

	// How long to wait for a fleet, beside what one server may take. The StatefulSet
	// controller makes twenty requests a second, of which a restart takes about eight.
	perServer = 2 * time.Second
)

// newFleet makes the node of a fleet that has no servers yet.
func newFleet(s *scenario) *fleet {
	s.Helper()
	startKwok(s.ctx, s)
	xrs := dynamicinformer.NewDynamicSharedInformerFactory(s.cluster.dynamic, 0)
	apps := informers.NewSharedInformerFactory(s.cluster, 0)
	f := &fleet{scenario: s, xrs: xrs.ForResource(dittoServers).Informer().GetStore(), statefulSets: apps.Apps().V1().StatefulSets().Informer().GetStore()}
	xrs.Start(s.ctx.Done())
	apps.Start(s.ctx.Done())
	xrs.WaitForCacheSync(s.ctx.Done())
	apps.WaitForCacheSync(s.ctx.Done())
	return f
}

// to lets the fleet grow to so many servers, and rotates the keys of all.
func (f *fleet) to(n int) size {
	f.Helper()
	got := size{servers: n}
	added := plural(n-len(f.all), "DittoServer")
	if len(f.all) > 0 {
		added += fmt.Sprintf(", beside %d", len(f.all))
	}
	before := len(f.all)
	f.expect("create "+added, fmt.Sprintf("all ready, %s", plural(n-before, "restart")), func() string {
		got.create = f.measured(n-before, func() { f.grow(n) })
		// Crossplane goes on for a while after all are ready, and is at rest after one reconcile more.
		return "all ready, " + f.restarted(func(srv *server) error {
			if err := srv.awaitReady(f.ctx); err != nil {
				return err
			}
			return srv.reconcile(f.ctx)
		})
	})
	f.expect("rotate the keys of "+plural(n, "DittoServer"), plural(n, "restart"), func() string {
		got.rotateAll = f.measured(n, func() { got.hashes = f.rotate() })
		return f.restarted(func(srv *server) error { return srv.settle(f.ctx) })
	})
	return got
}

// rotateFew rotates the keys of a few servers, one by one, and returns how long it took each
// time until the new hash was there.
func (f *fleet) rotateFew() (took []time.Duration) {
	f.Helper()
	few := f.all[:min(len(f.all), oneByOne)]
	f.expect(fmt.Sprintf("rotate the key of %d of %s, one by one", len(few), plural(len(f.all), "DittoServer")), plural(len(few), "restart"), func() string {
		for _, srv := range few {
			took = append(took, f.untilPatched(srv, jwtOf(srv)))
		}
		must(f, onEach(few, func(srv *server) error { return srv.settle(f.ctx) }))
		return f.restarted(func(srv *server) error { return srv.reconcile(f.ctx) })
	})
	return took
}

// measured does something to so many servers, and says what it took.
func (f *fleet) measured(n int, do func()) step {
	f.Helper()
	const calls = "function_run_function_request_total"
	before, used, start := f.metric(calls), f.usage(), time.Now()
	do()
	s := step{servers: n, took: time.Since(start), used: f.usage(), calls: f.metric(calls) - before}
	for who, u := range s.used {
		u.CPU -= used[who].CPU
		s.used[who] = u
	}
	return s
}

// metric is the sum of a counter of Crossplane's, if it has that.
func (f *fleet) metric(name string) int {
	f.Helper()
	n, _ := f.crossplaneMetric(f, name)
	return n
}

// grow creates servers until there are so many, each with a key of its own, and waits
// until all are ready.
func (f *fleet) grow(n int) {
	f.Helper()
	var added []*server
	for i := len(f.all); i < n; i++ {
		ns := fmt.Sprintf("scale-%d", i/perNamespace)
		srv := f.suite.server(ns, fmt.Sprintf("server-%d", i%perNamespace))
		if i%perNamespace == 0 {
			must(f, f.createNamespace(ns))
			must(f, srv.createSecret(f.ctx, "admin", basicSecrets()["admin"]))
		}
		added = append(added, srv)
	}
	must(f, onEach(added, func(srv *server) error {
		if err := srv.createSecret(f.ctx, jwtOf(srv), basicSecrets()["jwt"]); err != nil {
			return err
		}
		spec := basicSpec()
		spec["nodeSelector"] = map[string]any{kwokLabel: ""}
		spec["storage"].(map[string]any)["storageClassName"] = kwokNode // Nobody makes such volumes.
		spec["identity"].(map[string]any)["jwt"] = map[string]any{"secretRef": map[string]any{"name": jwtOf(srv), "key": "key"}}
		return srv.create(f.ctx, spec)
	}))
	f.all = append(f.all, added...)
	f.await("all to be ready", f.ready)
}

// jwtOf is the Secret with a server's key.
func jwtOf(srv *server) string { return srv.Name + "-jwt" }

// rotate rotates the keys of all servers, waits until all have restarted, and returns how
// long it took until all had their new hash.
func (f *fleet) rotate() time.Duration {
	f.Helper()
	old := map[*server]string{}
	for _, srv := range f.all {
		sts, err := f.statefulSet(srv)
		must(f, err)
		old[srv] = sts.Spec.Template.Annotations[hashAnnotation]
	}
	start := time.Now()
	must(f, onEach(f.all, func(srv *server) error {
		return srv.setSecret(f.ctx, jwtOf(srv), map[string]string{"key": newKey()})
	}))
	f.await("all to have a new hash", func(srv *server) error {
		sts, err := f.statefulSet(srv)
		if err == nil && sts.Spec.Template.Annotations[hashAnnotation] == old[srv] {
			err = fmt.Errorf("%s has the old one", srv)
		}
		return err
	})
	hashes := time.Since(start)
	f.await("all to restart", func(srv *server) error {
		sts, err := f.statefulSet(srv)
		if err != nil {
			return err
		}
		return rolledOut(sts)
	})
	f.await("all to be ready again", f.ready)
	return hashes
}

// await waits until something holds of each server, as the watches show them.
func (f *fleet) await(what string, cond func(*server) error) {
	f.Helper()
	left := slices.Clone(f.all)
	must(f, awaitFor(f.ctx, awaitTimeout+time.Duration(len(left))*perServer, what, func(context.Context) error {
		var last error
		left = slices.DeleteFunc(left, func(srv *server) bool {
			err := cond(srv)
			if err != nil {
				last = err
			}
			return err == nil
		})
		if last != nil {
			return fmt.Errorf("%s left: %w", plural(len(left), "DittoServer"), last)
		}
		return nil
	}))
}

// ready returns an error unless a server was seen to be ready.
func (f *fleet) ready(srv *server) error {
	o, ok, err := f.xrs.GetByKey(srv.String())
	xr, isXR := o.(*unstructured.Unstructured)
	if err != nil || !ok || !isXR {
		return errors.Join(err, fmt.Errorf("no DittoServer %s was seen", srv))
	}
	return conditionTrue(xr, "Synced", "Ready")
}

// statefulSet returns a server's StatefulSet as it was seen.
func (f *fleet) statefulSet(srv *server) (*appsv1.StatefulSet, error) {
	o, ok, err := f.statefulSets.GetByKey(srv.String())
	sts, isSTS := o.(*appsv1.StatefulSet)
	if err != nil || !ok || !isSTS {
		return nil, errors.Join(err, fmt.Errorf("no StatefulSet %s was seen", srv))
	}
	return sts, nil
}

// restarted is how many servers have restarted, after something was awaited of each, and
// which more than once.
func (f *fleet) restarted(after func(*server) error) string {
	f.Helper()
	must(f, onEach(f.all, after))
	n, others := 0, ""
	for _, srv := range f.all {
		switch got := f.restartsSince(srv); got {
		case oneRestart:
			n++
		case noRestart:
		default:
			others += ", " + srv.String() + ": " + got
		}
	}
	return plural(n, "restart") + others
}

// onEach does something to several servers, and to a few of them at once.
func onEach(fleet []*server, f func(*server) error) error {
	const atOnce = 50
	errs, slots := make([]error, len(fleet)), make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, srv := range fleet {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = f(srv)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
