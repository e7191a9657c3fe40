package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/function-sdk-go/logging"

	"github.com/dittofs/function-dittoserver/internal/functest"
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

// TestRestartsTotal counts restarts, not calls: each case reconciles until nothing
// changes any more.
func TestRestartsTotal(t *testing.T) {
	rotate := func(c *cluster, key string) {
		c.SetSecret("jwt", "key", strings.Repeat(key, 32))
		c.Settle()
	}
	refused := func(c *cluster) {
		for range 3 {
			c.Pull()
			_ = c.Compose(functest.Composition{Observed: c.Composed, Response: c.Reconcile(), Refuse: func(id functest.ObjectID) error {
				if id.Kind != "StatefulSet" {
					return nil
				}
				return kerrors.NewForbidden(schema.GroupResource{Resource: "statefulsets"}, id.Name, errors.New("a policy"))
			}})
		}
	}

	cases := map[string]struct {
		reason string
		when   func(c *cluster)
		want   int
	}{
		"Nothing": {
			reason: "A server that runs as wanted does not restart.",
			when:   func(c *cluster) { c.Settle() },
		},
		"Service": {
			reason: "What is not in the pod template restarts nothing.",
			when: func(c *cluster) {
				c.Set("spec.service.type", "NodePort")
				c.Settle()
			},
		},
		"Create": {
			reason: "A server that is created does not restart.",
			when: func(c *cluster) {
				c.DeleteObject("StatefulSet", "files")
				c.Settle()
			},
		},
		"Secret": {
			reason: "A new hash is one restart.",
			when:   func(c *cluster) { rotate(c, "k") },
			want:   1,
		},
		"SecretTwice": {
			reason: "Two hashes are two restarts, also if the second is that of before.",
			when: func(c *cluster) {
				rotate(c, "k")
				c.SetSecret("jwt", "key", functest.JWTKey)
				c.Settle()
			},
			want: 2,
		},
		"Configuration": {
			reason: "A restart that waits for its ConfigMap counts when it comes.",
			when: func(c *cluster) {
				c.Set("spec.logging.level", "DEBUG")
				c.Settle()
			},
			want: 1,
		},
		"Image": {
			reason: "A change of the template without a new hash is a restart.",
			when: func(c *cluster) {
				c.Set("spec.image", "registry.example.com/dittofs:v2")
				c.Settle()
			},
			want: 1,
		},
		"Manual": {
			reason: "What waits for the user is no restart, and its token is one.",
			when: func(c *cluster) {
				c.Set("spec.rollout.policy", "Manual")
				c.Set("spec.image", "registry.example.com/dittofs:v2")
				rotate(c, "k")
				c.Set("spec.rollout.restartToken", "monday")
				c.Settle()
			},
			want: 1,
		},
		"SecretMissing": {
			reason: "A server that is held does not restart.",
			when: func(c *cluster) {
				c.Set("spec.image", "registry.example.com/dittofs:v2")
				c.DeleteSecret("jwt")
				c.Settle()
			},
		},
		"Stopped": {
			reason: "A server without a pod has none to restart.",
			when: func(c *cluster) {
				c.Set("spec.replicas", 0)
				c.Settle()
				rotate(c, "k")
			},
		},
		"Starting": {
			reason: "Nor has one that is started again, with what has changed meanwhile.",
			when: func(c *cluster) {
				c.Set("spec.replicas", 0)
				c.Settle()
				c.Set("spec.replicas", 1)
				rotate(c, "k")
			},
		},
		"Stopping": {
			reason: "A pod that ends for good is not restarted for what changes with that.",
			when: func(c *cluster) {
				c.Set("spec.replicas", 0)
				rotate(c, "k")
			},
		},
		"RefusedSecret": {
			reason: "A new hash that the API server refuses is sent again and again, and counts once.",
			when: func(c *cluster) {
				c.SetSecret("jwt", "key", strings.Repeat("k", 32))
				refused(c)
			},
			want: 1,
		},
		"RefusedImage": {
			reason: "So is an image.",
			when: func(c *cluster) {
				c.Set("spec.image", "registry.example.com/dittofs:v2")
				refused(c)
			},
			want: 1,
		},
		"UnseenSecret": {
			reason: "A call that does not see the new StatefulSet yet sends no second restart.",
			when: func(c *cluster) {
				before := maps.Clone(c.Composed)
				rotate(c, "k")
				c.Call(c.RequestOf(before, c.Required))
			},
			want: 1,
		},
		"UnseenImage": {
			reason: "Nor does one while the server restarts.",
			when: func(c *cluster) {
				before := maps.Clone(c.Composed)
				c.Set("spec.image", "registry.example.com/dittofs:v2")
				c.Apply(c.Reconcile())
				c.Call(c.RequestOf(before, c.Required))
			},
			want: 1,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, _ := newRunningCluster(t)
			r := prometheus.NewRegistry()
			c.f.metrics = newMetrics(r)
			tc.when(c)

			var want []string
			if tc.want > 0 { // The cluster makes each call twice, to compare the responses.
				want = []string{fmt.Sprintf("restarts_total %d", 2*tc.want)}
			}
			got := slices.DeleteFunc(gathered(t, r), func(m string) bool { return !strings.HasPrefix(m, "restarts_total ") })
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
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
