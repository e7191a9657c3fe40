// Package serve runs the gRPC server of a function.
//
// The SDK has function.Serve for that. As of v0.7.1, it reads its certificates only once,
// cuts off calls when it is stopped, hides the errors of its metrics server, and answers
// health checks only to clients with a certificate, which no kubelet has.
package serve

import (
	"context"
	"net"
	"net/http"
	"time"

	grpcprometheus "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// Options say how a function is served.
type Options struct {
	// Network and Address to listen on for calls.
	Network, Address string

	// TLSCertsDir has the server's certificate (tls.crt, tls.key) and the CA of its
	// clients (ca.crt).
	TLSCertsDir string

	// Insecure serves calls without TLS.
	Insecure bool

	// MaxRecvMessageSize is the size of the largest request to accept, in bytes.
	MaxRecvMessageSize int

	// MaxConnectionAge is how long a client may keep a connection before it has to open
	// another. A client whose certificate is no longer valid then loses access, and a
	// client that knows only one replica finds the others.
	MaxConnectionAge time.Duration

	// Grace is how long running calls may take when the server is stopped.
	Grace time.Duration

	// HealthAddress is where the kubelet's probes are answered, without TLS. If it is
	// empty, they are not answered.
	HealthAddress string

	// MetricsAddress is where the Registry's metrics are served over HTTP, at /metrics.
	// If it is empty, they are not served.
	MetricsAddress string
	Registry       *prometheus.Registry

	Log logging.Logger
}

// Serve serves a function until the context is done, and then until all calls
// have ended or the grace is over. It returns an error if any of its servers
// cannot start, or fails.
func Serve(ctx context.Context, fn fnv1.FunctionRunnerServiceServer, o Options) error {
	creds, err := o.credentials()
	if err != nil {
		return err
	}
	callMetrics := grpcprometheus.NewServerMetrics()
	if err := o.Registry.Register(callMetrics); err != nil {
		return errors.Wrap(err, "cannot register metrics")
	}

	calls := grpc.NewServer(
		grpc.Creds(creds),
		grpc.MaxRecvMsgSize(o.MaxRecvMessageSize),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: o.MaxConnectionAge}),
		grpc.UnaryInterceptor(callMetrics.UnaryServerInterceptor()),
	)
	probes := grpc.NewServer()
	state := health.NewServer()
	fnv1.RegisterFunctionRunnerServiceServer(calls, fn)
	reflection.Register(calls)
	healthgrpc.RegisterHealthServer(calls, state)
	healthgrpc.RegisterHealthServer(probes, state)
	callMetrics.InitializeMetrics(calls)

	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{}))
	metrics := &http.Server{Handler: mux, ReadHeaderTimeout: 30 * time.Second}

	g, ctx := errgroup.WithContext(ctx)
	for _, s := range []struct {
		what, flag, network, address string
		serve                        func(net.Listener) error
	}{
		{"calls", "--address", o.Network, o.Address, calls.Serve},
		{"health checks", "--health", "tcp", o.HealthAddress, probes.Serve},
		{"metrics", "--metrics-address", "tcp", o.MetricsAddress, metrics.Serve},
	} {
		if s.address == "" {
			continue
		}
		g.Go(func() error {
			l, err := (&net.ListenConfig{}).Listen(ctx, s.network, s.address)
			if err != nil {
				return errors.Wrapf(err, "cannot listen for %s (%s)", s.what, s.flag)
			}
			if err := s.serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
				return errors.Wrapf(err, "cannot serve %s", s.what)
			}
			return nil
		})
	}
	g.Go(func() error {
		<-ctx.Done()
		state.Shutdown()
		stop(calls, o.Grace)
		probes.Stop()
		return metrics.Close()
	})
	return g.Wait()
}

func (o Options) credentials() (credentials.TransportCredentials, error) {
	switch {
	case o.Insecure:
		return insecure.NewCredentials(), nil
	case o.TLSCertsDir != "":
		c, err := newCertificates(o.TLSCertsDir, o.Log)
		if err != nil {
			return nil, err
		}
		return c.credentials(), nil
	}
	return nil, errors.New("there are no certificates to serve with: set --tls-certs-dir, or --insecure on your laptop")
}

// stop stops a server once its calls have ended, or after the grace.
func stop(s *grpc.Server, grace time.Duration) {
	t := time.AfterFunc(grace, s.Stop)
	defer t.Stop()
	s.GracefulStop()
}
