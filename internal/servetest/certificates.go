// Package servetest has what tests need that serve over a network.
package servetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A CA has one certificate, which signs itself and is all three: that of the CA,
// of the server on 127.0.0.1, and of the client.
type CA struct {
	crt, key []byte // In PEM.
}

// NewCA makes a CA.
func NewCA(tb testing.TB) CA {
	tb.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: rand.Text()},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	crt, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return CA{
		crt: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: crt}),
		key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}
}

// Client is the configuration of a client.
func (c CA) Client() *tls.Config {
	pair, err := tls.X509KeyPair(c.crt, c.key)
	if err != nil {
		panic(err) // It was made above.
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.crt)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: pool}
}

// Write replaces the files of a directory that a server or a client reads, as a
// kubelet does: through a link, all at once.
func Write(tb testing.TB, dir string, c CA) {
	tb.Helper()

	next, err := os.MkdirTemp(dir, "..") //nolint:usetesting // It has to be in there, next to the links.
	if err != nil {
		tb.Fatal(err)
	}
	for name, b := range map[string][]byte{"tls.crt": c.crt, "ca.crt": c.crt, "tls.key": c.key} {
		if err := os.WriteFile(filepath.Join(next, name), b, 0o600); err != nil {
			tb.Fatal(err)
		}
		link, target := filepath.Join(dir, name), filepath.Join("..data", name)
		if is, err := os.Readlink(link); err == nil && is == target {
			continue
		}
		if err := os.RemoveAll(link); err != nil {
			tb.Fatal(err)
		}
		if err := os.Symlink(target, link); err != nil {
			tb.Fatal(err)
		}
	}
	link := next + ".link"
	if err := os.Symlink(filepath.Base(next), link); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(dir, "..data")); err != nil {
		tb.Fatal(err)
	}
}
