package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/golden"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

const (
	restartInput = "{apiVersion: dittoserver.fn.crossplane.io/v1beta1, kind: Restart}"
	resizeInput  = "{apiVersion: dittoserver.fn.crossplane.io/v1beta1, kind: Resize}"
)

// newWaitingCluster returns a cluster with a server that waits for its user to restart,
// and whose volumes are to be larger.
func newWaitingCluster(tb testing.TB) *cluster {
	tb.Helper()
	c, _ := newRunningCluster(tb)
	c.AddObject("{apiVersion: apiextensions.crossplane.io/v1beta1, kind: EnvironmentConfig, metadata: {name: function-dittoserver-resize}, data: {resizes: true}}")
	c.AddObject("{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}, allowVolumeExpansion: true}")
	for _, name := range []string{"metadata", "controlplane"} {
		c.AddClaim(name+"-files-0", "10Gi")
		c.UpdateAs("kubectl-edit", "PersistentVolumeClaim", name+"-files-0", map[string]any{"spec.storageClassName": "fast"})
	}
	c.Set("spec.rollout.policy", "Manual")
	c.Set("spec.image", "example.com/dittofs:next")
	c.Set("spec.storage.metadataSize", "20Gi")
	c.Settle()
	return c
}

// request returns the request of an Operation's step, with what it requires.
func (c *cluster) request(input string, required *fnv1.Requirements) *fnv1.RunFunctionRequest {
	c.Helper()
	req := &fnv1.RunFunctionRequest{Meta: &fnv1.RequestMeta{Tag: "tag"}, Input: functest.Object(c, input)}
	for key, sel := range required.GetResources() {
		if req.RequiredResources == nil {
			req.RequiredResources = map[string]*fnv1.Resources{}
		}
		r := c.LookUp(sel)
		if sel.GetKind() == "DittoServer" {
			r.Items = []*fnv1.Resource{{Resource: c.XR}}
		}
		req.RequiredResources[key] = r
	}
	return req
}

// operate takes a step of an Operation as Crossplane does: until the requirements are
// stable.
func (c *cluster) operate(input string, edit func(*fnv1.RunFunctionRequest)) *fnv1.RunFunctionResponse {
	c.Helper()
	var required *fnv1.Requirements
	for range functest.MaxCalls {
		req := c.request(input, required)
		edit(req)
		before := proto.CloneOf(req)
		rsp, err := c.f.RunFunction(c.Context(), req)
		if err != nil {
			c.Fatal(err)
		}
		if diff := functest.Diff(before, req); diff != "" {
			c.Errorf("The function must not modify its request: -before, +after:\n%s", diff)
		}
		if rsp.GetMeta().GetTtl().AsDuration() != 0 {
			c.Errorf("Crossplane would answer the next Operation with this one's answer for %s", rsp.GetMeta().GetTtl().AsDuration())
		}
		if functest.IsFatal(rsp) || proto.Equal(required, rsp.GetRequirements()) {
			return rsp
		}
		required = rsp.GetRequirements()
	}
	c.Fatalf("The function's requirements are not stable after %d calls", functest.MaxCalls)
	return nil
}

// numbered are what the objects of a cluster are numbered by. The numbers depend on all
// that has happened before.
var numbered = regexp.MustCompile(`(resourceVersion: "|uid: uid-)\d+`)

func unedited(*fnv1.RunFunctionRequest) {}

// TestOperate compares whole responses with those under testdata.
func TestOperate(t *testing.T) {
	cases := map[string]struct {
		reason string
		rsp    func(c *cluster) *fnv1.RunFunctionResponse
	}{
		"OperationFirstCall": {
			reason: "Before Crossplane has looked up anything, there should be requirements and nothing else.",
			rsp: func(c *cluster) *fnv1.RunFunctionResponse {
				rsp, err := c.f.RunFunction(c.Context(), c.request(resizeInput, nil))
				if err != nil {
					c.Fatal(err)
				}
				return rsp
			},
		},
		"OperationRestart": {
			reason: "A server that waits should get the token that it waits for, and the output and an event should say so.",
			rsp:    func(c *cluster) *fnv1.RunFunctionResponse { return c.operate(restartInput, unedited) },
		},
		"OperationResize": {
			reason: "A claim should get the size of the spec, and what cannot be done should be said.",
			rsp:    func(c *cluster) *fnv1.RunFunctionResponse { return c.operate(resizeInput, unedited) },
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := numbered.ReplaceAllString(functest.AsYAML(t, tc.rsp(newWaitingCluster(t))), "${1}7")

			file := filepath.Join("testdata", name+".yaml")
			golden.Compare(t, *update, file, got, tc.reason)
		})
	}
}

// TestRestartTakesEffect gives a server its token, as Crossplane does, and wants it to
// restart once.
func TestRestartTakesEffect(t *testing.T) {
	c := newWaitingCluster(t)
	o := functest.Desired(c.operate(restartInput, unedited), "team-a/files")
	token := functest.StringOf(o, "spec", "rollout", "restartToken")
	c.Set("spec.rollout.restartToken", token)
	if rsp := c.operate(restartInput, unedited); len(rsp.GetDesired().GetResources()) > 0 {
		t.Errorf("A server that has got its token should get no second one before the function has seen it:\n%s", functest.AsYAML(t, rsp))
	}
	c.Settle()

	if got := functest.StringOf(functest.Container(c.Composed[manifests.StatefulSetResource]), "image"); got != "example.com/dittofs:next" {
		t.Errorf("The server should have restarted with what waited, and runs %q", got)
	}
	want := "Restarts nothing: none of 1 waits for it"
	if got := c.operate(restartInput, unedited).GetResults()[0].GetMessage(); got != want {
		t.Errorf("The server should wait for nothing more: want %q, got %q", want, got)
	}
}

// TestOperateErrors wants mistakes to be told in one fatal result, and nothing to be
// applied.
func TestOperateErrors(t *testing.T) {
	taken := func(req *fnv1.RunFunctionRequest) {
		req.Desired = &fnv1.State{Resources: map[string]*fnv1.Resource{"team-a/files": {Resource: functest.Object(t, "{apiVersion: v1, kind: ConfigMap}")}}}
	}
	composite := func(req *fnv1.RunFunctionRequest) {
		req.Observed = &fnv1.State{Composite: &fnv1.Resource{Resource: functest.Object(t, "{apiVersion: dittofs.io/v1alpha1, kind: DittoServer}")}}
	}

	cases := map[string]struct {
		reason string
		input  string
		when   func(c *cluster)
		edit   func(req *fnv1.RunFunctionRequest)
		want   string
	}{
		"RestartInComposition": {
			reason: "Every DittoServer would restart others.", input: restartInput, edit: composite,
			want: `input.kind: Invalid value: "Restart": is for the pipeline of an Operation. In that of a Composition it must be Input`,
		},
		"ResizeInComposition": {
			reason: "It would compose claims.", input: resizeInput, edit: composite,
			want: `input.kind: Invalid value: "Resize": is for the pipeline of an Operation. In that of a Composition it must be Input`,
		},
		"Mistake": {
			reason: "A field that is not known would be a limit that is not kept.", input: "{kind: Restart, maxUnavailabe: 5}",
			want: `input: Forbidden: unknown field "maxUnavailabe". Correct its name or remove it. Known fields: selector, maxUnavailable, healthy`,
		},
		"Mistakes": {
			reason: "All mistakes are told at once.", input: "{kind: Restart, maxUnavailable: 0, healthy: {minReadySeconds: -1}}",
			want: `input.healthy.minReadySeconds: Invalid value: -1: must be 0 to 86400; input.maxUnavailable: Invalid value: "0": must be a number of at least 1, or a percentage of 1% to 100%`,
		},
		"EarlierStep": {
			reason: "Two steps that write one object do not know of each other.", input: restartInput, edit: taken,
			want: `an earlier step of the pipeline desires a resource with the name "team-a/files", which this function uses. Give that resource another name in the Composition or the Operation, or remove a second step of this function`,
		},
		"NoRights": {
			reason: "Whoever reads it has to know what to apply.", input: resizeInput,
			when: func(c *cluster) { c.DeleteObject("EnvironmentConfig", "function-dittoserver-resize") },
			want: "Crossplane may not change claims: apply example/resize/rbac.yaml. If you grant the rights in another way, apply its EnvironmentConfig alone",
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newWaitingCluster(t)
			if tc.when != nil {
				tc.when(c)
			}
			if tc.edit == nil {
				tc.edit = unedited
			}
			rsp := c.operate(tc.input, tc.edit)
			want := []*fnv1.Result{{Severity: fnv1.Severity_SEVERITY_FATAL, Message: tc.want, Target: fnv1.Target_TARGET_COMPOSITE.Enum()}}
			if diff := functest.Diff(&fnv1.RunFunctionResponse{Results: want}, &fnv1.RunFunctionResponse{Results: rsp.GetResults(), Output: rsp.GetOutput(), Conditions: rsp.GetConditions()}); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if functest.StringOf(functest.Desired(rsp, "team-a/files"), "kind") == "DittoServer" {
				t.Errorf("%s\nNothing should be desired", tc.reason)
			}
		})
	}
}

// TestInputInOperation wants the Input of a Composition to be refused in an Operation,
// and a step without an Input too.
func TestInputInOperation(t *testing.T) {
	c := newWaitingCluster(t)
	for _, input := range []string{"{kind: Input}", "{}", "{kind: Restrat}"} {
		rsp, err := c.f.RunFunction(c.Context(), c.request(input, nil))
		if err != nil {
			t.Fatal(err)
		}
		if !functest.IsFatal(rsp) || !strings.Contains(rsp.GetResults()[0].GetMessage(), "In that of an Operation it must be Restart or Resize") {
			t.Errorf("%s: want a fatal result that names the kinds, got:\n%s", input, functest.AsYAML(t, rsp))
		}
	}
}

// TestOperatePassesOn wants what earlier steps desire, and the context, to stay.
func TestOperatePassesOn(t *testing.T) {
	for _, input := range []string{restartInput, resizeInput} {
		earlier := functest.Object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}}")
		known := functest.Object(t, "{earlier: context}")
		rsp := newWaitingCluster(t).operate(input, func(req *fnv1.RunFunctionRequest) {
			req.Desired = &fnv1.State{Resources: map[string]*fnv1.Resource{"earlier": {Resource: earlier}}}
			req.Context = known
		})
		if diff := functest.Diff(earlier, functest.Desired(rsp, "earlier")); diff != "" {
			t.Errorf("%s: what an earlier step desires should stay: -want, +got:\n%s", input, diff)
		}
		if diff := functest.Diff(known, rsp.GetContext()); diff != "" {
			t.Errorf("%s: the context of an earlier step should stay: -want, +got:\n%s", input, diff)
		}
		if len(rsp.GetDesired().GetResources()) != 2 {
			t.Errorf("%s: want one object beside that of the earlier step, got:\n%s", input, functest.AsYAML(t, rsp))
		}
	}
}

// TestOperateMetrics wants an Operation to count as a call, and as nothing else: a token
// is no decision, and the restart counts when it is sent.
func TestOperateMetrics(t *testing.T) {
	c := newWaitingCluster(t)
	r := prometheus.NewRegistry()
	c.f = newFunction(logging.NewNopLogger(), time.Minute, r)
	c.operate(restartInput, unedited)
	c.operate("{kind: Restart, maxUnavailable: 0}", unedited)
	if diff := cmp.Diff([]string{"fatal_results_total 1", "run_function_duration_seconds 3"}, gathered(t, r)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// TestOperateSecrecy wants nothing of a spec in what an Operation says or logs: it is for
// other people than the DittoServer.
func TestOperateSecrecy(t *testing.T) {
	const canary = "canary-7f3a"
	edits := map[string]map[string]any{
		"Valid":      {"spec.env": []any{map[string]any{"name": "PASSWORD", "value": canary}}},
		"Invalid":    {"spec.env": []any{map[string]any{"name": "DITTOFS_LOGGING_LEVEL", "value": canary}}, "spec.logging.level": canary},
		"BadStorage": {"spec.storage.metadataSize": canary},
		"Unreadable": {"spec.replicas": canary},
	}
	for name, edit := range edits {
		for _, input := range []string{restartInput, resizeInput} {
			log := &recorder{}
			c := newWaitingCluster(t)
			c.f.log = log
			c.XR = functest.WithAll(t, c.XR, edit)
			said := text(t, c.operate(input, unedited)) + log.String()
			if strings.Contains(said, canary) {
				t.Errorf("%s, %s: %q is in what is said:\n%s", name, input, canary, said)
			}
			if !strings.Contains(log.String(), "Operation") {
				t.Errorf("%s, %s: the log should say something: %q", name, input, log)
			}
		}
	}
}
