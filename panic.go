package main

import (
	"fmt"
	"runtime/debug"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/compose"
	"github.com/dittofs/function-dittoserver/internal/observe"
)

// afterPanic answers a call that has panicked. What it has panicked with may
// quote the request, and requests hold Secrets: it is not repeated.
func (f *Function) afterPanic(req *fnv1.RunFunctionRequest, r any) *fnv1.RunFunctionResponse {
	f.log.Info("Recovered from a panic", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
	rsp := compose.To(req, f.ttl)
	compose.Fatal(rsp, compose.FatalError{
		Reason: compose.ReasonInternalError,
		Err:    errors.New("the function failed. This is a defect of the function: please report it with the function's log"),
	}, observedAfterPanic(req)...)
	return rsp
}

// observedAfterPanic is what can be said of the server all the same, if to read what
// is observed is not what has panicked.
func observedAfterPanic(req *fnv1.RunFunctionRequest) (conditions []observe.Condition) {
	defer func() { _ = recover() }()
	p := newPlan(req)
	have, err := observe.NewComposed(req.GetObserved().GetResources())
	if err != nil {
		return nil
	}
	p.have = have
	return p.available()
}
