package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// metrics are the function's own metrics for Prometheus. No label has the name of a
// user's object, because there may be thousands.
type metrics struct {
	decisions      *prometheus.CounterVec
	restarts       prometheus.Counter
	secretProblems prometheus.Counter
	fatalResults   prometheus.Counter
	duration       prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	const ns = "function_dittoserver"
	f := promauto.With(r)
	return &metrics{
		decisions: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Name: "decisions_total",
			Help: "Decisions about StatefulSets, by action (Advance, Hold, Withhold) and by the reason not to advance.",
		}, []string{"action", "reason"}),
		restarts: f.NewCounter(prometheus.CounterOpts{
			Namespace: ns, Name: "restarts_total",
			Help: "Restarts of running servers that the function has asked for, one for each new configuration hash, " +
				"and one for a change of anything else in a pod template that finds the server not restarting already. " +
				"If Crossplane repeats a call before it sees what it has written, that restart may count again.",
		}),
		secretProblems: f.NewCounter(prometheus.CounterOpts{
			Namespace: ns, Name: "secret_problems_total",
			Help: "Secrets, ConfigMaps and keys that a call found missing, empty or invalid.",
		}),
		fatalResults: f.NewCounter(prometheus.CounterOpts{
			Namespace: ns, Name: "fatal_results_total",
			Help: "Calls that were answered with a fatal result.",
		}),
		duration: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: ns, Name: "run_function_duration_seconds",
			Help:    "How long a call took, without its decoding and encoding.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
		}),
	}
}

// called counts a call.
func (m *metrics) called(took time.Duration, rsp *fnv1.RunFunctionResponse) {
	m.duration.Observe(took.Seconds())
	for _, r := range rsp.GetResults() {
		if r.GetSeverity() == fnv1.Severity_SEVERITY_FATAL {
			m.fatalResults.Inc()
		}
	}
}

// decided counts a decision, the restart that it causes, and the problems of Secrets.
func (m *metrics) decided(d rollout.Decision, restarts bool, secretProblems int) {
	m.decisions.WithLabelValues(string(d.Action), string(d.Reason)).Inc()
	if restarts {
		m.restarts.Inc()
	}
	m.secretProblems.Add(float64(secretProblems))
}
