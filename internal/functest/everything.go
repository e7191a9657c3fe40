package functest

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/functest/keyfile"
	"github.com/dittofs/function-dittoserver/internal/functest/keytab"
)

// Everything that a server can read out of Secrets, beside what basicXR has.
const everything = `
encryption: {passphraseSecretRef: {name: encryption, key: passphrase}, keys: [{name: main, secretRef: {name: encryption, key: main.key}}]}
controlPlane: {certSecretName: tls, clientCASecretName: client-ca}
metrics: {enabled: true, bearerTokenSecret: {name: metrics, key: token}, tls: {certSecretName: metrics-tls, clientCASecretName: metrics-ca}}
database: {postgresSecretRef: {name: db}, sslRootCertSecretRef: {name: db-ca, key: ca.crt}}
ldap:
  enabled: true
  url: ldaps://dc.example
  baseDN: dc=example
  bindDN: cn=dittofs,dc=example
  bindPasswordSecretRef: {name: ldap, key: password}
  caSecretRef: {name: ldap-ca, key: ca.crt}
kerberos:
  enabled: true
  servicePrincipal: nfs/files.example@EXAMPLE
  realm: EXAMPLE
  netbiosDomain: EXAMPLE
  keytabSecretRef: {name: keytab, key: keytab}
  krb5ConfSecretRef: {name: krb5, key: krb5.conf}
  machineAccount: {enabled: true, accountName: FILES$, secretRef: {name: machine, key: password}}
`

// NewWithEverything returns a cluster with a server that reads all that a
// server can read out of Secrets.
func NewWithEverything(tb testing.TB, f Function) *Cluster {
	tb.Helper()
	c := New(tb, f)
	for field, v := range Object(tb, everything).AsMap() {
		switch field {
		case "ldap", "kerberos":
			c.Set("spec.identity."+field, v)
		default:
			c.Set("spec."+field, v)
		}
	}
	c.UsePostgres()
	for _, r := range []Ref{
		{"tls", "tls.crt"},
		{"tls", "tls.key"},
		{"client-ca", "ca.crt"},
		{"metrics", "token"},
		{"encryption", "passphrase"},
		{"encryption", "main.key"},
		{"metrics-tls", "tls.crt"},
		{"metrics-tls", "tls.key"},
		{"metrics-ca", "ca.crt"},
		{"db-ca", "ca.crt"},
		{"ldap", "password"},
		{"ldap-ca", "ca.crt"},
		{"keytab", "keytab"},
		{"krb5", "krb5.conf"},
		{"machine", "password"},
	} {
		c.NewValue(r)
	}
	return c
}

// NewValue sets a key of a Secret to a value that the server takes, another one
// each time. A certificate comes with its key.
func (c *Cluster) NewValue(r Ref) {
	c.Helper()

	switch r.Key {
	case "tls.crt", "tls.key":
		own := host.NewAuthority().Issue("files")
		c.SetSecret(r.Secret, "tls.crt", string(own.Cert))
		c.SetSecret(r.Secret, "tls.key", string(own.Key))
	case "passphrase", "main.key":
		passphrase := rand.Text()
		c.SetSecret(r.Secret, "passphrase", passphrase)
		c.SetSecret(r.Secret, "main.key", string(keyfile.New(passphrase, "master-key")))
	case "ca.crt":
		c.SetSecret(r.Secret, r.Key, string(host.NewAuthority().Certificate()))
	case "port":
		c.SetSecret(r.Secret, r.Key, fmt.Sprint(1024+mathrand.IntN(60000)))
	case "sslmode":
		c.SetSecret(r.Secret, r.Key, "verify-ca")
	case "keytab":
		c.SetSecret(r.Secret, r.Key, string(keytab.New("nfs/files.example.com", "EXAMPLE.COM", rand.Text(), 1)))
	case "krb5.conf":
		c.SetSecret(r.Secret, r.Key, "[libdefaults]\n default_realm = "+rand.Text()+"\n")
	case "host":
		c.SetSecret(r.Secret, r.Key, strings.ToLower(rand.Text())+".example")
	default:
		c.SetSecret(r.Secret, r.Key, rand.Text()+rand.Text())
	}
}

// A Ref is where in a Secret an input comes from.
type Ref struct{ Secret, Key string }
