package dittofs

import (
	"strings"
	"testing"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// TestRefusals holds what the function refuses of a spec against what the server
// would do with it: it does not start.
func TestRefusals(t *testing.T) {
	cases := map[string]struct {
		row string

		// field of the DittoServer, and a value that the function must refuse. No value
		// takes the field away.
		field string
		value any

		// config is what the function would have rendered.
		config func(c *contract.Config)
	}{
		"DurationInDays":        {"secrets", "spec.identity.jwt.accessTokenDuration", "7d", func(c *contract.Config) { c.ControlPlane.JWT.AccessTokenDuration = "7d" }},
		"ShutdownTimeout":       {"secrets", "spec.shutdownTimeout", "0s", func(c *contract.Config) { c.ShutdownTimeout = "-1s" }},
		"UnknownLogLevel":       {"secrets", "spec.logging.level", "LOUD", func(c *contract.Config) { c.Logging.Level = "LOUD" }},
		"LogInReadOnlyPlace":    {"secrets", "spec.logging.output", "/var/log/dfs.log", func(c *contract.Config) { c.Logging.Output = "/var/log/dfs.log" }},
		"SQLiteInReadOnly":      {"secrets", "spec.database.sqlite.path", "/var/lib/control.db", func(c *contract.Config) { c.Database.SQLite.Path = "/var/lib/control.db" }},
		"PostgresWithoutRef":    {"secrets", "spec.database.type", "postgres", func(c *contract.Config) { c.Database = contract.Database{Type: "postgres"} }},
		"MetricsPath":           {"metrics", "spec.metrics.path", "stats", func(c *contract.Config) { c.Metrics.Path = "stats" }},
		"ClientCAWithoutTLS":    {"mtls", "spec.controlPlane.certSecretName", nil, func(c *contract.Config) { c.ControlPlane.TLS.CertFile, c.ControlPlane.TLS.KeyFile = "", "" }},
		"LDAPInPlaintext":       {"ldap", "spec.identity.ldap.allowPlaintext", false, func(c *contract.Config) { c.LDAP.AllowPlaintext = false }},
		"LDAPWithoutBaseDN":     {"ldap", "spec.identity.ldap.baseDN", "", func(c *contract.Config) { c.LDAP.BaseDN = "" }},
		"LDAPWithoutBindDN":     {"ldap", "spec.identity.ldap.bindDN", "", func(c *contract.Config) { c.LDAP.BindDN = "" }},
		"LDAPUserAttribute":     {"ldap", "spec.identity.ldap.userAttr", "a b", func(c *contract.Config) { c.LDAP.UserAttr = "a b" }},
		"KerberosWithoutConf":   {"kerberos", "spec.identity.kerberos.krb5ConfSecretRef", nil, func(c *contract.Config) { c.Kerberos.Krb5Conf = "" }},
		"KerberosNoKeytab":      {"kerberos", "spec.identity.kerberos.keytabSecretRef", nil, func(c *contract.Config) { c.Kerberos.KeytabPath = "" }},
		"KerberosNoPrincipal":   {"kerberos", "spec.identity.kerberos.servicePrincipal", nil, func(c *contract.Config) { c.Kerberos.ServicePrincipal = "" }},
		"KerberosNetBIOSHasDot": {"machine-account", "spec.identity.kerberos.netbiosDomain", "EXAMPLE.COM", func(c *contract.Config) { c.Kerberos.NetBIOSDomain = "EXAMPLE.COM" }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load(t, tc.row)
			c.set(t, tc.field, tc.value)
			if refusal(c.render(t)) == "" {
				t.Errorf("%s: the function does not refuse %v", tc.field, tc.value)
			}

			s := prepare(t, tc.row)
			config := s.config(t)
			tc.config(config)
			text, err := config.Render()
			if err != nil {
				t.Fatal(err)
			}
			s.configMap(t).Data[contract.ConfigFile] = string(text)
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.WaitReady(t.Context()) == nil || s.Running() {
				t.Errorf("%s: the server runs with %v, which the function refuses\n%s", tc.field, tc.value, s.Log())
			}
		})
	}
}

// TestLimits holds what the function says of values in Secrets against what the
// server does with them: the function must withhold the StatefulSet of those
// servers that would not start, and of no others.
func TestLimits(t *testing.T) {
	text := func(n int) []byte { return []byte(strings.Repeat("x", n)) }

	cases := map[string]struct {
		reason string
		row    string
		input  string
		value  []byte
		starts bool
	}{
		"SigningKeyMin":    {"32 bytes are enough to sign tokens", "secrets", contract.EnvJWTSecret, text(32), true},
		"SigningKeyShort":  {"31 bytes are not", "secrets", contract.EnvJWTSecret, text(31), false},
		"SigningKeyEmpty":  {"no bytes are no key", "secrets", contract.EnvJWTSecret, nil, false},
		"PasswordMin":      {"8 bytes are enough for a password", "secrets", contract.EnvAdminPassword, text(8), true},
		"PasswordShort":    {"7 bytes are not", "secrets", contract.EnvAdminPassword, text(7), false},
		"PasswordMax":      {"bcrypt takes 72 bytes", "secrets", contract.EnvAdminPassword, text(72), true},
		"PasswordLong":     {"bcrypt does not take 73", "secrets", contract.EnvAdminPassword, text(73), false},
		"PasswordEmpty":    {"an empty password is replaced by one that nobody knows", "secrets", contract.EnvAdminPassword, nil, false},
		"BindPassword":     {"any password can be one of the directory", "ldap", contract.EnvLDAPBindPassword, text(1), true},
		"BindPasswordNone": {"the server does not bind without a password", "ldap", contract.EnvLDAPBindPassword, nil, false},
		"TokenWithNewline": {"blanks around a token do not count", "metrics-token", contract.MetricsTokenFile, []byte("token\n"), true},
		"TokenBlank":       {"blanks are no token", "metrics-token", contract.MetricsTokenFile, []byte(" \n"), false},
		"ClientCANone":     {"a client CA is a certificate", "mtls", contract.ClientCAFile, text(1), false},
		"CertificateNone":  {"a certificate is in PEM", "tls", contract.TLSCertFile, text(1), false},
		"KeyOfAnother":     {"a certificate goes with its key", "tls", contract.TLSKeyFile, host.NamedAuthority(matrix.ServerAuthority).Issue("another").Key, false},
		"KeytabNone":       {"a keytab has a version", "kerberos", contract.KeytabFile, text(1), false},
		"PortWithNewline":  {"a port is a number and nothing else", "postgres", contract.EnvPostgresPort, []byte("5432\n"), false},
		"SSLModeUnknown":   {"there are six modes", "postgres", contract.EnvPostgresSSLMode, []byte("requir"), false},
		"PostgresHostNone": {"a database has a host", "postgres", contract.EnvPostgresHost, nil, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := prepare(t, tc.row)
			in := s.input(t, tc.input)

			c := load(t, tc.row)
			c.secrets[in.Source.Name].Data[in.Key] = tc.value
			c.reconcile(t)
			if _, composed := c.crossplane.Composed[manifests.StatefulSetResource]; composed != tc.starts {
				t.Errorf("%s: the function composes a StatefulSet: want %t, got %t", tc.reason, tc.starts, composed)
			}

			s.change(t, tc.input, tc.value)
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := s.WaitReady(t.Context())
			if err == nil {
				err = s.login(t, s.reads(t, contract.EnvAdminPassword))
			}
			if starts := err == nil; starts != tc.starts {
				t.Errorf("%s: the server starts and lets the administrator in: want %t, got %v\n%s", tc.reason, tc.starts, err, s.Log())
			}
		})
	}
}
