package main

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"k8s.io/apimachinery/pkg/util/validation/field"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/operations"
	"github.com/dittofs/function-dittoserver/internal/response"
)

// operate takes a step of an Operation, which works on many DittoServers.
func (f *Function) operate(kind string, req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse) error {
	// All Operations with one Input make the same request, until it is known what they
	// require. If Crossplane kept answers, each would repeat what the one before it did.
	rsp.Meta.Ttl = durationpb.New(0)
	if req.GetObserved().GetComposite().GetResource() != nil {
		return problems(response.ReasonInvalidInput, field.ErrorList{field.Invalid(field.NewPath("input", "kind"), kind,
			"is for the pipeline of an Operation. In that of a Composition it must be "+v1beta1.KindInput)})
	}
	look := observed.NewLookups(req.GetRequiredResources())
	result, errs, err := operations.Run(req.GetInput(), look, time.Now())
	if len(errs) > 0 {
		return problems(response.ReasonInvalidInput, errs)
	}
	if err != nil {
		return err
	}
	rsp.Requirements = look.Requirements()
	if result == nil {
		return nil // Crossplane calls again with what is required.
	}
	f.log.Debug("Took a step of an Operation", "kind", kind, "objects", len(result.Desired), "message", result.Message)
	return response.Operation(rsp, result.Desired, result.Output, result.Message, result.Warning)
}
