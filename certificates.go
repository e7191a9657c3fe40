package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"

	"google.golang.org/grpc/credentials"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	function "github.com/crossplane/function-sdk-go"
)

// mTLSCertificates serves with the certificates of a directory, as the SDK's
// option does, but reads them at each handshake: Crossplane renews them in place.
// Connections are few and long.
func mTLSCertificates(dir string) function.ServeOption {
	return func(o *function.ServeOptions) error {
		if dir == "" {
			return nil
		}
		// What is wrong now is better said now.
		if _, err := serverTLS(dir); err != nil {
			return err
		}
		o.Credentials = credentials.NewTLS(&tls.Config{
			MinVersion:         tls.VersionTLS12,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return serverTLS(dir) },
		})
		return nil
	}
}

func serverTLS(dir string) (*tls.Config, error) {
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
