package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// newRecords returns a cluster with a server on a database of CloudNativePG, whose Secret
// has these keys.
func newRecords(tb testing.TB) *cluster {
	tb.Helper()
	c := newCluster(tb)
	c.Set("spec.database.postgresSecretRef.name", "records-app")
	for key, value := range map[string]string{
		"dbname": "records", "host": "records-rw", "password": "battery staple", "port": "5432", "user": "owner", "username": "owner",
		"pgpass": "records-rw:5432:records:owner:battery staple\n", "uri": "postgresql://owner:battery staple@records-rw:5432/records",
	} {
		c.SetSecret("records-app", key, value)
	}
	return c
}

// databaseKeys are the keys that the pod reads of the database's name and user.
func databaseKeys(c *cluster) string {
	c.Helper()
	keys := map[string]string{}
	for _, e := range functest.ValueAt(functest.Container(c.Composed[manifests.StatefulSetResource]), "env").GetListValue().GetValues() {
		keys[functest.StringOf(e.GetStructValue(), "name")] = functest.StringOf(e.GetStructValue(), "valueFrom", "secretKeyRef", "key")
	}
	return keys[dittofs.EnvPostgresDatabase] + " " + keys[dittofs.EnvPostgresUser]
}

// TestDatabaseKeys changes the keys of a running server's database. The pod is replaced
// only if it could not start with what it reads, or if a value changes.
func TestDatabaseKeys(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(c *cluster)

		keys      string // After the change.
		replaced  bool
		condition string // SecretsResolved.
		message   string // A part of it.
	}{
		"Nothing":     {reason: "A second call does what the first one did.", change: func(*cluster) {}, keys: "dbname user"},
		"OwnKeyAdded": {reason: "The same value under another key is no reason for an outage.", change: func(c *cluster) { c.SetSecret("records-app", "database", "records") }, keys: "dbname user"},
		"OwnKeyOther": {reason: "What the pod reads counts, whatever else appears.", change: func(c *cluster) { c.SetSecret("records-app", "database", "another") }, keys: "dbname user"},
		"Unread":      {reason: "A key that is not read restarts nothing.", change: func(c *cluster) { c.SetSecret("records-app", "username", "another") }, keys: "dbname user"},
		"Value":       {reason: "A new value is in the hash.", change: func(c *cluster) { c.SetSecret("records-app", "dbname", "another") }, keys: "dbname user", replaced: true},
		"KeyRenamed": {
			reason: "The pod that reads the old key could not start again.",
			change: func(c *cluster) {
				c.UnsetSecret("records-app", "dbname")
				c.SetSecret("records-app", "database", "records")
			},
			keys: "database user", replaced: true,
		},
		"UserGone":   {reason: "The user is still there under the other key.", change: func(c *cluster) { c.UnsetSecret("records-app", "user") }, keys: "dbname username", replaced: true},
		"KeyGone":    {reason: "Until the key is back, the pod is what it was.", change: func(c *cluster) { c.UnsetSecret("records-app", "dbname") }, keys: "dbname user", condition: "FALSE Unresolved", message: `key "dbname": the Secret has no such key in its data, nor database. It has host, password, pgpass, port, uri, user, username`},
		"SecretGone": {reason: "Until the Secret is back, nothing is known of its keys.", change: func(c *cluster) { c.DeleteSecret("records-app") }, keys: "dbname user", condition: "FALSE Unresolved", message: `key "dbname": the Secret does not exist`},
		"OtherSecret": {
			reason: "Another Secret has keys of its own.",
			change: func(c *cluster) {
				c.UsePostgres()
				c.SetSecret("db", "username", "another")
			},
			keys: "database user", replaced: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newRecords(t)
			c.Settle()
			if got := databaseKeys(c); got != "dbname user" {
				t.Fatalf("The pod should read the keys of CloudNativePG, got %s", got)
			}
			before := functest.TemplateOf(c.Composed[manifests.StatefulSetResource])

			tc.change(c)
			rsp := c.Settle()

			after := functest.TemplateOf(c.Composed[manifests.StatefulSetResource])
			if got := databaseKeys(c); got != tc.keys {
				t.Errorf("%s\nThe pod reads the keys %s, want %s", tc.reason, got, tc.keys)
			}
			if replaced := !functest.SameValue(before, after); replaced != tc.replaced {
				t.Errorf("%s\nThe pod is replaced: %t, want %t:\n%s", tc.reason, replaced, tc.replaced, functest.Diff(before, after))
			}
			condition := tc.condition
			if condition == "" {
				condition = "TRUE Resolved"
			}
			got := functest.FullCondition(rsp, "SecretsResolved")
			if diff := cmp.Diff(condition, functest.Condition(rsp, "SecretsResolved")); diff != "" || !strings.Contains(got.GetMessage(), tc.message) {
				t.Errorf("%s\nSecretsResolved: -want, +got:\n%s\nwith the message %q, want %q", tc.reason, diff, got.GetMessage(), tc.message)
			}
			if said := rsp.String(); strings.Contains(said, "battery staple") {
				t.Errorf("%s\nNo value should be in the response", tc.reason)
			}
		})
	}
}

// TestDatabaseKeysComeBack takes the Secret of a running server away and brings it back
// with more keys, as operators do that write it anew.
func TestDatabaseKeysComeBack(t *testing.T) {
	c := newRecords(t)
	c.Settle()
	before := functest.TemplateOf(c.Composed[manifests.StatefulSetResource])
	secret := c.Stored("Secret", "records-app")

	c.DeleteSecret("records-app")
	c.Settle()
	c.AddObject(functest.AsYAML(t, functest.With(t, secret, "data.database", "cmVjb3Jkcw==")))
	c.Settle()

	if diff := functest.Diff(before, functest.TemplateOf(c.Composed[manifests.StatefulSetResource])); diff != "" {
		t.Errorf("The pod should be the one that it was: -before, +after:\n%s", diff)
	}
}

// TestDatabaseKeysOfNewServer tells what a Secret lacks that no server has read yet.
func TestDatabaseKeysOfNewServer(t *testing.T) {
	c := newRecords(t)
	c.UnsetSecret("records-app", "dbname")
	c.UnsetSecret("records-app", "user")
	rsp := c.Settle()
	const want = `Secret "records-app", key "database": the Secret has no such key in its data, nor dbname. It has host, password, pgpass, port, uri, username`
	if got := functest.FullCondition(rsp, "SecretsResolved").GetMessage(); !strings.Contains(got, want) {
		t.Errorf("SecretsResolved: want %q, got %q", want, got)
	}
}

// TestDatabaseKeysOfPercona names no key of the operator's own Secret that the pod does not
// read.
func TestDatabaseKeysOfPercona(t *testing.T) {
	c := newCluster(t)
	c.Set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true})
	c.Settle()
	c.Edit(manifests.PerconaResource, "status.state", "ready")
	for key, value := range map[string]string{"host": "db", "port": "5432", "dbname": "dittofs", "username": "dittofs", "password": "battery staple"} {
		c.SetSecret("files-postgres-pguser-dittofs", key, value)
	}
	const want = `Secret "files-postgres-pguser-dittofs", key "user": the Secret has no such key in its data. It has dbname, host, password, port, username`
	if got := functest.FullCondition(c.Settle(), "SecretsResolved").GetMessage(); !strings.Contains(got, want) {
		t.Errorf("SecretsResolved: want %q, got %q", want, got)
	}
}
