package main

import (
	"context"
	"maps"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/compose"
	"github.com/dittofs/function-dittoserver/internal/credentials"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observe"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// A Function composes DittoFS servers.
type Function struct {
	fnv1.UnimplementedFunctionRunnerServiceServer

	log     logging.Logger
	ttl     time.Duration
	metrics *metrics
}

// RunFunction answers with what a DittoServer needs in order to run, or with a
// fatal result, after which Crossplane leaves everything as it is.
func (f *Function) RunFunction(_ context.Context, req *fnv1.RunFunctionRequest) (rsp *fnv1.RunFunctionResponse, _ error) {
	start := time.Now()
	defer func() {
		// One DittoServer must not take the function away from all others.
		if r := recover(); r != nil {
			rsp = f.afterPanic(req, r)
		}
		f.metrics.called(time.Since(start), rsp)
	}()

	rsp = compose.To(req, f.ttl)
	if err := f.compose(req, rsp); err != nil {
		compose.Fatal(rsp, err)
	}
	return rsp, nil
}

func (f *Function) compose(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse) error {
	// What the platform team and the user want, and what there is of it.
	in, err := getInput(req)
	if err != nil {
		return err
	}
	have, err := observe.NewComposed(req.GetObserved().GetResources())
	if err != nil {
		return err
	}
	xr, err := getDittoServer(req, in, have)
	if err != nil {
		return err
	}

	// The objects that run the server.
	monitor := observe.ServiceMonitorKind(req, have)
	want, err := manifests.Build(xr.DittoServer, manifests.Options{Existing: have.Immutable(), ServiceMonitor: monitor == observe.KindKnown})
	if err != nil {
		return err
	}

	// What the pod reads from Secrets, some of which the function makes.
	inputs := podinputs.From(&want.StatefulSet.Spec.Template)
	rsp.Requirements = podinputs.Requirements(inputs, xr.GetNamespace())
	if xr.Spec.Metrics.ServiceMonitor.Enabled {
		observe.RequireServiceMonitorKind(rsp)
	}
	lookedUp := podinputs.SecretsFrom(req.GetRequiredResources(), inputs, xr.GetNamespace())
	managed, creating := credentials.Compose(manifests.ManagedSecrets(xr.DittoServer), have.Secrets, lookedUp, string(xr.GetUID()))
	maps.Copy(want.Companions, managed)
	databasePending := xr.Spec.Percona.Enabled && !have.PerconaReady
	if databasePending {
		creating = append(creating, manifests.PerconaSecret(xr.DittoServer))
	}
	secrets := podinputs.Resolve(inputs, lookedUp, creating)

	// Whether the pod is to be replaced.
	wanted, err := wantedAnnotations(xr, in, &want, &secrets)
	if err != nil {
		return err
	}
	decision := rollout.Decide(rollout.State{
		Observed:        have.Annotations(),
		Wanted:          wanted,
		SecretsPending:  len(secrets.Pending)+len(secrets.Creating) > 0,
		SecretsMissing:  len(secrets.Problems) > 0,
		DatabasePending: databasePending,
		ProceedWithout:  in.MissingSecrets == v1beta1.MissingSecretsProceed && !secrets.Guessable,
		ConfigMapStale:  observe.ConfigStale(have, &want),
		Manual:          xr.Spec.Rollout.Policy == v1alpha1.RolloutManual,
	})

	// What comes back.
	status := observe.XRStatus(xr, have.StatefulSet, decision)
	if err := errors.Join(compose.Desired(rsp, &want, have, decision), compose.Status(rsp, req.GetObserved().GetComposite(), status)); err != nil {
		return err
	}
	compose.Conditions(rsp, xr.Conditions, observe.Conditions(xr, have, &want, &secrets, monitor, decision)...)
	compose.Restart(rsp, have.Annotations(), decision)
	rsp.Meta.Ttl = durationpb.New(f.ttlOf(in, decision))

	f.metrics.decided(decision, len(secrets.Problems))
	f.log.Debug("Composed a DittoServer", "namespace", xr.GetNamespace(), "name", xr.GetName(),
		"action", decision.Action, "reason", decision.Reason, "secrets-pending", len(secrets.Pending), "secret-problems", len(secrets.Problems))
	return nil
}
