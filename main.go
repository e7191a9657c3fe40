// Command function-dittoserver serves the composition function.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/function-sdk-go/logging"

	"github.com/dittofs/function-dittoserver/internal/serve"
)

const (
	// Almost nothing lives longer than a call. With Go's default of 100, the garbage of a
	// few calls (4 MB) would start a collection.
	gcPercent = 400

	// A pod has 30 seconds to end, unless its runtime config says otherwise.
	grace = 20 * time.Second

	// Clients reconnect so rarely that it costs nothing.
	maxConnectionAge = 30 * time.Minute
)

func newFunction(log logging.Logger, ttl time.Duration, r prometheus.Registerer) *Function {
	return &Function{log: log, ttl: ttl, metrics: newMetrics(r)}
}

// CLI is the command line: the flags that Crossplane and its users expect of every
// function, and a few more.
type CLI struct {
	Debug bool `help:"Log what the function does, and not only what goes wrong." short:"d"`

	Network            string        `default:"tcp"                                                            help:"Network to listen on for gRPC connections."`
	Address            string        `default:":9443"                                                          help:"Address to listen on for gRPC connections."`
	TLSCertsDir        string        `env:"TLS_SERVER_CERTS_DIR"                                               help:"Directory with the server's certificate (tls.crt, tls.key) and the CA of its clients (ca.crt)."`
	Insecure           bool          `help:"Serve without mTLS. For your laptop only: requests carry Secrets."`
	MaxRecvMessageSize int           `default:"16"                                                             env:"MAX_RECV_MESSAGE_SIZE"                                                                            help:"Largest request to accept, in MB."`
	Health             string        `default:":8081"                                                          help:"Address to answer gRPC health checks on, without TLS, for the kubelet's probes. Empty for none."`
	MetricsAddress     string        `default:":8080"                                                          help:"Address to serve Prometheus metrics on, at /metrics. Empty for none."`
	TTL                time.Duration `default:"60s"                                                            help:"How long Crossplane may wait until it runs the function again, unless the Input sets a ttl."`
}

// Validate returns what is wrong with the flags.
func (c *CLI) Validate() error {
	if c.TTL < time.Second {
		return errors.Errorf("--ttl must be at least 1s, not %s", c.TTL)
	}
	if c.MaxRecvMessageSize < 1 {
		return errors.Errorf("--max-recv-message-size must be at least 1, not %d", c.MaxRecvMessageSize)
	}
	return nil
}

// Run serves the function until the process is told to stop.
func (c *CLI) Run() error {
	log, err := logging.NewLogger(c.Debug)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if c.Insecure {
		log.Info("Serving without mTLS. Requests carry Secrets: do not do this in a cluster.")
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	// A second signal ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)

	return serve.Serve(ctx, newFunction(log, c.TTL, registry), serve.Options{
		Network:            c.Network,
		Address:            c.Address,
		TLSCertsDir:        c.TLSCertsDir,
		Insecure:           c.Insecure,
		MaxRecvMessageSize: c.MaxRecvMessageSize << 20,
		MaxConnectionAge:   maxConnectionAge,
		Grace:              grace,
		HealthAddress:      c.Health,
		MetricsAddress:     c.MetricsAddress,
		Registry:           registry,
		Log:                log,
	})
}

func main() {
	ctx := kong.Parse(&CLI{}, kong.Description("A Crossplane composition function that runs DittoFS servers."))
	ctx.FatalIfErrorf(ctx.Run())
}
