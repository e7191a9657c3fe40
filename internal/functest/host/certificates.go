package host

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An Authority issues certificates.
type Authority struct {
	newKey func(name string) crypto.Signer
	key    crypto.Signer
	cert   *x509.Certificate
}

// A Pair is a certificate and its key, in PEM.
type Pair struct{ Cert, Key []byte }

// NewAuthority returns an authority like no other.
func NewAuthority() *Authority {
	return newAuthority(rand.Text(), func(string) crypto.Signer {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err) // There is no randomness.
		}
		return key
	})
}

// NamedAuthority returns the authority of a name. It is the same one on every run, and
// so is what it issues, so hashes over that can be compared with golden ones.
func NamedAuthority(name string) *Authority {
	return newAuthority(name, func(name string) crypto.Signer {
		seed := sha256.Sum256([]byte(name))
		return ed25519.NewKeyFromSeed(seed[:])
	})
}

func newAuthority(name string, newKey func(string) crypto.Signer) *Authority {
	a := &Authority{newKey: newKey, key: newKey("authority " + name)}
	cert := certificate(name)
	cert.IsCA = true
	cert.BasicConstraintsValid = true
	cert.KeyUsage = x509.KeyUsageCertSign
	a.cert = cert // It signs itself.
	a.cert = a.sign(cert, a.key.Public())
	return a
}

// Issue returns a certificate for a server on the loopback interface, or at further
// addresses or names, or for a client.
func (a *Authority) Issue(name string, hosts ...string) Pair {
	key := a.newKey("certificate " + name)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err) // A key that was just made can be written.
	}
	return Pair{Cert: a.Certify(name, key.Public(), hosts...), Key: PEM("PRIVATE KEY", der)}
}

// Certify returns such a certificate for a key of one's own, in PEM form.
func (a *Authority) Certify(name string, key crypto.PublicKey, hosts ...string) []byte {
	cert := certificate(name)
	cert.KeyUsage = x509.KeyUsageDigitalSignature
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	cert.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, h)
		}
	}
	return PEM("CERTIFICATE", a.sign(cert, key).Raw)
}

// Certificate is the authority's own, in PEM.
func (a *Authority) Certificate() []byte { return PEM("CERTIFICATE", a.cert.Raw) }

// Pool trusts the authority.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// Client is the configuration of a client that the authority vouches for, and that
// trusts it.
func (a *Authority) Client() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{a.Issue("client").TLS()}, RootCAs: a.Pool()}
}

// TLS is the pair as TLS wants it.
func (p Pair) TLS() tls.Certificate {
	c, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		panic(err) // It was just issued.
	}
	return c
}

// certificate has what all certificates have. Nothing in it changes with time.
func certificate(name string) *x509.Certificate {
	serial := sha256.Sum256([]byte(name))
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:8]),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func (a *Authority) sign(cert *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, key, a.key)
	if err != nil {
		panic(err) // What is in it is fixed.
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return signed
}

// WriteCertificates replaces the files of a directory that a server reads, as a kubelet
// does: through a link, all at once.
func WriteCertificates(tb testing.TB, dir string, a *Authority) {
	tb.Helper()

	next, err := os.MkdirTemp(dir, "..") //nolint:usetesting // It has to be in there, next to the links.
	if err != nil {
		tb.Fatal(err)
	}
	server := a.Issue("function")
	for name, b := range map[string][]byte{"tls.crt": server.Cert, "tls.key": server.Key, "ca.crt": a.Certificate()} {
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
