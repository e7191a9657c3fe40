// Package values says whether the server can start with what a Secret holds. It reads
// each value as the server and the container runtime do.
package values

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// Limits of what the server accepts, in bytes. Nothing is trimmed: a newline at
// the end counts.
const (
	minJWTSecret     = 32
	minAdminPassword = 8
	maxAdminPassword = 72
)

// Check says what keeps the server from starting with the value of an input, or returns
// nothing. It treats the value as the container runtime and the server's own parsers do.
// It repeats nothing of the value, not even its length.
func Check(input string, value []byte) string {
	if !strings.HasPrefix(input, "/") {
		if problem := dittofs.CheckVariable(input, value); problem != "" {
			return problem
		}
	}
	if strings.HasPrefix(input, dittofs.EncryptionDir+"/") {
		return checkKeyFile(value)
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
	case dittofs.ClientCAFile, dittofs.MetricsClientCAFile, dittofs.LDAPCAFile, dittofs.PostgresCAFile:
		if !x509.NewCertPool().AppendCertsFromPEM(value) {
			return "it holds no certificate in PEM form"
		}
	case dittofs.TLSCertFile, dittofs.MetricsTLSCertFile:
		return checkCertificate(value)
	case dittofs.TLSKeyFile, dittofs.MetricsTLSKeyFile:
		return checkPrivateKey(value)
	case dittofs.Krb5ConfFile:
		return checkKrb5Conf(value)
	case dittofs.KeytabFile:
		return checkKeytab(value)
	}
	return ""
}
