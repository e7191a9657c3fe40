package operations

import (
	"fmt"
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

	// down are servers that wait and are not healthy, and waiting those that are.
	down, waiting []*server

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

	ill, down := w.ill(s)
	held := heldFor(s)
	switch {
	case held != "":
		// Such a server is not restarted before somebody has done something about it.
		w.held.addf("%s: %s", s, held)
	case !waits(s) && inFlight(s):
		w.inFlight.addf("%s", s)
		return
	}
	switch waits := held == "" && waits(s); {
	case waits && down:
		w.down = append(w.down, s)
		w.unhealthy.addf("%s: %s", s, ill)
	case ill != "":
		w.unhealthy.addf("%s: %s", s, ill)
	case waits:
		w.waiting = append(w.waiting, s)
	}
}

// ill says why a server is not healthy, and whether that is for a condition and not only
// because it has been healthy for too short a time.
func (w *wave) ill(s *server) (why string, down bool) {
	for _, typ := range w.healthy.Conditions {
		if got, reason := s.condition(typ); got != observed.True {
			return fmt.Sprintf("%s is %s (%s)", typ, orUnknown(got), reason), true
		}
	}
	least := time.Duration(w.healthy.MinReadySeconds) * time.Second
	for _, typ := range w.healthy.Conditions {
		if w.now.Sub(s.since(typ)) < least {
			return fmt.Sprintf("%s for less than %s", typ, least), false
		}
	}
	return "", false
}

func orUnknown(s observed.ConditionStatus) observed.ConditionStatus {
	if s == "" {
		return observed.Unknown
	}
	return s
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
// runs as it was.
func heldFor(s *server) string {
	switch ready, reason := s.condition(status.TypeConfigReady); {
	case ready != observed.False:
	case reason == response.ReasonInvalidSpec, reason == response.ReasonInvalidInput, reason == response.ReasonNameTaken, reason == response.ReasonInternalError:
		return reason
	}
	switch _, reason := s.condition(status.TypeRestartPending); rollout.Reason(reason) {
	case rollout.SecretsMissing, rollout.NameTaken, rollout.DatabasePending:
		return reason
	default:
		return ""
	}
}

// run restarts the servers that are down and wait, as they cannot become worse, and so
// many of the others as may be unavailable beside all that are.
func (w *wave) run(selected, maxUnavailable int) *Result {
	budget := max(0, maxUnavailable-len(w.inFlight)-len(w.unhealthy))
	healthy := w.waiting[:min(budget, len(w.waiting))]

	r := &Result{Desired: map[string]*structpb.Struct{}}
	restarted, waiting := group{}, group{}
	for _, s := range append(w.down, healthy...) {
		r.Desired[s.String()] = apply(s.object, nested(structs.Text(s.object, "status", "pendingHash"), "rollout", "restartToken"))
		restarted.addf("%s", s)
	}
	for _, s := range w.waiting[len(healthy):] {
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
			len(waiting), w.counted, len(w.inFlight)+len(w.unhealthy), maxUnavailable, w.unavailable())
	default:
		r.Message = fmt.Sprintf("Restarts nothing: none of %d waits for it", w.counted)
	}
	return r
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
