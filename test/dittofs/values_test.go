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
)

// TestValues gives the real server what is made of a good value of each input, and
// holds what the function says of it against whether the server starts. Inputs whose
// value is right or wrong only for somebody else, as a password is, are not here.
func TestValues(t *testing.T) {
	const keytabRow = "kerberos"
	rows := map[string]string{
		contract.EnvJWTSecret:       "secrets",
		contract.EnvAdminPassword:   "secrets",
		contract.EnvPostgresPort:    "postgres",
		contract.EnvPostgresSSLMode: "postgres",
		contract.PostgresCAFile:     "postgres-tls",
		contract.TLSCertFile:        "tls",
		contract.TLSKeyFile:         "tls",
		contract.ClientCAFile:       "mtls",
		contract.MetricsTokenFile:   "metrics-token",
		contract.KeytabFile:         keytabRow,
		contract.Krb5ConfFile:       keytabRow,
	}
	r := rand.New(rand.NewPCG(1, 2))
	changes := map[string]func(v []byte) []byte{
		"Half":     func(v []byte) []byte { return v[:len(v)/2] },
		"Twice":    func(v []byte) []byte { return append(bytes.Clone(v), v...) },
		"Newline":  func(v []byte) []byte { return append(bytes.Clone(v), '\n') },
		"BOM":      func(v []byte) []byte { return append([]byte("\xef\xbb\xbf"), v...) },
		"Blank":    func(v []byte) []byte { return append([]byte(" "), v...) },
		"CRLF":     func(v []byte) []byte { return bytes.ReplaceAll(v, []byte("\n"), []byte("\r\n")) },
		"Text":     func([]byte) []byte { return []byte("a text of no kind, of more than thirty-two bytes") },
		"Reversed": func(v []byte) []byte { v = bytes.Clone(v); slices.Reverse(v); return v },
	}

	total := 0
	for _, input := range slices.Sorted(maps.Keys(rows)) {
		for _, change := range slices.Sorted(maps.Keys(changes)) {
			row, f := rows[input], changes[change]
			// Each change of a few inputs, and of each input a few changes.
			if r.IntN(3) == 0 && change != "Half" && change != "Text" {
				continue
			}
			// Half a port is a port, of nobody. And a database for each would take long.
			if strings.HasPrefix(row, "postgres") && change != "Newline" && change != "Text" {
				continue
			}
			total++
			t.Run(strings.Trim(strings.ReplaceAll(input, "/", "-"), "-")+"/"+change, func(t *testing.T) {
				t.Parallel()
				s := prepare(t, row)
				s.agree(t, row, input, f(s.read(t, input)))
			})
		}
	}
	t.Logf("%d values", total)
}

// TestParticularValues is what reports of users are about.
func TestParticularValues(t *testing.T) {
	own, issuer := host.NamedAuthority(serverAuthority).Issue("files.example.com"), host.NamedAuthority(serverAuthority).Certificate()
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("of no use without its passphrase")})

	cases := map[string]struct {
		reason     string
		row, input string
		value      []byte
		sql        string // What the administrator of PostgreSQL has done.
	}{
		"HostWithPort":    {reason: "the port is another key", row: "postgres", input: contract.EnvPostgresHost, value: []byte("db.example.com:5432")},
		"HostIPv6":        {reason: "an address with colons cannot be told from a port", row: "postgres", input: contract.EnvPostgresHost, value: []byte("::1")},
		"HostWithNewline": {reason: "a URL has no newlines", row: "postgres", input: contract.EnvPostgresHost, value: []byte("127.0.0.1\n")},
		"HostWithBlank":   {reason: "a URL has no blanks", row: "postgres", input: contract.EnvPostgresHost, value: []byte("127.0.0.1 ")},
		"HostSocket":      {reason: "a path is no host of a URL", row: "postgres", input: contract.EnvPostgresHost, value: []byte("/run/postgresql")},
		"PortOctal":       {reason: "the server takes a leading zero for octal", row: "postgres", input: contract.EnvPostgresPort, value: []byte("05432")},
		"HostOfNone":      {reason: "no host is left, and the driver looks for a socket", row: "postgres", input: contract.EnvPostgresHost, value: []byte(",")},
		"HostOfTwo":       {reason: "the driver goes on to the next", row: "postgres", input: contract.EnvPostgresHost, value: []byte("127.0.0,127.0.0.1")},
		"HostQuoted":      {reason: "no resolver takes quotes", row: "postgres", input: contract.EnvPostgresHost, value: []byte(`"127.0.0.1"`)},
		"HostBOM":         {reason: "no resolver takes more than ASCII", row: "postgres", input: contract.EnvPostgresHost, value: []byte("\ufeff127.0.0.1")},
		"HostCut":         {reason: "an address has four numbers", row: "postgres", input: contract.EnvPostgresHost, value: []byte("127.0.0")},
		"PortHexadecimal": {reason: "the server reads a number as Go does", row: "postgres", input: contract.EnvPostgresPort, value: []byte("0x1538")},
		"PortSigned":      {reason: "a sign is a part of a number", row: "postgres", input: contract.EnvPostgresPort, value: []byte("+5432")},
		"PortUnderscore":  {reason: "the server reads a number as Go does", row: "postgres", input: contract.EnvPostgresPort, value: []byte("5_432")},
		"PortZero":        {reason: "zero is the port by default", row: "postgres", input: contract.EnvPostgresPort, value: []byte("0")},
		"PortNegative":    {reason: "no port is below zero", row: "postgres", input: contract.EnvPostgresPort, value: []byte("-5432")},
		"UserNewline":     {reason: "a name ends where it ends", row: "postgres", input: contract.EnvPostgresUser, value: []byte("dittofs\n")},
		"DatabaseNewline": {reason: "a name ends where it ends", row: "postgres", input: contract.EnvPostgresDatabase, value: []byte("dittofs\n")},
		"UserBlank":       {reason: "a name starts where it starts", row: "postgres", input: contract.EnvPostgresUser, value: []byte(" ditto")},
		"UserBOM":         {reason: "what an editor writes unseen is a part of the name", row: "postgres", input: contract.EnvPostgresUser, value: []byte("\ufeffditto")},
		"UserBlankInside": {reason: "PostgreSQL has users of such names", row: "postgres", input: contract.EnvPostgresUser, value: []byte("a user"), sql: `CREATE ROLE "a user" SUPERUSER LOGIN PASSWORD 'pg-password'`},
		"UserTimeZone":    {reason: "the driver makes a setting of it", row: "postgres", input: contract.EnvPostgresUser, value: []byte("timezone=UTC"), sql: `CREATE ROLE "timezone=UTC" SUPERUSER LOGIN PASSWORD 'pg-password'`},
		"DatabaseTab":     {reason: "a name ends where it ends", row: "postgres", input: contract.EnvPostgresDatabase, value: []byte("files\t")},
		"DatabaseOfNone":  {reason: "a database of the user's name is not meant, nor there", row: "postgres", input: contract.EnvPostgresDatabase, value: []byte("/")},
		"DatabaseSlash":   {reason: "the driver takes the slash away", row: "postgres", input: contract.EnvPostgresDatabase, value: []byte("/files")},
		"DatabaseZone":    {reason: "the driver makes a setting of it", row: "postgres", input: contract.EnvPostgresDatabase, value: []byte("TimeZone=UTC"), sql: `CREATE DATABASE "TimeZone=UTC" OWNER ditto`},
		"DatabaseSigns":   {reason: "a name has any signs", row: "postgres", input: contract.EnvPostgresDatabase, value: []byte(`a?b=%41 "c"/d:e@f#g`), sql: `CREATE DATABASE "a?b=%41 ""c""/d:e@f#g" OWNER ditto`},
		"PasswordZone":    {reason: "the driver makes a setting of it", row: "postgres", input: contract.EnvPostgresPassword, value: []byte("time_zone=UTC"), sql: `ALTER ROLE ditto PASSWORD 'time_zone=UTC'`},
		"PasswordOfUTC":   {reason: "the setting is what it is by default", row: "postgres", input: contract.EnvPostgresPassword, value: []byte("timezone=UTC&x"), sql: `ALTER ROLE ditto PASSWORD 'timezone=UTC&x'`},
		"PasswordNewline": {reason: "a password may be anything", row: "postgres", input: contract.EnvPostgresPassword, value: []byte("pg-password\n"), sql: `ALTER ROLE ditto PASSWORD E'pg-password\n'`},
		"Krb5OfRHEL9":     {reason: "gokrb5 knows no fallback", row: "kerberos", input: contract.Krb5ConfFile, value: []byte("[libdefaults]\n    dns_canonicalize_hostname = fallback\n    default_realm = EXAMPLE.COM\n[realms]\n EXAMPLE.COM = {\n  kdc = 127.0.0.1\n }\n")},
		"Krb5Includes":    {reason: "what is included is not there, and not looked for", row: "kerberos", input: contract.Krb5ConfFile, value: []byte("includedir /etc/krb5.conf.d/\n[libdefaults]\n default_realm = EXAMPLE.COM\n")},
		"KeyEncrypted":    {reason: "nobody is there to type a passphrase", row: "tls", input: contract.TLSKeyFile, value: encrypted},
		"IssuerFirst":     {reason: "the first certificate is the server's", row: "tls", input: contract.TLSCertFile, value: append(bytes.Clone(issuer), own.Cert...)},
		"EnvWithZero":     {reason: "a zero ends a variable", row: "secrets", input: contract.EnvJWTSecret, value: append(bytes.Repeat([]byte("k"), 40), 0, 'k')},
		"EnvTooLong":      {reason: "the kernel takes no longer one", row: "secrets", input: contract.EnvJWTSecret, value: bytes.Repeat([]byte("k"), 128<<10)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Log(tc.reason)
			s := prepare(t, tc.row)
			if tc.sql != "" {
				s.postgres.ask(t, "postgres", tc.sql)
			}
			s.agree(t, tc.row, tc.input, tc.value)
		})
	}
}

// TestEnvIsText proves what no sandbox can: Kubernetes passes variables to the
// container runtime as the strings of a protobuf, which are UTF-8.
func TestEnvIsText(t *testing.T) {
	for _, value := range []string{"caf\xe9", "café", "\xff\xfe"} {
		_, err := proto.Marshal(wrapperspb.String(value))
		if unfit := contract.Check("ANY", []byte(value)) != ""; unfit != (err != nil) {
			t.Errorf("Check(%q): unfit is %t, and a protobuf says %v", value, unfit, err)
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
		if unfit := contract.Check(name, []byte(strings.Repeat("x", n))) != ""; unfit != (err != nil) {
			t.Errorf("Check of %d bytes: unfit is %t, and the kernel says %v", n, unfit, err)
		}
	}
}

// agree says whether the function withholds the StatefulSet of a server with a value
// just if that server, which is of this row and not started yet, does not start.
func (s *server) agree(t *testing.T, row, input string, value []byte) {
	t.Helper()
	in := s.input(t, input)

	c := load(t, row)
	c.secrets[in.Source.Name].Data[in.Key] = value
	c.reconcile(t)
	_, composed := c.crossplane.Composed[manifests.StatefulSetResource]

	s.change(t, input, value)
	err := s.Start(t.Context())
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
