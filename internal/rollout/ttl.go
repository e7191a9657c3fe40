package rollout

import "time"

// CallAgain says when Crossplane is to call again: after pendingTTL while something is
// waited for, and after ttl otherwise. While lookups are pending it is to call again at
// once, and must not keep the answer: before Crossplane 2.2, a cache in between would
// repeat it. Troubled is set if something else than the pod is waited for.
func CallAgain(d Decision, lookupsPending, troubled bool, ttl, pendingTTL time.Duration) time.Duration {
	switch {
	case lookupsPending:
		return 0
	case troubled, d.Reason != "" && d.Reason != ManualPolicy:
		return pendingTTL
	}
	return ttl
}
