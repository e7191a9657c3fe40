package operations

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/functest"
)

// now is when the Operations of the tests run. Conditions of the servers are from an hour
// before, unless a test says otherwise.
var now = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// A state is what is special about a server.
type state func(*structpb.Struct) *structpb.Struct

// dittoServer returns a server that runs as it should, with what is special about it.
func dittoServer(t *testing.T, name string, states ...state) *structpb.Struct {
	t.Helper()
	ns, n, _ := strings.Cut(name, "/")
	o := existing(t, `
apiVersion: dittofs.io/v1alpha1
kind: DittoServer
metadata: {namespace: %q, name: %q, generation: 3}
spec: {storage: {metadataSize: 10Gi}, rollout: {policy: Manual, restartToken: before}}
status: {observedGeneration: 3}`, ns, n)
	all := append([]state{
		condition("ConfigReady", "True", "Written"), condition("Available", "True", "Serving"), condition("Ready", "True", "Available"),
		condition("RestartPending", "False", "UpToDate"),
	}, states...)
	for _, s := range all {
		o = s(o)
	}
	return o
}

// condition sets a condition, of the newest spec.
func condition(typ, status, reason string) state {
	return func(o *structpb.Struct) *structpb.Struct {
		return setCondition(o, map[string]any{
			"type": typ, "status": status, "reason": reason, "lastTransitionTime": now.Add(-time.Hour).Format(time.RFC3339),
			"observedGeneration": functest.ValueAt(o, "metadata", "generation").GetNumberValue(),
		})
	}
}

func setCondition(o *structpb.Struct, c map[string]any) *structpb.Struct {
	list := []any{}
	for _, v := range functest.ValueAt(o, "status", "conditions").GetListValue().GetValues() {
		if functest.StringOf(v.GetStructValue(), "type") != c["type"] {
			list = append(list, v.AsInterface())
		}
	}
	return functest.SetAt(o, append(list, c), "status", "conditions")
}

// edited sets a field of a condition that there is, or removes it.
func edited(typ, field string, value any) state {
	return func(o *structpb.Struct) *structpb.Struct {
		for _, v := range functest.ValueAt(o, "status", "conditions").GetListValue().GetValues() {
			if functest.StringOf(v.GetStructValue(), "type") == typ {
				c := v.GetStructValue().AsMap()
				c[field] = value
				if value == nil {
					delete(c, field)
				}
				return setCondition(o, c)
			}
		}
		panic("there is no condition " + typ)
	}
}

func set(value any, path ...string) state {
	return func(o *structpb.Struct) *structpb.Struct { return functest.SetAt(o, value, path...) }
}

func both(states ...state) state {
	return func(o *structpb.Struct) *structpb.Struct {
		for _, s := range states {
			o = s(o)
		}
		return o
	}
}

var (
	waiting = both(condition("RestartPending", "True", "ManualPolicy"), func(o *structpb.Struct) *structpb.Struct {
		return functest.SetAt(o, hashOf(functest.StringOf(o, "metadata", "name")), "status", "pendingHash")
	})
	// given is set for a server that has got its token, before the function has seen it.
	given = both(waiting, func(o *structpb.Struct) *structpb.Struct {
		return functest.SetAt(o, functest.ValueAt(o, "status", "pendingHash"), "spec", "rollout", "restartToken")
	}, set(4, "metadata", "generation"))
	restarting = both(condition("RestartPending", "True", "Restarting"), condition("Available", "False", "NotReady"), condition("Ready", "False", "Creating"))
	isDown     = both(condition("Available", "False", "NotReady"), condition("Ready", "False", "Creating"))
	// unready is set for a server that serves, while something else of it is not ready.
	unready = condition("Ready", "False", "Creating")
	paused  = set(map[string]any{"crossplane.io/paused": "true"}, "metadata", "annotations")
)

func hashOf(name string) string { return "hash-of-" + name }

func held(reason string) state { return condition("RestartPending", "Unknown", reason) }

func labelled(key, value string) state { return set(map[string]any{key: value}, "metadata", "labels") }

// readyFor sets for how long a server is ready.
func readyFor(d time.Duration) state {
	return edited("Ready", "lastTransitionTime", now.Add(-d).Format(time.RFC3339))
}

// many returns servers that are numbered.
func many(t *testing.T, prefix string, n int, states ...state) []*structpb.Struct {
	t.Helper()
	servers := make([]*structpb.Struct, 0, n)
	for i := range n {
		servers = append(servers, dittoServer(t, fmt.Sprintf("%s%03d", prefix, i), states...))
	}
	return servers
}

func numbers(prefix string, from, to int) []any {
	names := []any{}
	for i := from; i < to; i++ {
		names = append(names, fmt.Sprintf("%s%03d", prefix, i))
	}
	return names
}

// some is a group of the output.
func some(items ...any) map[string]any { return map[string]any{"count": len(items), "items": items} }

func TestRestart(t *testing.T) {
	type output = map[string]any
	type want struct {
		// Restarted are the DittoServers that get their tokens, sorted.
		Restarted []string
		Output    output
		Message   string
		Warning   bool
	}

	one := func(name string, states ...state) func(*testing.T) []*structpb.Struct {
		return func(t *testing.T) []*structpb.Struct {
			t.Helper()
			return []*structpb.Struct{dittoServer(t, name, states...)}
		}
	}
	// beside returns two servers: w waits and is healthy, and s is what a case is about.
	beside := func(states ...state) func(*testing.T) []*structpb.Struct {
		return func(t *testing.T) []*structpb.Struct {
			t.Helper()
			return []*structpb.Struct{dittoServer(t, "a/w", waiting), dittoServer(t, "a/s", states...)}
		}
	}
	// blocks is the answer if s counts as unavailable, and is not restarted.
	blocks := func(group string, s any, message string) want {
		return want{
			Output:  output{"selected": 2, "maxUnavailable": 1, "waiting": some("a/w"), group: some(s)},
			Message: "Restarts nothing, though 1 of 2 wait: 1 are unavailable, and maxUnavailable is 1. " + message, Warning: true,
		}
	}
	// lets is the answer if s counts as available, and is not restarted.
	lets := func(servers int, groups output) want {
		o := output{"selected": 2, "maxUnavailable": 1, "restarted": some("a/w")}
		maps.Copy(o, groups)
		return want{Restarted: []string{"a/w"}, Output: o, Message: fmt.Sprintf("Restarts a/w. 0 of %d wait for the next wave", servers)}
	}

	cases := map[string]struct {
		reason  string
		input   string
		servers func(t *testing.T) []*structpb.Struct
		want    want
	}{
		"NoServers": {
			reason:  "Where there is no server there is nothing to do.",
			servers: func(*testing.T) []*structpb.Struct { return nil },
			want:    want{Output: output{"selected": 0, "maxUnavailable": 1}, Message: "Restarts nothing: none of 0 waits for it"},
		},
		"UpToDate": {
			reason:  "A server that runs as it should waits for nothing.",
			servers: one("a/s"),
			want:    want{Output: output{"selected": 1, "maxUnavailable": 1}, Message: "Restarts nothing: none of 1 waits for it"},
		},
		"Waiting": {
			reason:  "A server that waits gets the token that it waits for.",
			servers: one("a/s", waiting),
			want: want{
				Restarted: []string{"a/s"}, Output: output{"selected": 1, "maxUnavailable": 1, "restarted": some("a/s")},
				Message: "Restarts a/s. 0 of 1 wait for the next wave",
			},
		},
		"InOrder": {
			reason: "The order of those that wait for as long should be that of namespaces and names, whatever the one in which they come.",
			input:  "maxUnavailable: 2",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return []*structpb.Struct{dittoServer(t, "b/a", waiting), dittoServer(t, "a/c", waiting), dittoServer(t, "a-b/a", waiting), dittoServer(t, "a/b", waiting)}
			},
			want: want{
				Restarted: []string{"a/b", "a/c"},
				Output:    output{"selected": 4, "maxUnavailable": 2, "restarted": some("a/b", "a/c"), "waiting": some("a-b/a", "b/a")},
				Message:   "Restarts a/b, a/c. 2 of 4 wait for the next wave",
			},
		},
		"LongestFirst": {
			reason: "Who has waited longest should come first: a change that comes between two waves does not send all back to the start.",
			input:  "maxUnavailable: 2",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				since := func(d time.Duration) state {
					return both(waiting, edited("RestartPending", "lastTransitionTime", now.Add(-d).Format(time.RFC3339)))
				}
				return []*structpb.Struct{
					dittoServer(t, "a/a", since(time.Minute)), dittoServer(t, "a/b", since(time.Hour)), dittoServer(t, "a/c", since(time.Minute)), dittoServer(t, "a/d", since(time.Hour)),
				}
			},
			want: want{
				Restarted: []string{"a/b", "a/d"},
				Output:    output{"selected": 4, "maxUnavailable": 2, "restarted": some("a/b", "a/d"), "waiting": some("a/a", "a/c")},
				Message:   "Restarts a/b, a/d. 2 of 4 wait for the next wave",
			},
		},
		"TokenGiven": {
			reason:  "A server that has got its token, which the function has not seen yet, is as good as down, and gets no second one.",
			servers: beside(given),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"TokenGivenToAll": {
			reason: "While all have got their tokens there is nothing to do, and nobody has to look.",
			input:  "maxUnavailable: 100%",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return many(t, "a/", 3, given)
			},
			want: want{
				Output:  output{"selected": 3, "maxUnavailable": 3, "inFlight": some(numbers("a/", 0, 3)...)},
				Message: "Restarts nothing: none of 3 waits for it",
			},
		},
		"StatusBeforeConditions": {
			reason:  "Crossplane writes the fields of the status first. A condition of an older spec may be about to change.",
			servers: beside(given, set(4, "status", "observedGeneration")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"HashWithoutConditions": {
			reason:  "A pending hash whose condition is not there yet waits for nobody: the next wave sees both.",
			servers: beside(set("hash", "status", "pendingHash")),
			want:    lets(2, nil),
		},
		"ConditionsWithoutHash": {
			reason:  "Without the hash there is no token. What waited a moment ago may restart, or be as wanted again.",
			servers: beside(waiting, set("", "status", "pendingHash")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"HashIsToken": {
			reason:  "The token that a server has requests nothing.",
			servers: beside(waiting, set("hash-of-s", "spec", "rollout", "restartToken")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"NewSpec": {
			reason:  "What the function makes of a new spec is not known yet: the server may be about to restart.",
			servers: beside(set(4, "metadata", "generation")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"WaitingWithNewSpec": {
			reason:  "A server whose spec has changed since waits for another hash.",
			servers: beside(waiting, set(4, "metadata", "generation")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"OlderCrossplane": {
			reason: "Conditions that do not say of which spec they are count if the status is of the newest.",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return []*structpb.Struct{dittoServer(t, "a/s", waiting, edited("RestartPending", "observedGeneration", nil))}
			},
			want: want{
				Restarted: []string{"a/s"}, Output: output{"selected": 1, "maxUnavailable": 1, "restarted": some("a/s")},
				Message: "Restarts a/s. 0 of 1 wait for the next wave",
			},
		},
		"Restarting": {
			reason:  "A server that restarts counts once, though it is neither ready nor up to date.",
			input:   "maxUnavailable: 2",
			servers: beside(restarting),
			want: want{
				Restarted: []string{"a/w"}, Output: output{"selected": 2, "maxUnavailable": 2, "restarted": some("a/w"), "inFlight": some("a/s")},
				Message: "Restarts a/w. 0 of 2 wait for the next wave",
			},
		},
		"Automatic": {
			reason:  "A server that restarts without being asked is unavailable all the same.",
			servers: beside(set("Automatic", "spec", "rollout", "policy"), condition("RestartPending", "True", "Restarting")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"Refused": {
			reason:  "A template that the API server refuses may be accepted at any time.",
			servers: beside(condition("RestartPending", "True", "Refused")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"ConfigMapFirst": {
			reason:  "A server whose ConfigMap is being written is about to restart.",
			servers: beside(condition("RestartPending", "True", "ConfigMapFirst")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"SecretsPending": {
			reason:  "It is not known yet whether the server has to restart, but soon.",
			servers: beside(held("SecretsPending")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"FailedReconcile": {
			reason:  "After a reconcile that fails, Crossplane knows nothing of what a function has said.",
			servers: beside(condition("RestartPending", "Unknown", "FatalError"), condition("ConfigReady", "Unknown", "FatalError"), condition("Available", "Unknown", "FatalError")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"SecretsMissing": {
			reason:  "A server that is held runs. What it waits for is not a token.",
			servers: beside(held("SecretsMissing")),
			want:    lets(2, output{"held": some("a/s: SecretsMissing")}),
		},
		"DatabasePending": {
			reason:  "A server that is held runs. What it waits for is not a token.",
			servers: beside(condition("RestartPending", "True", "DatabasePending")),
			want:    lets(2, output{"held": some("a/s: DatabasePending")}),
		},
		"NameTaken": {
			reason:  "A server that is held runs. What it waits for is not a token.",
			servers: beside(condition("RestartPending", "True", "NameTaken")),
			want:    lets(2, output{"held": some("a/s: NameTaken")}),
		},
		"InvalidSpec": {
			reason:  "After a fatal result the server runs as it was, and its status stays that of an older spec.",
			servers: beside(condition("RestartPending", "Unknown", "FatalError"), set(4, "metadata", "generation"), condition("ConfigReady", "False", "InvalidSpec")),
			want:    lets(2, output{"held": some("a/s: InvalidSpec")}),
		},
		"HeldAndCorrected": {
			reason:  "A server whose spec was corrected a moment ago may be about to restart.",
			servers: beside(condition("RestartPending", "Unknown", "FatalError"), condition("ConfigReady", "False", "InvalidSpec"), set(4, "metadata", "generation")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"SecretsMissingAndCorrected": {
			reason:  "A server that reads another Secret since a moment ago may be about to restart.",
			servers: beside(held("SecretsMissing"), set(4, "metadata", "generation")),
			want:    blocks("inFlight", "a/s", "In flight: a/s"),
		},
		"ConfigMapAltered": {
			reason:  "A ConfigMap that is being written is no reason to hold a server for long.",
			servers: beside(waiting, condition("ConfigReady", "False", "Altered")),
			want: want{
				Restarted: []string{"a/s"}, Output: output{"selected": 2, "maxUnavailable": 1, "restarted": some("a/s"), "waiting": some("a/w")},
				Message: "Restarts a/s. 1 of 2 wait for the next wave",
			},
		},
		"HeldAndDown": {
			reason:  "A server that is held and down is unavailable, and a token would not help it.",
			servers: beside(held("SecretsMissing"), isDown),
			want: want{
				Output:  output{"selected": 2, "maxUnavailable": 1, "waiting": some("a/w"), "held": some("a/s: SecretsMissing"), "unhealthy": some("a/s: Ready is False (Creating)")},
				Message: "Restarts nothing, though 1 of 2 wait: 1 are unavailable, and maxUnavailable is 1. Unhealthy: a/s: Ready is False (Creating)", Warning: true,
			},
		},
		"Paused": {
			reason:  "Crossplane leaves a paused server alone, so its status may be old, and a token would be for later.",
			servers: beside(waiting, isDown, paused),
			want:    lets(1, output{"paused": some("a/s")}),
		},
		"NotPaused": {
			reason:  "Only the text true pauses.",
			servers: one("a/s", waiting, set(map[string]any{"crossplane.io/paused": "false"}, "metadata", "annotations")),
			want: want{
				Restarted: []string{"a/s"}, Output: output{"selected": 1, "maxUnavailable": 1, "restarted": some("a/s")},
				Message: "Restarts a/s. 0 of 1 wait for the next wave",
			},
		},
		"Stopped": {
			reason:  "A server that its user has stopped is not unavailable, and starts with what is wanted.",
			servers: beside(condition("Available", "True", "Stopped")),
			want:    lets(1, output{"stopped": some("a/s")}),
		},
		"NotCreated": {
			reason:  "Nobody uses a server yet that is not there.",
			servers: beside(condition("Available", "False", "NotCreated"), unready),
			want:    lets(1, output{"notCreated": some("a/s")}),
		},
		"NotSeen": {
			reason:  "Nobody uses a server yet that the function has not seen.",
			servers: beside(set(nil, "status")),
			want:    lets(1, output{"notCreated": some("a/s")}),
		},
		"Deleting": {
			reason:  "A server that is being deleted is no longer one of the fleet.",
			servers: beside(isDown, set("2026-01-02T00:00:00Z", "metadata", "deletionTimestamp")),
			want: want{
				Restarted: []string{"a/w"}, Output: output{"selected": 1, "maxUnavailable": 1, "restarted": some("a/w")},
				Message: "Restarts a/w. 0 of 1 wait for the next wave",
			},
		},
		"DownForOtherReasons": {
			reason:  "Who is down for any reason is unavailable.",
			servers: beside(isDown),
			want:    blocks("unhealthy", "a/s: Ready is False (Creating)", "Unhealthy: a/s: Ready is False (Creating)"),
		},
		"DownAndWaiting": {
			reason:  "A server that is down and waits cannot become worse, and the change may repair it. Others wait until it is back.",
			servers: beside(waiting, isDown),
			want: want{
				Restarted: []string{"a/s"},
				Output:    output{"selected": 2, "maxUnavailable": 1, "restarted": some("a/s"), "waiting": some("a/w"), "unhealthy": some("a/s: Ready is False (Creating)")},
				Message:   "Restarts a/s. 1 of 2 wait for the next wave",
			},
		},
		"ManyDownAndWaiting": {
			reason: "All that are down are restarted, whatever the limit is.",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return append(many(t, "a/", 3, waiting, isDown), many(t, "b/", 2, waiting)...)
			},
			want: want{
				Restarted: []string{"a/000", "a/001", "a/002"},
				Output: output{
					"selected": 5, "maxUnavailable": 1, "restarted": some(numbers("a/", 0, 3)...), "waiting": some(numbers("b/", 0, 2)...),
					"unhealthy": some("a/000: Ready is False (Creating)", "a/001: Ready is False (Creating)", "a/002: Ready is False (Creating)"),
				},
				Message: "Restarts a/000, a/001, a/002. 2 of 5 wait for the next wave",
			},
		},
		"UnreadyButServing": {
			reason: "Servers that are not ready for their load balancers still serve, and can become worse: they take turns.",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return many(t, "a/", 3, waiting, unready)
			},
			want: want{
				Restarted: []string{"a/000"},
				Output: output{
					"selected": 3, "maxUnavailable": 1, "restarted": some("a/000"), "waiting": some(numbers("a/", 1, 3)...),
					"unhealthy": some("a/000: Ready is False (Creating)", "a/001: Ready is False (Creating)", "a/002: Ready is False (Creating)"),
				},
				Message: "Restarts a/000. 2 of 3 wait for the next wave",
			},
		},
		"UnreadyOnesAsManyAsMay": {
			reason: "Those that are unready beside the ones that wait leave less for them, and healthy ones come after both.",
			input:  "maxUnavailable: 3",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return slices.Concat(many(t, "a/", 2, unready), many(t, "b/", 2, waiting, unready), many(t, "c/", 1, waiting))
			},
			want: want{
				Restarted: []string{"b/000"},
				Output: output{
					"selected": 5, "maxUnavailable": 3, "restarted": some("b/000"), "waiting": some("b/001", "c/000"),
					"unhealthy": some("a/000: Ready is False (Creating)", "a/001: Ready is False (Creating)", "b/000: Ready is False (Creating)", "b/001: Ready is False (Creating)"),
				},
				Message: "Restarts b/000. 2 of 5 wait for the next wave",
			},
		},
		"UnreadyAfterRestart": {
			reason: "If a server does not become healthy by its restart, the others keep what they have.",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return append(many(t, "a/", 1, unready), many(t, "b/", 2, waiting, unready)...)
			},
			want: want{
				Output: output{
					"selected": 3, "maxUnavailable": 1, "waiting": some("b/000", "b/001"),
					"unhealthy": some("a/000: Ready is False (Creating)", "b/000: Ready is False (Creating)", "b/001: Ready is False (Creating)"),
				},
				Message: "Restarts nothing, though 2 of 3 wait: 3 are unavailable, and maxUnavailable is 1. " +
					"Unhealthy: a/000: Ready is False (Creating), b/000: Ready is False (Creating), b/001: Ready is False (Creating)", Warning: true,
			},
		},
		"Soaking": {
			reason:  "A server that came back a moment ago may not stay.",
			input:   "healthy: {minReadySeconds: 60}",
			servers: beside(readyFor(59 * time.Second)),
			want:    blocks("unhealthy", "a/s: Ready for less than 1m0s", "Unhealthy: a/s: Ready for less than 1m0s"),
		},
		"Soaked": {
			reason:  "A server that has been back for long enough is healthy.",
			input:   "healthy: {minReadySeconds: 60}",
			servers: beside(readyFor(60 * time.Second)),
			want:    lets(2, nil),
		},
		"SoakingAndWaiting": {
			reason:  "A server that came back a moment ago is not down: it has to stay for long enough first.",
			input:   "healthy: {minReadySeconds: 60}",
			servers: one("a/s", waiting, readyFor(time.Second)),
			want: want{
				Output:  output{"selected": 1, "maxUnavailable": 1, "waiting": some("a/s"), "unhealthy": some("a/s: Ready for less than 1m0s")},
				Message: "Restarts nothing, though 1 of 1 wait: 1 are unavailable, and maxUnavailable is 1. Unhealthy: a/s: Ready for less than 1m0s", Warning: true,
			},
		},
		"NoTime": {
			reason:  "A condition that does not say since when it is true has always been.",
			input:   "healthy: {minReadySeconds: 60}",
			servers: beside(edited("Ready", "lastTransitionTime", nil)),
			want:    lets(2, nil),
		},
		"ClockAhead": {
			reason:  "Clocks differ by seconds. Without minReadySeconds no time counts.",
			servers: beside(readyFor(-2 * time.Second)),
			want:    lets(2, nil),
		},
		"OtherCondition": {
			reason:  "Another condition can say that a server is healthy, so a load balancer's address does not matter.",
			input:   "healthy: {conditions: [Available]}",
			servers: beside(unready),
			want:    lets(2, nil),
		},
		"OtherConditionFalse": {
			reason:  "All of the conditions have to be True.",
			input:   "healthy: {conditions: [Ready, example.com/Tested]}",
			servers: beside(condition("example.com/Tested", "False", "Slow")),
			want: want{
				Output: output{
					"selected": 2, "maxUnavailable": 1, "waiting": some("a/w"),
					"unhealthy": some("a/s: example.com/Tested is False (Slow)", "a/w: example.com/Tested is not set"),
				},
				Message: "Restarts nothing, though 1 of 2 wait: 2 are unavailable, and maxUnavailable is 1. " +
					"Unhealthy: a/s: example.com/Tested is False (Slow), a/w: example.com/Tested is not set", Warning: true,
			},
		},
		"InFlightAndUnhealthy": {
			reason: "All that is unavailable is said, and why.",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return []*structpb.Struct{dittoServer(t, "a/a", waiting), dittoServer(t, "a/b", given), dittoServer(t, "a/c", isDown)}
			},
			want: want{
				Output:  output{"selected": 3, "maxUnavailable": 1, "waiting": some("a/a"), "inFlight": some("a/b"), "unhealthy": some("a/c: Ready is False (Creating)")},
				Message: "Restarts nothing, though 1 of 3 wait: 2 are unavailable, and maxUnavailable is 1. In flight: a/b; unhealthy: a/c: Ready is False (Creating)", Warning: true,
			},
		},
		"Percent": {
			reason: "A percentage is one of the servers that count.",
			input:  "maxUnavailable: 25%",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return append(many(t, "a/", 11, waiting), many(t, "b/", 5, paused)...)
			},
			want: want{
				Restarted: []string{"a/000", "a/001"},
				Output:    output{"selected": 16, "maxUnavailable": 2, "restarted": some(numbers("a/", 0, 2)...), "waiting": some(numbers("a/", 2, 11)...), "paused": some(numbers("b/", 0, 5)...)},
				Message:   "Restarts a/000, a/001. 9 of 11 wait for the next wave",
			},
		},
		"Many": {
			reason: "What is said of a large fleet is of a limited length, but all of it is counted and done.",
			input:  "maxUnavailable: 60",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return many(t, "a/", 120, waiting)
			},
			want: want{
				Restarted: texts(numbers("a/", 0, 60)),
				Output: output{
					"selected": 120, "maxUnavailable": 60,
					"restarted": output{"count": 60, "items": numbers("a/", 0, 50)}, "waiting": output{"count": 60, "items": numbers("a/", 60, 110)},
				},
				Message: "Restarts a/000, a/001, a/002, a/003, a/004 and 55 more. 60 of 120 wait for the next wave",
			},
		},
		"Labels": {
			reason: "Servers without the labels neither count nor restart.",
			input:  `selector: {matchLabels: {ring: "1"}}`,
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return []*structpb.Struct{
					dittoServer(t, "a/a", isDown), dittoServer(t, "a/b", waiting, labelled("ring", "2")), dittoServer(t, "a/c", waiting, labelled("ring", "1")),
				}
			},
			want: want{
				Restarted: []string{"a/c"}, Output: output{"selected": 1, "maxUnavailable": 1, "restarted": some("a/c")},
				Message: "Restarts a/c. 0 of 1 wait for the next wave",
			},
		},
		"Namespaces": {
			reason: "Servers of other namespaces neither count nor restart.",
			input:  "selector: {namespaces: [c, a]}\nmaxUnavailable: 2",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return []*structpb.Struct{dittoServer(t, "b/s", isDown), dittoServer(t, "c/s", waiting), dittoServer(t, "a/s", waiting), dittoServer(t, "d/s", waiting)}
			},
			want: want{
				Restarted: []string{"a/s", "c/s"}, Output: output{"selected": 2, "maxUnavailable": 2, "restarted": some("a/s", "c/s")},
				Message: "Restarts a/s, c/s. 0 of 2 wait for the next wave",
			},
		},
		"NamespacesAndLabels": {
			reason: "A server has to be in one of the namespaces and to have all of the labels.",
			input:  "selector: {namespaces: [a], matchLabels: {ring: \"1\"}}\nmaxUnavailable: 5",
			servers: func(t *testing.T) []*structpb.Struct {
				t.Helper()
				return []*structpb.Struct{
					dittoServer(t, "a/a", waiting, labelled("ring", "1")), dittoServer(t, "a/b", waiting), dittoServer(t, "b/a", waiting, labelled("ring", "1")),
				}
			},
			want: want{
				Restarted: []string{"a/a"}, Output: output{"selected": 1, "maxUnavailable": 5, "restarted": some("a/a")},
				Message: "Restarts a/a. 0 of 1 wait for the next wave",
			},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			servers := tc.servers(t)
			s := take(t, "kind: Restart\n"+tc.input, servers, now)
			if len(s.errs) > 0 || s.err != nil {
				t.Fatal(s.errs, s.err)
			}

			expected := &Result{Desired: map[string]*structpb.Struct{}, Output: tc.want.Output, Message: tc.want.Message, Warning: tc.want.Warning}
			for _, n := range tc.want.Restarted {
				ns, name, _ := strings.Cut(n, "/")
				expected.Desired[n] = functest.Object(t, fmt.Sprintf(`
apiVersion: dittofs.io/v1alpha1
kind: DittoServer
metadata: {namespace: %q, name: %q, uid: uid-%s, resourceVersion: "7"}
spec: {rollout: {restartToken: %s}}`, ns, name, name, hashOf(name)))
			}
			if diff := cmp.Diff(expected, s.result, protocmp.Transform()); diff != "" {
				t.Errorf("%s\nRun(...): -want, +got:\n%s", tc.reason, diff)
			}
			slices.Reverse(servers)
			if diff := cmp.Diff(s.result, take(t, "kind: Restart\n"+tc.input, servers, now).result, protocmp.Transform()); diff != "" {
				t.Errorf("The order in which Crossplane finds servers should not matter: -one, +other:\n%s", diff)
			}
		})
	}
}

// TestRestartRequires asks for no more servers than are selected, and again for the same.
func TestRestartRequires(t *testing.T) {
	cases := map[string]struct {
		reason string
		input  string
		want   []string
	}{
		"All":        {reason: "Without namespaces, one request finds all.", input: "{kind: Restart}", want: []string{"dittoservers/"}},
		"Namespaces": {reason: "Servers of other namespaces should not be sent.", input: "{kind: Restart, selector: {namespaces: [b, a]}}", want: []string{"dittoservers/a", "dittoservers/b"}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := take(t, tc.input, many(t, "a/", 3, waiting), now)
			if diff := cmp.Diff([][]string{tc.want, tc.want}, s.asked); diff != "" {
				t.Errorf("%s\nRequirements of the calls: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func texts(values []any) []string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, v.(string))
	}
	return out
}
