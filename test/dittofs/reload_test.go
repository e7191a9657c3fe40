package dittofs

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/values"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// patience is longer than the longest interval, a minute, at which the server
// looks at a file.
const patience = 65 * time.Second

// liveDeadline bounds how long a change may take to reach a busy server.
const liveDeadline = 2 * patience

// A proof shows when the server reads an input.
type proof struct {
	row string

	// inputs that are changed together, and their new values.
	inputs map[string][]byte

	// prepare is done before the change.
	prepare func(t *testing.T, s *server)

	// seen says whether the server acts on the new values. It must be false before
	// the change.
	seen func(t *testing.T, s *server) bool
}

// notDriven is the inputs that no test here can change under the server, and
// why.
var notDriven = map[string]string{
	contract.EnvMachineAccountSecret: "the server shows it to a domain controller only",

	contract.EnvEncryptionPassphrase:   "TestEncryption changes it, together with the key file",
	contract.EncryptionKeyFile("main"): "TestEncryption changes it, together with the passphrase",
}

func proofs() map[string]proof {
	p := map[string]proof{
		"SigningKey": {
			row:     "secrets",
			inputs:  map[string][]byte{contract.EnvJWTSecret: []byte("another-signing-key-of-more-than-32-bytes")},
			prepare: func(t *testing.T, s *server) { t.Helper(); s.mustLogin(t) },
			// The server no longer takes the token of that login.
			seen: func(t *testing.T, s *server) bool {
				t.Helper()
				_, err := s.dfsctl(t, "user", "list")
				if err != nil && !strings.Contains(err.Error(), "Invalid or expired token") {
					t.Fatal(err)
				}
				return err != nil
			},
		},
		"AdminPassword": {
			row:    "secrets",
			inputs: map[string][]byte{contract.EnvAdminPassword: []byte("another-password")},
			seen:   func(t *testing.T, s *server) bool { t.Helper(); return s.login(t, "another-password") == nil },
		},
		"Certificate": {
			row: "tls",
			inputs: map[string][]byte{
				contract.TLSCertFile: host.NamedAuthority(matrix.ServerAuthority).Issue("renewed").Cert,
				contract.TLSKeyFile:  host.NamedAuthority(matrix.ServerAuthority).Issue("renewed").Key,
			},
			seen: func(t *testing.T, s *server) bool { t.Helper(); return s.peer(t) == "renewed" },
		},
		"ClientCA": {
			row:    "mtls",
			inputs: map[string][]byte{contract.ClientCAFile: host.NamedAuthority("new clients").Certificate()},
			seen: func(t *testing.T, s *server) bool {
				t.Helper()
				return s.lets(t, host.NamedAuthority("new clients")) && !s.lets(t, host.NamedAuthority(matrix.ClientAuthority))
			},
		},
		"MetricsToken": {
			row:    "metrics-token",
			inputs: map[string][]byte{contract.MetricsTokenFile: []byte("another-token")},
			seen:   func(t *testing.T, s *server) bool { t.Helper(); return s.metrics(t, "another-token") == http.StatusOK },
		},
		"MetricsCertificate": {
			row: "metrics-tls",
			inputs: map[string][]byte{
				contract.MetricsTLSCertFile: host.NamedAuthority(matrix.ServerAuthority).Issue("renewed").Cert,
				contract.MetricsTLSKeyFile:  host.NamedAuthority(matrix.ServerAuthority).Issue("renewed").Key,
			},
			seen: func(t *testing.T, s *server) bool { t.Helper(); return s.metricsPeer(t) == "renewed" },
		},
		"MetricsClientCA": {
			row:    "metrics-tls",
			inputs: map[string][]byte{contract.MetricsClientCAFile: host.NamedAuthority("new clients").Certificate()},
			seen: func(t *testing.T, s *server) bool {
				t.Helper()
				return s.letsTo(t, s.metricsURL(t), host.NamedAuthority("new clients"))
			},
		},
		"LDAPBindPassword": {
			row:    "ldap",
			inputs: map[string][]byte{contract.EnvLDAPBindPassword: []byte("another-bind-password")},
			seen: func(t *testing.T, s *server) bool {
				t.Helper()
				if err := s.testLDAP(t); err != nil {
					t.Fatal(err)
				}
				return s.directory.bound() == "another-bind-password"
			},
		},
		"LDAPCA": {
			row:    "ldaps",
			inputs: map[string][]byte{contract.LDAPCAFile: host.NamedAuthority("strangers").Certificate()},
			seen: func(t *testing.T, s *server) bool {
				t.Helper()
				err := s.testLDAP(t)
				if err != nil && !strings.Contains(err.Error(), "certificate signed by unknown authority") {
					t.Fatal(err)
				}
				return err != nil
			},
		},
		"Keytab": {
			row:    "kerberos",
			inputs: map[string][]byte{contract.KeytabFile: matrix.Keytab("nfs/files.example.com@EXAMPLE.COM", 2)},
			seen: func(t *testing.T, s *server) bool {
				t.Helper()
				return strings.Contains(s.Log(), "Keytab reloaded successfully")
			},
		},
		"Krb5Conf": {
			row: "kerberos",
			// The server does not start with it, which shows that it reads it. So the
			// function holds it back; here it is put there all the same.
			inputs: map[string][]byte{contract.Krb5ConfFile: []byte("[libdefaults]\n forwardable = perhaps\n")},
			seen: func(t *testing.T, s *server) bool {
				t.Helper()
				return !s.Running() && strings.Contains(s.Log(), contract.Krb5ConfFile)
			},
		},
		"PostgresCA": {
			row:    "postgres-tls",
			inputs: map[string][]byte{contract.PostgresCAFile: host.NamedAuthority("strangers").Certificate()},
			seen:   lostDatabase,
		},
	}
	for input, wrong := range map[string]string{
		contract.EnvPostgresHost:     "127.0.0.2",
		contract.EnvPostgresPort:     "1",
		contract.EnvPostgresDatabase: "nothing",
		contract.EnvPostgresUser:     "nobody",
		contract.EnvPostgresPassword: "not the password",
		contract.EnvPostgresSSLMode:  "require",
	} {
		p[input] = proof{row: "postgres", inputs: map[string][]byte{input: []byte(wrong)}, seen: lostDatabase}
	}
	return p
}

// lostDatabase ends the server's connections to PostgreSQL and says whether it
// makes no others, because it did not start or because it would need other
// settings.
func lostDatabase(t *testing.T, s *server) bool {
	t.Helper()
	if !s.Running() {
		return strings.Contains(s.Log(), "control plane store")
	}
	s.postgres.cut(t)
	// The server notices that a connection is gone when it uses it.
	for range connectionsLost {
		if s.login(t, s.reads(t, contract.EnvAdminPassword)) == nil {
			return false
		}
	}
	return true
}

// connectionsLost is more than the connections that a server keeps open.
const connectionsLost = 10

// TestReload changes what the server reads out of Secrets under it, and sees
// whether it notices, live or after a restart, as the function's own table says.
// The hash has to change with everything that the running server does not notice,
// and with nothing else.
func TestReload(t *testing.T) {
	for name, p := range proofs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reload := p.reload(t)
			s := start(t, p.row)
			if p.prepare != nil {
				p.prepare(t, s)
			}
			if p.seen(t, s) {
				t.Fatal("the server acts on the new values before it has them")
			}

			before := s.hash(t)
			invalid := false
			for input, value := range p.inputs {
				s.change(t, input, value)
				invalid = invalid || values.Check(input, value) != ""
			}
			s.reconcile(t)
			if changed := s.hash(t) != before; changed == (reload == contract.Live || invalid) {
				t.Errorf("the hash changes: %t. The server reads %v %s", changed, p.names(), reload)
			}

			if reload == contract.Live {
				eventually(t, liveDeadline, "the running server sees the change", func(context.Context) error {
					if !p.seen(t, s) {
						return errors.New("it does not")
					}
					return nil
				})
				return
			}
			p.neverLive(t, s)
			p.restart(t, s, reload)
		})
	}
}

// neverLive watches the running server not see the change.
func (p proof) neverLive(t *testing.T, s *server) {
	t.Helper()
	deadline := time.Now()
	// The environment of a process cannot change. A file it might look at again.
	if slices.ContainsFunc(p.names(), func(n string) bool { return strings.HasPrefix(n, "/") }) {
		deadline = deadline.Add(patience)
	}
	for {
		if p.seen(t, s) {
			t.Fatalf("the running server sees the change of %v, which needs no restart then", p.names())
		}
		if time.Now().After(deadline) {
			return
		}
		time.Sleep(5 * time.Second)
	}
}

// restart shows whether a new pod sees the change.
func (p proof) restart(t *testing.T, s *server, reload contract.Reload) {
	t.Helper()
	s.stop(t)
	if err := s.Use(s.statefulSet(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	// With some of the new values no server becomes ready, which shows that it
	// reads them.
	_ = s.WaitReady(t.Context())
	if seen := p.seen(t, s); seen != (reload == contract.AtStart) {
		t.Errorf("the restarted server sees the change of %v: %t. It reads it %s\n%s", p.names(), seen, reload, s.Log())
	}
	if reload == contract.AtStart {
		return
	}

	// That a change goes unseen means nothing unless it can be seen.
	fresh := prepare(t, p.row)
	for input, value := range p.inputs {
		fresh.change(t, input, value)
	}
	fresh.run(t)
	// It is the old password that logs in to the server before, the new one here.
	if !p.seen(t, fresh) {
		t.Errorf("not even a new server sees %v", p.names())
	}
}

// names are the inputs that the proof is about.
func (p proof) names() []string { return slices.Sorted(maps.Keys(p.inputs)) }

// reload is what the function takes the inputs for.
func (p proof) reload(t *testing.T) contract.Reload {
	t.Helper()
	var reload contract.Reload
	for _, in := range contract.SecretValues {
		if _, ok := p.inputs[in.Name]; !ok {
			continue
		}
		if reload != "" && in.Reload != reload {
			t.Fatalf("the function takes %v for different things", p.names())
		}
		reload = in.Reload
	}
	if reload == "" {
		t.Fatalf("the function knows nothing of %v", p.names())
	}
	return reload
}

// TestReloadIsComplete holds the function's table against the proofs and against
// what servers read anywhere in the matrix.
func TestReloadIsComplete(t *testing.T) {
	known := map[string]bool{}
	for _, in := range contract.SecretValues {
		known[in.Name] = true
	}
	proven := map[string]bool{}
	for _, p := range proofs() {
		for _, n := range p.names() {
			proven[n] = true
		}
	}
	rendered := map[string]bool{}
	for _, row := range rows(t) {
		if row == extrasRow { // What users read, only they know.
			continue
		}
		s := &server{cluster: load(t, row)}
		s.reconcile(t)
		for _, in := range s.inputs(t) {
			rendered[sees(&in)] = true
		}
	}

	if diff := cmp.Diff(known, rendered); diff != "" {
		t.Errorf("what the function's table knows and what the servers of the matrix read differ: -table, +matrix:\n%s", diff)
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if _, excused := notDriven[name]; excused == proven[name] {
			t.Errorf("%s must have either a proof or a reason why it has none", name)
		}
	}
}
