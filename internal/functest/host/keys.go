package host

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
)

// PEM writes bytes in PEM form.
func PEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// KeyPEM writes a private key of any kind in PEM form.
func KeyPEM(tb testing.TB, key any) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return PEM("PRIVATE KEY", der)
}

// ECDSA returns a key on a curve.
func ECDSA(tb testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// RSA returns a key of any length, also of one that Go's own generator refuses as too
// short.
func RSA(tb testing.TB, bits int) *rsa.PrivateKey {
	tb.Helper()
	const exponent = 65537
	prime := func() *big.Int {
		p, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			tb.Fatal(err)
		}
		return p
	}
	for {
		p, q, one := prime(), prime(), big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if d := new(big.Int).ModInverse(big.NewInt(exponent), phi); d != nil && p.Cmp(q) != 0 {
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: exponent}, D: d, Primes: []*big.Int{p, q}}
		}
	}
}
