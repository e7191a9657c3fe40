package main

import (
	"cmp"
	"encoding/json"
	"maps"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/compose"
	"github.com/dittofs/function-dittoserver/internal/credentials"
	"github.com/dittofs/function-dittoserver/internal/lookups"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observe"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// A plan is what a call finds out, step by step. Each step needs those before it.
type plan struct {
	req    *fnv1.RunFunctionRequest
	look   *lookups.Lookups
	around *observe.Surroundings

	// What is wanted, and what there is.
	in          *v1beta1.Input
	xr          *observe.Composite
	have        *observe.Composed
	statefulSet observe.Holder // Who has its name.

	// The objects, and the names that are not free.
	kinds observe.Kinds
	want  manifests.Objects
	names []observe.Name

	// What the pod reads.
	secrets podinputs.Resolution
	source  rollout.Source

	// Whether the pod is replaced. The objects have the wanted StatefulSet.
	objects compose.Objects
}

func newPlan(req *fnv1.RunFunctionRequest) *plan {
	look := lookups.New(req.GetRequiredResources())
	return &plan{req: req, look: look, around: observe.NewSurroundings(look, observe.IdentityOf(req.GetObserved().GetComposite().GetResource()))}
}

// observe reads what the platform team and the user want, and what there is of it.
func (p *plan) observe() (err error) {
	if p.in, err = getInput(p.req); err != nil {
		return err
	}
	if p.have, err = observe.NewComposed(p.req.GetObserved().GetResources()); err != nil {
		return err
	}
	if p.statefulSet, err = p.around.Adopt(p.have); err != nil {
		return err
	}
	p.xr, err = getDittoServer(p.req, p.in, p.have)
	return err
}

// render makes the objects that run the server, and finds out whether their names
// are free.
func (p *plan) render() (err error) {
	p.kinds = p.around.Kinds(p.xr, p.have)
	p.want, err = manifests.Build(p.xr.DittoServer, manifests.Options{
		Existing:       p.have.Immutable(),
		ServiceMonitor: p.kinds.ServiceMonitor == observe.KindKnown,
		Percona:        p.kinds.Percona == observe.KindKnown,
	})
	if err != nil {
		return err
	}
	named := maps.Clone(p.want.Companions)
	named[manifests.ConfigMapResource(p.want.Config)] = p.want.ConfigMap
	p.names, err = p.around.Names(named, p.have)
	return err
}

// resolve reads what the pod reads from Secrets, some of which the function
// generates.
func (p *plan) resolve() error {
	inputs := podinputs.Without(podinputs.From(&p.want.StatefulSet.Spec.Template), podinputs.ConfigMap(p.want.ConfigMap.GetName()))
	sources := podinputs.LookUp(p.look, inputs, p.xr.GetNamespace())
	managed, absent := credentials.Compose(p.xr, p.have, p.around, sources)
	maps.Copy(p.want.Companions, managed)
	if account := podinputs.Secret(manifests.PerconaSecret(p.xr.DittoServer)); p.databasePending() && sources[account] == nil {
		absent[account] = podinputs.Absent{Creating: p.kinds.Percona != observe.KindMissing, Text: "Percona's operator writes it, and is not installed"}
	}
	p.secrets = podinputs.Resolve(inputs, sources, absent)

	p.source = rollout.Source{Config: []byte(p.want.Config), Inputs: p.secrets.Restart, RestartToken: p.xr.Spec.Rollout.RestartToken}
	if ss := p.have.StatefulSet; ss != nil {
		// A token that is taken away is no request.
		p.source.RestartToken = cmp.Or(p.source.RestartToken, ss.Annotations.RestartToken)
	}
	if !p.in.IncludeGeneration {
		return nil
	}
	// The user's spec stands in for metadata.generation, which Crossplane raises by
	// itself.
	user, errs := observe.NewComposite(p.req.GetObserved().GetComposite().GetResource())
	if len(errs) > 0 {
		return errs.ToAggregate()
	}
	var err error
	p.source.Spec, err = rollout.SpecOf(&user.Spec)
	return err
}

func (p *plan) databasePending() bool { return p.xr.Spec.Percona.Enabled && !p.have.PerconaReady }

// decide says whether the pod is replaced.
func (p *plan) decide() error {
	wanted := rollout.Annotations{ConfigHash: rollout.Hash(p.source), RestartToken: p.source.RestartToken}
	s, err := compose.StatefulSet(p.want.StatefulSet, wanted)
	if err != nil {
		return err
	}

	ss := p.have.StatefulSet
	state := rollout.State{
		Observed:         ss.Observed(),
		Wanted:           wanted,
		LookupsPending:   p.statefulSet == observe.Unasked,
		NameTaken:        p.statefulSet == observe.Others || p.statefulSet == observe.Leaving,
		SecretsPending:   len(p.secrets.Pending) > 0,
		SecretsCreating:  len(p.secrets.Creating) > 0,
		SecretsMissing:   len(p.secrets.Problems) > 0,
		DatabasePending:  p.databasePending() && !ss.Reads(manifests.PerconaSecret(p.xr.DittoServer)),
		ProceedWithout:   p.in.MissingSecrets == v1beta1.MissingSecretsProceed && !p.secrets.Guessable,
		ConfigMapPending: !p.have.HasConfig(p.want.Config),
		Manual:           p.xr.Spec.Rollout.Policy == v1alpha1.RolloutManual,
	}
	if ss != nil {
		state.Changes = ss.Template.Changes(compose.TemplateOf(s), manifests.ContainerName)
	}
	if state.NameTaken {
		p.names = append(p.names, observe.Name{Resource: manifests.StatefulSetResource, Kind: "StatefulSet", Name: p.xr.GetName(), Holder: p.statefulSet})
	}
	for _, n := range p.names {
		if n.Resource == manifests.ConfigMapResource(p.want.Config) {
			state.LookupsPending = state.LookupsPending || n.Holder == observe.Unasked
			state.NameTaken = state.NameTaken || n.Holder != observe.Unasked
		}
	}
	p.objects = compose.Objects{XR: p.xr, Have: p.have, Want: &p.want, Decision: rollout.Decide(state), StatefulSet: s, Names: p.names}
	return nil
}

// respond writes what comes back.
func (p *plan) respond(f *Function, rsp *fnv1.RunFunctionResponse) error {
	decision := p.objects.Decision
	gone, err := p.gone(decision)
	if err != nil {
		return err
	}
	pending, err := pendingHash(p.source, compose.TemplateOf(p.objects.StatefulSet), decision)
	if err != nil {
		return err
	}
	view := &observe.View{
		XR: p.xr, Have: p.have, Want: &p.want, Secrets: &p.secrets, Gone: gone, Kinds: p.kinds, Names: p.names,
		Drift: p.around.Drift(p.xr, p.have.StatefulSet), Decision: decision,
	}
	status := observe.XRStatus(p.xr, p.have.StatefulSet, decision, pending)
	if err := errors.Join(compose.Desired(rsp, &p.objects), compose.Status(rsp, p.req.GetObserved().GetComposite(), status)); err != nil {
		return err
	}
	compose.Conditions(rsp, p.xr.Conditions, observe.Conditions(view)...)
	compose.Restart(rsp, &p.objects)
	rsp.Requirements = p.look.Requirements()
	rsp.Meta.Ttl = durationpb.New(f.ttlOf(p.in, p.look.Pending(), len(p.names) > 0 || view.Refused(), decision))
	return nil
}

// gone is what a server that is held runs with and can no longer be read. Its next
// start fails, so it is reported before that.
func (p *plan) gone(d rollout.Decision) ([]podinputs.Problem, error) {
	ss := p.have.StatefulSet
	if d.Action != rollout.Hold || !ss.Observed().Runs {
		return nil, nil
	}
	inputs, err := ss.Inputs()
	if err != nil {
		return nil, err
	}
	return podinputs.Gone(inputs, podinputs.LookUp(p.look, inputs, p.xr.GetNamespace())), nil
}

// pendingHash is a digest of what waits for the user, or nothing.
func pendingHash(src rollout.Source, template *structpb.Value, d rollout.Decision) (string, error) {
	if d.Reason != rollout.ManualPolicy {
		return "", nil
	}
	b, err := json.Marshal(rollout.WithoutToken(template).AsInterface()) // Keys of a map are written in order.
	if err != nil {
		return "", errors.Wrap(err, "cannot write the pod template in a canonical form")
	}
	return rollout.PendingHash(src, b), nil
}
