package dittofs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
)

// TestCheck finds values with which the server would not start, at their limits.
func TestCheck(t *testing.T) {
	certificate, key := newCertificate(t)

	cases := map[string]struct {
		reason string
		input  string
		value  string
		bad    bool
	}{
		"JWTShort":             {reason: "The server refuses a shorter key.", input: EnvJWTSecret, value: strings.Repeat("k", 31), bad: true},
		"JWTLongEnough":        {reason: "The server takes 32 bytes.", input: EnvJWTSecret, value: strings.Repeat("k", 32)},
		"JWTNewline":           {reason: "Nothing is trimmed: a newline counts.", input: EnvJWTSecret, value: strings.Repeat("k", 31) + "\n"},
		"AdminShort":           {reason: "The server refuses a shorter password.", input: EnvAdminPassword, value: strings.Repeat("p", 7), bad: true},
		"AdminLongEnough":      {reason: "The server takes 8 bytes.", input: EnvAdminPassword, value: strings.Repeat("p", 8)},
		"AdminLongest":         {reason: "The server takes 72 bytes.", input: EnvAdminPassword, value: strings.Repeat("p", 72)},
		"AdminTooLong":         {reason: "The server refuses a longer password.", input: EnvAdminPassword, value: strings.Repeat("p", 73), bad: true},
		"TokenBlank":           {reason: "A token of blanks is none.", input: MetricsTokenFile, value: " \n", bad: true},
		"Token":                {reason: "A newline after a token does no harm.", input: MetricsTokenFile, value: "token\n"},
		"Certificate":          {reason: "A certificate is one.", input: TLSCertFile, value: certificate},
		"CertificateAfterText": {reason: "Text before a certificate does no harm.", input: TLSCertFile, value: "Issuer: us\n" + certificate},
		"CertificateIsKey":     {reason: "A key is no certificate.", input: TLSCertFile, value: key, bad: true},
		"CertificateBroken":    {reason: "What only looks like a certificate is none.", input: ClientCAFile, value: strings.Replace(certificate, "M", "A", 1), bad: true},
		"CertificateText":      {reason: "Text is no certificate.", input: LDAPCAFile, value: "text", bad: true},
		"KeyAfterCertificate":  {reason: "A key may stand behind a certificate.", input: TLSKeyFile, value: certificate + key},
		"KeyIsCertificate":     {reason: "A certificate is no key.", input: TLSKeyFile, value: certificate, bad: true},
		"Keytab":               {reason: "A keytab starts with 5 and its version.", input: KeytabFile, value: "\x05\x02\x00"},
		"KeytabOld":            {reason: "There is an older version.", input: KeytabFile, value: "\x05\x01\x00"},
		"KeytabText":           {reason: "Base64 that was never decoded is no keytab.", input: KeytabFile, value: "BQIA", bad: true},
		"KeytabCut":            {reason: "One byte is no keytab.", input: KeytabFile, value: "\x05", bad: true},
		"Other":                {reason: "Nothing is known of other values.", input: EnvPostgresHost, value: ""},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Check(tc.input, []byte(tc.value))
			if (got != "") != tc.bad {
				t.Errorf("%s\nCheck(%q, ...): want a problem: %t, got %q", tc.reason, tc.input, tc.bad, got)
			}
			if len(tc.value) > 4 && strings.Contains(got, tc.value) {
				t.Errorf("Check(%q, ...) repeats the value: %q", tc.input, got)
			}
		})
	}
}

// newCertificate returns a certificate and its private key, in PEM form.
func newCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}
