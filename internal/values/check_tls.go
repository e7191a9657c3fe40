package values

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// Limits of Go's TLS, which the server and the kubelet's probe use. A client reads every
// certificate that it is sent, not only the server's own.
const (
	minRSABits    = 1024
	maxRSABits    = 8192
	maxChainBytes = 256 << 10
)

// checkCertificate checks that there is a certificate. CheckTogether reads it.
func checkCertificate(value []byte) string {
	for range certificates(value) {
		return ""
	}
	return "it holds no certificate in PEM form"
}

// checkPrivateKey checks that there is a key. CheckTogether reads it.
func checkPrivateKey(value []byte) string {
	switch block := privateKey(value); {
	case block == nil:
		return "it holds no private key in PEM form"
	case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return "the private key is encrypted, and the server cannot ask for its passphrase. Store it without one"
	}
	return ""
}

// CheckTogether does the same for inputs that must match each other, and returns what is
// wrong by the input that it is wrong with. It does not repeat what Check finds. It reads
// each certificate and key only once, because reading a key takes longer than everything
// else.
func CheckTogether(values map[string][]byte) map[string]string {
	problems := map[string]string{}
	for _, pair := range [][2]string{
		{dittofs.TLSCertFile, dittofs.TLSKeyFile},
		{dittofs.MetricsTLSCertFile, dittofs.MetricsTLSKeyFile},
	} {
		if input, problem := checkPair(values, pair[0], pair[1]); problem != "" {
			problems[input] = problem
		}
	}
	return problems
}

// checkPair checks a certificate and its key.
func checkPair(values map[string][]byte, certFile, keyFile string) (input, problem string) {
	crt, key := values[certFile], values[keyFile]
	chain, problem := parseChain(crt)
	if problem != "" {
		return certFile, problem
	}
	if checkPrivateKey(key) != "" {
		return "", ""
	}
	private := parseKey(privateKey(key).Bytes)
	if private == nil {
		return keyFile, "its private key cannot be read. It must be one of RSA, ECDSA or Ed25519"
	}
	if len(chain) == 0 {
		return "", ""
	}

	public, _ := private.Public().(interface {
		Equal(other crypto.PublicKey) bool
	})
	if public.Equal(chain[0].PublicKey) {
		if problem := checkKind(public); problem != "" {
			return keyFile, problem
		}
		return "", ""
	}
	for _, c := range chain[1:] {
		if public.Equal(c.PublicKey) {
			return certFile, "the server's own certificate has to come first, and those of its issuers after it"
		}
	}
	return keyFile, "it is not the key of the certificate in the same Secret"
}

// Validity returns from when until when the first certificate of a value is valid, which
// is the server's own. If it cannot be read, ok is false.
func Validity(value []byte) (from, until time.Time, ok bool) {
	for der := range certificates(value) {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			break
		}
		return c.NotBefore, c.NotAfter, true
	}
	return time.Time{}, time.Time{}, false
}

// checkKind says why clients do not accept a server with such a key.
func checkKind(public any) string {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P224() {
			return "no client takes a key on the curve P-224, nor does the kubelet's probe. Use P-256"
		}
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSABits {
			return fmt.Sprintf("an RSA key must have at least %d bits", minRSABits)
		}
	}
	return ""
}

// parseChain reads all certificates, as clients do.
func parseChain(value []byte) (chain []*x509.Certificate, problem string) {
	const list, each = 4, 5 // What TLS 1.3 adds to all certificates, and to each.
	size := list
	for der := range certificates(value) {
		if size += len(der) + each; size > maxChainBytes {
			return nil, fmt.Sprintf("its certificates have more than %d KiB, which no client takes. Leave out all but the server's own and those of its issuers", maxChainBytes>>10)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Sprintf("certificate %d in it cannot be read", len(chain)+1)
		}
		chain = append(chain, c)
		if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxRSABits {
			return nil, fmt.Sprintf("certificate %d in it has an RSA key of more than %d bits, which the kubelet's probe refuses", len(chain), maxRSABits)
		}
	}
	return chain, ""
}

// parseKey reads a key in any form that the server knows. PKCS #8 comes first, because the
// others read such a key, too, to say so in their errors.
func parseKey(der []byte) crypto.Signer {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		signer, _ := k.(crypto.Signer) // A key for key exchange signs nothing.
		return signer
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k
	}
	return nil
}

// certificates yields the certificates of a value, unparsed.
func certificates(value []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for block, rest := pem.Decode(value); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" && !yield(block.Bytes) {
				return
			}
		}
	}
}

// privateKey returns the first key of a value, which the server uses, or nil.
func privateKey(value []byte) *pem.Block {
	for block, rest := pem.Decode(value); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "PRIVATE KEY" || strings.HasSuffix(block.Type, " PRIVATE KEY") {
			return block
		}
	}
	return nil
}
