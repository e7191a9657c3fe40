package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/keyfile"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// newEncryptedCluster returns a cluster with a server that has a key of encrypted stores.
func newEncryptedCluster(tb testing.TB) *cluster {
	tb.Helper()
	c := newCluster(tb)
	withEncryption(c)
	return c
}

// withEncryption gives a server a key of encrypted stores.
func withEncryption(c *cluster) {
	c.Set("spec.encryption", map[string]any{
		"passphraseSecretRef": map[string]any{"name": "encryption", "key": "passphrase"},
		"keys":                []any{keyNamed("main", "main.key")},
	})
	c.SetSecret("encryption", "passphrase", "correct horse")
	c.SetSecret("encryption", "main.key", string(keyfile.New("correct horse", "key-1")))
}

// masterKey returns the master key that a Secret has for a server with withEncryption, or
// nothing if the passphrase in it does not open the key file.
func masterKey(secret *structpb.Struct) string {
	value := func(key string) string {
		b, err := base64.StdEncoding.DecodeString(functest.StringOf(secret, "data", key))
		if err != nil {
			return ""
		}
		return string(b)
	}
	for _, id := range []string{"key-1", "key-2"} {
		if value("passphrase") != "" && value("main.key") == string(keyfile.New(value("passphrase"), id)) {
			return id
		}
	}
	return ""
}

// masterKeys are those that a StatefulSet's pod has, as its annotation says.
func masterKeys(ss *structpb.Struct) string {
	return functest.StringOf(ss, "spec", "template", "metadata", "annotations", manifests.AnnotationEncryptionKeys)
}

func keyNamed(name, key string) map[string]any {
	return map[string]any{"name": name, "secretRef": map[string]any{"name": "encryption", "key": key}}
}

// TestEncryptionKeepsReading changes what opens the encrypted stores of a running server.
// The pod is replaced only by one that can read what this one has written.
func TestEncryptionKeepsReading(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(c *cluster)

		replaced bool
		says     string // In SecretsResolved, or in ConfigReady if the spec is refused.
	}{
		"Nothing":         {reason: "A second call does what the first one did.", change: func(*cluster) {}},
		"Passphrase":      {reason: "A passphrase that opens nothing leaves the shares away.", change: func(c *cluster) { c.SetSecret("encryption", "passphrase", "another") }, says: `Secret "encryption", key "passphrase": it does not open the key file "main.key" of Secret "encryption"`},
		"PassphraseGone":  {reason: "So does none.", change: func(c *cluster) { c.UnsetSecret("encryption", "passphrase") }, says: `key "passphrase": the Secret has no such key`},
		"PassphraseEmpty": {reason: "So does an empty one.", change: func(c *cluster) { c.SetSecret("encryption", "passphrase", "") }, says: `key "passphrase": its value is empty`},
		"Newline":         {reason: "A newline is a part of the passphrase, as it is for the server.", change: func(c *cluster) { c.SetSecret("encryption", "passphrase", "correct horse\n") }, says: "does not open"},
		"WrittenAnew": {
			reason: "A new passphrase for the same master key reads everything.",
			change: func(c *cluster) {
				c.SetSecret("encryption", "passphrase", "another")
				c.SetSecret("encryption", "main.key", string(keyfile.New("another", "key-1")))
			},
			replaced: true,
		},
		"OtherMasterKey": {
			reason: "The server would start with it, and no longer read what it has written.",
			change: func(c *cluster) {
				c.SetSecret("encryption", "main.key", string(keyfile.New("correct horse", "key-2")))
			},
			says: `key "main.key": it holds the master key key-2, but the running server has key-1 under this name`,
		},
		"OtherSecret": {
			reason: "Nor does it if the other one comes from another Secret.",
			change: func(c *cluster) {
				c.SetSecret("other", "key", string(keyfile.New("correct horse", "key-2")))
				c.Set("spec.encryption.keys", []any{map[string]any{"name": "main", "secretRef": map[string]any{"name": "other", "key": "key"}}})
			},
			says: `Secret "other", key "key": it holds the master key key-2`,
		},
		"Moved": {
			reason: "The Secret may have another name, as any Secret may.",
			change: func(c *cluster) {
				c.SetSecret("other", "key", string(keyfile.New("correct horse", "key-1")))
				c.Set("spec.encryption.keys", []any{map[string]any{"name": "main", "secretRef": map[string]any{"name": "other", "key": "key"}}})
			},
			replaced: true,
		},
		"KeyBroken": {reason: "What is no key file opens nothing.", change: func(c *cluster) { c.SetSecret("encryption", "main.key", "no key") }, says: `key "main.key": it is no key file of DittoFS`},
		"KeyAdded": {
			reason: "The next store may have a key of its own.",
			change: func(c *cluster) {
				c.SetSecret("encryption", "next.key", string(keyfile.New("correct horse", "key-2")))
				c.Set("spec.encryption.keys", []any{keyNamed("main", "main.key"), keyNamed("next", "next.key")})
			},
			replaced: true,
		},
		"KeyAddedClosed": {
			reason: "All keys have one passphrase.",
			change: func(c *cluster) {
				c.SetSecret("encryption", "next.key", string(keyfile.New("another", "key-2")))
				c.Set("spec.encryption.keys", []any{keyNamed("main", "main.key"), keyNamed("next", "next.key")})
			},
			says: `it does not open the key file "next.key" of Secret "encryption"`,
		},
		"KeyRenamed": {reason: "A store's configuration has the name.", change: func(c *cluster) { c.Set("spec.encryption.keys", []any{keyNamed("next", "main.key")}) }, says: `spec.encryption.keys: Required value: the running server has the key "main"`},
		"Removed":    {reason: "A store that was written with the key would be lost.", change: func(c *cluster) { c.Unset("spec.encryption") }, says: `spec.encryption.keys: Required value: the running server has the key "main"`},
		"Retired": {reason: "Whoever says so knows of no store that uses it.", change: func(c *cluster) {
			c.Set("spec.encryption.keys", []any{map[string]any{"name": "main", "retired": true}})
		}, replaced: true},
		"ChangeOfAnother": {reason: "What opens the stores stays good with whatever else changes.", change: func(c *cluster) { c.SetSecret("jwt", "key", strings.Repeat("k", 40)) }, replaced: true},
		"BothAtOnce": {
			reason: "Another change does not take a wrong passphrase along.",
			change: func(c *cluster) {
				c.SetSecret("jwt", "key", strings.Repeat("k", 40))
				c.SetSecret("encryption", "passphrase", "another")
			},
			says: "does not open",
		},
		"Proceed": {
			reason: "Whoever goes on without a Secret does not want to lose data.",
			change: func(c *cluster) {
				c.SetInput("missingSecrets: Proceed")
				c.SetSecret("encryption", "passphrase", "another")
			},
			says: "does not open",
		},
		"ProceedWithoutAnother": {
			reason: "That something else is missing, too, does not open the stores.",
			change: func(c *cluster) {
				c.SetInput("missingSecrets: Proceed")
				c.DeleteSecret("admin")
				c.SetSecret("encryption", "passphrase", "another")
			},
			says: "does not open",
		},
		"ProceedWithout": {
			reason: "Nor is a server without its passphrase one to go on with.",
			change: func(c *cluster) {
				c.SetInput("missingSecrets: Proceed")
				c.DeleteSecret("encryption")
			},
			says: "the Secret does not exist",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newEncryptedCluster(t)
			c.Settle()
			before := functest.TemplateOf(c.Composed[manifests.StatefulSetResource])
			if before == nil {
				t.Fatal("There should be a server")
			}

			tc.change(c)
			rsp := c.Settle()

			after := functest.TemplateOf(c.Composed[manifests.StatefulSetResource])
			if replaced := !functest.SameValue(before, after); replaced != tc.replaced {
				t.Errorf("%s\nThe pod is replaced: %t, want %t:\n%s", tc.reason, replaced, tc.replaced, functest.Diff(before, after))
			}
			said := functest.FullCondition(rsp, "SecretsResolved").GetMessage() + functest.FullCondition(rsp, "ConfigReady").GetMessage()
			if !strings.Contains(said, tc.says) || tc.says == "" && functest.Condition(rsp, "SecretsResolved") != "TRUE Resolved" {
				t.Errorf("%s\nIt says %q, want %q", tc.reason, said, tc.says)
			}
			if all := rsp.String(); strings.Contains(all, "correct horse") || strings.Contains(all, "MASTER KEY") {
				t.Errorf("%s\nNeither passphrase nor key file should be in the response", tc.reason)
			}
		})
	}
}

// TestEncryptionRetired takes a key away in two steps, and uses its name again.
func TestEncryptionRetired(t *testing.T) {
	c := newEncryptedCluster(t)
	c.Settle()
	c.Set("spec.encryption.keys", []any{map[string]any{"name": "main", "retired": true}})
	c.Settle()
	if env := functest.AsYAML(t, functest.Container(c.Composed[manifests.StatefulSetResource])); strings.Contains(env, "encryption") {
		t.Errorf("A server without keys needs no passphrase, got\n%s", env)
	}

	c.Unset("spec.encryption")
	if rsp := c.Settle(); functest.IsFatal(rsp) {
		t.Fatalf("A key that is gone may be removed: %v", functest.Results(rsp))
	}

	c.SetSecret("encryption", "main.key", string(keyfile.New("correct horse", "key-2")))
	c.Set("spec.encryption", map[string]any{
		"passphraseSecretRef": map[string]any{"name": "encryption", "key": "passphrase"},
		"keys":                []any{keyNamed("main", "main.key")},
	})
	if got := functest.Condition(c.Settle(), "SecretsResolved"); got != "TRUE Resolved" {
		t.Errorf("The name is free for another key, got %s", got)
	}
}

// TestEncryptionNewServer creates no server that could not read its keys.
func TestEncryptionNewServer(t *testing.T) {
	c := newEncryptedCluster(t)
	c.SetSecret("encryption", "passphrase", "another")
	c.Settle()
	if c.Composed[manifests.StatefulSetResource] != nil {
		t.Error("A server whose passphrase opens nothing should not be created")
	}
	c.SetSecret("encryption", "passphrase", "correct horse")
	c.Settle()
	if c.Composed[manifests.StatefulSetResource] == nil {
		t.Error("It should be created once the passphrase is right")
	}
}

// TestEncryptionKeysInOrder names the master keys in the order of their names: the value is
// a part of the pod template, so another order would be another pod.
func TestEncryptionKeysInOrder(t *testing.T) {
	c := newEncryptedCluster(t)
	c.SetSecret("encryption", "next.key", string(keyfile.New("correct horse", "key-2")))
	c.Set("spec.encryption.keys", []any{keyNamed("main-2", "next.key"), keyNamed("main", "main.key")})
	c.Settle()
	got := masterKeys(c.Composed[manifests.StatefulSetResource])
	if want := "main=key-1,main-2=key-2"; got != want {
		t.Errorf("The pod's annotation: want %q, got %q", want, got)
	}
}
