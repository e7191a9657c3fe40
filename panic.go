package main

import (
	"fmt"
	"runtime/debug"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/response"
)

// afterPanic answers a call that has panicked. The value of the panic may quote the
// request, which holds Secrets, so it is not repeated.
func (f *Function) afterPanic(req *fnv1.RunFunctionRequest, r any) *fnv1.RunFunctionResponse {
	f.log.Info("Recovered from a panic", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
	rsp := response.To(req, f.ttl)
	response.Fatal(rsp, response.FatalError{
		Reason: response.ReasonInternalError,
		Err:    errors.New("the function failed. This is a defect of the function: please report it with the function's log"),
	}, observedAfterPanic(req)...)
	return rsp
}

// observedAfterPanic returns the conditions that are still known, or none if reading the
// observed resources is what panicked.
func observedAfterPanic(req *fnv1.RunFunctionRequest) (conditions []observed.Condition) {
	defer func() { _ = recover() }()
	p := newPlan(req)
	have, err := observed.NewComposed(req.GetObserved().GetResources())
	if err != nil {
		return nil
	}
	p.have = have
	return p.available()
}
