// Command function-dittoserver serves the composition function.
package main

import (
	"github.com/alecthomas/kong"
	"google.golang.org/grpc/health"

	function "github.com/crossplane/function-sdk-go"
)

// CLI is the command line. Its flags are those that Crossplane and its users
// expect of every function.
type CLI struct {
	Debug bool `help:"Log what the function does, beside what goes wrong." short:"d"`

	Network            string `default:"tcp"                                                            help:"Network to listen on for gRPC connections."`
	Address            string `default:":9443"                                                          help:"Address to listen on for gRPC connections."`
	MetricsAddress     string `default:":8080"                                                          help:"Address to serve Prometheus metrics on, at /metrics. Empty for none."`
	TLSCertsDir        string `env:"TLS_SERVER_CERTS_DIR"                                               help:"Directory with the server's certificate (tls.crt, tls.key) and the CA of its clients (ca.crt)."`
	Insecure           bool   `help:"Serve without mTLS. For your laptop only: requests carry Secrets."`
	MaxRecvMessageSize int    `default:"16"                                                             env:"MAX_RECV_MESSAGE_SIZE"                                                                           help:"Largest request to accept, in MB."`
}

// Run serves the function until the process is stopped.
func (c *CLI) Run() error {
	log, err := function.NewLogger(c.Debug)
	if err != nil {
		return err
	}

	if c.Insecure {
		log.Info("Serving without mTLS. Requests carry Secrets: do not do this in a cluster.")
	}

	return function.Serve(&Function{log: log},
		function.Listen(c.Network, c.Address),
		mTLSCertificates(c.TLSCertsDir),
		function.Insecure(c.Insecure),
		function.WithMetricsServer(c.MetricsAddress),
		function.WithHealthServer(health.NewServer()),
		function.MaxRecvMessageSize(c.MaxRecvMessageSize*1024*1024))
}

func main() {
	ctx := kong.Parse(&CLI{}, kong.Description("A Crossplane composition function that runs DittoFS servers."))
	ctx.FatalIfErrorf(ctx.Run())
}
