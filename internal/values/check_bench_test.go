package values

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// BenchmarkCheckTLS is what a certificate with two issuers and its key cost each call.
func BenchmarkCheckTLS(b *testing.B) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		b.Fatal(err)
	}
	for name, private := range map[string]crypto.Signer{"ECDSA": ec, "RSA4096": r} {
		b.Run(name, func(b *testing.B) {
			certificate, key := certificateOf(b, private)
			values := map[string][]byte{dittofs.TLSCertFile: []byte(certificate + certificate + certificate), dittofs.TLSKeyFile: []byte(key)}
			for b.Loop() {
				for input, value := range values {
					if problem := Check(input, value); problem != "" {
						b.Fatal(problem)
					}
				}
				if problems := CheckTogether(values); len(problems) > 0 {
					b.Fatal(problems)
				}
			}
		})
	}
}
