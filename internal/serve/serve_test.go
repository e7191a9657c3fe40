package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// A fake function answers at once, or when it is let.
type fake struct {
	fnv1.UnimplementedFunctionRunnerServiceServer

	called chan struct{} // Gets a value at each call, if it is not nil.
	let    chan struct{} // Answers are held until it is closed, if it is not nil.
}

func (f *fake) RunFunction(ctx context.Context, _ *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	if f.called != nil {
		f.called <- struct{}{}
	}
	if f.let != nil {
		select {
		case <-f.let:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &fnv1.RunFunctionResponse{}, nil
}

// A server is one that is being tested.
type server struct {
	Options

	stop context.CancelFunc
	done chan error // Gets what Serve returns.
}

// start serves a function on loopback.
func start(t *testing.T, fn fnv1.FunctionRunnerServiceServer, o Options) *server {
	t.Helper()
	o.Network, o.Address, o.HealthAddress, o.MetricsAddress = "tcp", host.FreeAddress(t), host.FreeAddress(t), host.FreeAddress(t)
	o.MaxRecvMessageSize = 4 << 20
	o.Registry = prometheus.NewRegistry()
	o.Log = logging.NewNopLogger()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &server{Options: o, stop: cancel, done: make(chan error, 1)}
	go func() { s.done <- Serve(ctx, fn, o) }()
	t.Cleanup(cancel)
	return s
}

func dial(t *testing.T, addr string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func call(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := fnv1.NewFunctionRunnerServiceClient(conn).RunFunction(ctx, &fnv1.RunFunctionRequest{}, grpc.WaitForReady(true))
	return err
}

// within bounds what should take no time at all.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(2 * time.Minute):
		t.Fatalf("waited two minutes for %s", what)
	}
	panic("unreachable")
}

// TestStop stops a server with a call in flight: that call ends well, a new one
// is refused, probes fail, and Serve returns without an error.
func TestStop(t *testing.T) {
	f := &fake{called: make(chan struct{}, 1), let: make(chan struct{})}
	s := start(t, f, Options{Insecure: true, Grace: time.Minute})
	conn := dial(t, s.Address, insecure.NewCredentials())

	inFlight := make(chan error, 1)
	go func() { inFlight <- call(within(t), conn) }()
	wait(t, "the call to arrive", f.called)
	s.stop()

	// The server stops listening at once, and is in no hurry to end.
	probe := healthgrpc.NewHealthClient(dial(t, s.HealthAddress, insecure.NewCredentials()))
	for ctx := within(t); ; {
		rsp, err := probe.Check(ctx, &healthgrpc.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if rsp.GetStatus() == healthgrpc.HealthCheckResponse_NOT_SERVING {
			break
		}
	}
	for ctx := within(t); ; {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
		if err != nil {
			break // Refused.
		}
		_ = conn.Close()
	}
	select {
	case err := <-s.done:
		t.Fatalf("Serve ended before the call did: %v", err)
	case err := <-inFlight:
		t.Fatalf("The call ended before it was let: %v", err)
	default:
	}

	close(f.let)
	if err := wait(t, "the call to end", inFlight); err != nil {
		t.Errorf("A call in flight should end well: %v", err)
	}
	if err := wait(t, "the server to end", s.done); err != nil {
		t.Errorf("A server that is told to stop has not failed: %v", err)
	}
}

// TestGrace stops a server whose call does not end.
func TestGrace(t *testing.T) {
	f := &fake{called: make(chan struct{}, 1), let: make(chan struct{})}
	s := start(t, f, Options{Insecure: true, Grace: 10 * time.Millisecond})

	inFlight := make(chan error, 1)
	go func() { inFlight <- call(within(t), dial(t, s.Address, insecure.NewCredentials())) }()
	wait(t, "the call to arrive", f.called)
	s.stop()

	if err := wait(t, "the server to end", s.done); err != nil {
		t.Errorf("A server that is told to stop has not failed: %v", err)
	}
	if err := wait(t, "the call to end", inFlight); status.Code(err) != codes.Unavailable {
		t.Errorf("A call that is cut off should say that it can be tried again, got: %v", err)
	}
}

// TestAddressInUse takes each address before the server does, one at a time.
func TestAddressInUse(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()

	cases := map[string]Options{
		"calls":         {Address: taken, HealthAddress: host.FreeAddress(t), MetricsAddress: host.FreeAddress(t)},
		"health checks": {Address: host.FreeAddress(t), HealthAddress: taken, MetricsAddress: host.FreeAddress(t)},
		"metrics":       {Address: host.FreeAddress(t), HealthAddress: host.FreeAddress(t), MetricsAddress: taken},
	}
	for what, o := range cases {
		t.Run(what, func(t *testing.T) {
			o.Network, o.Insecure, o.Registry, o.Log = "tcp", true, prometheus.NewRegistry(), logging.NewNopLogger()
			done := make(chan error, 1)
			go func() { done <- Serve(t.Context(), &fake{}, o) }()

			err := wait(t, "the server to fail", done)
			if err == nil || !strings.Contains(err.Error(), "cannot listen for "+what) || !strings.Contains(err.Error(), taken) {
				t.Errorf("Serve should name what it cannot listen for, and where: %v", err)
			}
		})
	}
}

// TestMetrics reads the metrics after a call.
func TestMetrics(t *testing.T) {
	s := start(t, &fake{}, Options{Insecure: true})
	if err := call(within(t), dial(t, s.Address, insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}

	const want = `grpc_server_handled_total{grpc_code="OK",grpc_method="RunFunction",grpc_service="apiextensions.fn.proto.v1.FunctionRunnerService",grpc_type="unary"} 1`
	if got := host.Metrics(t, s.MetricsAddress); !strings.Contains(got, want) {
		t.Errorf("The metrics have no line %s:\n%s", want, got)
	}
}

// TestPeers has peers that are not Crossplane call a server with mTLS.
func TestPeers(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := host.NewAuthority(), host.NewAuthority()
	host.WriteCertificates(t, dir, ours)
	s := start(t, &fake{}, Options{TLSCertsDir: dir})

	cases := map[string]struct {
		reason string
		creds  credentials.TransportCredentials
		served bool
	}{
		"Crossplane":    {reason: "A client with a certificate of the CA should be served.", creds: credentials.NewTLS(ours.Client()), served: true},
		"OtherCA":       {reason: "A certificate of another CA should not do.", creds: credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ours.Client().RootCAs, Certificates: theirs.Client().Certificates})},
		"NoCertificate": {reason: "A client should have a certificate.", creds: credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ours.Client().RootCAs})},
		"PlainText":     {reason: "Secrets should not be sent in plain text.", creds: insecure.NewCredentials()},
		"OldTLS":        {reason: "TLS 1.1 should be refused.", creds: credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11, RootCAs: ours.Client().RootCAs, Certificates: ours.Client().Certificates})},
	}
	if err := call(within(t), dial(t, s.Address, cases["Crossplane"].creds)); err != nil {
		t.Fatal(err) // It is up from here on.
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			// Without waiting until it is ready, which it never is.
			_, err := fnv1.NewFunctionRunnerServiceClient(dial(t, s.Address, tc.creds)).RunFunction(within(t), &fnv1.RunFunctionRequest{})
			if tc.served && err != nil {
				t.Errorf("%s Got: %v", tc.reason, err)
			}
			if !tc.served && status.Code(err) != codes.Unavailable {
				t.Errorf("%s Got: %v", tc.reason, err)
			}
		})
	}
}

// TestProbes asks for the server's health as a kubelet does, which has no
// certificate, and as a client that has one.
func TestProbes(t *testing.T) {
	dir := t.TempDir()
	ca := host.NewAuthority()
	host.WriteCertificates(t, dir, ca)
	s := start(t, &fake{}, Options{TLSCertsDir: dir})

	for name, conn := range map[string]*grpc.ClientConn{
		"kubelet": dial(t, s.HealthAddress, insecure.NewCredentials()),
		"client":  dial(t, s.Address, credentials.NewTLS(ca.Client())),
	} {
		rsp, err := healthgrpc.NewHealthClient(conn).Check(within(t), &healthgrpc.HealthCheckRequest{}, grpc.WaitForReady(true))
		if err != nil || rsp.GetStatus() != healthgrpc.HealthCheckResponse_SERVING {
			t.Errorf("%s: want SERVING, got %s: %v", name, rsp.GetStatus(), err)
		}
	}

	// It is no way in.
	_, err := fnv1.NewFunctionRunnerServiceClient(dial(t, s.HealthAddress, insecure.NewCredentials())).RunFunction(within(t), &fnv1.RunFunctionRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("Where probes are answered, there should be no function to call: %v", err)
	}
}

// TestCertificatesRenewed renews all certificates, as Crossplane does. Clients of
// the new CA should be served, those of the old one no longer, once they have to
// make a new connection.
func TestCertificatesRenewed(t *testing.T) {
	dir := t.TempDir()
	before, after := host.NewAuthority(), host.NewAuthority()
	host.WriteCertificates(t, dir, before)
	s := start(t, &fake{}, Options{TLSCertsDir: dir, MaxConnectionAge: 100 * time.Millisecond})
	connected := dial(t, s.Address, credentials.NewTLS(before.Client()))
	if err := call(within(t), connected); err != nil {
		t.Fatalf("before the renewal: %v", err)
	}

	host.WriteCertificates(t, dir, after)

	if err := call(within(t), dial(t, s.Address, credentials.NewTLS(after.Client()))); err != nil {
		t.Errorf("after the renewal, with a certificate of the new CA: %v", err)
	}
	for ctx := within(t); ; {
		_, err := fnv1.NewFunctionRunnerServiceClient(connected).RunFunction(ctx, &fnv1.RunFunctionRequest{})
		if status.Code(err) == codes.Unavailable {
			break
		}
		if err != nil {
			t.Fatalf("A client of the old CA should lose access when its connection ends, got: %v", err)
		}
	}
}

// TestCertificatesHalfRenewed is a renewal that is seen before it is complete.
func TestCertificatesHalfRenewed(t *testing.T) {
	dir := t.TempDir()
	ca := host.NewAuthority()
	host.WriteCertificates(t, dir, ca)
	var told atomic.Int32
	c, err := newCertificates(dir, counter{n: &told})
	if err != nil {
		t.Fatal(err)
	}

	other := t.TempDir()
	host.WriteCertificates(t, other, host.NewAuthority())
	cases := map[string]func() error{
		"KeyOfAnother": func() error {
			key, err := os.ReadFile(filepath.Join(other, "tls.key"))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "tls.key"), key, 0o600)
		},
		"NoCA":     func() error { return os.Remove(filepath.Join(dir, "ca.crt")) },
		"EmptyKey": func() error { return os.WriteFile(filepath.Join(dir, "tls.key"), nil, 0o600) },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			host.WriteCertificates(t, dir, ca)
			good, err := c.get(nil)
			if err != nil {
				t.Fatal(err)
			}
			before := told.Load()
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			got, err := c.get(nil)
			if err != nil || got != good {
				t.Errorf("What was there before should go on serving, got %v", err)
			}
			if told.Load() != before+1 {
				t.Error("The log should say so")
			}
		})
	}
}

// A counter counts what is logged.
type counter struct {
	logging.Logger

	n *atomic.Int32
}

func (c counter) Info(string, ...any) { c.n.Add(1) }

// TestNoCertificates starts with what is no certificate.
func TestNoCertificates(t *testing.T) {
	cases := map[string]struct {
		reason string
		o      Options
		want   string
	}{
		"Neither":  {reason: "Who wants neither should say so.", want: "--tls-certs-dir"},
		"EmptyDir": {reason: "What cannot be read should be named.", o: Options{TLSCertsDir: t.TempDir()}, want: "tls.crt"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.o.Registry, tc.o.Log = prometheus.NewRegistry(), logging.NewNopLogger()
			if err := Serve(t.Context(), &fake{}, tc.o); err == nil || !strings.Contains(fmt.Sprint(err), tc.want) {
				t.Errorf("%s Want an error with %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}
