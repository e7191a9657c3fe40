package rollout

import "time"

// CallAgain says when Crossplane should call again: after pendingTTL while the server
// waits for something, and after ttl otherwise. While lookups are pending, it should call
// again at once and must not keep the answer: before Crossplane 2.2, a cache in between
// would repeat it. Troubled is set if the server waits for something other than its pod.
func CallAgain(d Decision, lookupsPending, troubled bool, ttl, pendingTTL time.Duration) time.Duration {
	switch {
	case lookupsPending:
		return 0
	case troubled, d.Reason != "" && d.Reason != ManualPolicy:
		return pendingTTL
	}
	return ttl
}
