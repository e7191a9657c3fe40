package e2e

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// How long something is down. Long enough for whoever depends on it to notice,
// give up and try again.
const outage = 20 * time.Second

// outages are rotations while something is down that they need.
func outages(s *scenario) {
	rotation := func(name, what string, before, after func()) {
		srv := s.running("outages-"+name, basicSpec(), basicSecrets())
		s.expect(what, oneRestart, func() string {
			before()
			must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
			after()
			return s.restartsOf(srv)
		})
	}
	nothing := func() {}

	s.Cleanup(s.release)
	for _, app := range []string{appFunction, appCrossplane} {
		rotation(app+"-down", fmt.Sprintf("rotate while %s is down for %s", app, outage), func() { s.hold(app) }, func() {
			select {
			case <-time.After(outage): // There is nothing to wait for: it is down.
			case <-s.ctx.Done():
			}
			s.release()
		})
	}
	rotation("api-server-killed", "rotate, and kill the API server at once", nothing, func() {
		must(s, s.node.restart(s.ctx, "kube-apiserver"))
		must(s, await(s.ctx, "the API server to be ready", func(ctx context.Context) error {
			return s.cluster.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		}))
	})
}

// replica loses one of the function's two replicas, again and again. Crossplane
// finds the other.
func replica(s *scenario) {
	const times = 2
	srv := s.running("replica", basicSpec(), basicSecrets())
	s.expect(fmt.Sprintf("rotate %d times, and kill a replica each time", times), count{revisions: times, pods: times}.String(), func() string {
		for range times {
			s.kill(appFunction, 1)
			must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
			must(s, srv.settle(s.ctx))
		}
		return s.restartsSince(srv)
	})
}

// behind is a StatefulSet controller that has not yet begun with a change when the next
// one comes: the pod that runs keeps its ConfigMap.
func behind(s *scenario) {
	srv := s.running("behind", basicSpec(), basicSecrets())
	const controllers = "kube-controller-manager"
	resume := func() { must(s, s.node.signal(controllers, syscall.SIGCONT)) }
	s.Cleanup(resume)

	s.expect("three changes while the StatefulSet controller is away", noRestart+", 4 ConfigMaps, "+startedWell, func() string {
		must(s, s.node.signal(controllers, syscall.SIGSTOP))
		for _, port := range []int32{9001, 9002, 9003} {
			must(s, srv.patchSpec(s.ctx, map[string]any{"controlPlane": map[string]any{"port": port}}))
			must(s, await(s.ctx, "the template to move on", func(context.Context) error {
				if got := containerPort(&s.templateOf(srv).Spec); got != port {
					return fmt.Errorf("its port is %d", got)
				}
				return nil
			}))
		}
		for range 2 {
			must(s, srv.reconcile(s.ctx))
		}
		return s.restartsSince(srv) + ", " + plural(len(s.configMaps(srv)), "ConfigMap") + ", " + s.startsOf(srv.Namespace)
	})
	s.expect("and is back", "at most 3 restarts, 1 ConfigMap, "+startedWell, func() string {
		resume()
		got := s.restartedAtMost(srv, 3) // It goes through what it has missed.
		must(s, srv.reconcile(s.ctx))
		return got + ", " + plural(len(s.configMaps(srv)), "ConfigMap") + ", " + s.startsOf(srv.Namespace)
	})
}
