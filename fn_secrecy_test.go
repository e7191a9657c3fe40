package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/keyfile"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// A recorder keeps what is logged.
type recorder struct{ lines []string }

func (r *recorder) Info(msg string, kv ...any) {
	r.lines = append(r.lines, fmt.Sprint(append([]any{msg}, kv...)...))
}
func (r *recorder) Debug(msg string, kv ...any) { r.Info(msg, kv...) }

func (r *recorder) WithValues(kv ...any) logging.Logger {
	r.Info("", kv...)
	return r
}

func (r *recorder) String() string { return strings.Join(r.lines, "\n") }

// TestSecrecy puts canaries into all Secrets, and looks for them in all that the
// function says: what it returns ends in etcd and in front of everybody who may
// read the DittoServer, and what it logs ends who knows where.
func TestSecrecy(t *testing.T) {
	const canary = "canary-7f3a"

	// Of values that are bad in some way too, as errors like to quote.
	cases := map[string]struct {
		reason string
		when   func(c *cluster)
	}{
		"Running":    {reason: "Values should go into the hash and nowhere else.", when: func(*cluster) {}},
		"Rotated":    {reason: "An event tells of a new hash, and not of what is new.", when: func(c *cluster) { c.SetSecret("jwt", "key", canary+strings.Repeat("2", 32)) }},
		"TooShort":   {reason: "What is wrong with a value should be said without it.", when: func(c *cluster) { c.SetSecret("jwt", "key", canary) }},
		"TooLong":    {reason: "What is wrong with a value should be said without it.", when: func(c *cluster) { c.SetSecret("admin", "password", canary+strings.Repeat("2", 72)) }},
		"KeyMissing": {reason: "What is there instead of a missing key should not be said.", when: func(c *cluster) { c.UnsetSecret("jwt", "key") }},
		"NotBase64": {reason: "What cannot be decoded should not be repeated.", when: func(c *cluster) {
			c.Secrets["team-a/jwt"] = functest.With(c, c.Secrets["team-a/jwt"], "data.key", canary+"!")
		}},
		"NotAString": {reason: "What is of a wrong type should not be repeated.", when: func(c *cluster) {
			c.Secrets["team-a/jwt"] = functest.With(c, c.Secrets["team-a/jwt"], "data.key", []any{canary})
		}},
		"DataNoObject": {reason: "What is of a wrong type should not be repeated.", when: func(c *cluster) { c.Secrets["team-a/jwt"] = functest.With(c, c.Secrets["team-a/jwt"], "data", canary) }},
		"Invalid":      {reason: "An error should quote the spec and no Secret.", when: func(c *cluster) { c.Unset("spec.storage.metadataSize") }},
		"InvalidInput": {reason: "An error should quote the Input and no Secret.", when: func(c *cluster) { c.SetInput("ttl: never") }},
		"LegacyApply": {reason: "kubectl repeats a Secret's values in an annotation.", when: func(c *cluster) {
			c.Secrets["team-a/jwt"] = functest.With(c, c.Secrets["team-a/jwt"], "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]", canary)
		}},
		"Proceed": {reason: "A partial hash should hold no values either.", when: func(c *cluster) {
			c.SetInput("missingSecrets: Proceed")
			c.DeleteSecret("admin")
		}},
		"Extras": {reason: "What is wrong with a user's own variable should be said without its value.", when: func(c *cluster) {
			withExtras(c)
			c.SetSecret("s3", "ACCESS_KEY", canary+"\xff")
			c.SetSecret("s3", "ACCESS", canary+strings.Repeat("3", 32))
		}},
		"StatefulSetBad": {reason: "An observed object that cannot be read should not be quoted with its values.", when: func(c *cluster) {
			c.Edit(manifests.StatefulSetResource, "spec.selector", "none")
		}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			log := &recorder{}
			c := newClusterWithEverything(t)
			c.f.log = log
			for id, s := range c.Secrets {
				name := strings.TrimPrefix(id, "team-a/")
				for key := range functest.ValueAt(s, "data").GetStructValue().GetFields() {
					switch key {
					case "tls.crt", "tls.key", "ca.crt", "keytab", "main.key": // Not every text is one.
					case "passphrase":
						c.SetSecret(name, key, canary)
						c.SetSecret(name, "main.key", string(keyfile.New(canary, "master-key")))
					default:
						c.SetSecret(name, key, canary+strings.Repeat("1", 32))
					}
				}
				c.SetSecret(name, "unreferenced", canary)
			}
			c.Settle()
			tc.when(c)

			first := c.Call(c.Request(nil))
			resolved := c.Call(c.Request(first.GetRequirements()))

			// Three forms, as the base64 of a text depends on where it starts.
			traces := []string{canary, fmt.Sprintf("%x", canary)}
			for shift := range 3 {
				b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + canary))
				traces = append(traces, b[4:len(b)-4])
			}
			for _, s := range c.Secrets {
				for _, v := range functest.ValueAt(s, "data").GetStructValue().GetFields() {
					if b, err := base64.StdEncoding.DecodeString(v.GetStringValue()); err == nil && len(b) > 8 {
						traces = append(traces, string(b), v.GetStringValue())
					}
				}
			}
			for what, said := range map[string]string{"response to the first call": text(t, first), "response": text(t, resolved), "log": log.String()} {
				for _, trace := range traces {
					if strings.Contains(said, trace) {
						t.Errorf("%s\nThe %s has %q in it:\n%s", tc.reason, what, trace, said)
					}
				}
			}
			if !strings.Contains(log.String(), "files") {
				t.Errorf("The log should say something: %q", log)
			}
		})
	}
}

// text is all that a response says, also as its bytes go over the wire.
func text(t *testing.T, rsp *fnv1.RunFunctionResponse) string {
	t.Helper()
	b, err := prototext.Marshal(rsp)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + functest.AsYAML(t, rsp)
}
