package gitops

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/argoproj/gitops-engine/pkg/diff"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
)

// Who applies a DittoServer: Argo CD, and an Operation.
const (
	argoCDManager    = "argocd-controller"
	operationManager = "ops.crossplane.io/operation/8c1b0b52-6d1e-4a55-9d1a-0a4b5f8f3a11"
)

// A comparison is a way in which Argo CD applies what Git has, and compares it with what the
// cluster has.
type comparison struct {
	// annotates says whether Argo CD writes what it has applied into an annotation.
	annotates bool
	options   []diff.Option
}

var comparisons = map[string]comparison{
	// By the annotation. This is the default.
	"ThreeWay": {annotates: true},
	// By Kubernetes' library for server-side apply: ServerSideApply=true.
	"StructuredMerge": {options: []diff.Option{diff.WithStructuredMergeDiff(true), diff.WithManager(argoCDManager)}},
	// By a dry run: ServerSideDiff=true, and IncludeMutationWebhook=true, as there is no
	// schema here by which to leave out what webhooks do.
	"ServerSide": {options: []diff.Option{diff.WithServerSideDiff(true), diff.WithIgnoreMutationWebhook(false), diff.WithManager(argoCDManager)}},
}

// TestRestartToken has an Operation set a token, and Argo CD look at the DittoServer
// afterwards.
func TestRestartToken(t *testing.T) {
	cases := map[string]struct {
		reason string
		git    string
		// What the Operation sets, and what Argo CD would make of it. If that is another
		// token, the Application is OutOfSync.
		set, want string
	}{
		"NoRollout": {
			reason: "Argo CD leaves alone what is not in Git.",
			git:    `{storage: {metadataSize: 10Gi}}`,
			set:    "new", want: "new",
		},
		"NoToken": {
			reason: "That other fields of rollout are in Git makes no difference.",
			git:    `{storage: {metadataSize: 10Gi}, rollout: {policy: Manual}}`,
			set:    "new", want: "new",
		},
		"OtherToken": {
			reason: "What is in Git comes back, and is another token than the server runs with.",
			git:    `{storage: {metadataSize: 10Gi}, rollout: {policy: Manual, restartToken: old}}`,
			set:    "new", want: "old",
		},
		"SameToken": {
			reason: "Git may follow.",
			git:    `{storage: {metadataSize: 10Gi}, rollout: {policy: Manual, restartToken: new}}`,
			set:    "new", want: "new",
		},
	}

	for name, tc := range cases {
		for by, c := range comparisons {
			t.Run(name+"/"+by, func(t *testing.T) {
				git := dittoServer(t, tc.git)
				applied := git
				if c.annotates {
					applied = annotated(t, git)
				}
				live := apply(t, &unstructured.Unstructured{Object: map[string]any{"apiVersion": git.GetAPIVersion(), "kind": git.GetKind()}}, applied, argoCDManager)
				live = apply(t, live, dittoServer(t, `{rollout: {restartToken: `+tc.set+`}}`), operationManager)

				got, err := diff.Diff(git, live, append(slices.Clone(c.options), diff.WithServerSideDryRunner(dryRunner{t, live}))...)
				if err != nil {
					t.Fatal(err)
				}
				if want := tc.want != tc.set; got.Modified != want {
					t.Errorf("%s\nwant OutOfSync %t, got %t: %s, predicted %s", tc.reason, want, got.Modified, got.NormalizedLive, got.PredictedLive)
				}
				predicted := &unstructured.Unstructured{}
				if err := predicted.UnmarshalJSON(got.PredictedLive); err != nil {
					t.Fatal(err)
				}
				if token, _, _ := unstructured.NestedString(predicted.Object, "spec", "rollout", "restartToken"); token != tc.want {
					t.Errorf("%s\nwant the token %q, got %q", tc.reason, tc.want, token)
				}
			})
		}
	}
}

func dittoServer(t *testing.T, spec string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	parse(t, `{apiVersion: dittofs.io/v1alpha1, kind: DittoServer, metadata: {name: files, namespace: team-a}, spec: `+spec+`}`, &u.Object)
	return u
}

// annotated has the annotation by which Argo CD, like kubectl, knows what it has applied.
func annotated(t *testing.T, git *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	text, err := json.Marshal(git)
	if err != nil {
		t.Fatal(err)
	}
	u := git.DeepCopy()
	u.SetAnnotations(map[string]string{corev1.LastAppliedConfigAnnotation: string(text)})
	return u
}

// apply by Kubernetes' own code for server-side apply.
func apply(t *testing.T, live, config *unstructured.Unstructured, manager string) *unstructured.Unstructured {
	t.Helper()
	fm := managedfieldstest.NewFakeFieldManager(managedfields.NewDeducedTypeConverter(), config.GroupVersionKind())
	applied, err := fm.Apply(live.DeepCopy(), config, manager, true)
	if err != nil {
		t.Fatal(err)
	}
	return applied.(*unstructured.Unstructured)
}

// A dryRunner answers for the API server.
type dryRunner struct {
	t    *testing.T
	live *unstructured.Unstructured
}

func (r dryRunner) Run(_ context.Context, config *unstructured.Unstructured, manager string) (string, error) {
	text, err := json.Marshal(apply(r.t, r.live, config, manager))
	return string(text), err
}
