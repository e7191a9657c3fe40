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

// outages are changes while something is down that they need. Crossplane and the function
// are killed while nothing happens to a server, in the middle of changes of configuration
// and template of others, and before the key of one is rotated.
func outages(s *scenario) {
	for _, app := range []string{appFunction, appCrossplane} {
		s.downFor(app)
	}

	srv := s.running("outages-api-server", basicSpec(), basicSecrets())
	s.expect("rotate, and kill the API server at once", oneRestart, func() string {
		must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		must(s, s.node.restart(s.ctx, "kube-apiserver"))
		must(s, await(s.ctx, "the API server to be ready", func(ctx context.Context) error {
			return s.cluster.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		}))
		return s.restartsOf(srv)
	})
}

// downFor kills an app, and lets it come back later.
func (s *scenario) downFor(app string) {
	s.Helper()
	const changing, port = 3, 9001
	fleet := make([]*server, changing+2)
	s.each(len(fleet), func(s *scenario, i int) string {
		fleet[i] = s.running(fmt.Sprintf("outages-%s-%d", app, i), basicSpec(), basicSecrets())
		return ""
	})
	changed, rotated, quiet := fleet[:changing], fleet[changing], fleet[changing+1]

	s.Cleanup(s.release)
	s.each(changing, func(s *scenario, i int) string {
		s.changeHalfway(changed[i], map[string]any{"controlPlane": map[string]any{"port": port}}, fmt.Sprintf("port: %d", port))
		return ""
	})
	s.hold(app)
	must(s, rotated.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
	select {
	case <-time.After(outage): // There is nothing to wait for: it is down.
	case <-s.ctx.Done():
	}
	s.release()

	s.expect(fmt.Sprintf("kill %s in the middle of changes of port and configuration, for %s", app, outage), fmt.Sprintf("%d times 1 revision, 1 pod, the change runs, 1 ConfigMap", changing), func() string {
		return s.each(changing, func(s *scenario, i int) string {
			got := s.restartsOf(changed[i])
			must(s, changed[i].reconcile(s.ctx))
			if now := containerPort(&s.podOf(changed[i]).Spec); now != port {
				return fmt.Sprintf("the port is %d", now)
			}
			return got + ", the change runs, " + plural(len(s.configMaps(changed[i])), "ConfigMap")
		})
	})
	s.expect("rotate while "+app+" is down", oneRestart, func() string { return s.restartsOf(rotated) })
	s.expect("nothing while "+app+" is down", noRestart, func() string { return s.restartsOf(quiet) })
}

// replica loses one of the function's two replicas, again and again. Crossplane
// finds the other.
func replica(s *scenario) {
	const kills = 2
	srv := s.running("replica", basicSpec(), basicSecrets())
	s.expect(fmt.Sprintf("rotate %d times, and kill a replica each time", kills), count{revisions: kills, pods: kills}.String(), func() string {
		for range kills {
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
