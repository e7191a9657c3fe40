package dittofs

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"time"
)

// An authority issues certificates. The same name makes the same key and the same
// certificate on every run, so hashes over them can be compared with golden ones.
type authority struct {
	key  ed25519.PrivateKey
	cert *x509.Certificate
}

// A pair is a certificate and its key, in PEM.
type pair struct{ cert, key []byte }

func newAuthority(name string) *authority {
	key := keyOf("authority " + name)
	cert := template509(name)
	cert.IsCA = true
	cert.BasicConstraintsValid = true
	cert.KeyUsage = x509.KeyUsageCertSign
	return &authority{key: key, cert: sign(cert, cert, key.Public(), key)}
}

// issue makes a certificate for a server on the loopback interface, or a client.
func (a *authority) issue(name string) pair {
	key := keyOf("certificate " + name)
	cert := template509(name)
	cert.KeyUsage = x509.KeyUsageDigitalSignature
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	cert.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}

	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err) // A key that was just made can be written.
	}
	return pair{
		cert: pemOf("CERTIFICATE", sign(cert, a.cert, key.Public(), a.key).Raw),
		key:  pemOf("PRIVATE KEY", der),
	}
}

// certificate is the authority's own, in PEM.
func (a *authority) certificate() []byte { return pemOf("CERTIFICATE", a.cert.Raw) }

// pool trusts the authority.
func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// tls is the pair as TLS wants it.
func (p pair) tls() tls.Certificate {
	c, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		panic(err) // It was just issued.
	}
	return c
}

func keyOf(seed string) ed25519.PrivateKey {
	s := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(s[:])
}

func template509(name string) *x509.Certificate {
	serial := sha256.Sum256([]byte(name))
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:8]),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func sign(cert, parent *x509.Certificate, pub any, key ed25519.PrivateKey) *x509.Certificate {
	der, err := x509.CreateCertificate(nil, cert, parent, pub, key)
	if err != nil {
		panic(err) // What is in it is fixed.
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return signed
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// principal is what the server is called in Kerberos.
const principal = "nfs/files.example.com@EXAMPLE.COM"

// keytab is a keytab with one AES-256 key of a service, such as
// nfs/files.example.com@EXAMPLE.COM, in the format of MIT Kerberos.
func keytab(principal string, kvno int) []byte {
	const (
		version   = 0x0502
		typeName  = 1
		aes256SHA = 18
	)
	name, realm, _ := strings.Cut(principal, "@")
	components := strings.Split(name, "/")
	key := sha256.Sum256(append([]byte(principal), byte(kvno)))

	entry := &bytes.Buffer{}
	counted := func(b []byte) {
		_ = binary.Write(entry, binary.BigEndian, uint16(len(b)))
		entry.Write(b)
	}
	_ = binary.Write(entry, binary.BigEndian, uint16(len(components)))
	counted([]byte(realm))
	for _, c := range components {
		counted([]byte(c))
	}
	_ = binary.Write(entry, binary.BigEndian, uint32(typeName))
	_ = binary.Write(entry, binary.BigEndian, uint32(0)) // Made at the beginning of time.
	entry.WriteByte(byte(kvno))
	_ = binary.Write(entry, binary.BigEndian, uint16(aes256SHA))
	counted(key[:])

	out := &bytes.Buffer{}
	_ = binary.Write(out, binary.BigEndian, uint16(version))
	_ = binary.Write(out, binary.BigEndian, int32(entry.Len()))
	out.Write(entry.Bytes())
	return out.Bytes()
}
