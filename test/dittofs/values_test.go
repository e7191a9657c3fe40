package dittofs

import (
	"bytes"
	"encoding/pem"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/values"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// changes are what is made of good values.
var changes = map[string]func(v []byte) []byte{
	"Half":     func(v []byte) []byte { return v[:len(v)/2] },
	"Twice":    func(v []byte) []byte { return append(bytes.Clone(v), v...) },
	"Newline":  func(v []byte) []byte { return append(bytes.Clone(v), '\n') },
	"BOM":      func(v []byte) []byte { return append([]byte("\xef\xbb\xbf"), v...) },
	"Blank":    func(v []byte) []byte { return append([]byte(" "), v...) },
	"CRLF":     func(v []byte) []byte { return bytes.ReplaceAll(v, []byte("\n"), []byte("\r\n")) },
	"Text":     func([]byte) []byte { return []byte("a text of no kind, of more than thirty-two bytes") },
	"Reversed": func(v []byte) []byte { v = bytes.Clone(v); slices.Reverse(v); return v },
}

// TestValues gives the real server what is made of a good value of each input, and
// holds what the function says of it against whether the server starts. Inputs whose
// value is right or wrong only for somebody else, as a password is, are not here.
func TestValues(t *testing.T) {
	const keytabRow = "kerberos"
	rows := map[string]string{
		contract.EnvJWTSecret:     "secrets",
		contract.EnvAdminPassword: "secrets",
		contract.TLSCertFile:      "tls",
		contract.TLSKeyFile:       "tls",
		contract.ClientCAFile:     "mtls",
		contract.MetricsTokenFile: "metrics-token",
		contract.KeytabFile:       keytabRow,
		contract.Krb5ConfFile:     keytabRow,
	}
	r := rand.New(rand.NewPCG(1, 2))
	total := 0
	for _, input := range slices.Sorted(maps.Keys(rows)) {
		for _, change := range slices.Sorted(maps.Keys(changes)) {
			row, f := rows[input], changes[change]
			// Each change of a few inputs, and of each input a few changes.
			if r.IntN(3) == 0 && change != "Half" && change != "Text" {
				continue
			}
			total++
			t.Run(strings.Trim(strings.ReplaceAll(input, "/", "-"), "-")+"/"+change, func(t *testing.T) {
				t.Parallel()
				s := prepare(t, row)
				s.agree(t, row, map[string][]byte{input: f(s.read(t, input))})
			})
		}
	}
	t.Logf("%d values", total)
}

// TestParticularValues is what reports of users are about.
func TestParticularValues(t *testing.T) {
	own, issuer := host.NamedAuthority(matrix.ServerAuthority).Issue("files.example.com"), host.NamedAuthority(matrix.ServerAuthority).Certificate()
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("of no use without its passphrase")})

	cases := map[string]struct {
		reason     string
		row, input string
		value      []byte
	}{
		"Krb5OfRHEL9":  {"gokrb5 knows no fallback", "kerberos", contract.Krb5ConfFile, []byte("[libdefaults]\n    dns_canonicalize_hostname = fallback\n    default_realm = EXAMPLE.COM\n[realms]\n EXAMPLE.COM = {\n  kdc = 127.0.0.1\n }\n")},
		"Krb5Includes": {"what is included is not there, and not looked for", "kerberos", contract.Krb5ConfFile, []byte("includedir /etc/krb5.conf.d/\n[libdefaults]\n default_realm = EXAMPLE.COM\n")},
		"KeyEncrypted": {"nobody is there to type a passphrase", "tls", contract.TLSKeyFile, encrypted},
		"IssuerFirst":  {"the first certificate is the server's", "tls", contract.TLSCertFile, append(bytes.Clone(issuer), own.Cert...)},
		"EnvWithZero":  {"a zero ends a variable", "secrets", contract.EnvJWTSecret, append(bytes.Repeat([]byte("k"), 40), 0, 'k')},
		"EnvTooLong":   {"the kernel takes no longer one", "secrets", contract.EnvJWTSecret, bytes.Repeat([]byte("k"), 128<<10)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Log(tc.reason)
			prepare(t, tc.row).agree(t, tc.row, map[string][]byte{tc.input: tc.value})
		})
	}
}

// TestEnvIsText proves what no sandbox can: Kubernetes passes variables to the
// container runtime as the strings of a protobuf, which are UTF-8.
func TestEnvIsText(t *testing.T) {
	for _, value := range []string{"caf\xe9", "café", "\xff\xfe"} {
		_, err := proto.Marshal(wrapperspb.String(value))
		if invalid := values.Check("ANY", []byte(value)) != ""; invalid != (err != nil) {
			t.Errorf("Check(%q): invalid is %t, and a protobuf says %v", value, invalid, err)
		}
	}
}

// TestEnvIsBounded asks the kernel for the longest variable.
func TestEnvIsBounded(t *testing.T) {
	const name = "VARIABLE"
	longest := 128<<10 - len(name) - len("=") - len("\x00")
	for _, n := range []int{longest, longest + 1} {
		cmd := exec.CommandContext(t.Context(), "true")
		cmd.Env = []string{name + "=" + strings.Repeat("x", n)}
		err := cmd.Run()
		if invalid := values.Check(name, []byte(strings.Repeat("x", n))) != ""; invalid != (err != nil) {
			t.Errorf("Check of %d bytes: invalid is %t, and the kernel says %v", n, invalid, err)
		}
	}
}

// agree says whether the function withholds the StatefulSet of a server with values
// just if that server, which is of this row and not started yet, does not start.
func (s *server) agree(t *testing.T, row string, changed map[string][]byte) {
	t.Helper()
	c := load(t, row)
	for input, value := range changed {
		in := s.input(t, input)
		c.secrets[in.Source.Name].Data[in.Key] = value
		s.change(t, input, value)
	}
	c.reconcile(t)
	_, composed := c.crossplane.Composed[manifests.StatefulSetResource]

	defer s.Kill()
	err := s.Start(t.Context())
	if err == nil {
		err = s.shakeHands(t)
	}
	if err == nil {
		err = s.WaitReady(t.Context())
	}
	if err == nil {
		err = s.login(t, s.reads(t, contract.EnvAdminPassword))
	}
	if composed != (err == nil) {
		t.Errorf("the function composes a StatefulSet: %t, and the server says: %v\n%s\n%s", composed, err, s.Log(), c.render(t).GetConditions()[1].String())
	}
}

// read is the value of an input.
func (s *server) read(t *testing.T, name string) []byte {
	t.Helper()
	in := s.input(t, name)
	return s.secrets[in.Source.Name].Data[in.Key]
}
