package rollout

import "time"

// CallAgain says when Crossplane is to call again: soon, after pendingTTL, while
// something is waited for, and after ttl otherwise. As long as Crossplane has not
// looked up all that was asked for it is to call again at once, and it must not keep
// the answer: a cache in between, as before Crossplane 2.2, would give it for the next
// one. The troubled flag is set where something else than the pod is waited for.
func CallAgain(d Decision, lookupsPending, troubled bool, ttl, pendingTTL time.Duration) time.Duration {
	switch {
	case lookupsPending:
		return 0
	case troubled, d.Reason != "" && d.Reason != ManualPolicy:
		return pendingTTL
	}
	return ttl
}
