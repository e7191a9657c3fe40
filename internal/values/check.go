// Package values says whether the server can start with what a Secret holds. It reads
// each value as the server and the container runtime do.
package values

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// Limits of what the server accepts, in bytes. Nothing is trimmed: a newline at
// the end counts.
const (
	minJWTSecret     = 32
	minAdminPassword = 8
	maxAdminPassword = 72
)

// maxEnv is the size of the largest variable that Linux passes to a process, in bytes:
// its name, an equals sign, its value and a zero.
const maxEnv = 128 << 10

// Check says what keeps the server from starting with the value of an input, or returns
// nothing. It treats the value as the container runtime and the server's own parsers do.
// It repeats nothing of the value, not even its length.
func Check(input string, value []byte) string {
	if !strings.HasPrefix(input, "/") {
		if problem := checkEnv(input, value); problem != "" {
			return problem
		}
	}
	switch input {
	case dittofs.EnvJWTSecret:
		if len(value) < minJWTSecret {
			return fmt.Sprintf("the signing key must have at least %d bytes, and has fewer", minJWTSecret)
		}
	case dittofs.EnvAdminPassword:
		if len(value) < minAdminPassword || len(value) > maxAdminPassword {
			return fmt.Sprintf("the admin's password must have from %d to %d bytes", minAdminPassword, maxAdminPassword)
		}
	case dittofs.EnvPostgresHost, dittofs.EnvPostgresPort, dittofs.EnvPostgresDatabase, dittofs.EnvPostgresUser, dittofs.EnvPostgresPassword, dittofs.EnvPostgresSSLMode:
		if len(value) > 0 { // podinputs knows whether it may be empty.
			return checkPostgres(input, string(value))
		}
	case dittofs.MetricsTokenFile:
		if len(bytes.TrimSpace(value)) == 0 {
			return "the token is blank"
		}
	case dittofs.ClientCAFile, dittofs.LDAPCAFile, dittofs.PostgresCAFile:
		if !x509.NewCertPool().AppendCertsFromPEM(value) {
			return "it holds no certificate in PEM form"
		}
	case dittofs.TLSCertFile:
		return checkCertificate(value)
	case dittofs.TLSKeyFile:
		return checkPrivateKey(value)
	case dittofs.Krb5ConfFile:
		return checkKrb5Conf(value)
	case dittofs.KeytabFile:
		return checkKeytab(value)
	}
	return ""
}

// checkEnv says why a container cannot have such a variable. The name counts too, because
// the kernel sees name and value as one string.
func checkEnv(name string, value []byte) string {
	switch {
	case bytes.IndexByte(value, 0) >= 0:
		return "a variable cannot have a zero byte in its value"
	case !utf8.Valid(value):
		return "a variable has to be UTF-8, because Kubernetes passes it on as text. Write binary values in hexadecimal or base64"
	case len(name)+len("=")+len(value)+len("\x00") > maxEnv:
		return fmt.Sprintf("a variable can have at most %d KiB, with its name", maxEnv>>10)
	}
	return ""
}
