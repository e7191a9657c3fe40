package functest

import (
	"context"
	"time"

	"google.golang.org/grpc"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// A Function is what Crossplane calls.
type Function interface {
	RunFunction(ctx context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error)
}

// callDeadline bounds a call, and the start of a process that is called.
const callDeadline = time.Minute

// A client calls a function that runs somewhere else.
type client struct {
	fnv1.FunctionRunnerServiceClient
}

// Connected returns the function at the other end of a connection. It may still be
// starting.
func Connected(conn grpc.ClientConnInterface) Function {
	return client{fnv1.NewFunctionRunnerServiceClient(conn)}
}

// RunFunction calls the function once it is there.
func (c client) RunFunction(ctx context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	return c.FunctionRunnerServiceClient.RunFunction(ctx, req, grpc.WaitForReady(true))
}
