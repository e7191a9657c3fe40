package podinputs

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/values"
)

// required is what Crossplane sends of a Secret: the values are base64, as the API
// server has them.
func required(t *testing.T, name string, data map[string]any) map[string]*fnv1.Resources {
	t.Helper()
	return lookedUp(t, KindSecret, name, map[string]any{"data": data})
}

func lookedUp(t *testing.T, kind, name string, fields map[string]any) map[string]*fnv1.Resources {
	t.Helper()
	o := map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": "ns"}}
	maps.Copy(o, fields)
	s, err := structpb.NewStruct(o)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*fnv1.Resources{Ref{kind, name}.key(): {Items: []*fnv1.Resource{{Resource: s}}}}
}

// leaving is the metadata of an object that is being deleted.
func leaving(name string) map[string]any {
	return map[string]any{"metadata": map[string]any{"name": name, "namespace": "ns", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
}

func TestResolve(t *testing.T) {
	absent := map[string]*fnv1.Resources{Secret("s").key(): {}}

	type args struct {
		inputs   []Input
		required map[string]*fnv1.Resources
		absent   map[Ref]Absent
	}

	cases := map[string]struct {
		reason string
		args   args
		want   Resolution
	}{
		"NotLookedUp": {
			reason: "A Secret that was not looked up is pending, once, and no problem.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a"}, {Container: "c", Env: "B", Source: Secret("s"), Key: "b"}}},
			want:   Resolution{Pending: []Ref{Secret("s")}},
		},
		"Absent": {
			reason: "A Secret that does not exist is a problem, and its inputs are missing.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a"}}, required: absent},
			want: Resolution{
				Problems: []Problem{{Source: Secret("s"), Key: "a", Text: "the Secret does not exist"}},
				Restart:  []Value{{Name: "c env A"}},
			},
		},
		"AbsentVolume": {
			reason: "A Secret of which all keys are read has no key to name.",
			args:   args{inputs: []Input{{Container: "c", File: "/mnt/", Source: Secret("s")}}, required: absent},
			want: Resolution{
				Problems: []Problem{{Source: Secret("s"), Text: "the Secret does not exist"}},
				Restart:  []Value{{Name: "c file /mnt/"}},
			},
		},
		"AbsentOptional": {
			reason: "A Secret that may be missing is no problem, and its inputs are missing.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a", Optional: true}}, required: absent},
			want:   Resolution{Restart: []Value{{Name: "c env A"}}},
		},
		"AbsentCreating": {
			reason: "A Secret that is being created is no problem, and has no values yet.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a"}}, required: absent, absent: map[Ref]Absent{Secret("s"): {Creating: true}}},
			want:   Resolution{Creating: []Ref{Secret("s")}},
		},
		"Present": {
			reason: "A value is what the pod sees: decoded, and not trimmed.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a"}}, required: required(t, "s", map[string]any{"a": "dmFsdWUK", "b": "eA=="})},
			want:   Resolution{Restart: []Value{{Name: "c env A", Present: true, Bytes: []byte("value\n")}}},
		},
		"PresentCreating": {
			reason: "A Secret that makes room for another one has no value to read.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a"}}, required: required(t, "s", map[string]any{"a": "dmFsdWU="}), absent: map[Ref]Absent{Secret("s"): {Creating: true}}},
			want:   Resolution{Creating: []Ref{Secret("s")}},
		},
		"AbsentExplained": {
			reason: "Where it means more than that somebody has to create it, that is said.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a"}}, required: absent, absent: map[Ref]Absent{Secret("s"): {Text: "bring it back"}}},
			want: Resolution{
				Problems: []Problem{{Source: Secret("s"), Key: "a", Text: "bring it back"}},
				Restart:  []Value{{Name: "c env A"}},
			},
		},
		"ConfigMap": {
			reason: "The values of a ConfigMap are text, and binary ones are base64.",
			args: args{
				inputs:   []Input{{Container: "c", Env: "A", Source: ConfigMap("m"), Key: "a"}, {Container: "c", File: "/b", Source: ConfigMap("m"), Key: "b"}, {Container: "c", Env: "C", Source: ConfigMap("m"), Key: "c"}},
				required: lookedUp(t, "ConfigMap", "m", map[string]any{"data": map[string]any{"a": "value"}, "binaryData": map[string]any{"b": "AAE="}}),
			},
			want: Resolution{
				Problems: []Problem{{Source: ConfigMap("m"), Key: "c", Text: "the ConfigMap has no such key in its data. It has a"}},
				Restart:  []Value{{Name: "c env A", Present: true, Bytes: []byte("value")}, {Name: "c env C"}, {Name: "c file /b", Present: true, Bytes: []byte{0, 1}}},
			},
		},
		"KeyMissing": {
			reason: "A key that is not there is a problem.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a"}}, required: required(t, "s", map[string]any{"b": "eA=="})},
			want: Resolution{
				Problems: []Problem{{Source: Secret("s"), Key: "a", Text: "the Secret has no such key in its data. It has b"}},
				Restart:  []Value{{Name: "c env A"}},
			},
		},
		"KeyMissingOptional": {
			reason: "A key that may be missing is no problem.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a", Optional: true}}, required: required(t, "s", map[string]any{})},
			want:   Resolution{Restart: []Value{{Name: "c env A"}}},
		},
		"ValueEmpty": {
			reason: "A value that the server needs and that is empty is a problem.",
			args:   args{inputs: []Input{{Container: "c", Env: dittofs.EnvLDAPBindPassword, Source: Secret("s"), Key: "a"}}, required: required(t, "s", map[string]any{"a": ""})},
			want: Resolution{
				Problems: []Problem{{Source: Secret("s"), Key: "a", Text: "its value is empty"}},
				Restart:  []Value{{Name: "c env " + dittofs.EnvLDAPBindPassword}},
			},
		},
		"ValueEmptyOfUser": {
			reason: "What a user's own variable is for only the user knows, so it may be empty.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a"}}, required: required(t, "s", map[string]any{"a": ""})},
			want:   Resolution{Restart: []Value{{Name: "c env A", Present: true, Bytes: []byte{}}}},
		},
		"ConfigMapAbsent": {
			reason: "A ConfigMap that does not exist is a problem like a Secret.",
			args: args{
				inputs:   []Input{{Container: "c", Env: "A", Source: ConfigMap("m"), Key: "a"}, {Container: "c", Env: "B", Source: ConfigMap("m"), Key: "b", Optional: true}},
				required: map[string]*fnv1.Resources{ConfigMap("m").key(): {}},
			},
			want: Resolution{
				Problems: []Problem{{Source: ConfigMap("m"), Key: "a", Text: "the ConfigMap does not exist"}},
				Restart:  []Value{{Name: "c env A"}, {Name: "c env B"}},
			},
		},
		"ConfigMapBinary": {
			reason: "The kubelet makes files of binary data, and no variables.",
			args: args{
				inputs:   []Input{{Container: "c", Env: "A", Source: ConfigMap("m"), Key: "b"}, {Container: "c", Env: "P_", Source: ConfigMap("m")}, {Container: "c", File: "/mnt/", Source: ConfigMap("m")}},
				required: lookedUp(t, "ConfigMap", "m", map[string]any{"data": map[string]any{"a": "value"}, "binaryData": map[string]any{"b": "AAE="}}),
			},
			want: Resolution{
				Problems: []Problem{{Source: ConfigMap("m"), Key: "b", Text: "the ConfigMap has no such key in its data. It has a"}},
				Restart: []Value{
					{Name: "c env A"},
					{Name: "c env P_a", Present: true, Bytes: []byte("value")},
					{Name: "c file /mnt/a", Present: true, Bytes: []byte("value")},
					{Name: "c file /mnt/b", Present: true, Bytes: []byte{0, 1}},
				},
			},
		},
		"AllKeysHide": {
			reason: "A key must not beat what the spec sets, whether that is a Secret or in config.yaml, and it still counts.",
			args: args{
				inputs:   []Input{{Container: "c", Env: "DITTOFS_", Source: ConfigMap("m")}},
				required: lookedUp(t, "ConfigMap", "m", map[string]any{"data": map[string]any{"LOGGING_LEVEL": "DEBUG", "CONTROLPLANE_SECRET": "short", "GC_AUTO_INTERVAL": "5m"}}),
			},
			want: Resolution{
				Problems: []Problem{
					{Source: ConfigMap("m"), Key: "CONTROLPLANE_SECRET", Text: "the server would read it as DITTOFS_CONTROLPLANE_SECRET, which is what spec.identity.jwt.secretRef sets. Remove the key, or read the others with another prefix in spec.envFrom"},
					{Source: ConfigMap("m"), Key: "LOGGING_LEVEL", Text: "the server would read it as DITTOFS_LOGGING_LEVEL, which is what spec.logging.level sets. Remove the key, or read the others with another prefix in spec.envFrom"},
				},
				Restart: []Value{
					{Name: "c env DITTOFS_CONTROLPLANE_SECRET", Present: true, Bytes: []byte("short")},
					{Name: "c env DITTOFS_GC_AUTO_INTERVAL", Present: true, Bytes: []byte("5m")},
					{Name: "c env DITTOFS_LOGGING_LEVEL", Present: true, Bytes: []byte("DEBUG")},
				},
				SpecHidden: true,
			},
		},
		"AllKeysNotAVariable": {
			reason: "A value that no variable can hold keeps the pod from being created.",
			args: args{
				inputs:   []Input{{Container: "c", Source: Secret("s")}},
				required: required(t, "s", map[string]any{"a": "AA=="}),
			},
			want: Resolution{
				Problems: []Problem{{Source: Secret("s"), Key: "a", Text: values.Check("a", []byte{0})}},
				Restart:  []Value{{Name: "c env a", Present: true, Bytes: []byte{0}}},
			},
		},
		"ValueEmptyOptional": {
			reason: "An empty value that may be missing is there.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a", Optional: true}}, required: required(t, "s", map[string]any{"a": ""})},
			want:   Resolution{Restart: []Value{{Name: "c env A", Present: true, Bytes: []byte{}}}},
		},
		"ValueNotBase64": {
			reason: "A value that cannot be decoded is a problem, and is not repeated.",
			args:   args{inputs: []Input{{Container: "c", Env: "A", Source: Secret("s"), Key: "a"}}, required: required(t, "s", map[string]any{"a": "value!"})},
			want: Resolution{
				Problems: []Problem{{Source: Secret("s"), Key: "a", Text: "its value is not valid base64"}},
				Restart:  []Value{{Name: "c env A"}},
			},
		},
		"ValueRefused": {
			reason: "A value that the server would refuse is a problem.",
			args:   args{inputs: []Input{{Container: "c", Env: dittofs.EnvJWTSecret, Source: Secret("s"), Key: "a"}}, required: required(t, "s", map[string]any{"a": "c2hvcnQ="})},
			want: Resolution{
				Problems: []Problem{{Source: Secret("s"), Key: "a", Text: values.Check(dittofs.EnvJWTSecret, []byte("short"))}},
				Restart:  []Value{{Name: "c env " + dittofs.EnvJWTSecret, Present: true, Bytes: []byte("short")}},

				SigningKeyInvalid: true,
			},
		},
		"AllKeys": {
			reason: "Each key of a Secret that is read as a whole is an input, in the order of the names.",
			args: args{
				inputs:   []Input{{Container: "c", Env: "P_", Source: Secret("s")}, {Container: "c", File: "/mnt/", Source: Secret("s")}},
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
			args:   args{inputs: []Input{{Container: "c", File: "/mnt/", Source: Secret("s")}}, required: required(t, "s", map[string]any{})},
			want:   Resolution{},
		},
		"ServiceAccount": {
			reason: "A ServiceAccount is there or not, and nothing of it is read.",
			args: args{
				inputs:   []Input{{Source: ServiceAccount("a")}, {Source: ServiceAccount("b")}, {Source: ServiceAccount("c")}},
				required: map[string]*fnv1.Resources{ServiceAccount("a").key(): lookedUp(t, KindServiceAccount, "a", nil)["serviceaccount/a"], ServiceAccount("b").key(): {}},
			},
			want: Resolution{Pending: []Ref{ServiceAccount("c")}, Problems: []Problem{{Source: ServiceAccount("b"), Text: "the ServiceAccount does not exist"}}},
		},
		"Claim": {
			reason: "A claim is there or not, and nothing of it is read.",
			args: args{
				inputs: []Input{{Source: Claim("a")}, {Source: Claim("b")}, {Source: Claim("c")}, {Source: Claim("d")}},
				required: map[string]*fnv1.Resources{
					"rights":         rights(t, "persistentvolumeclaims"),
					Claim("a").key(): lookedUp(t, KindClaim, "a", nil)[Claim("a").key()], Claim("b").key(): {},
					Claim("d").key(): lookedUp(t, KindClaim, "d", leaving("d"))[Claim("d").key()],
				},
			},
			want: Resolution{Pending: []Ref{Claim("c")}, Problems: []Problem{
				{Source: Claim("b"), Text: "the PersistentVolumeClaim does not exist"},
				{Source: Claim("d"), Text: "it is being deleted, and no new pod would get it"},
			}},
		},
		"ClaimRightsUnknown": {
			reason: "Whether a claim may be looked up has to be looked up first.",
			args:   args{inputs: []Input{{Source: Claim("a")}}},
			want:   Resolution{Pending: []Ref{Claim("a")}},
		},
		"ClaimUnreadable": {
			reason: "What Crossplane may not read may be there.",
			args:   args{inputs: []Input{{Source: Claim("a")}}, required: map[string]*fnv1.Resources{"rights": rights(t, "statefulsets.apps")}},
			want:   Resolution{},
		},
		"AllKeysAbsentOptional": {
			reason: "What may be missing, and is, is no more than what has no keys: creating it without any restarts nothing.",
			args:   args{inputs: []Input{{Container: "c", Env: "P_", Source: Secret("s"), Optional: true}}, required: absent},
			want:   Resolution{},
		},
		"Live": {
			reason: "What the server reads again is checked, but a restart changes nothing about it.",
			args: args{
				inputs:   []Input{{Container: "c", File: dittofs.KeytabFile, Source: Secret("s"), Key: "a"}, {Container: "c", File: dittofs.TLSKeyFile, Source: Secret("s"), Key: "b"}},
				required: required(t, "s", map[string]any{"a": "BQIA"}),
			},
			want: Resolution{Problems: []Problem{
				{Source: Secret("s"), Key: "a", Text: values.Check(dittofs.KeytabFile, []byte("\x05\x02\x00"))},
				{Source: Secret("s"), Key: "b", Text: "the Secret has no such key in its data. It has a"},
			}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Resolve(tc.args.inputs, LookUp(observed.NewLookups(tc.args.required), tc.args.inputs, "ns"), tc.args.absent)
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
		{Container: "c", Env: "A", Source: Secret("s2"), Key: "a"},
		{Container: "c", Env: "B", Source: Secret("s1"), Key: "b"},
		{Container: "d", Env: "B", Source: Secret("s1"), Key: "b"},
	}
	absent := map[string]*fnv1.Resources{Secret("s1").key(): {}, Secret("s2").key(): {}}

	lines := []string{}
	for _, p := range Resolve(inputs, LookUp(observed.NewLookups(absent), inputs, "ns"), nil).Problems {
		lines = append(lines, p.String())
	}

	want := `Secret "s1", key "b": the Secret does not exist; Secret "s2", key "a": the Secret does not exist`
	if diff := cmp.Diff(want, strings.Join(lines, "; ")); diff != "" {
		t.Errorf("Problems should be sorted, each once: -want, +got:\n%s", diff)
	}
}

// TestGone finds what a running server can no longer be started with.
func TestGone(t *testing.T) {
	required := map[string]*fnv1.Resources{
		"rights": rights(t, "persistentvolumeclaims"), Secret("gone").key(): {}, ConfigMap("gone").key(): {}, Claim("gone").key(): {},
		Secret("s").key():      required(t, "s", map[string]any{"a": "YQ=="})[Secret("s").key()],
		Claim("leaving").key(): lookedUp(t, KindClaim, "leaving", leaving("leaving"))[Claim("leaving").key()],
	}
	sources := LookUp(observed.NewLookups(required),
		[]Input{{Source: Secret("gone")}, {Source: ConfigMap("gone")}, {Source: Secret("s")}, {Source: Secret("unasked")}, {Source: Claim("gone")}, {Source: Claim("leaving")}}, "ns")

	cases := map[string]struct {
		reason string
		in     Input
		want   []Problem
	}{
		"There":     {reason: "What is there is not gone.", in: Input{Env: "A", Source: Secret("s"), Key: "a"}, want: []Problem{}},
		"All":       {reason: "A Secret that is read as a whole is not gone with a key.", in: Input{File: "/d/", Source: Secret("s")}, want: []Problem{}},
		"Secret":    {reason: "A Secret that is gone keeps the pod from starting.", in: Input{Env: "A", Source: Secret("gone"), Key: "a"}, want: []Problem{{Source: Secret("gone"), Key: "a", Text: goneText}}},
		"Key":       {reason: "A key that is gone keeps the pod from starting.", in: Input{Env: "A", Source: Secret("s"), Key: "b"}, want: []Problem{{Source: Secret("s"), Key: "b", Text: goneText}}},
		"Optional":  {reason: "What may be missing keeps nothing from starting.", in: Input{Env: "A", Source: Secret("gone"), Key: "a", Optional: true}, want: []Problem{}},
		"ConfigMap": {reason: "A ConfigMap that is gone keeps the pod from starting too.", in: Input{Env: "A", Source: ConfigMap("gone"), Key: "a"}, want: []Problem{{Source: ConfigMap("gone"), Key: "a", Text: goneText}}},
		"Claim":     {reason: "A claim that is gone keeps the pod from starting.", in: Input{Source: Claim("gone")}, want: []Problem{{Source: Claim("gone"), Text: goneText}}},
		"Leaving":   {reason: "A claim that is being deleted is for no other pod.", in: Input{Source: Claim("leaving")}, want: []Problem{{Source: Claim("leaving"), Text: leavingText}}},
		"Unasked":   {reason: "What Crossplane has not looked up may be there.", in: Input{Env: "A", Source: Secret("unasked"), Key: "a"}, want: []Problem{}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Gone([]Input{tc.in}, sources)); diff != "" {
				t.Errorf("%s\nGone(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
