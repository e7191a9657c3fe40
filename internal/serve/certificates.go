package serve

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/grpc/credentials"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/function-sdk-go/logging"
)

// certificates reads the certificates of a directory at each handshake, because
// Crossplane renews them in place. That is cheap: connections are few and long.
type certificates struct {
	dir string
	log logging.Logger

	mu   sync.Mutex
	last *tls.Config
}

func newCertificates(dir string, log logging.Logger) (*certificates, error) {
	// Fail at the start, and not at the first handshake.
	first, err := read(dir)
	if err != nil {
		return nil, err
	}
	return &certificates{dir: dir, log: log, last: first}, nil
}

// credentials returns credentials that also require a certificate of clients.
func (c *certificates) credentials() credentials.TransportCredentials {
	return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: c.get})
}

// get returns the certificates that are in the directory now. If they cannot be read, or
// do not match because they are just being renewed, it returns the previous ones.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, err := read(c.dir)
	if err != nil {
		c.log.Info("Serving with the previous certificates", "error", err)
		return c.last, nil
	}
	c.last = now
	return now, nil
}

func read(dir string) (*tls.Config, error) {
	crt, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		return nil, errors.Wrap(err, "cannot load the server's certificate")
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt")) //nolint:gosec // The operator of the function names the directory.
	if err != nil {
		return nil, errors.Wrap(err, "cannot read the CA of the clients")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.Errorf("%s has no certificate", filepath.Join(dir, "ca.crt"))
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2"}, // What credentials.NewTLS adds to the outer one.
		Certificates: []tls.Certificate{crt},
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
	}, nil
}
