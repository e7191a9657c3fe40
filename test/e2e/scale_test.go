package e2e

import (
	"errors"
	"fmt"
)

// scale is many servers, of which one or all have their key rotated. No machine that
// tests run on has room for their pods, so kwok stands for the node.
func scale(s *scenario) {
	startKwok(s.ctx, s)
	const perNamespace = 10
	var fleet []*server
	for i := range *servers {
		ns := fmt.Sprintf("scale-%d", i/perNamespace)
		if i%perNamespace == 0 {
			must(s, s.createNamespace(ns))
		}
		fleet = append(fleet, s.suite.server(ns, fmt.Sprintf("server-%d", i%perNamespace)))
	}
	// Every server has a key of its own.
	spec := func(srv *server) map[string]any {
		sp := basicSpec()
		sp["nodeSelector"] = map[string]any{kwokLabel: ""}
		sp["storage"].(map[string]any)["storageClassName"] = kwokNode // Nobody makes such volumes.
		sp["identity"].(map[string]any)["jwt"] = map[string]any{"secretRef": map[string]any{"name": srv.Name + "-jwt", "key": "key"}}
		return sp
	}
	rotate := func(srv *server) {
		must(s, srv.setSecret(s.ctx, srv.Name+"-jwt", map[string]string{"key": newKey()}))
	}
	// The restarts of all, after something was awaited of each.
	restarts := func(after func(*server) error) string {
		must(s, onEach(fleet, after))
		n, others := 0, ""
		for _, srv := range fleet {
			switch got := s.restartsSince(srv); got {
			case oneRestart:
				n++
			case noRestart:
			default:
				others += ", " + srv.String() + ": " + got
			}
		}
		return plural(n, "restart") + others
	}
	used := s.usage()

	all := plural(len(fleet), "DittoServer")
	s.expect("create "+all, fmt.Sprintf("all ready, %d restarts", len(fleet)), func() string {
		for i, srv := range fleet {
			if i%perNamespace == 0 {
				must(s, srv.createSecret(s.ctx, "admin", basicSecrets()["admin"]))
			}
			must(s, srv.createSecret(s.ctx, srv.Name+"-jwt", basicSecrets()["jwt"]))
			must(s, srv.create(s.ctx, spec(srv)))
		}
		return "all ready, " + restarts(func(srv *server) error { return srv.awaitReady(s.ctx) })
	})
	s.expect("rotate the key of 1 of "+all, "1 restart", func() string {
		rotate(fleet[0])
		must(s, fleet[0].settle(s.ctx))
		return restarts(func(srv *server) error { return srv.reconcile(s.ctx) })
	})
	s.expect("rotate the keys of "+all, plural(len(fleet), "restart"), func() string {
		for _, srv := range fleet {
			rotate(srv)
		}
		return restarts(func(srv *server) error { return srv.settle(s.ctx) })
	})
	for app, u := range s.usage() {
		s.measure(app+" for "+all, fmt.Sprintf("%.1f s of CPU, %d MiB at most", (u.CPU-used[app].CPU).Seconds(), u.Peak>>20), 0)
	}
}

// onEach does something to several servers at once.
func onEach(fleet []*server, f func(*server) error) error {
	errs := make(chan error)
	for _, srv := range fleet {
		go func() { errs <- f(srv) }()
	}
	var err error
	for range fleet {
		err = errors.Join(err, <-errs)
	}
	return err
}
