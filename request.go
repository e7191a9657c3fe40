package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/decode"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observe"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// getInput returns the Input with its defaults, if it is valid.
func getInput(req *fnv1.RunFunctionRequest) (*v1beta1.Input, error) {
	in, errs := decode.Strict[v1beta1.Input](field.NewPath("input"), req.GetInput().AsMap())
	if len(errs) > 0 {
		return nil, problems(errs)
	}
	in.Default()
	return in, problems(in.Validate())
}

// getDittoServer returns the composite resource with its defaults, if it is valid
// for the server that there is.
func getDittoServer(req *fnv1.RunFunctionRequest, in *v1beta1.Input, have *observe.Composed) (*observe.Composite, error) {
	xr, errs := observe.NewComposite(req.GetObserved().GetComposite().GetResource())
	if len(errs) > 0 {
		return nil, problems(errs)
	}
	xr.Default(v1alpha1.Defaults{
		Image:            cmp.Or(in.Image, dittofs.DefaultImage),
		StorageClassName: in.StorageClassName,
		Resources:        in.Resources,
		ServiceType:      in.Service.Type,
		AdapterServices:  in.AdapterServices.Type,
		RolloutPolicy:    in.Rollout.Policy,
	})
	return xr, problems(append(xr.Validate(), observe.ValidateChange(xr, have)...))
}

// problems are all errors in one, always in the same order.
func problems(errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	lines := make([]string, 0, len(errs))
	for _, err := range errs {
		lines = append(lines, err.Error())
	}
	slices.Sort(lines)
	return errors.New(strings.Join(slices.Compact(lines), "; "))
}

// wantedAnnotations are what the pod template has when the pod is up to date.
func wantedAnnotations(xr *observe.Composite, in *v1beta1.Input, want *manifests.Objects, secrets *podinputs.Resolution) (rollout.Annotations, error) {
	src := rollout.Source{
		Config:       []byte(want.Config()),
		Inputs:       secrets.Restart,
		RestartToken: xr.Spec.Rollout.RestartToken,
	}
	if in.IncludeGeneration {
		// The user's spec stands in for metadata.generation, which Crossplane raises
		// by itself. Keys of a map are written in order.
		spec, err := json.Marshal(xr.UserSpec)
		if err != nil {
			return rollout.Annotations{}, errors.Wrap(err, "cannot write the spec in a canonical form")
		}
		src.Spec = spec
	}
	return rollout.Annotations{ConfigHash: rollout.Hash(src), RestartToken: src.RestartToken}, nil
}

// ttlOf is when to call again: soon, while something is waited for.
func (f *Function) ttlOf(in *v1beta1.Input, d rollout.Decision) time.Duration {
	switch d.Reason {
	case rollout.SecretsPending, rollout.SecretsMissing, rollout.DatabasePending, rollout.ConfigMapFirst:
		return in.ParsedPendingTTL()
	case rollout.ManualPolicy:
	}
	return cmp.Or(in.ParsedTTL(), f.ttl)
}
