package podinputs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// required is what Crossplane sends of a Secret: the values are base64, as the API
// server has them.
func required(t *testing.T, name string, data map[string]any) map[string]*fnv1.Resources {
	t.Helper()
	s, err := structpb.NewStruct(map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{"name": name, "namespace": "ns"},
		"data":     data,
	})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*fnv1.Resources{requirementPrefix + name: {Items: []*fnv1.Resource{{Resource: s}}}}
}

func TestResolve(t *testing.T) {
	absent := map[string]*fnv1.Resources{requirementPrefix + "s": {}}

	type args struct {
		inputs   []Input
		required map[string]*fnv1.Resources
		creating []string
	}

	cases := map[string]struct {
		reason string
		args   args
		want   Resolution
	}{
		"NotLookedUp": {
			reason: "A Secret that was not looked up is pending, once, and no problem.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a"}, {Container: "c", Env: "B", Secret: "s", Key: "b"}}},
			want:   Resolution{Pending: []string{"s"}},
		},
		"Absent": {
			reason: "A Secret that does not exist is a problem, and its inputs are missing.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a"}}, required: absent},
			want: Resolution{
				Problems: []Problem{{Secret: "s", Key: "a", Text: "the Secret does not exist"}},
				Restart:  []Value{{Name: "c env A"}},
			},
		},
		"AbsentVolume": {
			reason: "A Secret of which all keys are read has no key to name.",
			args:   args{inputs: []Input{{Container: "c", File: "/mnt/", Secret: "s"}}, required: absent},
			want: Resolution{
				Problems: []Problem{{Secret: "s", Text: "the Secret does not exist"}},
				Restart:  []Value{{Name: "c file /mnt/"}},
			},
		},
		"AbsentOptional": {
			reason: "A Secret that may be missing is no problem, and its inputs are missing.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a", Optional: true}}, required: absent},
			want:   Resolution{Restart: []Value{{Name: "c env A"}}},
		},
		"AbsentCreating": {
			reason: "A Secret that is being created is no problem, and has no values yet.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a"}}, required: absent, creating: []string{"s"}},
			want:   Resolution{Creating: []string{"s"}},
		},
		"Present": {
			reason: "A value is what the pod sees: decoded, and not trimmed.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a"}}, required: required(t, "s", map[string]any{"a": "dmFsdWUK", "b": "eA=="})},
			want:   Resolution{Restart: []Value{{Name: "c env A", Present: true, Bytes: []byte("value\n")}}},
		},
		"PresentCreating": {
			reason: "A Secret that exists is not being created.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a"}}, required: required(t, "s", map[string]any{"a": "dmFsdWU="}), creating: []string{"s"}},
			want:   Resolution{Restart: []Value{{Name: "c env A", Present: true, Bytes: []byte("value")}}},
		},
		"KeyMissing": {
			reason: "A key that is not there is a problem.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a"}}, required: required(t, "s", map[string]any{"b": "eA=="})},
			want: Resolution{
				Problems: []Problem{{Secret: "s", Key: "a", Text: "the Secret has no such key in its data"}},
				Restart:  []Value{{Name: "c env A"}},
			},
		},
		"KeyMissingOptional": {
			reason: "A key that may be missing is no problem.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a", Optional: true}}, required: required(t, "s", map[string]any{})},
			want:   Resolution{Restart: []Value{{Name: "c env A"}}},
		},
		"ValueEmpty": {
			reason: "A value that is needed and empty is a problem.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a"}}, required: required(t, "s", map[string]any{"a": ""})},
			want: Resolution{
				Problems: []Problem{{Secret: "s", Key: "a", Text: "its value is empty"}},
				Restart:  []Value{{Name: "c env A"}},
			},
		},
		"ValueEmptyOptional": {
			reason: "An empty value that may be missing is there.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a", Optional: true}}, required: required(t, "s", map[string]any{"a": ""})},
			want:   Resolution{Restart: []Value{{Name: "c env A", Present: true, Bytes: []byte{}}}},
		},
		"ValueNotBase64": {
			reason: "A value that cannot be decoded is a problem, and is not repeated.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Secret: "s", Key: "a"}}, required: required(t, "s", map[string]any{"a": "value!"})},
			want: Resolution{
				Problems: []Problem{{Secret: "s", Key: "a", Text: "its value is not valid base64"}},
				Restart:  []Value{{Name: "c env A"}},
			},
		},
		"ValueRefused": {
			reason: "A value that the server would refuse is a problem.",
			args:   args{inputs: []Input{{Container: "c", Env: dittofs.EnvJWTSecret, Secret: "s", Key: "a"}}, required: required(t, "s", map[string]any{"a": "c2hvcnQ="})},
			want: Resolution{
				Problems: []Problem{{Secret: "s", Key: "a", Text: dittofs.Check(dittofs.EnvJWTSecret, []byte("short"))}},
				Restart:  []Value{{Name: "c env " + dittofs.EnvJWTSecret, Present: true, Bytes: []byte("short")}},

				Guessable: true,
			},
		},
		"AllKeys": {
			reason: "Each key of a Secret that is read as a whole is an input, in the order of the names.",
			args: args{
				inputs:   []Input{{Container: "c", Env: "P_", Secret: "s"}, {Container: "c", File: "/mnt/", Secret: "s"}},
				required: required(t, "s", map[string]any{"b": "Yg==", "a": "YQ=="}),
			},
			want: Resolution{Restart: []Value{
				{Name: "c env P_a", Present: true, Bytes: []byte("a")},
				{Name: "c env P_b", Present: true, Bytes: []byte("b")},
				{Name: "c file /mnt/a", Present: true, Bytes: []byte("a")},
				{Name: "c file /mnt/b", Present: true, Bytes: []byte("b")},
			}},
		},
		"AllKeysOfNone": {
			reason: "A Secret without keys has no inputs, and is no problem.",
			args:   args{inputs: []Input{{Container: "c", File: "/mnt/", Secret: "s"}}, required: required(t, "s", map[string]any{})},
			want:   Resolution{},
		},
		"Hot": {
			reason: "What the server reads again is checked, but a restart changes nothing about it.",
			args: args{
				inputs:   []Input{{Container: "c", File: dittofs.KeytabFile, Secret: "s", Key: "a"}, {Container: "c", File: dittofs.TLSKeyFile, Secret: "s", Key: "b"}},
				required: required(t, "s", map[string]any{"a": "BQIA"}),
			},
			want: Resolution{Problems: []Problem{{Secret: "s", Key: "b", Text: "the Secret has no such key in its data"}}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Resolve(tc.args.inputs, SecretsFrom(tc.args.required, tc.args.inputs, "ns"), tc.args.creating)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nResolve(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestProblemsAreStable lists problems in one order, whatever order they are
// found in. A message that changes is a write.
func TestProblemsAreStable(t *testing.T) {
	inputs := []Input{
		{Container: "c", Env: "A", Secret: "s2", Key: "a"},
		{Container: "c", Env: "B", Secret: "s1", Key: "b"},
		{Container: "d", Env: "B", Secret: "s1", Key: "b"},
	}
	absent := map[string]*fnv1.Resources{requirementPrefix + "s1": {}, requirementPrefix + "s2": {}}

	lines := []string{}
	for _, p := range Resolve(inputs, SecretsFrom(absent, inputs, "ns"), nil).Problems {
		lines = append(lines, p.String())
	}

	want := `Secret "s1", key "b": the Secret does not exist; Secret "s2", key "a": the Secret does not exist`
	if diff := cmp.Diff(want, strings.Join(lines, "; ")); diff != "" {
		t.Errorf("Problems should be sorted, each once: -want, +got:\n%s", diff)
	}
}
