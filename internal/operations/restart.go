package operations

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/response"
	"github.com/dittofs/function-dittoserver/internal/rollout"
	"github.com/dittofs/function-dittoserver/internal/status"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// restart gives DittoServers that wait for their users the restartToken that they wait
// for. It has no memory: that a server was given its token is read from the server.
func restart(in *v1beta1.Restart, look *observed.Lookups, now time.Time) *Result {
	fleet, known := servers(look, in.Selector)
	if !known {
		return nil
	}
	w := &wave{healthy: in.Healthy, now: now}
	for _, s := range fleet {
		w.add(s)
	}
	return w.run(len(fleet), in.MaxUnavailableOf(w.counted))
}

// A wave is the servers that are restarted by one Operation, and why the others are not.
type wave struct {
	healthy *v1beta1.Healthy
	now     time.Time

	// counted is how many servers maxUnavailable is about.
	counted int

	// Servers that wait: down ones neither serve nor are healthy, ailing ones serve all the
	// same, fresh ones are not healthy for long enough, and ready ones are.
	down, ailing, fresh, ready []*server

	inFlight, unhealthy, held, paused, stopped, notCreated group
}

// add finds out what about a server is to be done.
func (w *wave) add(s *server) {
	switch _, available := s.condition(status.TypeAvailable); {
	case s.paused():
		w.paused.addf("%s", s)
		return
	case available == "" || available == status.ReasonNotCreated:
		w.notCreated.addf("%s", s)
		return
	case available == status.ReasonStopped:
		w.stopped.addf("%s", s)
		return
	}
	w.counted++

	waiting := waits(s)
	switch held := heldFor(s); {
	case held != "":
		// Such a server is not restarted before somebody has done something about it.
		waiting = false
		w.held.addf("%s: %s", s, held)
	case !waiting && inFlight(s):
		w.inFlight.addf("%s", s)
		return
	}
	ill, fresh := w.ill(s)
	if ill != "" {
		w.unhealthy.addf("%s: %s", s, ill)
	}
	if waiting {
		w.queue(s, ill == "", fresh)
	}
}

// queue adds a server that waits.
func (w *wave) queue(s *server, healthy, fresh bool) {
	available, _ := s.condition(status.TypeAvailable)
	switch {
	case healthy:
		w.ready = append(w.ready, s)
	case fresh:
		w.fresh = append(w.fresh, s)
	case available == observed.True:
		w.ailing = append(w.ailing, s)
	default:
		w.down = append(w.down, s)
	}
}

// ill says why a server is not healthy, and whether that is only because it has been
// healthy for too short a time.
func (w *wave) ill(s *server) (why string, fresh bool) {
	for _, typ := range w.healthy.Conditions {
		switch got, reason := s.condition(typ); got {
		case observed.True:
		case "":
			return typ + " is not set", false
		default:
			return fmt.Sprintf("%s is %s (%s)", typ, got, reason), false
		}
	}
	// Clocks differ, so the time does not count unless somebody asks for it.
	least := time.Duration(w.healthy.MinReadySeconds) * time.Second
	for _, typ := range w.healthy.Conditions {
		if least > 0 && w.now.Sub(s.since(typ)) < least {
			return fmt.Sprintf("%s for less than %s", typ, least), true
		}
	}
	return "", false
}

// waits says whether a server waits for its user, and has not got the token for it yet.
func waits(s *server) bool {
	pending, reason := s.condition(status.TypeRestartPending)
	hash := structs.Text(s.object, "status", "pendingHash")
	return pending == observed.True && reason == string(rollout.ManualPolicy) && s.current(status.TypeRestartPending) &&
		hash != "" && hash != token(s)
}

func token(s *server) string { return structs.Text(s.object, "spec", "rollout", "restartToken") }

// inFlight says whether a server may be about to restart, or is restarting. A server that
// has got its token is, until its pod is of it and ready.
func inFlight(s *server) bool {
	pending, _ := s.condition(status.TypeRestartPending)
	return pending != observed.False || !s.current(status.TypeRestartPending)
}

// heldFor says for what a server is held that is neither its user nor soon over. It still
// runs as it was. If its spec has changed since, it may be about to restart.
func heldFor(s *server) string {
	switch ready, reason := s.condition(status.TypeConfigReady); {
	case ready != observed.False || !s.ofNewest(status.TypeConfigReady):
	case reason == response.ReasonInvalidSpec, reason == response.ReasonInvalidInput, reason == response.ReasonNameTaken, reason == response.ReasonInternalError:
		return reason
	}
	switch _, reason := s.condition(status.TypeRestartPending); rollout.Reason(reason) {
	case rollout.SecretsMissing, rollout.NameTaken, rollout.DatabasePending:
		if s.current(status.TypeRestartPending) {
			return reason
		}
	default:
	}
	return ""
}

// run restarts the servers that are down and wait, as they cannot become worse, and so
// many of the others as may be unavailable beside all that are. One that is ailing is
// unavailable already, but its clients may not know: it only has to count itself no more.
//
// Who has waited longest comes first. In the order of names alone, the last would never
// be restarted if changes came faster than waves can follow.
func (w *wave) run(selected, maxUnavailable int) *Result {
	unavailable := len(w.inFlight) + len(w.unhealthy)
	slices.SortFunc(w.ailing, byWaiting)
	slices.SortFunc(w.ready, byWaiting)
	ailing, laterAiling := split(w.ailing, maxUnavailable-(unavailable-len(w.ailing)))
	ready, laterReady := split(w.ready, maxUnavailable-unavailable)

	r := &Result{Desired: map[string]*structpb.Struct{}}
	restarted, waiting := group{}, group{}
	for _, s := range slices.Concat(w.down, ailing, ready) {
		r.Desired[s.String()] = apply(s.object, nested(structs.Text(s.object, "status", "pendingHash"), "rollout", "restartToken"))
		restarted.addf("%s", s)
	}
	for _, s := range slices.SortedFunc(slices.Values(slices.Concat(laterAiling, w.fresh, laterReady)), byWaiting) {
		waiting.addf("%s", s)
	}

	r.Output = output(map[string]any{"selected": selected, "maxUnavailable": maxUnavailable}, map[string]group{
		"restarted": restarted, "waiting": waiting, "inFlight": w.inFlight, "unhealthy": w.unhealthy,
		"held": w.held, "paused": w.paused, "stopped": w.stopped, "notCreated": w.notCreated,
	})
	switch {
	case len(restarted) > 0:
		r.Message = fmt.Sprintf("Restarts %s. %d of %d wait for the next wave", restarted.names(), len(waiting), w.counted)
	case len(waiting) > 0:
		r.Warning = true
		r.Message = fmt.Sprintf("Restarts nothing, though %d of %d wait: %d are unavailable, and maxUnavailable is %d. %s",
			len(waiting), w.counted, unavailable, maxUnavailable, w.unavailable())
	default:
		r.Message = fmt.Sprintf("Restarts nothing: none of %d waits for it", w.counted)
	}
	return r
}

// byWaiting orders servers that wait: by since when, and by their names.
func byWaiting(a, b *server) int {
	return cmp.Or(a.since(status.TypeRestartPending).Compare(b.since(status.TypeRestartPending)), byName(a, b))
}

// split returns the first n servers, and the others.
func split(servers []*server, n int) (first, others []*server) {
	n = min(max(0, n), len(servers))
	return servers[:n], servers[n:]
}

// unavailable names the servers that keep others from being restarted.
func (w *wave) unavailable() string {
	switch {
	case len(w.unhealthy) == 0:
		return "In flight: " + w.inFlight.names()
	case len(w.inFlight) == 0:
		return "Unhealthy: " + w.unhealthy.names()
	}
	return "In flight: " + w.inFlight.names() + "; unhealthy: " + w.unhealthy.names()
}
