package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/functest/markdown"
)

// TestScale measures what a fleet takes that grows from one size to the next, on one
// Crossplane that has its default settings but for its limits, and the function as
// example/runtimeconfig.yaml has it.
func TestScale(t *testing.T) {
	if *sizes == "" {
		t.Skip("make scale runs it")
	}
	s := newSuite(t)
	s.run(t, 0, "Start", start)
	s.run(t, 0, "Install", install)
	s.run(t, 10, "Scale", func(s *scenario) {
		s.apply("example/rbac.yaml")
		// The chart's 1 GiB could hide what it would take. This also forgets the memory that
		// it took to install packages.
		s.restartCrossplane(func(c *corev1.Container) {
			c.Resources.Limits[corev1.ResourceMemory] = resource.MustParse("4Gi")
		})
		f := newFleet(s)
		var all []size
		for field := range strings.FieldsSeq(*sizes) {
			n, err := strconv.Atoi(field)
			must(s, err)
			got := f.to(n)
			got.idle = f.idle()
			got.rotateOne = f.rotateFew()
			f.quiet()
			all = append(all, got)
			fmt.Print(sizing(all))
		}
		s.expect("any pod of any server, ever started", startedWell, func() string { return s.startsOf("") })
		if *write && !s.Failed() {
			markdown.Rewrite(s, filepath.Join(root, "README.md"), "make scale", sizing(all))
		}
	})
}

// How often Crossplane calls the function for a server to which nothing happens, by the
// Input's defaults. It varies that by a tenth.
const ttl = time.Minute

// idle is what is used while nothing happens to any server.
func (f *fleet) idle() step {
	f.Helper()
	// The servers were just reconciled, some of them all at once. From half of a ttl on, each
	// is called as often as that goes into the time.
	f.sleep(ttl / 2)
	var s step
	f.expect(fmt.Sprintf("leave %s alone for %s", plural(len(f.all), "DittoServer"), *idle), plural(0, "restart"), func() string {
		s = f.measured(len(f.all), func() { f.sleep(*idle) })
		return f.restarted(func(*server) error { return nil })
	})
	return s
}

func (f *fleet) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-f.ctx.Done():
	}
}

// quiet is that neither Crossplane nor the function had trouble so far.
func (f *fleet) quiet() {
	f.Helper()
	f.expect("Crossplane and the function meanwhile", "0 restarts, the circuit breaker opened 0 times", func() string {
		restarts := 0
		for _, app := range []string{appCrossplane, appRBACManager, appFunction} {
			pods, err := f.podsOf(f.ctx, app)
			must(f, err)
			for _, p := range pods {
				restarts += restartsOfContainers(&p)
			}
		}
		return fmt.Sprintf("%s, the circuit breaker opened %d times", plural(restarts, "restart"), f.metric("circuit_breaker_opens_total"))
	})
}

// sizing is what was measured, as the README has it.
func sizing(all []size) string {
	b := &strings.Builder{}
	fmt.Fprint(b, "| DittoServers | | took | calls, per server | CPU of the function | per server | CPU of Crossplane | per server | CPU of the API server |\n|---|---|---|---|---|---|---|---|---|\n")
	row := func(servers int, what, took string, s step, times float64) {
		cpu := func(who string) string { return fmt.Sprintf("%.1f s", s.used[who].CPU.Seconds()*times) }
		each := func(who string) string {
			return fmt.Sprintf("%s | %.0f ms", cpu(who), s.used[who].CPU.Seconds()*times*1e3/float64(s.servers))
		}
		fmt.Fprintf(b, "| %d | %s | %s | %.1f | %s | %s | %s |\n", servers, what, took, float64(s.calls)*times/float64(s.servers), each(appFunction), each(appCrossplane), cpu(apiServer))
	}
	for _, s := range all {
		row(s.servers, fmt.Sprintf("create %d", s.create.servers), fmt.Sprintf("%.0f s", s.create.took.Seconds()), s.create, 1)
		row(s.servers, "rotate all", fmt.Sprintf("%.0f s, all restarted after %.0f s", s.hashes.Seconds(), s.rotateAll.took.Seconds()), s.rotateAll, 1)
		row(s.servers, "an hour of nothing", fmt.Sprintf("from %s", *idle), s.idle, float64(time.Hour)/float64(s.idle.took))
		fmt.Fprintf(b, "| %d | then rotate one | %s, at most %s | | | | | | |\n", s.servers, ms(median(s.rotateOne)), ms(slices.Max(s.rotateOne)))
	}

	fmt.Fprint(b, "\n| DittoServers | memory of the function, each: idle | at most | of Crossplane: idle | at most | of its RBAC manager: idle | at most | of the API server: idle | at most |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range all {
		fmt.Fprintf(b, "| %d |", s.servers)
		for _, who := range []string{appFunction, appCrossplane, appRBACManager, apiServer} {
			u := s.idle.used[who]
			fmt.Fprintf(b, " %d MiB | %d MiB |", u.Resident>>20, u.Peak>>20)
		}
		fmt.Fprintln(b)
	}
	if len(all) > 1 {
		fmt.Fprintf(b, "\nA line through these: Crossplane takes at most %s, and idle %s.\n",
			line(all, func(u host.Usage) int64 { return u.Peak }), line(all, func(u host.Usage) int64 { return u.Resident }))
	}
	return b.String()
}

// line is the memory of Crossplane as a straight line over the number of servers, of
// which the squares of the distances are the least, and the greatest distance from it.
func line(all []size, of func(host.Usage) int64) string {
	mib := func(s size) float64 { return float64(of(s.idle.used[appCrossplane])) / (1 << 20) }
	var x, y, xx, xy float64
	for _, s := range all {
		n := float64(s.servers)
		x, y, xx, xy = x+n, y+mib(s), xx+n*n, xy+n*mib(s)
	}
	n := float64(len(all))
	each := (n*xy - x*y) / (n*xx - x*x)
	base := (y - each*x) / n
	off := 0.0
	for _, s := range all {
		off = max(off, mib(s)-base-each*float64(s.servers), base+each*float64(s.servers)-mib(s))
	}
	return fmt.Sprintf("%.0f MiB and %.2f MiB per DittoServer (off by %.0f MiB at most)", base, each, off)
}
