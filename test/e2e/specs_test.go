package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"
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
	}
}

// newKey is a key that is long enough for the server.
func newKey() string {
	return rand.Text() + rand.Text()
}

// The Secrets that a server with fullSpec reads.
func fullSecrets() secrets {
	s := basicSecrets()
	s["tls"] = certificate()
	s["client-ca"] = map[string]string{"ca.crt": certificate()["tls.crt"]}
	s["metrics"] = map[string]string{"token": rand.Text()}
	s["postgres"] = map[string]string{
		"host": "postgres.example.org", "port": "5432", "database": "dittofs", "user": "dittofs", "password": rand.Text(), "sslmode": "verify-full",
	}
	s["postgres-ca"] = map[string]string{"ca.crt": certificate()["tls.crt"]}
	s["ldap"] = map[string]string{"password": rand.Text(), "ca.crt": certificate()["tls.crt"]}
	s["kerberos"] = map[string]string{"keytab": keytab(), "krb5.conf": krb5Conf(), "machine": rand.Text()}
	return s
}

// fullSpec reads everything from Secrets that a server can.
func fullSpec() map[string]any {
	ref := func(name, key string) map[string]any { return map[string]any{"name": name, "key": key} }
	s := basicSpec()
	s["controlPlane"] = map[string]any{"certSecretName": "tls", "clientCASecretName": "client-ca"}
	s["metrics"] = map[string]any{"enabled": true, "bearerTokenSecret": ref("metrics", "token")}
	s["database"] = map[string]any{
		"type":                 "postgres",
		"postgresSecretRef":    map[string]any{"name": "postgres"},
		"sslRootCertSecretRef": ref("postgres-ca", "ca.crt"),
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
	rotated      map[string]string
	restarts     string
}

// inputs are all there are in fullSpec, each with other contents.
func inputs() []input {
	all := []input{
		{"JWT key", "jwt", map[string]string{"key": newKey()}, oneRestart},
		{"admin password", "admin", map[string]string{"password": rand.Text()}, oneRestart},
		{"API certificate and key", "tls", certificate(), noRestart},
		{"API client CA", "client-ca", map[string]string{"ca.crt": certificate()["tls.crt"]}, oneRestart},
		{"metrics token", "metrics", map[string]string{"token": rand.Text()}, oneRestart},
		{"Postgres CA", "postgres-ca", map[string]string{"ca.crt": certificate()["tls.crt"]}, oneRestart},
		{"LDAP bind password", "ldap", map[string]string{"password": rand.Text()}, oneRestart},
		{"LDAP CA", "ldap", map[string]string{"ca.crt": certificate()["tls.crt"]}, noRestart},
		{"Kerberos keytab", "kerberos", map[string]string{"keytab": keytab()}, noRestart},
		{"krb5.conf", "kerberos", map[string]string{"krb5.conf": krb5Conf()}, oneRestart},
		{"machine account password", "kerberos", map[string]string{"machine": rand.Text()}, oneRestart},
	}
	for _, kv := range [][2]string{{"host", "other.example.org"}, {"port", "5433"}, {"database", "other"}, {"user", "other"}, {"password", rand.Text()}, {"sslmode", "require"}} {
		all = append(all, input{"Postgres " + kv[0], "postgres", map[string]string{kv[0]: kv[1]}, oneRestart})
	}
	return all
}

// keytab is one with a key that nobody knows, in the format of MIT Kerberos.
func keytab() string {
	entry := binary.BigEndian.AppendUint16(nil, 2) // Components of the name.
	counted := func(s string) {
		entry = binary.BigEndian.AppendUint16(entry, uint16(len(s)))
		entry = append(entry, s...)
	}
	for _, s := range []string{"EXAMPLE.ORG", "nfs", "files.example.org"} {
		counted(s)
	}
	entry = binary.BigEndian.AppendUint32(entry, 1)  // The type of the name.
	entry = binary.BigEndian.AppendUint32(entry, 0)  // When the key was made.
	entry = append(entry, 1)                         // The version of the key.
	entry = binary.BigEndian.AppendUint16(entry, 18) // AES-256.
	counted((rand.Text() + rand.Text())[:32])
	return string(append(binary.BigEndian.AppendUint32([]byte{5, 2}, uint32(len(entry))), entry...))
}

func krb5Conf() string {
	return "[libdefaults]\ndefault_realm = EXAMPLE.ORG\n# " + rand.Text() + "\n"
}

// certificate returns a new certificate, signed by itself, and its key.
func certificate() map[string]string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // There is no randomness.
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	crt, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err) // The template is wrong.
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err) // The key is of a kind that there is not.
	}
	return map[string]string{
		"tls.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: crt})),
		"tls.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
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
