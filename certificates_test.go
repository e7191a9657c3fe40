package main

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

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	function "github.com/crossplane/function-sdk-go"
	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// TestCertificatesRenewed serves over mTLS, renews all certificates in place, as
// Crossplane does, and wants clients of the new CA to be served and those of the
// old one to be refused.
func TestCertificatesRenewed(t *testing.T) {
	dir := t.TempDir()
	before := writeCertificates(t, dir)

	o := &function.ServeOptions{}
	if err := mTLSCertificates(dir)(o); err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.Creds(o.Credentials))
	fnv1.RegisterFunctionRunnerServiceServer(srv, &Function{log: logging.NewNopLogger()})
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(srv.Stop)

	call := func(client *tls.Config) error {
		conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(client)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = fnv1.NewFunctionRunnerServiceClient(conn).RunFunction(t.Context(), &fnv1.RunFunctionRequest{})
		return err
	}

	if err := call(before); err != nil {
		t.Errorf("before the renewal: %v", err)
	}
	after := writeCertificates(t, dir)
	if err := call(after); err != nil {
		t.Errorf("after the renewal, with a certificate of the new CA: %v", err)
	}
	if err := call(before); err == nil {
		t.Error("after the renewal, with a certificate of the old CA: served")
	}
	noCertificate := after.Clone()
	noCertificate.Certificates = nil
	if err := call(noCertificate); err == nil {
		t.Error("without a client certificate: served")
	}
}

// TestCertificatesMissing wants a directory without certificates to be refused at
// the start.
func TestCertificatesMissing(t *testing.T) {
	if err := mTLSCertificates(t.TempDir())(&function.ServeOptions{}); err == nil {
		t.Error("served without certificates")
	}
}

// writeCertificates makes a CA and writes the server's certificate into dir. It
// returns what a client of the CA uses.
func writeCertificates(t *testing.T, dir string) *tls.Config {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: "test"},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	// One certificate signs itself and is all three: CA, server and client.
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})

	for name, b := range map[string][]byte{"tls.crt": crt, "ca.crt": crt, "tls.key": keyPEM} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	pair, err := tls.X509KeyPair(crt, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(crt)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: pool}
}
