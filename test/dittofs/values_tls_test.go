package dittofs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// TestTLSValues has the real server use certificates and keys that go together, or
// nearly so, and the kubelet's probe and a client talk to it.
func TestTLSValues(t *testing.T) {
	own := host.NamedAuthority(serverAuthority).Issue("api")
	issuer := host.NamedAuthority(serverAuthority).Certificate()
	p224, p521 := newECDSA(t, elliptic.P224()), newECDSA(t, elliptic.P521())
	rsa1024, rsa512 := newRSA(t, 1024), newRSA(t, 512)
	long := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8192, 1), E: 65537}
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	garbage := inPEM("CERTIFICATE", []byte("no certificate"))

	cases := map[string]struct {
		reason    string
		cert, key []byte
	}{
		"GarbageAfter":   {"a client reads all that it is sent", join(own.Cert, garbage), own.Key},
		"OtherBlocks":    {"what is no certificate is not sent", join(own.Cert, inPEM("X509 CRL", []byte("a list"))), own.Key},
		"TextAround":     {"text is no block", join([]byte("subject=api\n"), own.Cert, []byte("# issuer\n"), issuer), own.Key},
		"ChainLong":      {"a client reads no longer message", join(own.Cert, bytes.Repeat(issuer, 1+256<<10/200)), own.Key},
		"IssuerRSALong":  {"the kubelet reads no longer key", join(own.Cert, certify(t, long)), own.Key},
		"RSA1024":        {"Go takes keys from here on", certify(t, rsa1024.Public()), keyPEM(t, rsa1024)},
		"RSA512":         {"Go signs nothing with it", certify(t, rsa512.Public()), inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsa512))},
		"P224":           {"no client takes the curve", certify(t, p224.Public()), keyPEM(t, p224)},
		"P521":           {"clients take the curve", certify(t, p521.Public()), keyPEM(t, p521)},
		"KeyForExchange": {"it signs nothing", own.Cert, keyPEM(t, exchange)},
		"KeyUnreadable":  {"it is no key", own.Cert, inPEM("PRIVATE KEY", []byte("no key"))},
		"KeyOfAnother":   {"it is no key of this certificate", own.Cert, keyPEM(t, p521)},
		"KeyTwice":       {"the first is taken", own.Cert, join(own.Key, keyPEM(t, p521))},
		"KeySecond":      {"the first is taken", own.Cert, join(keyPEM(t, p521), own.Key)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Log(tc.reason)
			prepare(t, "tls").agree(t, "tls", map[string][]byte{contract.TLSCertFile: tc.cert, contract.TLSKeyFile: tc.key})
		})
	}
}

// shakeHands has the kubelet's probe begin to speak TLS with the server, if it does.
// Who cannot now never will, which the probe itself finds out after minutes.
func (s *server) shakeHands(t *testing.T) error {
	t.Helper()
	if s.config(t).ControlPlane.TLS == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for s.Running() {
		conn, err := s.network.DialContext(ctx, "tcp", strings.TrimPrefix(s.url(t), "https://"))
		if err == nil {
			err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) // A kubelet looks at no name.
			return errors.Join(err, conn.Close())
		}
		if ctx.Err() != nil {
			return err
		}
		time.Sleep(pollInterval)
	}
	return nil // The probe says that it has ended.
}

func join(texts ...[]byte) []byte { return bytes.Join(texts, nil) }

// certify is a certificate of the servers' authority for a public key, in PEM.
func certify(t *testing.T, public any) []byte {
	t.Helper()
	block, _ := pem.Decode(host.NamedAuthority(serverAuthority).Certificate())
	issuer, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	// A named authority always has the same key.
	seed := sha256.Sum256([]byte("authority " + serverAuthority))
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "api"},
		NotBefore:    issuer.NotBefore,
		NotAfter:     issuer.NotAfter,
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, issuer, public, ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("CERTIFICATE", der)
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func keyPEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("PRIVATE KEY", der)
}

func newECDSA(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newRSA makes keys that Go's own generator finds too short, too.
func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	const exponent = 65537
	for {
		p, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			t.Fatal(err)
		}
		q, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			t.Fatal(err)
		}
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if d := new(big.Int).ModInverse(big.NewInt(exponent), phi); d != nil && p.Cmp(q) != 0 {
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: exponent}, D: d, Primes: []*big.Int{p, q}}
		}
	}
}
