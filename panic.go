package main

import (
	"fmt"
	"runtime/debug"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/compose"
)

// afterPanic answers a call that has panicked. What it has panicked with may
// quote the request, and requests hold Secrets: it is not repeated.
func (f *Function) afterPanic(req *fnv1.RunFunctionRequest, r any) *fnv1.RunFunctionResponse {
	f.log.Info("Recovered from a panic", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
	rsp := compose.To(req, f.ttl)
	compose.Fatal(rsp, compose.Failure{Reason: compose.ReasonInternalError, Err: errors.New("the function failed. This is a defect of the function: please report it with the function's log")})
	return rsp
}
