package main

import (
	"testing"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// changesOfBoth are changes of the spec that change what the pod template says
// beside the hash.
func changesOfBoth() map[string]func(c *cluster) {
	return map[string]func(c *cluster){
		"Metrics":         func(c *cluster) { c.Set("spec.metrics.enabled", true) },
		"Port":            func(c *cluster) { c.Set("spec.controlPlane.port", 8443) },
		"ShutdownTimeout": func(c *cluster) { c.Set("spec.shutdownTimeout", "10s") },
		"Database":        func(c *cluster) { c.UsePostgres() },
		"TLS": func(c *cluster) {
			c.Set("spec.controlPlane.certSecretName", "tls")
			c.NewValue(functest.Ref{Secret: "tls", Key: "tls.crt"})
		},
	}
}

// TestOneRestartPerChange changes what stands in the configuration and in the pod
// template. The pod should be replaced once, with both, and not for the template
// first and for the configuration later.
func TestOneRestartPerChange(t *testing.T) {
	for name, change := range changesOfBoth() {
		t.Run(name, func(t *testing.T) {
			c, _ := newRunningCluster(t)
			change(c)

			templates := 0
			for range 4 {
				before := functest.TemplateOf(c.Composed[manifests.StatefulSetResource])
				c.Apply(c.Reconcile())
				if functest.Diff(before, functest.TemplateOf(c.Composed[manifests.StatefulSetResource])) != "" {
					templates++
				}
			}
			if templates != 1 {
				t.Errorf("The pod template changed %d times, want once", templates)
			}
		})
	}
}

// TestHoldKeepsTheTemplate holds a running server while its spec asks for what
// goes with the hash. Nothing of that may reach the pod template: the pod would
// be replaced by one that cannot start, or before the user wants it.
func TestHoldKeepsTheTemplate(t *testing.T) {
	cases := map[string]struct {
		reason string
		when   func(c *cluster)
	}{
		"OtherSecretMissing": {
			reason: "A reference to a Secret that is not there should wait for it.",
			when:   func(c *cluster) { c.Set("spec.identity.jwt.secretRef.name", "not-there") },
		},
		"DatabaseSecretMissing": {
			reason: "A database whose credentials are not there should wait for them.",
			when:   func(c *cluster) { c.Set("spec.database.postgresSecretRef.name", "not-there") },
		},
		"PerconaNotReady": {
			reason: "A running server should stay on its database until the new one is ready.",
			when:   func(c *cluster) { c.Set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true}) },
		},
	}
	for name, change := range changesOfBoth() {
		cases["Manual"+name] = struct {
			reason string
			when   func(c *cluster)
		}{
			reason: "With the policy Manual nothing should restart the server but a new token.",
			when: func(c *cluster) {
				c.Set("spec.rollout.policy", "Manual")
				change(c)
			},
		}
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, _ := newRunningCluster(t)
			before := functest.TemplateOf(c.Composed[manifests.StatefulSetResource])
			tc.when(c)
			for range 3 {
				c.Apply(c.Reconcile())
			}
			if diff := functest.Diff(before, functest.TemplateOf(c.Composed[manifests.StatefulSetResource])); diff != "" {
				t.Errorf("%s\nThe pod template changed: -before, +after:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestManagedSecretStays names a Secret of the user's in place of one that was
// generated. That one should stay: what the server knows could not be generated again.
func TestManagedSecretStays(t *testing.T) {
	c := newCluster(t)
	c.Unset("spec.identity")
	c.Settle()
	c.Set("spec.identity.admin.passwordSecretRef", map[string]any{"name": "not-there", "key": "password"})

	before := c.Composed[manifests.AdminSecretResource]
	after := functest.Desired(c.Reconcile(), manifests.AdminSecretResource)
	if diff := functest.Diff(functest.ValueAt(before, "data"), functest.ValueAt(after, "data")); diff != "" {
		t.Errorf("The Secret should stay as it is: -before, +after:\n%s", diff)
	}
}

// TestDatabaseIsNotDropped turns Percona off under a running server. That would
// delete the database, so it should be refused as long as it is the server's.
func TestDatabaseIsNotDropped(t *testing.T) {
	c := newCluster(t)
	c.Set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true})
	c.Apply(c.Reconcile())
	c.Edit(manifests.PerconaResource, "metadata.ownerReferences", []any{map[string]any{"controller": true, "uid": "5cd2f3ee-8d4a-4f0e-9c5a-1f4e6d1b2a30"}})
	c.Unset("spec.percona")
	if got := functest.Condition(c.Call(c.Request(nil)), "ConfigReady"); got != "FALSE InvalidSpec" {
		t.Errorf("With the server's database there ConfigReady is %s, want it to be refused", got)
	}

	c.Edit(manifests.PerconaResource, "metadata.ownerReferences", []any{})
	if got := functest.Condition(c.Call(c.Request(nil)), "ConfigReady"); got == "FALSE InvalidSpec" {
		t.Error("A database that was cut loose should not be in the way")
	}
}
