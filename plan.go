package main

import (
	"cmp"
	"maps"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/runtime"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/response"
	"github.com/dittofs/function-dittoserver/internal/rollout"
	"github.com/dittofs/function-dittoserver/internal/status"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A plan collects what a call finds out, step by step. Each step needs the steps before
// it.
type plan struct {
	req    *fnv1.RunFunctionRequest
	look   *observed.Lookups
	around *observed.Surroundings

	// What is wanted, and what exists.
	in     *v1beta1.Input
	xr     *observed.Composite
	user   *v1alpha1.DittoServer // Before its defaults, if every change of it restarts the server.
	have   *observed.Composed
	holder observed.Holder // Who has the StatefulSet's name.

	// The objects, and the names that are not free.
	kinds observed.Kinds
	want  manifests.Objects
	names []observed.Name

	// What the pod reads, and the Secrets that are generated for it.
	secrets podinputs.Resolution
	managed map[string]runtime.Object
	source  rollout.Source

	// The StatefulSet as it is wanted, and whether its pod is replaced.
	statefulSet *structpb.Struct
	decision    rollout.Decision
	restarts    bool // For the first time that the template is sent.
}

func newPlan(req *fnv1.RunFunctionRequest) *plan {
	look := observed.NewLookups(req.GetRequiredResources())
	return &plan{req: req, look: look, around: observed.NewSurroundings(look, observed.IdentityOf(req.GetObserved().GetComposite().GetResource()))}
}

// observe reads what the platform team and the user want, and what exists.
func (p *plan) observe() (err error) {
	if p.in, err = getInput(p.req); err != nil {
		return err
	}
	if p.have, err = observed.NewComposed(p.req.GetObserved().GetResources()); err != nil {
		return err
	}
	if p.holder, err = p.around.Adopt(p.have); err != nil {
		return err
	}
	if p.xr, err = getDittoServer(p.req); err != nil {
		return err
	}
	if p.in.IncludeGeneration {
		p.user = p.xr.DeepCopy()
	}
	return complete(p.xr, p.in, p.have)
}

// render renders the objects that run the server, and finds out whether their names are
// free.
func (p *plan) render() (err error) {
	p.kinds = p.around.Kinds(p.xr, p.have)
	o := manifests.Options{
		Existing:       p.have.Existing(p.xr.Identity()).Immutable,
		Services:       p.have.Services,
		ServiceMonitor: p.kinds.ServiceMonitor == observed.KindKnown,
		PrometheusRule: p.kinds.PrometheusRule == observed.KindKnown,
		Percona:        p.kinds.Percona == observed.KindKnown,
	}
	if r := p.xr.Spec.Database.PostgresSecretRef; r != nil {
		o.PostgresKeys = podinputs.PostgresKeys(p.look, r.Name, p.xr.GetNamespace(), p.have.StatefulSet)
	}
	p.want, err = manifests.Build(p.xr.DittoServer, o)
	if err != nil {
		return err
	}
	named := maps.Clone(p.want.Supporting)
	named[manifests.ConfigMapResource(p.want.Config)] = p.want.ConfigMap
	p.names, err = p.around.Names(named, p.have)
	return err
}

// resolve reads the Secrets that the pod reads, some of which the function generates.
func (p *plan) resolve() (err error) {
	inputs := podinputs.Without(podinputs.From(&p.want.StatefulSet.Spec.Template), p.own(p.want.ConfigMap.GetName())...)
	sources := podinputs.LookUp(p.look, inputs, p.xr.GetNamespace())
	if r := p.xr.Spec.Database.PostgresSecretRef; r != nil {
		sources.HasPostgres(r.Name)
	}
	managed, absent := podinputs.Generate(p.xr, p.have, p.around, sources)
	p.managed = managed
	if account := podinputs.Secret(manifests.PerconaSecret(p.xr.DittoServer)); p.databasePending() && sources[account] == nil {
		absent[account] = podinputs.Absent{Creating: p.kinds.Percona != observed.KindMissing, Text: "Percona's operator writes it, but is not installed"}
	}
	p.secrets = podinputs.Resolve(inputs, sources, absent)
	p.source = rollout.Source{Config: []byte(p.want.Config), Inputs: p.secrets.Restart, RestartToken: p.xr.Spec.Rollout.RestartToken}
	if ss := p.have.StatefulSet; ss != nil {
		p.secrets.CheckMasterKeys(ss.MasterKeys)
		// Removing the token requests nothing.
		p.source.RestartToken = cmp.Or(p.source.RestartToken, ss.RestartToken)
	}
	if p.user == nil {
		return nil
	}
	// The user's spec stands in for metadata.generation, which Crossplane raises by
	// itself.
	p.source.Spec, err = rollout.SpecOf(p.user)
	return err
}

// own returns what the pod gets of the server's own: its ConfigMap, and the claims that
// Kubernetes creates for it.
func (p *plan) own(configMap string) []podinputs.Ref {
	refs := []podinputs.Ref{podinputs.ConfigMap(configMap)}
	for _, c := range p.want.StatefulSet.Spec.VolumeClaimTemplates {
		refs = append(refs, podinputs.Claim(manifests.ClaimName(p.xr.GetName(), c.Name)))
	}
	return refs
}

func (p *plan) databasePending() bool { return p.xr.Spec.Percona.Enabled && !p.have.PerconaReady }

// decide says whether the pod is replaced.
func (p *plan) decide() (err error) {
	wanted := rollout.Annotations{ConfigHash: rollout.Hash(p.source), RestartToken: p.source.RestartToken, EncryptionKeys: p.secrets.Encryption.MasterKeys()}
	if p.statefulSet, err = rollout.Want(p.want.StatefulSet, wanted, p.have.StatefulSet); err != nil {
		return err
	}

	ss := p.have.StatefulSet
	state := rollout.State{
		Wanted:           wanted,
		LookupsPending:   p.holder == observed.Unasked,
		NameTaken:        p.holder == observed.Others || p.holder == observed.Leaving,
		SecretsPending:   len(p.secrets.Pending) > 0,
		SecretsCreating:  len(p.secrets.Creating) > 0,
		SecretsMissing:   len(p.secrets.Problems) > 0,
		DatabasePending:  p.databasePending() && !ss.Reads(manifests.PerconaSecret(p.xr.DittoServer)),
		ProceedWithout:   p.in.MissingSecrets == v1beta1.MissingSecretsProceed && p.secrets.CanProceed(),
		ConfigMapPending: !p.have.HasConfig(p.want.Config),
		Manual:           p.xr.Spec.Rollout.Policy == v1alpha1.RolloutManual,
	}
	if ss != nil {
		state.Observed = &rollout.Observed{
			Annotations: rollout.Annotations{ConfigHash: ss.ConfigHash, RestartToken: ss.RestartToken, EncryptionKeys: ss.EncryptionKeys},
			Runs:        ss.Runs(),
		}
		applied := rollout.Applied(ss.Object)
		state.Changes = applied.Changes(rollout.TemplateOf(p.statefulSet))
	}
	if state.NameTaken {
		p.names = append(p.names, observed.Name{Resource: manifests.StatefulSetResource, Kind: "StatefulSet", Name: p.xr.GetName(), Holder: p.holder})
	}
	for _, n := range p.names {
		if n.Resource == manifests.ConfigMapResource(p.want.Config) {
			state.LookupsPending = state.LookupsPending || n.Holder == observed.Unasked
			state.NameTaken = state.NameTaken || n.Holder != observed.Unasked
		}
	}
	p.decision = rollout.Decide(state)

	// To try the passphrase is expensive, so it comes last.
	sends := p.decision.Action == rollout.Advance && (ss == nil || ss.ConfigHash != wanted.ConfigHash)
	if sends && !p.secrets.CheckPassphrase() {
		state.SecretsMissing, state.ProceedWithout = true, false
		p.decision = rollout.Decide(state)
	}
	return nil
}

// respond writes the response.
func (p *plan) respond(f *Function, rsp *fnv1.RunFunctionResponse) error {
	view, err := p.view()
	if err != nil {
		return err
	}
	resources, err := p.resources(view)
	if err != nil {
		return err
	}
	pending, err := rollout.Pending(rollout.TemplateOf(p.statefulSet), p.decision)
	if err != nil {
		return err
	}

	if err := response.Desired(rsp, resources); err != nil {
		return err
	}
	if p.decision.Action == rollout.Withhold || len(p.names) > 0 {
		response.Unready(rsp)
	}
	if err := response.Status(rsp, p.req.GetObserved().GetComposite().GetResource(), view.Fields(pending)); err != nil {
		return err
	}
	conditions := status.Conditions(view)
	response.Conditions(rsp, conditions)
	response.Events(rsp, status.Events(p.xr.Conditions, conditions))
	response.Events(rsp, view.Restart())

	p.restarts = view.Restarts()
	rsp.Requirements = p.look.Requirements()
	ttl := rollout.CallAgain(p.decision, p.look.Pending(), len(p.names) > 0 || view.Refused() || view.Announces(), cmp.Or(p.in.ParsedTTL(), f.ttl), p.in.ParsedPendingTTL())
	rsp.Meta.Ttl = durationpb.New(ttl)
	return nil
}

// resources returns the desired composed resources with their readiness.
func (p *plan) resources(view *status.View) (map[string]response.Resource, error) {
	objects := maps.Clone(p.want.Supporting)
	maps.Copy(objects, p.managed)
	for name, cm := range rollout.ConfigMaps(p.xr, p.have, &p.want, p.decision) {
		objects[name] = cm
	}
	for _, n := range p.names {
		delete(objects, n.Resource)
	}

	resources := make(map[string]response.Resource, len(objects)+1)
	for name, o := range objects {
		s, err := structs.FromObject(o)
		if err != nil {
			return nil, err
		}
		resources[name] = response.Resource{Object: s, Ready: status.Ready(name, o, p.have)}
	}
	if p.decision.Action != rollout.Withhold {
		resources[manifests.StatefulSetResource] = response.Resource{
			Object: rollout.Send(p.statefulSet, p.have.StatefulSet, p.decision),
			Ready:  view.StatefulSetReady(),
		}
	}
	return resources, nil
}

// view returns everything that the conditions depend on.
func (p *plan) view() (*status.View, error) {
	gone, err := p.gone()
	return &status.View{
		XR: p.xr, Have: p.have, Want: &p.want, Secrets: &p.secrets, Gone: gone, Kinds: p.kinds, Names: p.names,
		Drift: status.Drift(p.around, p.xr, p.have.StatefulSet), Decision: p.decision,
	}, err
}

// gone returns the inputs of a held server's pod that can no longer be read. The next
// start of the pod would fail, so they are reported before that.
func (p *plan) gone() ([]podinputs.Problem, error) {
	ss := p.have.StatefulSet
	if p.decision.Action != rollout.Hold || !ss.Runs() {
		return nil, nil
	}
	applied := rollout.Applied(ss.Object)
	inputs, err := podinputs.OfStored(applied.Value())
	if err != nil {
		return nil, err
	}
	inputs = podinputs.Without(inputs, p.own(ss.ConfigMap)...)
	return podinputs.Gone(inputs, podinputs.LookUp(p.look, inputs, p.xr.GetNamespace())), nil
}

// available returns the condition that needs no valid spec.
func (p *plan) available() []observed.Condition {
	if p.have == nil {
		return nil
	}
	return []observed.Condition{status.Available(p.have.StatefulSet, nil)}
}
