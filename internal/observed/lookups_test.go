package observed

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

func object(t *testing.T, fields map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func secret(t *testing.T, namespace, name, server string) *structpb.Struct {
	t.Helper()
	return object(t, map[string]any{"kind": "Secret", "metadata": map[string]any{
		"name": name, "namespace": namespace, "labels": map[string]any{"dittofs.io/server": server},
	}})
}

func answer(objects ...*structpb.Struct) *fnv1.Resources {
	r := &fnv1.Resources{}
	for _, o := range objects {
		r.Items = append(r.Items, &fnv1.Resource{Resource: o})
	}
	return r
}

// TestGet reads what Crossplane has found. What was not asked for is no answer, even if
// it came under the key of one.
func TestGet(t *testing.T) {
	cases := map[string]struct {
		reason  string
		answers map[string]*fnv1.Resources
		want    Answer
		pending bool
	}{
		"Unasked":        {reason: "Crossplane looks only after it was asked.", pending: true},
		"None":           {reason: "Crossplane has looked, and there is none.", answers: map[string]*fnv1.Resources{"k": answer()}, want: Answer{Known: true}},
		"Found":          {reason: "What was asked for is the answer.", answers: map[string]*fnv1.Resources{"k": answer(secret(t, "a", "s", ""))}, want: Answer{Known: true, Object: secret(t, "a", "s", "")}},
		"OtherName":      {reason: "An object of another name is not what was asked for.", answers: map[string]*fnv1.Resources{"k": answer(secret(t, "a", "other", ""))}, want: Answer{Known: true}},
		"OtherNamespace": {reason: "An object of another namespace must never be read.", answers: map[string]*fnv1.Resources{"k": answer(secret(t, "b", "s", ""))}, want: Answer{Known: true}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := NewLookups(tc.answers)
			got := l.Get("k", Ref{APIVersion: "v1", Kind: "Secret", Namespace: "a", Name: "s"})
			if diff := cmp.Diff(tc.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s\nGet(...): -want, +got:\n%s", tc.reason, diff)
			}
			if l.Pending() != tc.pending {
				t.Errorf("%s\nPending(): want %t, got %t", tc.reason, tc.pending, l.Pending())
			}
		})
	}
}

// TestList reads of what Crossplane has found only what it has asked for.
func TestList(t *testing.T) {
	found := answer(secret(t, "a", "one", "files"), secret(t, "b", "two", "files"), secret(t, "a", "three", "other"))
	files := map[string]string{"dittofs.io/server": "files"}

	cases := map[string]struct {
		reason    string
		namespace string
		labels    map[string]string
		want      []*structpb.Struct
	}{
		"Namespace": {
			reason:    "What has the label, in the namespace.",
			namespace: "a", labels: files, want: []*structpb.Struct{secret(t, "a", "one", "files")},
		},
		"AllNamespaces": {
			reason: "Without a namespace, what has the label in any.",
			labels: files, want: []*structpb.Struct{secret(t, "a", "one", "files"), secret(t, "b", "two", "files")},
		},
		"NoLabels": {
			reason:    "Without labels, all in the namespace.",
			namespace: "a", want: []*structpb.Struct{secret(t, "a", "one", "files"), secret(t, "a", "three", "other")},
		},
		"EmptyLabel": {
			reason:    "A label that is not there is not an empty one.",
			namespace: "a", labels: map[string]string{"other": ""},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := NewLookups(map[string]*fnv1.Resources{"k": found})
			got, known := l.List("k", Ref{APIVersion: "v1", Kind: "Secret", Namespace: tc.namespace}, tc.labels)
			if diff := cmp.Diff(tc.want, got, protocmp.Transform()); diff != "" || !known {
				t.Errorf("%s\nList(...), known %t: -want, +got:\n%s", tc.reason, known, diff)
			}
		})
	}
}

// TestRequirements asks for the same as long as nothing else is wanted, whatever the
// answers are: Crossplane gives up on requirements that keep changing.
func TestRequirements(t *testing.T) {
	ask := func(answers map[string]*fnv1.Resources) *fnv1.Requirements {
		l := NewLookups(answers)
		l.Get("secret", Ref{APIVersion: "v1", Kind: "Secret", Namespace: "a", Name: "s"})
		l.Get("crd", Ref{APIVersion: "v1", Kind: "CustomResourceDefinition", Name: "c"})
		l.List("all", Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "a"}, map[string]string{"l": "v"})
		return l.Requirements()
	}
	want := &fnv1.Requirements{Resources: map[string]*fnv1.ResourceSelector{
		"secret": {ApiVersion: "v1", Kind: "Secret", Namespace: new("a"), Match: &fnv1.ResourceSelector_MatchName{MatchName: "s"}},
		"crd":    {ApiVersion: "v1", Kind: "CustomResourceDefinition", Match: &fnv1.ResourceSelector_MatchName{MatchName: "c"}},
		"all": {ApiVersion: "v1", Kind: "ConfigMap", Namespace: new("a"), Match: &fnv1.ResourceSelector_MatchLabels{
			MatchLabels: &fnv1.MatchLabels{Labels: map[string]string{"l": "v"}},
		}},
	}}
	for _, answers := range []map[string]*fnv1.Resources{nil, {"secret": answer(), "crd": answer(), "all": answer()}} {
		if diff := cmp.Diff(want, ask(answers), protocmp.Transform()); diff != "" {
			t.Errorf("Requirements() with %d answers: -want, +got:\n%s", len(answers), diff)
		}
	}
}
