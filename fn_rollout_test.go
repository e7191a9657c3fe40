package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestRollout goes through the rules of when the StatefulSet is created, gets a
// new hash, keeps the one it has, or is not created yet. Each case is run on both
// of Crossplane's ways to call a function: without any Secret and then with them,
// and with them from the first call on.
func TestRollout(t *testing.T) {
	type want struct {
		// Hash of the desired StatefulSet, and whether an event announces it.
		Hash      string
		Announced bool

		// Ready is the StatefulSet's readiness.
		Ready bool
		TTL   time.Duration

		SecretsResolved, RestartPending, Progressing string
	}

	const (
		absent = "no StatefulSet"
		old    = "the hash of before"
		fresh  = "a new hash"

		ttl, pendingTTL = 60 * time.Second, 10 * time.Second
	)

	running := func(c *cluster) { c.Settle() }
	manual := func(c *cluster) {
		c.Set("spec.rollout.policy", "Manual")
		c.Set("spec.rollout.restartToken", "monday")
		c.Settle()
	}
	proceed := func(c *cluster) {
		c.SetInput("missingSecrets: Proceed")
		c.Settle()
	}

	// The database of Percona's operator, which writes the Secret before it is ready.
	withDatabase := func(c *cluster) {
		c.Set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true})
		c.Apply(c.Reconcile())
	}
	databaseReady := func(c *cluster) {
		for _, key := range []string{"host", "port", "dbname", "user", "password"} {
			c.SetSecret("files-postgres-pguser-dittofs", key, key)
		}
		c.SetSecret("files-postgres-pguser-dittofs", "port", "5432")
		c.Edit(manifests.PerconaResource, "status.state", "ready")
	}

	cases := map[string]struct {
		reason string
		given  func(c *cluster)
		when   func(c *cluster)
		want   want
	}{
		"WithholdWithoutDatabase": {
			reason: "A server whose database is not ready would not start. Nobody has to do anything about its Secret.",
			given:  withDatabase,
			want:   want{Hash: absent, TTL: pendingTTL, SecretsResolved: "FALSE Creating", RestartPending: "FALSE UpToDate", Progressing: "FALSE Waiting"},
		},
		"CreateWithDatabase": {
			reason: "A server whose database is ready should be created.",
			given:  withDatabase,
			when:   databaseReady,
			want:   want{Hash: fresh, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "TRUE Creating"},
		},
		"KeepWhileDatabaseIsAway": {
			reason: "A database that fails over is no reason to touch a running server.",
			given: func(c *cluster) {
				withDatabase(c)
				databaseReady(c)
				c.Settle()
			},
			when: func(c *cluster) { c.Edit(manifests.PerconaResource, "status.state", "initializing") },
			want: want{Hash: old, Ready: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE RolledOut"},
		},
		"CreateWithAllSecrets": {
			reason: "A new StatefulSet should get the hash at once.",
			want:   want{Hash: fresh, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "TRUE Creating"},
		},
		"WithholdWithoutSecret": {
			reason: "A server whose Secret is not there should not be created.",
			when:   func(c *cluster) { c.DeleteSecret("jwt") },
			want:   want{Hash: absent, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE Waiting"},
		},
		"WithholdWithoutKey": {
			reason: "A server whose Secret lacks the key should not be created.",
			when:   func(c *cluster) { c.Set("spec.identity.jwt.secretRef.key", "other") },
			want:   want{Hash: absent, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE Waiting"},
		},
		"WithholdWithEmptyValue": {
			reason: "A server whose Secret has an empty value should not be created.",
			when:   func(c *cluster) { c.SetSecret("admin", "password", "") },
			want:   want{Hash: absent, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE Waiting"},
		},
		"CreateBesideAnotherConfigMap": {
			reason: "A pod waits for the ConfigMap that its template names, so a server can be created beside it.",
			given:  running,
			when: func(c *cluster) {
				delete(c.Composed, manifests.StatefulSetResource)
				c.Set("spec.logging.level", "DEBUG")
			},
			want: want{Hash: fresh, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "TRUE Creating"},
		},
		"CreateBesideItsConfigMap": {
			reason: "A ConfigMap that is as wanted is no reason to wait.",
			given:  running,
			when:   func(c *cluster) { delete(c.Composed, manifests.StatefulSetResource) },
			want:   want{Hash: old, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "TRUE Creating"},
		},
		"KeepWhenNothingChanged": {
			reason: "A server whose inputs are as they were should not restart.",
			given:  running,
			want:   want{Hash: old, Ready: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE RolledOut"},
		},
		"AdvanceOnRotatedSecret": {
			reason: "A changed Secret should restart the server. The conditions follow once the StatefulSet has the new hash.",
			given:  running,
			when:   func(c *cluster) { c.SetSecret("jwt", "key", strings.Repeat("k", 32)) },
			want:   want{Hash: fresh, Announced: true, Ready: true, TTL: pendingTTL, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE RolledOut"},
		},
		"HoldForConfigMap": {
			reason: "While the observed ConfigMap is the old one, the hash should stay, and the StatefulSet should not be ready so that Crossplane comes back.",
			given:  running,
			when:   func(c *cluster) { c.Set("spec.logging.level", "DEBUG") },
			want:   want{Hash: old, TTL: pendingTTL, SecretsResolved: "TRUE Resolved", RestartPending: "TRUE ConfigMapFirst", Progressing: "TRUE RollingOut"},
		},
		"HoldForLostConfigMap": {
			reason: "A running server whose ConfigMap was deleted should keep its hash until the ConfigMap is back.",
			given:  running,
			when:   func(c *cluster) { delete(c.Composed, c.configMap()) },
			want:   want{Hash: old, TTL: pendingTTL, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE ConfigMapFirst", Progressing: "TRUE RollingOut"},
		},
		"AdvanceOnceConfigMapIsWritten": {
			reason: "When the ConfigMap is as wanted, the hash should follow.",
			given:  running,
			when: func(c *cluster) {
				c.Set("spec.logging.level", "DEBUG")
				c.Apply(c.Reconcile())
			},
			want: want{Hash: fresh, Announced: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "TRUE Restarting", Progressing: "TRUE RollingOut"},
		},
		"HoldWithoutSecret": {
			reason: "A running server should not restart because a Secret is gone.",
			given:  running,
			when:   func(c *cluster) { c.DeleteSecret("jwt") },
			want:   want{Hash: old, Ready: true, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "UNKNOWN SecretsMissing", Progressing: "FALSE RolledOut"},
		},
		"HoldWithoutKey": {
			reason: "A running server should not restart because a key is gone.",
			given:  running,
			when:   func(c *cluster) { c.UnsetSecret("admin", "password") },
			want:   want{Hash: old, Ready: true, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "UNKNOWN SecretsMissing", Progressing: "FALSE RolledOut"},
		},
		"HoldWithEmptyValue": {
			reason: "A running server should not restart because a value is empty.",
			given:  running,
			when:   func(c *cluster) { c.SetSecret("jwt", "key", "") },
			want:   want{Hash: old, Ready: true, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "UNKNOWN SecretsMissing", Progressing: "FALSE RolledOut"},
		},
		"HoldForSecretAndConfigMap": {
			reason: "A hash over a new config and a part of the Secrets would restart the server twice.",
			given:  running,
			when: func(c *cluster) {
				c.DeleteSecret("jwt")
				c.Set("spec.logging.level", "DEBUG")
				c.Apply(c.Reconcile())
			},
			want: want{Hash: old, Ready: true, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "UNKNOWN SecretsMissing", Progressing: "FALSE RolledOut"},
		},
		"ManualHoldsRotatedSecret": {
			reason: "With the policy Manual a rotated Secret should wait for the user.",
			given:  manual,
			when:   func(c *cluster) { c.SetSecret("jwt", "key", strings.Repeat("k", 32)) },
			want:   want{Hash: old, Ready: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "TRUE ManualPolicy", Progressing: "FALSE RolledOut"},
		},
		"ManualHoldsWrittenConfigMap": {
			reason: "With the policy Manual a changed config should be written, and wait for the user.",
			given:  manual,
			when: func(c *cluster) {
				c.Set("spec.logging.level", "DEBUG")
				c.Apply(c.Reconcile())
			},
			want: want{Hash: old, Ready: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "TRUE ManualPolicy", Progressing: "FALSE RolledOut"},
		},
		"ManualPutsConfigMapFirst": {
			reason: "Also with the policy Manual the ConfigMap goes first, so that a new token finds it written.",
			given:  manual,
			when: func(c *cluster) {
				c.Set("spec.logging.level", "DEBUG")
				c.Set("spec.rollout.restartToken", "tuesday")
			},
			want: want{Hash: old, TTL: pendingTTL, SecretsResolved: "TRUE Resolved", RestartPending: "TRUE ConfigMapFirst", Progressing: "TRUE RollingOut"},
		},
		"ManualHoldsWithoutSecret": {
			reason: "A new token should not restart a server that could not start.",
			given:  manual,
			when: func(c *cluster) {
				c.DeleteSecret("jwt")
				c.Set("spec.rollout.restartToken", "tuesday")
			},
			want: want{Hash: old, Ready: true, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "UNKNOWN SecretsMissing", Progressing: "FALSE RolledOut"},
		},
		"ManualKeepsWhenNothingChanged": {
			reason: "With the policy Manual and nothing to restart for, nothing should be pending.",
			given:  manual,
			want:   want{Hash: old, Ready: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE RolledOut"},
		},
		"ManualAdvancesOnNewToken": {
			reason: "A new token should restart the server, also with nothing else changed.",
			given:  manual,
			when:   func(c *cluster) { c.Set("spec.rollout.restartToken", "tuesday") },
			want:   want{Hash: fresh, Announced: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "TRUE Restarting", Progressing: "TRUE RollingOut"},
		},
		"ManualKeepsWhenTokenIsTakenAway": {
			reason: "To take a token away is no request: GitOps tools do it when somebody else has set it.",
			given:  manual,
			when:   func(c *cluster) { c.Unset("spec.rollout.restartToken") },
			want:   want{Hash: old, Ready: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE RolledOut"},
		},
		"AutomaticKeepsWhenTokenIsTakenAway": {
			reason: "To take a token away is no request under any policy.",
			given:  manual,
			when:   func(c *cluster) { c.Set("spec.rollout", map[string]any{"policy": "Automatic"}) },
			want:   want{Hash: old, Ready: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE RolledOut"},
		},
		"ManualOfTheInput": {
			reason: "The platform team can say it for all servers.",
			given:  running,
			when: func(c *cluster) {
				c.SetInput("rollout: {policy: Manual}\nimage: example.com/dittofs:next")
			},
			want: want{Hash: old, Ready: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "TRUE ManualPolicy", Progressing: "FALSE RolledOut"},
		},
		"ManualStarts": {
			reason: "A server that is stopped has nothing to hold: it starts with what is wanted.",
			given: func(c *cluster) {
				c.Set("spec.replicas", 0)
				manual(c)
			},
			when: func(c *cluster) {
				c.SetSecret("jwt", "key", strings.Repeat("k", 32))
				c.Set("spec.logging.level", "DEBUG")
				c.Set("spec.replicas", 1)
			},
			want: want{Hash: fresh, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "TRUE Restarting", Progressing: "TRUE RollingOut"},
		},
		"ManualCreates": {
			reason: "The policy is about restarts: a server that is not there yet should be created.",
			when:   func(c *cluster) { c.Set("spec.rollout.policy", "Manual") },
			want:   want{Hash: fresh, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "FALSE UpToDate", Progressing: "TRUE Creating"},
		},
		"AutomaticAdvancesOnNewToken": {
			reason: "A new token should restart the server under any policy.",
			given:  running,
			when:   func(c *cluster) { c.Set("spec.rollout.restartToken", "now") },
			want:   want{Hash: fresh, Announced: true, TTL: ttl, SecretsResolved: "TRUE Resolved", RestartPending: "TRUE Restarting", Progressing: "TRUE RollingOut"},
		},
		"ProceedCreatesWithoutSecret": {
			reason: "If the platform team says so, the server should be created with what there is.",
			given:  func(c *cluster) { c.SetInput("missingSecrets: Proceed") },
			when:   func(c *cluster) { c.DeleteSecret("admin") },
			want:   want{Hash: fresh, TTL: ttl, SecretsResolved: "FALSE Unresolved", RestartPending: "FALSE UpToDate", Progressing: "TRUE Creating"},
		},
		"ProceedAdvancesWithoutSecret": {
			reason: "If the platform team says so, the server should restart when a Secret is gone.",
			given:  proceed,
			when:   func(c *cluster) { c.DeleteSecret("admin") },
			want:   want{Hash: fresh, Announced: true, Ready: true, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE RolledOut"},
		},
		"ProceedNotWithoutSigningKey": {
			reason: "Without the signing key, the other Secrets could be guessed from the hash, and the server would not start.",
			given:  func(c *cluster) { c.SetInput("missingSecrets: Proceed") },
			when:   func(c *cluster) { c.DeleteSecret("jwt") },
			want:   want{Hash: absent, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "FALSE UpToDate", Progressing: "FALSE Waiting"},
		},
		"ProceedNotWithShortSigningKey": {
			reason: "A key that is too short for the server may be too short to keep the others from being guessed.",
			given:  proceed,
			when:   func(c *cluster) { c.SetSecret("jwt", "key", "short") },
			want:   want{Hash: old, Ready: true, TTL: pendingTTL, SecretsResolved: "FALSE Unresolved", RestartPending: "UNKNOWN SecretsMissing", Progressing: "FALSE RolledOut"},
		},
	}

	for name, tc := range cases {
		for path, seeded := range map[string]bool{"UnresolvedThenResolved": false, "ResolvedAtFirstCall": true} {
			t.Run(name+"/"+path, func(t *testing.T) {
				c := newCluster(t)
				c.Seeded = seeded
				if tc.given != nil {
					tc.given(c)
				}
				before := functest.HashOf(c.Composed[manifests.StatefulSetResource])
				if tc.when != nil {
					tc.when(c)
				}

				rsp := c.Reconcile()

				got := want{
					Ready:           rsp.GetDesired().GetResources()[manifests.StatefulSetResource].GetReady().String() == "READY_TRUE",
					TTL:             rsp.GetMeta().GetTtl().AsDuration(),
					SecretsResolved: functest.Condition(rsp, "SecretsResolved"),
					RestartPending:  functest.Condition(rsp, "RestartPending"),
					Progressing:     functest.Condition(rsp, "Progressing"),
				}
				ss := functest.Desired(rsp, manifests.StatefulSetResource)
				switch {
				case ss == nil:
					got.Hash = absent
				case functest.HashOf(ss) == before:
					got.Hash = old
				default:
					got.Hash = fresh
				}
				for _, r := range rsp.GetResults() {
					got.Announced = got.Announced || r.GetReason() == "ConfigHashChanged"
				}

				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
				}
			})
		}
	}
}

// TestHeldServerStays holds a running server whole, its image included: a new pod
// would need what is not there. Its Services move on.
func TestHeldServerStays(t *testing.T) {
	cases := map[string]struct {
		reason string
		when   func(c *cluster)
		call   func(c *cluster) *fnv1.RunFunctionResponse
		want   string
	}{
		"NotAskedYet": {
			reason: "At the first call nothing is known of the Secrets.",
			call:   func(c *cluster) *fnv1.RunFunctionResponse { return c.Call(c.Request(nil)) },
			want:   "UNKNOWN Pending",
		},
		"NotAllAskedYet": {
			reason: "A reference that is new is looked up at the next call.",
			when: func(c *cluster) {
				c.SetSecret("jwt-2", "key", functest.JWTKey)
				c.Set("spec.identity.jwt.secretRef.name", "jwt-2")
			},
			call: func(c *cluster) *fnv1.RunFunctionResponse { return c.Call(c.Request(c.Required)) },
			want: "UNKNOWN Pending",
		},
		"Absent": {
			reason: "The Secret is gone.",
			when:   func(c *cluster) { c.DeleteSecret("jwt") },
			call:   (*cluster).Reconcile,
			want:   "FALSE Unresolved",
		},
		"KeyMissing": {
			reason: "The key is gone.",
			when:   func(c *cluster) { c.UnsetSecret("jwt", "key") },
			call:   (*cluster).Reconcile,
			want:   "FALSE Unresolved",
		},
		"ValueEmpty": {
			reason: "The value is gone.",
			when:   func(c *cluster) { c.SetSecret("jwt", "key", "") },
			call:   (*cluster).Reconcile,
			want:   "FALSE Unresolved",
		},
		"Manual": {
			reason: "The user wants to say when.",
			when:   func(c *cluster) { c.Set("spec.rollout.policy", "Manual") },
			call:   (*cluster).Reconcile,
			want:   "TRUE Resolved",
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, running := newRunningCluster(t)
			c.Set("spec.image", "example.com/dittofs:next")
			c.Set("spec.resources.limits.memory", "2Gi")
			c.Set("spec.podLabels", map[string]any{"team": "a"})
			c.Set("spec.tolerations", []any{map[string]any{"operator": "Exists"}})
			c.Set("spec.podSecurityContext.runAsUser", 1000)
			c.Set("spec.service.annotations", map[string]any{"example.com/key": "value"})
			if tc.when != nil {
				tc.when(c)
			}

			rsp := tc.call(c)

			if diff := cmp.Diff(tc.want, functest.Condition(rsp, "SecretsResolved")); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want SecretsResolved, +got SecretsResolved:\n%s", tc.reason, diff)
			}
			ss := functest.Desired(rsp, manifests.StatefulSetResource)
			if diff := functest.Diff(functest.TemplateOf(functest.Desired(running, manifests.StatefulSetResource)), functest.TemplateOf(ss)); diff != "" {
				t.Errorf("%s\nThe pod template should stay as it was sent: -before, +now:\n%s", tc.reason, diff)
			}
			if got, want := functest.StringAt(t, ss, "metadata.resourceVersion"), functest.StringAt(t, c.Composed[manifests.StatefulSetResource], "metadata.resourceVersion"); got != want || got == "" {
				t.Errorf("%s\nA hold is of the StatefulSet that was observed (%q), got %q", tc.reason, want, got)
			}
			if got := functest.StringAt(t, functest.Desired(rsp, manifests.APIServiceResource), "metadata.annotations[example.com/key]"); got != "value" {
				t.Errorf("%s\nThe Service should move on", tc.reason)
			}
		})
	}
}

// TestPendingHash makes good tokens: each names one restart, and none is the token that
// the server has, which would request nothing.
func TestPendingHash(t *testing.T) {
	c, _ := newRunningCluster(t)
	pending := func() string {
		t.Helper()
		return functest.StringOf(c.Settle().GetDesired().GetComposite().GetResource(), "status", "pendingHash")
	}
	seen := map[string]bool{"": true}
	differs := func(what string) string {
		t.Helper()
		hash := pending()
		if seen[hash] {
			t.Errorf("%s: the pendingHash is %q, which is empty or was there before", what, hash)
		}
		seen[hash] = true
		return hash
	}
	const present, next = "marmos91c/dittofs:v0.29.0", "example.com/dittofs:next"
	c.Set("spec.rollout.policy", "Manual")
	if hash := pending(); hash != "" {
		t.Errorf("Nothing waits, but the pendingHash is %q", hash)
	}

	c.Set("spec.image", next)
	first := differs("a new image")
	c.Set("spec.service.annotations", map[string]any{"example.com/key": "value"})
	if again := pending(); again != first {
		t.Errorf("The same change waits, but the pendingHash is %q and was %q", again, first)
	}
	c.Set("spec.rollout.restartToken", first)
	if hash := pending(); hash != "" {
		t.Errorf("The server restarts, but the pendingHash is %q", hash)
	}

	c.Set("spec.image", present)
	back := differs("the old image")
	c.Set("spec.rollout", map[string]any{"policy": "Automatic", "restartToken": first})
	if hash := pending(); hash != "" {
		t.Errorf("The policy is Automatic, but the pendingHash is %q", hash)
	}
	c.Set("spec.rollout.policy", "Manual")
	c.Set("spec.image", next)
	waits := differs("the new image again, with the token of the first time")

	c.Unset("spec.rollout.restartToken")
	if again := pending(); again != waits || again == back {
		t.Errorf("The token was taken away, which requests nothing, but the pendingHash is %q and was %q", again, waits)
	}
}
