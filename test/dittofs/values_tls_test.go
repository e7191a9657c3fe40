package dittofs

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// TestTLSValues has the real server use certificates and keys that go together, or
// nearly so, and the kubelet's probe and a client talk to it.
func TestTLSValues(t *testing.T) {
	own := host.NamedAuthority(matrix.ServerAuthority).Issue("api")
	issuer := host.NamedAuthority(matrix.ServerAuthority).Certificate()
	p224, p521 := host.ECDSA(t, elliptic.P224()), host.ECDSA(t, elliptic.P521())
	rsa1024, rsa512 := host.RSA(t, 1024), host.RSA(t, 512)
	long := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8192, 1), E: 65537}
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	garbage := host.PEM("CERTIFICATE", []byte("no certificate"))

	cases := map[string]struct {
		reason    string
		cert, key []byte
	}{
		"GarbageAfter":   {"a client reads all that it is sent", join(own.Cert, garbage), own.Key},
		"OtherBlocks":    {"what is no certificate is not sent", join(own.Cert, host.PEM("X509 CRL", []byte("a list"))), own.Key},
		"TextAround":     {"text is no block", join([]byte("subject=api\n"), own.Cert, []byte("# issuer\n"), issuer), own.Key},
		"ChainLong":      {"a client reads no longer message", join(own.Cert, bytes.Repeat(issuer, 1+256<<10/200)), own.Key},
		"IssuerRSALong":  {"the kubelet reads no longer key", join(own.Cert, certify(long)), own.Key},
		"RSA1024":        {"Go takes keys from here on", certify(rsa1024.Public()), host.KeyPEM(t, rsa1024)},
		"RSA512":         {"Go signs nothing with it", certify(rsa512.Public()), host.PEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsa512))},
		"P224":           {"no client takes the curve", certify(p224.Public()), host.KeyPEM(t, p224)},
		"P521":           {"clients take the curve", certify(p521.Public()), host.KeyPEM(t, p521)},
		"KeyForExchange": {"it signs nothing", own.Cert, host.KeyPEM(t, exchange)},
		"KeyUnreadable":  {"it is no key", own.Cert, host.PEM("PRIVATE KEY", []byte("no key"))},
		"KeyOfAnother":   {"it is no key of this certificate", own.Cert, host.KeyPEM(t, p521)},
		"KeyTwice":       {"the first is taken", own.Cert, join(own.Key, host.KeyPEM(t, p521))},
		"KeySecond":      {"the first is taken", own.Cert, join(host.KeyPEM(t, p521), own.Key)},
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
func certify(public any) []byte {
	return host.NamedAuthority(matrix.ServerAuthority).Certify("api", public)
}
