package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/request"
	"github.com/crossplane/function-sdk-go/response"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/compose"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observe"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// A Function composes DittoFS servers.
type Function struct {
	fnv1.UnimplementedFunctionRunnerServiceServer

	log logging.Logger
}

// RunFunction answers with what a DittoServer needs in order to run. Where it
// cannot, it answers with a fatal result, and Crossplane leaves everything as it
// is.
func (f *Function) RunFunction(_ context.Context, req *fnv1.RunFunctionRequest) (rsp *fnv1.RunFunctionResponse, _ error) {
	// One DittoServer must not take the function away from all others. What it
	// panics with may quote the request, and requests hold Secrets.
	defer func() {
		if r := recover(); r != nil {
			f.log.Info("Recovered from a panic", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			rsp = compose.To(req, response.DefaultTTL)
			compose.Fatal(rsp, errors.New("the function failed. This is a defect of the function: please report it with the function's log"))
		}
	}()

	rsp = compose.To(req, response.DefaultTTL)
	if err := f.compose(req, rsp); err != nil {
		compose.Fatal(rsp, err)
	}
	return rsp, nil
}

func (f *Function) compose(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse) error {
	// What the platform team and the user want.
	in := &v1beta1.Input{}
	if err := request.GetInput(req, in); err != nil {
		return errors.Wrap(err, "input: cannot read the function's Input. Correct or remove the field")
	}
	in.Default()
	if err := in.Validate().ToAggregate(); err != nil {
		return err
	}
	xr, errs := observe.NewComposite(req.GetObserved().GetComposite().GetResource())
	if len(errs) > 0 {
		return errs.ToAggregate()
	}
	xr.Default(defaults(in))
	if err := xr.Validate().ToAggregate(); err != nil {
		return err
	}

	// What there is of it.
	have, err := observe.NewComposed(req.GetObserved().GetResources())
	if err != nil {
		return err
	}

	// The objects that run the server, and what its pod reads from Secrets.
	want, err := manifests.Build(xr.DittoServer, have.Immutable())
	if err != nil {
		return err
	}
	inputs := podinputs.From(&want.StatefulSet.Spec.Template)
	rsp.Requirements = podinputs.Requirements(inputs, xr.GetNamespace())
	secrets := podinputs.Resolve(inputs, podinputs.SecretsFrom(req.GetRequiredResources(), inputs, xr.GetNamespace()))

	// Whether the pod is to be replaced.
	spec, err := countedSpec(xr, in)
	if err != nil {
		return err
	}
	token := xr.Spec.Rollout.RestartToken
	decision := rollout.Decide(rollout.State{
		Observed: have.Annotations(),
		Wanted: rollout.Annotations{
			ConfigHash:   rollout.Hash(rollout.Source{Config: []byte(want.Config()), Inputs: secrets.Restart, RestartToken: token, Spec: spec}),
			RestartToken: token,
		},
		SecretsPending: len(secrets.Pending) > 0,
		SecretsMissing: len(secrets.Problems) > 0,
		ProceedWithout: in.MissingSecrets == v1beta1.MissingSecretsProceed,
		ConfigMapStale: observe.ConfigStale(have, &want),
		Manual:         xr.Spec.Rollout.Policy == v1alpha1.RolloutManual,
	})

	// What comes back.
	if err := compose.Desired(rsp, &want, decision, observe.Readiness(have, &want, decision)); err != nil {
		return err
	}
	if err := compose.Status(rsp, req.GetObserved().GetComposite(), observe.XRStatus(xr, have.StatefulSet, decision)); err != nil {
		return err
	}
	compose.Conditions(rsp, xr.Conditions, observe.Conditions(xr, have, &want, &secrets, decision)...)
	compose.Restart(rsp, have.Annotations(), decision)
	rsp.Meta.Ttl = durationpb.New(ttl(in, decision))

	f.log.Debug("Composed a DittoServer", "tag", req.GetMeta().GetTag(), "namespace", xr.GetNamespace(), "name", xr.GetName(),
		"action", decision.Action, "reason", decision.Reason, "secrets-pending", len(secrets.Pending), "secret-problems", len(secrets.Problems))
	return nil
}

// defaults are the platform team's choices for what a DittoServer leaves open.
func defaults(in *v1beta1.Input) v1alpha1.Defaults {
	return v1alpha1.Defaults{
		Image:            cmp.Or(in.Image, dittofs.DefaultImage),
		StorageClassName: in.StorageClassName,
		Resources:        in.Resources,
		ServiceType:      in.Service.Type,
	}
}

// countedSpec is the user's spec in a canonical form, if each change of it is to
// restart the server. It stands in for metadata.generation, which Crossplane
// raises by itself.
func countedSpec(xr *observe.Composite, in *v1beta1.Input) ([]byte, error) {
	if !in.IncludeGeneration {
		return nil, nil
	}
	b, err := json.Marshal(xr.UserSpec)
	return b, errors.Wrap(err, "cannot write the spec in a canonical form")
}

// ttl is short while something is waited for.
func ttl(in *v1beta1.Input, d rollout.Decision) time.Duration {
	switch d.Reason {
	case rollout.SecretsPending, rollout.SecretsMissing, rollout.ConfigMapFirst:
		return in.ParsedPendingTTL()
	case rollout.ManualPolicy:
	}
	return in.ParsedTTL()
}
