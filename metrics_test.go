package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/crossplane/function-sdk-go/logging"
)

// TestMetrics looks at what the metrics say of the last call.
func TestMetrics(t *testing.T) {
	cases := map[string]struct {
		reason string
		when   func(c *cluster)
		want   []string
	}{
		"Nothing": {
			reason: "A call for a server that runs advances its hash to what it is.",
			when:   func(*cluster) {},
			want:   []string{"decisions_total{action=Advance,reason=} 1", "run_function_duration_seconds 1"},
		},
		"SecretMissing": {
			reason: "A Secret that is missing and a key that is missing are two problems.",
			when: func(c *cluster) {
				c.DeleteSecret("jwt")
				c.UnsetSecret("admin", "password")
			},
			want: []string{"decisions_total{action=Hold,reason=SecretsMissing} 1", "run_function_duration_seconds 1", "secret_problems_total 2"},
		},
		"Fatal": {
			reason: "A spec that cannot work is a fatal result, and no decision.",
			when:   func(c *cluster) { c.Set("spec.storage.metadataSize", "much") },
			want:   []string{"fatal_results_total 1", "run_function_duration_seconds 1"},
		},
		"Panic": {
			reason: "A panic is a fatal result, too, and comes after the decision.",
			when:   func(c *cluster) { c.f.log = panicking{&recorder{}} },
			want:   []string{"decisions_total{action=Advance,reason=} 1", "fatal_results_total 1", "run_function_duration_seconds 1"},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, _ := newRunningCluster(t)
			r := prometheus.NewRegistry()
			c.f = newFunction(logging.NewNopLogger(), time.Minute, r)
			tc.when(c)
			if _, err := c.f.RunFunction(t.Context(), c.Request(c.Required)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, gathered(t, r)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// gathered returns the metrics that are not zero, and how often a histogram was
// added to.
func gathered(t *testing.T, r *prometheus.Registry) []string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		name := strings.TrimPrefix(f.GetName(), "function_dittoserver_")
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			id := name
			if len(labels) > 0 {
				id += "{" + strings.Join(labels, ",") + "}"
			}
			if n := m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount()); n > 0 {
				got = append(got, fmt.Sprintf("%s %v", id, n))
			}
		}
	}
	return got
}
