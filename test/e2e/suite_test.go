package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
)

// A suite is what the scenarios share.
type suite struct {
	//nolint:containedctx // It ends the run, and there is one run.
	ctx context.Context

	node     *node // Nil in a cluster of the user's own.
	cluster  *cluster
	restarts *restarts
	starts   *starts
	postgres postgres
	kwok     kwok

	whole *testing.T // The run, for what outlives a scenario.

	kubeconfig string // Of a user who may do everything.

	mu      sync.Mutex
	rows    []row
	servers []*server
}

// How long before the test binary's own timeout everything is stopped.
const grace = 20 * time.Second

// newSuite brings up a cluster in which packages can be installed, whose Crossplane gets
// arguments beside those of the command line, or connects to the one of KUBECONFIG.
func newSuite(t *testing.T, args ...string) *suite {
	t.Helper()

	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(cancel)
	if d, ok := t.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, d.Add(-grace))
		t.Cleanup(cancel)
	}

	bin, err := filepath.Abs(*binDir)
	must(t, err)
	s := &suite{ctx: ctx, whole: t, kubeconfig: usersCluster()}
	t.Cleanup(s.print)
	t.Cleanup(func() { must(t, s.postgres.stop()) })
	if s.kubeconfig == "" {
		s.node, err = startNode(ctx, bin, append(args, strings.Fields(*crossplaneArgs)...)...)
		if s.node != nil {
			t.Cleanup(func() { s.end(t) })
		}
		must(t, err)
		s.kubeconfig = filepath.Join(s.node.dir(), "kubeconfig")
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	must(t, err)
	cfg.QPS = -1 // The API server's own fairness is enough.
	s.cluster, err = newCluster(cfg)
	must(t, err)
	if s.node == nil {
		must(t, s.cluster.ready(ctx))
		if !*keep {
			t.Cleanup(func() { s.cleanUp(t) })
		}
	}

	watches, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t.Cleanup(cancel)
	s.restarts, err = countRestarts(watches, s.cluster)
	must(t, err)
	s.starts, err = countStarts(watches, s.cluster)
	must(t, err)
	return s
}

// end ends the cluster, of which nothing may be left but its logs if something has
// failed.
func (s *suite) end(t *testing.T) {
	t.Helper()
	if *keep {
		t.Log("the cluster is left as it is. make cluster-down removes it")
		return
	}
	if t.Failed() {
		dir, err := s.node.saveLogs()
		t.Log("The cluster's logs are in", dir, err)
	}
	if err := s.node.stop(); err != nil {
		t.Error(err)
	}
}

// A scenario is a test with the means to drive the suite. Its methods end it if
// they fail.
type scenario struct {
	*testing.T
	*suite

	number int
}

// run runs a scenario, and says whether all is well.
func (s *suite) run(t *testing.T, number int, name string, f func(*scenario)) bool {
	t.Helper()
	return t.Run(fmt.Sprintf("%02d/%s", number, name), func(t *testing.T) {
		f(&scenario{T: t, suite: s, number: number})
	})
}

// each does something several times at once, and returns what was seen.
func (s *scenario) each(n int, f func(s *scenario, i int) string) string {
	s.Helper()
	seen := make([]string, n)
	s.Run("each", func(t *testing.T) {
		for i := range n {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				seen[i] = "did not end"
				seen[i] = f(&scenario{T: t, suite: s.suite, number: s.number}, i)
			})
		}
	})
	return all(seen)
}

// expect does something and compares what is seen with what is expected. Both
// go into the table.
func (s *scenario) expect(what, expected string, do func() string) {
	s.Helper()
	r := row{number: s.number, what: what, expected: expected, seen: "did not end"}
	start := time.Now()
	defer func() {
		r.took = time.Since(start)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.rows = append(s.rows, r)
	}()

	if r.seen = do(); r.seen != expected {
		s.Errorf("%s: expected %s, saw %s", what, expected, r.seen)
	}
}

// measure puts a measurement into the table, for which there is no right value.
func (s *scenario) measure(what, seen string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, row{number: s.number, what: what, expected: "(measured)", seen: seen, took: took})
}

// A row of the table at the end.
type row struct {
	number               int
	what, expected, seen string
	took                 time.Duration
}

func (s *suite) print() {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.rows, func(a, b row) int { return cmp.Compare(a.number, b.number) })

	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\t\tSCENARIO\tEXPECTED\tSEEN\tTIME")
	for _, r := range s.rows {
		mark := "ok"
		if r.expected != r.seen && r.expected != "(measured)" {
			mark = "FAIL"
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%.1fs\n", mark, r.number, r.what, r.expected, r.seen, r.took.Seconds())
	}
	_ = w.Flush()
	fmt.Print(b.String()) //nolint:forbidigo // The table is what the run is for.
}

// server returns a server in a namespace of its own.
func (s *scenario) server(name string) *server {
	s.Helper()
	must(s, s.createNamespace(name))
	return s.suite.server(name, name)
}

func (s *suite) server(ns, name string) *server {
	s.mu.Lock()
	defer s.mu.Unlock()
	srv := &server{NamespacedName: types.NamespacedName{Namespace: ns, Name: name}, cluster: s.cluster, restarts: s.restarts}
	s.servers = append(s.servers, srv)
	return srv
}

// running returns a server that is ready, and the count of its restarts so far.
func (s *scenario) running(name string, spec map[string]any, all secrets) *server {
	s.Helper()
	srv := s.server(name)
	must(s, srv.createSecrets(s.ctx, all))
	must(s, srv.create(s.ctx, spec))
	must(s, srv.awaitReady(s.ctx))
	s.restartsOf(srv)
	return srv
}

// restartsOf waits until a server is settled and returns what the StatefulSet
// controller has done to it since the last time.
func (s *scenario) restartsOf(srv *server) string {
	s.Helper()
	must(s, srv.settle(s.ctx))
	return s.restartsSince(srv)
}

// restartsSince is restartsOf a server that is settled.
func (s *scenario) restartsSince(srv *server) string {
	s.Helper()
	return s.countSince(srv).String()
}

func (s *scenario) countSince(srv *server) count {
	s.Helper()
	c, err := s.restarts.of(s.ctx, srv.NamespacedName)
	must(s, err)
	since := c.minus(srv.last)
	srv.last = c
	if since.pods != since.revisions {
		s.Log(s.restarts.seen(srv.NamespacedName))
	}
	return since
}

// restartedAtMost is restartsOf a server that was changed so often that it may not
// have run with each change.
func (s *scenario) restartedAtMost(srv *server, n int) string {
	s.Helper()
	must(s, srv.settle(s.ctx))
	if c := s.countSince(srv); c.revisions > n || c.pods > n || c.again > 0 {
		return c.String()
	}
	return "at most " + plural(n, "restart")
}

// startsOf says whether each pod of a server, or of all, was started as it should be.
func (s *scenario) startsOf(ns string) string {
	s.Helper()
	seen, err := s.starts.of(s.ctx, ns)
	must(s, err)
	return seen
}

// What is seen of a server that was restarted as often.
const (
	noRestart  = "0 revisions, 0 pods"
	oneRestart = "1 revision, 1 pod"
)

// must ends a test if there is an error.
func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
