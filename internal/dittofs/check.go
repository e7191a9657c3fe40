package dittofs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits of what the server accepts, in bytes. Nothing is trimmed: a newline at
// the end counts.
const (
	minJWTSecret     = 32
	minAdminPassword = 8
	maxAdminPassword = 72
)

//nolint:gochecknoglobals // A constant.
var sslModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

// Check says what keeps the server from starting with the value of an input, or
// nothing. It repeats nothing of the value, not even how long it is.
func Check(input string, value []byte) string {
	switch input {
	case EnvJWTSecret:
		if len(value) < minJWTSecret {
			return fmt.Sprintf("the key that signs tokens must have at least %d bytes, and has fewer", minJWTSecret)
		}
	case EnvAdminPassword:
		if len(value) < minAdminPassword || len(value) > maxAdminPassword {
			return fmt.Sprintf("the admin's password must have from %d to %d bytes", minAdminPassword, maxAdminPassword)
		}
	case EnvPostgresPort:
		if port, err := strconv.Atoi(string(value)); len(value) > 0 && (err != nil || port < 1 || port > 65535) {
			return "it is no port from 1 to 65535, without blanks or a newline"
		}
	case EnvPostgresSSLMode:
		if len(value) > 0 && !slices.Contains(sslModes, string(value)) {
			return "it is none of " + strings.Join(sslModes, ", ")
		}
	case MetricsTokenFile:
		if len(bytes.TrimSpace(value)) == 0 {
			return "the token is blank"
		}
	case TLSCertFile, ClientCAFile, LDAPCAFile, PostgresCAFile:
		if !hasCertificate(value) {
			return "it holds no certificate in PEM form"
		}
	case TLSKeyFile:
		if !hasPrivateKey(value) {
			return "it holds no private key in PEM form"
		}
	case KeytabFile:
		// The first byte is always 5, the second the version.
		if len(value) < 2 || value[0] != 5 || value[1] != 1 && value[1] != 2 {
			return "it is no keytab"
		}
	}
	return ""
}

// CheckTogether says the same of inputs that must fit each other, and which of them
// to blame. What Check finds of each alone it does not find again.
func CheckTogether(values map[string][]byte) (input, problem string) {
	crt, key := values[TLSCertFile], values[TLSKeyFile]
	if !hasCertificate(crt) || !hasPrivateKey(key) {
		return "", ""
	}
	if _, err := tls.X509KeyPair(crt, key); err != nil {
		return TLSKeyFile, "it is not the key of the certificate beside it"
	}
	return "", ""
}

func hasCertificate(value []byte) bool {
	for block, rest := pem.Decode(value); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			return true
		}
	}
	return false
}

func hasPrivateKey(value []byte) bool {
	for block, rest := pem.Decode(value); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return true
		}
	}
	return false
}
