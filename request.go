package main

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/decode"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/response"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// getInput returns the Input with its defaults, if it is valid.
func getInput(req *fnv1.RunFunctionRequest) (*v1beta1.Input, error) {
	if req.GetObserved().GetComposite().GetResource() == nil {
		return nil, problems(response.ReasonInvalidInput, field.ErrorList{field.Invalid(field.NewPath("input", "kind"), structs.Text(req.GetInput(), "kind"),
			"is for the pipeline of a Composition. In that of an Operation it must be "+v1beta1.KindRestart+" or "+v1beta1.KindResize)})
	}
	in, errs := decode.Strict[v1beta1.Input](field.NewPath("input"), req.GetInput().AsMap())
	if len(errs) > 0 {
		return nil, problems(response.ReasonInvalidInput, errs)
	}
	in.Default()
	return in, problems(response.ReasonInvalidInput, in.Validate())
}

// getDittoServer returns the composite resource as the user wrote it.
func getDittoServer(req *fnv1.RunFunctionRequest) (*observed.Composite, error) {
	xr, errs := observed.NewComposite(req.GetObserved().GetComposite().GetResource())
	return xr, problems(response.ReasonInvalidSpec, errs)
}

// complete applies the defaults to a DittoServer and validates it, also against the
// existing server.
func complete(xr *observed.Composite, in *v1beta1.Input, have *observed.Composed) error {
	xr.Default(v1alpha1.Defaults{
		Image:            cmp.Or(in.Image, dittofs.DefaultImage),
		StorageClassName: in.StorageClassName,
		Resources:        in.Resources,
		ServiceType:      in.Service.Type,
		AdapterServices:  in.AdapterServices.Type,
		RolloutPolicy:    in.Rollout.Policy,
	})
	return problems(response.ReasonInvalidSpec, append(xr.Validate(), manifests.ValidateChange(xr.DittoServer, have.Existing(xr.Identity()))...))
}

// problems joins errors into one, always in the same order.
func problems(reason string, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	lines := make([]string, 0, len(errs))
	for _, err := range errs {
		lines = append(lines, err.Error())
	}
	slices.Sort(lines)
	return response.FatalError{Reason: reason, Err: errors.New(strings.Join(slices.Compact(lines), "; "))}
}
