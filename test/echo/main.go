// Command echo serves a function that answers with what the request desires. It
// is what make bench compares the function with: nothing that has to read the
// same request, and to write the same response, can be faster.
package main

import (
	"context"
	"flag"
	"log"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/serve"
)

type echo struct {
	fnv1.UnimplementedFunctionRunnerServiceServer
}

func (echo) RunFunction(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	return &fnv1.RunFunctionResponse{Desired: req.GetDesired()}, nil
}

func main() {
	address := flag.String("address", "127.0.0.1:9443", "address to listen on, without TLS")
	flag.Parse()
	err := serve.Serve(context.Background(), echo{}, serve.Options{
		Network: "tcp", Address: *address, Insecure: true, MaxRecvMessageSize: 16 << 20, MaxConnectionAge: time.Hour,
		Registry: prometheus.NewRegistry(), Log: logging.NewNopLogger(),
	})
	if err != nil {
		log.Fatal(err)
	}
}
