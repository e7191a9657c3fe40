package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	dayTwoName = "day-two"

	// What the documentation calls the Composition, a namespace, a server, and the images
	// that a fleet had and gets.
	documentedComposition = "composition dittoserver "
	documentedNamespace   = "team-a"
	documentedServer      = "NAME"
	documentedOld         = "marmos91c/dittofs:v0.29.0"
	documentedNew         = "marmos91c/dittofs:v0.30.0"

	// An image that no registry has.
	imageMissing = "marmos91c/dittofs:v0.99.0"
)

// A dayTwo is a small fleet on the real node, and what the documentation says to do with
// it.
type dayTwo struct {
	*scenario

	servers []*server
	cron    *cron
	dir     string // With the examples.
	down    *downtime
}

// dayTwoDocs does what docs/day-two.md says, as it stands there.
func dayTwoDocs(s *scenario) {
	d := newDayTwo(s)
	fleet := d.servers

	s.expect("a fleet under Manual, and another image", "all wait, 3 times "+noRestart, func() string {
		blocks := s.documented("docs/day-two.md", "Upgrade a fleet in waves")
		d.run(blocks[0])
		d.run(blocks[1], documentedNew, imageNext)
		d.awaitReasons("ManualPolicy", fleet...)
		d.run(blocks[2])
		return "all wait, " + d.restarts()
	})
	s.expect("the CronOperation of the example", "3 times "+oneRestart+", 1 unavailable at most", func() string {
		d.example("@every 10s")
		d.run(s.documented("docs/day-two.md", "Upgrade a fleet in waves")[3])
		d.awaitReasons("UpToDate", fleet...)
		return d.restarts() + fmt.Sprintf(", %d unavailable at most", d.down.most(time.Time{}, time.Now()))
	})

	var down *server
	stops := s.documented("docs/day-two.md", "When a wave stops")
	s.expect("an image that no registry has", "1 server down, named by three waves that restart nothing; 2 times "+noRestart, func() string {
		d.cron.missed()
		d.image(imageMissing)
		down = d.awaitDown()
		for !slices.Contains(d.cron.next().applied(), down.String()) {
			continue
		}
		for range 3 {
			w := d.cron.next()
			if got := w.named("unhealthy", "inFlight"); len(w.applied()) > 0 || !slices.Equal(got, []string{down.String()}) {
				return w.text()
			}
		}
		d.run(stops[0])
		for _, m := range inline.FindAllStringSubmatch(s.section("docs/day-two.md", "When a wave stops"), -1) {
			d.run(m[1])
		}
		seen := []string{}
		for _, srv := range fleet {
			if srv != down {
				seen = append(seen, s.restartsSince(srv))
			}
		}
		return "1 server down, named by three waves that restart nothing; " + all(seen)
	})
	s.expect("the image set back", "2 revisions, 2 pods, and of the others "+noRestart, func() string {
		d.run(stops[1], documentedOld, imageNext)
		d.awaitReasons("UpToDate", fleet...)
		must(s, down.awaitReady(s.ctx))
		got := s.restartsOf(down)
		for _, srv := range fleet {
			if seen := s.restartsOf(srv); seen != noRestart {
				return srv.String() + ": " + seen
			}
		}
		return got + ", and of the others " + noRestart
	})
	s.expect("a server taken out, no more waves, and all as it was", "3 times "+noRestart, func() string {
		for _, block := range stops[2:] {
			d.run(block)
		}
		return d.restarts()
	})

	s.expect("all at once", "3 times "+oneRestart, func() string {
		d.cron.pause()
		d.image(imageFleet)
		d.awaitReasons("ManualPolicy", fleet...)
		for _, block := range s.documented("docs/day-two.md", "All at once") {
			d.run(block)
		}
		d.awaitReasons("UpToDate", fleet...)
		return d.restarts()
	})
	s.expect("one server by hand", oneRestart+", and of the others "+noRestart, func() string {
		d.image(documentedOld)
		d.awaitReasons("ManualPolicy", fleet...)
		for _, block := range s.documented("docs/day-two.md", "One server by hand") {
			d.run(block)
		}
		d.awaitReasons("UpToDate", fleet[0])
		got := s.restartsOf(fleet[0])
		for _, srv := range fleet[1:] {
			if seen := s.restartsOf(srv); seen != noRestart {
				return srv.String() + ": " + seen
			}
		}
		return got + ", and of the others " + noRestart
	})
	s.expect("larger volumes", "StorageInSync=True, the file system has grown, "+noRestart, func() string {
		before := s.metadataSize(fleet[0])
		for _, block := range s.documented("docs/day-two.md", "Larger volumes") {
			d.run(block, "20Gi", "2Gi")
		}
		must(s, await(s.ctx, "the file system to grow", func(context.Context) error {
			if now := s.metadataSize(fleet[0]); now <= before {
				return fmt.Errorf("it has %d bytes, and had %d", now, before)
			}
			return nil
		}))
		must(s, fleet[0].awaitCondition(s.ctx, "StorageInSync", "True"))
		return "StorageInSync=True, the file system has grown, " + s.restartsOf(fleet[0])
	})
}

// newDayTwo creates the fleet, which is ready then.
func newDayTwo(s *scenario) *dayTwo {
	s.Helper()
	d := &dayTwo{scenario: s, dir: s.TempDir()}
	must(s, s.composition(dayTwoName, nil))
	must(s, s.createNamespace(dayTwoName))
	for i := range 3 {
		d.servers = append(d.servers, s.suite.server(dayTwoName, fmt.Sprintf("server-%d", i)))
	}
	must(s, d.servers[0].createSecrets(s.ctx, basicSecrets()))
	must(s, onEach(d.servers, func(srv *server) error {
		spec := basicSpec()
		spec["crossplane"] = map[string]any{"compositionRef": map[string]any{"name": dayTwoName}}
		if err := srv.create(s.ctx, spec); err != nil {
			return err
		}
		return srv.awaitReady(s.ctx)
	}))
	d.restarts()
	d.down = s.downtimeOf(d.servers)
	return d
}

// example puts the examples of Operations where the commands find them, for the fleet
// alone and with less to wait for.
func (d *dayTwo) example(schedule string) {
	d.Helper()
	for _, example := range []string{"restart", "resize"} {
		files, err := filepath.Glob(filepath.Join(root, "example", example, "*.yaml"))
		must(d, err)
		for _, f := range files {
			b, err := os.ReadFile(f)
			must(d, err)
			text := regexp.MustCompile(`(?m)^(  schedule:).*$`).ReplaceAllString(string(b), "$1 '"+schedule+"'")
			text = strings.ReplaceAll(text, "minReadySeconds: 60", "minReadySeconds: 3")
			to := filepath.Join(d.dir, "example", example, filepath.Base(f))
			must(d, os.MkdirAll(filepath.Dir(to), 0o750))
			must(d, os.WriteFile(to, []byte(strings.ReplaceAll(text, documentedNamespace, dayTwoName)), 0o600))
		}
		for _, o := range d.read("example/" + example + "/operation.yaml") {
			name := o.GetName()
			if example == "restart" {
				d.cron = d.cronOf(name)
			}
			d.Cleanup(func() {
				if r, err := d.cluster.kind(operationsVersion, "CronOperation", ""); err == nil {
					_ = r.Delete(context.WithoutCancel(d.ctx), name, metav1.DeleteOptions{}) // If it was created.
				}
			})
		}
	}
}

// run runs commands of the documentation, with other words for some of theirs.
func (d *dayTwo) run(commands string, replace ...string) {
	d.Helper()
	commands = strings.NewReplacer(append(replace,
		documentedComposition, "composition "+dayTwoName+" ", documentedNamespace, dayTwoName, documentedServer, d.servers[0].Name,
	)...).Replace(commands)
	// The operator's kind has the same name, and another scenario brings it.
	commands = regexp.MustCompile(`(kubectl [a-z]+) dittoservers? `).ReplaceAllString(commands, "$1 dittoservers.dittofs.io ")
	d.shell(d.dir, d.kubeconfigOf(d.servers[0]), commands)
}

// image puts an image into the Input by the commands of the documentation.
func (d *dayTwo) image(image string) {
	d.Helper()
	d.run(d.documented("docs/day-two.md", "Upgrade a fleet in waves")[1], documentedNew, image)
}

// awaitReasons waits until servers have a reason for restarting, or for not doing so.
func (d *dayTwo) awaitReasons(reason string, servers ...*server) {
	d.Helper()
	must(d, onEach(servers, func(srv *server) error { return srv.awaitReason(d.ctx, "RestartPending", reason) }))
}

// awaitDown waits until one of the servers is down for good, and returns it.
func (d *dayTwo) awaitDown() (down *server) {
	d.Helper()
	must(d, await(d.ctx, "a server to be down", func(ctx context.Context) error {
		for _, srv := range d.servers {
			p, err := d.cluster.CoreV1().Pods(srv.Namespace).Get(ctx, srv.Name+"-0", metav1.GetOptions{})
			if err != nil {
				return err
			}
			for _, c := range p.Status.ContainerStatuses {
				if w := c.State.Waiting; w != nil && (w.Reason == "ErrImagePull" || w.Reason == "ImagePullBackOff") {
					down = srv
					return nil
				}
			}
		}
		return errors.New("all run")
	}))
	return down
}

// restarts are what has happened to the servers since the last time.
func (d *dayTwo) restarts() string {
	d.Helper()
	seen := make([]string, len(d.servers))
	for i, srv := range d.servers {
		seen[i] = d.restartsOf(srv)
	}
	return all(seen)
}
