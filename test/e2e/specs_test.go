package e2e

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/functest/keytab"
)

// The Secrets that a server with basicSpec reads.
func basicSecrets() secrets {
	return secrets{
		"jwt":   {"key": newKey()},
		"admin": {"password": rand.Text()},
	}
}

// basicSpec is what most users need.
func basicSpec() map[string]any {
	return map[string]any{
		"storage": map[string]any{"metadataSize": "1Gi", "contentSize": "1Gi"},
		"identity": map[string]any{
			"jwt":   map[string]any{"secretRef": map[string]any{"name": "jwt", "key": "key"}},
			"admin": map[string]any{"passwordSecretRef": map[string]any{"name": "admin", "key": "password"}},
		},
		// The node has room for many that ask for little.
		"resources": map[string]any{"requests": map[string]any{"cpu": "10m", "memory": "64Mi"}, "limits": map[string]any{"memory": "1Gi"}},
	}
}

// newKey is a key that is long enough for the server.
func newKey() string {
	return rand.Text() + rand.Text()
}

// fullSecrets are the Secrets that a server with fullSpec reads. It has a database of its
// own.
func (sc *scenario) fullSecrets(srv *server) secrets {
	sc.Helper()
	s := basicSecrets()
	if sc.node != nil {
		s["postgres"] = sc.databaseOf(srv)
		s["postgres-ca"] = map[string]string{"ca.crt": string(sc.postgres.authority.Certificate())}
	}
	s["tls"] = certificate()
	s["client-ca"] = map[string]string{"ca.crt": certificate()["tls.crt"]}
	s["metrics"] = map[string]string{"token": rand.Text()}
	s["ldap"] = map[string]string{"password": rand.Text(), "ca.crt": certificate()["tls.crt"]}
	s["kerberos"] = map[string]string{"keytab": newKeytab(), "krb5.conf": krb5Conf(), "machine": rand.Text()}
	return s
}

// fullSpec reads everything from Secrets that a server can, but in a cluster of the user's
// own no database: pods do not reach the one on this machine there.
func (sc *scenario) fullSpec() map[string]any {
	ref := func(name, key string) map[string]any { return map[string]any{"name": name, "key": key} }
	s := basicSpec()
	s["controlPlane"] = map[string]any{"certSecretName": "tls", "clientCASecretName": "client-ca"}
	s["metrics"] = map[string]any{"enabled": true, "bearerTokenSecret": ref("metrics", "token")}
	if sc.node != nil {
		s["database"] = map[string]any{
			"type":                 "postgres",
			"postgresSecretRef":    map[string]any{"name": "postgres"},
			"sslRootCertSecretRef": ref("postgres-ca", "ca.crt"),
		}
	}
	identity := s["identity"].(map[string]any)
	identity["ldap"] = map[string]any{
		"enabled": true, "url": "ldaps://ldap.example.org", "baseDN": "dc=example,dc=org", "bindDN": "cn=dittofs,dc=example,dc=org",
		"bindPasswordSecretRef": ref("ldap", "password"),
		"caSecretRef":           ref("ldap", "ca.crt"),
	}
	identity["kerberos"] = map[string]any{
		"enabled": true, "servicePrincipal": "nfs/files.example.org@EXAMPLE.ORG", "realm": "EXAMPLE.ORG", "netbiosDomain": "EXAMPLE",
		"keytabSecretRef":   ref("kerberos", "keytab"),
		"krb5ConfSecretRef": ref("kerberos", "krb5.conf"),
		"machineAccount":    map[string]any{"enabled": true, "accountName": "FILES$", "secretRef": ref("kerberos", "machine")},
	}
	return s
}

// An input is something that the server reads from a Secret.
type input struct {
	what, secret string
	rotated      func(sc *scenario, srv *server) map[string]string
	restarts     string
}

// inputs are all there are in fullSpec, each with other contents.
func (sc *scenario) inputs() []input {
	to := func(keysAndValues ...string) func(*scenario, *server) map[string]string {
		m := map[string]string{}
		for kv := range slices.Chunk(keysAndValues, 2) {
			m[kv[0]] = kv[1]
		}
		return func(*scenario, *server) map[string]string { return m }
	}
	renewed := func(*scenario, *server) map[string]string { return certificate() }
	all := []input{
		{"JWT key", "jwt", to("key", newKey()), oneRestart},
		{"admin password", "admin", to("password", rand.Text()), oneRestart},
		{"API certificate and key", "tls", renewed, noRestart},
		{"API client CA", "client-ca", to("ca.crt", certificate()["tls.crt"]), oneRestart},
		{"metrics token", "metrics", to("token", rand.Text()), oneRestart},
		{"LDAP bind password", "ldap", to("password", rand.Text()), oneRestart},
		{"LDAP CA", "ldap", to("ca.crt", certificate()["tls.crt"]), noRestart},
		{"Kerberos keytab", "kerberos", to("keytab", newKeytab()), noRestart},
		{"krb5.conf", "kerberos", to("krb5.conf", krb5Conf()), oneRestart},
		{"machine account password", "kerberos", to("machine", rand.Text()), oneRestart},
	}
	if sc.node == nil {
		return all
	}
	other := func(key string) func(*scenario, *server) map[string]string {
		return func(_ *scenario, srv *server) map[string]string {
			return map[string]string{key: roleOf(srv) + "_other"}
		}
	}
	return append(all,
		input{"Postgres host", "postgres", to("host", postgresOtherName), oneRestart},
		input{"Postgres port", "postgres", to("port", postgresOtherPort), oneRestart},
		input{"Postgres database", "postgres", other("database"), oneRestart},
		input{"Postgres user", "postgres", other("user"), oneRestart},
		input{"Postgres password", "postgres", func(sc *scenario, srv *server) map[string]string {
			password := rand.Text()
			sc.setDatabasePassword(srv, password)
			return map[string]string{"password": password}
		}, oneRestart},
		input{"Postgres sslmode", "postgres", to("sslmode", "require"), oneRestart},
		input{"Postgres CA", "postgres-ca", func(sc *scenario, _ *server) map[string]string {
			return map[string]string{"ca.crt": string(sc.postgres.authority.Certificate()) + certificate()["tls.crt"]}
		}, oneRestart},
	)
}

// newKeytab is one with a key that nobody knows.
func newKeytab() string {
	return string(keytab.New("nfs/files.example.org", "EXAMPLE.ORG", rand.Text(), 1))
}

func krb5Conf() string {
	return "[libdefaults]\ndefault_realm = EXAMPLE.ORG\n# " + rand.Text() + "\n"
}

// certificate returns a new certificate, and its key.
func certificate() map[string]string {
	p := host.NewAuthority().Issue("files")
	return map[string]string{"tls.crt": string(p.Cert), "tls.key": string(p.Key)}
}

// all joins what was seen of several things, when it is the same of each.
func all(seen []string) string {
	if len(seen) == 0 {
		return "nothing"
	}
	for _, s := range seen {
		if s != seen[0] {
			return strings.Join(seen, "; ")
		}
	}
	return fmt.Sprintf("%d times %s", len(seen), seen[0])
}
