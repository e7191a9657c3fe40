package operations

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/functest"
)

// A member is a DittoServer of a fleet, with its pod, and what Crossplane and the function
// do about it. It is as much of both as a Restart can tell.
type member struct {
	namespace, name string

	// What users want.
	generation             int
	token                  string
	paused, stopped, isNew bool

	// What keeps the function from restarting it, and its load balancer from being ready.
	secretMissing, noAddress bool

	// The pod, with the template that it was sent. It is seen by its StatefulSet's
	// controller, and ready, once these are 0.
	image, podToken     string
	untilSeen, untilUp  int
	created, up, broken bool

	// struck is set if a wave took it while it served, until it serves again.
	struck bool

	// The status. The conditions of a reconcile are written after its fields.
	version            int
	observedGeneration int
	pendingHash        string
	conditions, next   map[string]map[string]any
	nextVersion        int
}

// A fleet is all members, and what the platform team does to them.
type fleet struct {
	*testing.T

	rand    *rand.Rand
	members []*member
	image   string
	images  int
	now     time.Time

	// The Restart, and its limit.
	input   string
	limit   int
	percent bool

	// waves counts those that have restarted a server, and most is what was allowed at most.
	waves, most int
}

// isBad says whether no pod with an image becomes ready.
func isBad(image string) bool { return strings.HasPrefix(image, "bad") }

func newFleet(t *testing.T, seed uint64) *fleet {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	f := &fleet{T: t, rand: r, image: "good0", now: now, limit: 1 + r.IntN(4)}
	f.input = fmt.Sprintf("kind: Restart\nmaxUnavailable: %d", f.limit)
	if f.chance(0.5) {
		f.percent, f.limit = true, 1+r.IntN(40)
		f.input = fmt.Sprintf("kind: Restart\nmaxUnavailable: %d%%", f.limit)
	}
	if f.chance(0.3) {
		f.input += fmt.Sprintf("\nhealthy: {minReadySeconds: %d}", 1+r.IntN(8))
	}
	for i := range 1 + r.IntN(24) {
		m := &member{
			namespace: fmt.Sprintf("team-%d", r.IntN(3)), name: fmt.Sprintf("s%02d", i), generation: 1, version: 1,
			created: true, up: true, image: "good0",
			paused: f.chance(0.1), secretMissing: f.chance(0.1), stopped: f.chance(0.1), isNew: f.chance(0.05), noAddress: f.chance(0.1),
		}
		switch {
		case m.isNew:
			m.created, m.up, m.image = false, false, ""
		case m.stopped:
			m.up = false
		case f.chance(0.1) && !m.secretMissing: // Down, until a restart brings another image.
			m.image, m.up, m.broken = "bad-before", false, true
		}
		f.members = append(f.members, m)
		if !m.isNew {
			paused := m.paused
			m.paused = false
			f.reconcile(m)
			f.write(m)
			m.paused = paused
		}
	}
	return f
}

func (f *fleet) chance(p float64) bool { return f.rand.Float64() < p }

// reconcile runs the function for a member, and writes the fields of its status.
func (f *fleet) reconcile(m *member) {
	if m.paused {
		return
	}
	m.isNew = false
	m.next, m.pendingHash = map[string]map[string]any{}, ""
	pending, reason := "False", "UpToDate"
	switch {
	case m.secretMissing && m.created:
		pending, reason = "Unknown", "SecretsMissing"
	case m.secretMissing:
	case !m.created || m.stopped:
		m.created, m.image, m.podToken = true, f.image, m.token
		f.start(m)
	case m.image != f.image && m.podToken == m.token:
		pending, reason = "True", "ManualPolicy"
		m.pendingHash = "hash of " + f.image + " after " + m.podToken
	case m.podToken != m.token:
		m.image, m.podToken = f.image, m.token
		f.start(m)
		pending, reason = "True", "Restarting"
	case m.untilSeen > 0, !m.up && m.conditions["RestartPending"]["reason"] == "Restarting":
		pending, reason = "True", "Restarting"
	}
	m.observedGeneration = m.generation
	m.version++

	m.condition("RestartPending", pending, reason, f.now)
	serving := m.up && m.untilSeen == 0
	switch {
	case !m.created:
		m.condition("Available", "False", "NotCreated", f.now)
	case m.stopped:
		m.condition("Available", "True", "Stopped", f.now)
		serving = true
	case serving:
		m.condition("Available", "True", "Serving", f.now)
	default:
		m.condition("Available", "False", "NotReady", f.now)
	}
	if m.created && serving && !m.noAddress {
		m.condition("Ready", "True", "Available", f.now)
	} else {
		m.condition("Ready", "False", "Creating", f.now)
	}
	m.nextVersion = m.version
}

// start replaces the pod.
func (f *fleet) start(m *member) {
	m.up, m.broken = false, isBad(m.image)
	m.untilSeen, m.untilUp = f.rand.IntN(3), 1+f.rand.IntN(6)
}

func (m *member) condition(typ, status, reason string, now time.Time) {
	c := map[string]any{"type": typ, "status": status, "reason": reason, "lastTransitionTime": now.Format(time.RFC3339), "observedGeneration": m.generation}
	if was := m.conditions[typ]; was != nil && was["status"] == status {
		c["lastTransitionTime"] = was["lastTransitionTime"]
	}
	m.next[typ] = c
}

// write the conditions of the last reconcile, unless the DittoServer has changed since:
// then Crossplane's write conflicts.
func (f *fleet) write(m *member) {
	if m.next != nil && m.version == m.nextVersion {
		m.conditions = m.next
		m.version++
	}
	m.next = nil
}

// run lets time pass for a pod.
func (m *member) run() {
	switch {
	case !m.created || m.stopped || m.up:
	case m.untilSeen > 0:
		m.untilSeen--
	case m.untilUp > 0:
		m.untilUp--
	default:
		m.up = !m.broken
		m.struck = m.struck && m.broken
	}
}

// object returns the DittoServer.
func (m *member) object(t *testing.T) *structpb.Struct {
	t.Helper()
	conditions := []any{}
	for _, typ := range []string{"Ready", "Available", "RestartPending"} {
		if c := m.conditions[typ]; c != nil {
			conditions = append(conditions, c)
		}
	}
	o, err := structpb.NewStruct(map[string]any{
		"apiVersion": "dittofs.io/v1alpha1", "kind": "DittoServer",
		"metadata": map[string]any{
			"namespace": m.namespace, "name": m.name, "uid": "uid of " + m.name, "generation": m.generation, "resourceVersion": fmt.Sprint(m.version),
			"annotations": map[string]any{"crossplane.io/paused": fmt.Sprint(m.paused)},
		},
		"spec":   map[string]any{"rollout": map[string]any{"restartToken": m.token}},
		"status": map[string]any{"observedGeneration": m.observedGeneration, "pendingHash": m.pendingHash, "conditions": conditions},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// counts says whether maxUnavailable is about a member, as far as its status says.
func (m *member) counts() bool {
	reason := m.conditions["Available"]["reason"]
	return !m.paused && reason != nil && reason != "Stopped" && reason != "NotCreated"
}

// available says whether a member serves, and goes on to. One that came up a moment ago
// does not, as long as its status says so.
func (m *member) available() bool {
	return m.up && m.podToken == m.token && m.conditions["Available"]["status"] == "True"
}

// allowed returns how many of the fleet may be unavailable.
func (f *fleet) allowed() (allowed, unavailable int) {
	counted := 0
	for _, m := range f.members {
		if !m.counts() {
			continue
		}
		counted++
		if !m.available() {
			unavailable++
		}
	}
	if f.percent {
		return max(1, counted*f.limit/100), unavailable
	}
	return f.limit, unavailable
}

// wave takes a step of an Operation, and checks what must hold for each.
func (f *fleet) wave() {
	objects, byName := []*structpb.Struct{}, map[string]*member{}
	for _, m := range f.members {
		objects = append(objects, m.object(f.T))
		byName[m.namespace+"/"+m.name] = m
	}
	s := take(f.T, f.input, objects, f.now)
	f.rand.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
	if again := take(f.T, f.input, objects, f.now).result; !reflect.DeepEqual(s.result.Output, again.Output) || !maps.EqualFunc(s.result.Desired, again.Desired, functest.Same) {
		f.Errorf("Two runs should return the same, got %v and %v", s.result, again)
	}

	allowed, before := f.allowed()
	f.most = max(f.most, allowed)
	for name, o := range s.result.Desired {
		m := byName[name]
		token := functest.StringOf(o, "spec", "rollout", "restartToken")
		switch {
		case m == nil || !cmp.Equal(fieldsOf(o), []string{"apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.resourceVersion", "metadata.uid", "spec.rollout.restartToken"}):
			f.Fatalf("Only the token of a member may be set, got %s: %v", name, o)
		case m.token != m.podToken:
			f.Errorf("%s has not used its token yet, and should get no second one", name)
		case token == m.token || token == "":
			f.Errorf("%s should get a new token, got %q", name, token)
		case m.paused || m.stopped && !m.up && m.conditions["Available"]["reason"] == "Stopped" || !m.created:
			f.Errorf("%s should get no token: nobody looks at it, or it does not run", name)
		case m.conditions["RestartPending"]["reason"] != "ManualPolicy":
			f.Errorf("%s should get no token: it waits for %v", name, m.conditions["RestartPending"]["reason"])
		}
		m.struck = m.struck || m.available()
		m.token = token
		m.generation++
		m.version++
	}
	if len(s.result.Desired) > 0 {
		f.waves++
	}
	if _, after := f.allowed(); after > max(allowed, before) {
		f.Errorf("%d of the fleet are unavailable, and were %d before the wave. At most %d may be: %s", after, before, allowed, s.result.Message)
	}
}

// fieldsOf returns the paths of the fields of an object, sorted.
func fieldsOf(o *structpb.Struct) []string {
	var paths []string
	var walk func(path string, v *structpb.Value)
	walk = func(path string, v *structpb.Value) {
		s := v.GetStructValue()
		if s == nil {
			paths = append(paths, path)
			return
		}
		for name, f := range s.GetFields() {
			walk(strings.TrimPrefix(path+"."+name, "."), f)
		}
	}
	walk("", structpb.NewStructValue(o))
	slices.Sort(paths)
	return paths
}

// happen does something at random to a member, or to all.
func (f *fleet) happen(images ...string) {
	f.now = f.now.Add(time.Second)
	m := f.members[f.rand.IntN(len(f.members))]
	switch p := f.rand.Float64(); {
	case p < 0.25:
		f.write(m)
	case p < 0.55:
		f.write(m)
		f.reconcile(m)
	case p < 0.80:
		for _, m := range f.members {
			m.run()
		}
	case p < 0.93:
		f.wave()
	case p < 0.95:
		f.images++
		f.image = fmt.Sprintf("%s%d", images[f.rand.IntN(len(images))], f.images)
	case p < 0.96:
		m.secretMissing = m.secretMissing && f.chance(0.5)
	case p < 0.97:
		m.noAddress = !m.noAddress
	case p < 0.98:
		m.paused = m.paused && f.chance(0.5)
	case m.stopped:
		m.stopped = false
		m.generation++
		m.version++
	default: // A user changes something that restarts nothing.
		m.generation++
		m.version++
	}
}

// settle lets everything come to rest: Crossplane and the pods have all the time that
// they need between two waves.
func (f *fleet) settle(waves int) {
	for range waves {
		for range 10 {
			f.now = f.now.Add(time.Second)
			for _, m := range f.members {
				f.write(m)
				f.reconcile(m)
				f.write(m)
				m.run()
			}
		}
		f.wave()
	}
}

// TestRestartProperties takes fleets through random changes, with waves at random moments.
func TestRestartProperties(t *testing.T) {
	waves := 0
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := newFleet(t, seed)
			for range 150 {
				f.happen("good", "good", "bad")
			}
			f.image = "good-last"
			for _, m := range f.members {
				m.noAddress = false
			}
			f.settle(2*len(f.members) + 3)
			for _, m := range f.members {
				if m.created && !m.stopped && !m.paused && !m.secretMissing && (m.image != f.image || !m.up) {
					t.Errorf("%s should have been restarted in the end. It has image %s, and waits for %v", m.name, m.image, m.conditions["RestartPending"])
				}
			}
			waves += f.waves
		})
	}
	if waves < 300 {
		t.Errorf("Only %d waves have restarted a server, so little was tested", waves)
	}
}

// TestRestartBadImage wants an image with which no server becomes ready to break no more
// than may be unavailable, however long nobody looks.
func TestRestartBadImage(t *testing.T) {
	broken := 0
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := newFleet(t, seed)
			f.settle(1)
			f.image = "bad"
			for range 200 {
				f.happen("bad")
			}
			f.settle(5)
			struck := 0
			for _, m := range f.members {
				if m.struck && !m.up {
					struck++
				}
			}
			if struck > f.most {
				t.Errorf("Waves broke %d servers. At most %d might be unavailable", struck, f.most)
			}
			broken += struck
		})
	}
	if broken < 30 {
		t.Errorf("Only %d servers were broken, so little was tested", broken)
	}
}
