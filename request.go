package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/compose"
	"github.com/dittofs/function-dittoserver/internal/decode"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/observe"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// getInput returns the Input with its defaults, if it is valid.
func getInput(req *fnv1.RunFunctionRequest) (*v1beta1.Input, error) {
	in, errs := decode.Strict[v1beta1.Input](field.NewPath("input"), req.GetInput().AsMap())
	if len(errs) > 0 {
		return nil, problems(compose.ReasonInvalidInput, errs)
	}
	in.Default()
	return in, problems(compose.ReasonInvalidInput, in.Validate())
}

// getDittoServer returns the composite resource with its defaults, if it is valid
// for the server that there is.
func getDittoServer(req *fnv1.RunFunctionRequest, in *v1beta1.Input, have *observe.Composed) (*observe.Composite, error) {
	xr, errs := observe.NewComposite(req.GetObserved().GetComposite().GetResource())
	if len(errs) > 0 {
		return nil, problems(compose.ReasonInvalidSpec, errs)
	}
	xr.Default(v1alpha1.Defaults{
		Image:            cmp.Or(in.Image, dittofs.DefaultImage),
		StorageClassName: in.StorageClassName,
		Resources:        in.Resources,
		ServiceType:      in.Service.Type,
		AdapterServices:  in.AdapterServices.Type,
		RolloutPolicy:    in.Rollout.Policy,
	})
	return xr, problems(compose.ReasonInvalidSpec, append(xr.Validate(), observe.ValidateChange(xr, have)...))
}

// problems are all errors in one, always in the same order.
func problems(reason string, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	lines := make([]string, 0, len(errs))
	for _, err := range errs {
		lines = append(lines, err.Error())
	}
	slices.Sort(lines)
	return compose.FatalError{Reason: reason, Err: errors.New(strings.Join(slices.Compact(lines), "; "))}
}

// ttlOf is when to call again: soon, while something is waited for. As long as
// Crossplane has not looked up all that was asked for it is to call again at once,
// and it must not keep the answer: a cache in between, as before Crossplane 2.2,
// would give it for the next one.
func (f *Function) ttlOf(in *v1beta1.Input, pending, soon bool, d rollout.Decision) time.Duration {
	switch {
	case pending:
		return 0
	case soon, d.Reason != "" && d.Reason != rollout.ManualPolicy:
		return in.ParsedPendingTTL()
	}
	return cmp.Or(in.ParsedTTL(), f.ttl)
}
