package dittofs

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	neturl "net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// An answer is what the server says, and the name in the certificate that it
// shows, if it shows one.
type answer struct {
	status int
	peer   string
}

// ask asks the server over HTTP, with a bearer token if there is one, as a client
// with a certificate of the authority if there is one.
func (s *server) ask(t *testing.T, url, bearer string, client *host.Authority) (answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), requestDeadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}

	transport := s.network.Transport()
	transport.TLSClientConfig = &tls.Config{RootCAs: host.NamedAuthority(matrix.ServerAuthority).Pool(), MinVersion: tls.VersionTLS12}
	if client != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{client.Issue("client").TLS()}
	}
	rsp, err := transport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer rsp.Body.Close()
	a := answer{status: rsp.StatusCode}
	if rsp.TLS != nil {
		a.peer = rsp.TLS.PeerCertificates[0].Subject.CommonName
	}
	return a, nil
}

// lets says whether the API lets clients of the authority in.
func (s *server) lets(t *testing.T, client *host.Authority) bool {
	t.Helper()
	return s.letsTo(t, s.url(t)+contract.LivenessPath, client)
}

// letsTo says whether the server lets clients of the authority in to a URL.
func (s *server) letsTo(t *testing.T, url string, client *host.Authority) bool {
	t.Helper()
	_, err := s.ask(t, url, "", client)
	if err != nil && !strings.Contains(err.Error(), "remote error: tls:") {
		t.Fatal(err)
	}
	return err == nil
}

// takes says whether the server takes a version of TLS at a URL.
func (s *server) takes(t *testing.T, url string, version uint16) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), requestDeadline)
	defer cancel()
	u, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.network.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = tls.Client(c, &tls.Config{
		RootCAs:      host.NamedAuthority(matrix.ServerAuthority).Pool(),
		Certificates: []tls.Certificate{host.NamedAuthority(matrix.ClientAuthority).Issue("client").TLS()},
		ServerName:   u.Hostname(),
		MinVersion:   version,
		MaxVersion:   version,
	}).HandshakeContext(ctx)
	if err != nil && !strings.Contains(err.Error(), "remote error: tls: protocol version") {
		t.Fatal(err)
	}
	return err == nil
}

// peer is the name in the certificate that the server shows.
func (s *server) peer(t *testing.T) string {
	t.Helper()
	a, err := s.ask(t, s.url(t)+contract.LivenessPath, "", host.NamedAuthority(matrix.ClientAuthority))
	if err != nil {
		t.Fatal(err)
	}
	return a.peer
}

// metricsPeer is the name in the certificate that a scraper is shown.
func (s *server) metricsPeer(t *testing.T) string {
	t.Helper()
	a, err := s.ask(t, s.metricsURL(t), "", host.NamedAuthority(matrix.ClientAuthority))
	if err != nil {
		t.Fatal(err)
	}
	return a.peer
}

// metricsURL is where a scraper finds the metrics, as the Service's annotations say.
func (s *server) metricsURL(t *testing.T) string {
	t.Helper()
	annotations := as[corev1.Service](t, s.crossplane.Composed[manifests.MetricsServiceResource]).Annotations
	return fmt.Sprintf("%s://127.0.0.1:%d%s", cmp.Or(annotations["prometheus.io/scheme"], "http"), s.port(t, "-metrics", "metrics"), annotations["prometheus.io/path"])
}

// metrics is the status of an answer to a scraper with the token.
func (s *server) metrics(t *testing.T, token string) int {
	t.Helper()
	a, err := s.ask(t, s.metricsURL(t), token, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a.status
}
