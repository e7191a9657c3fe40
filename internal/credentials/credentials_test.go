package credentials

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
)

// TestCompose goes through what may be known of a managed Secret. A value that is
// made again ends all sessions, so it is made only when there certainly is none.
func TestCompose(t *testing.T) {
	const owner = "uid-of-the-dittoserver"

	secret := func(value, controller string) *podinputs.Secret {
		s, err := structpb.NewStruct(map[string]any{
			"metadata": map[string]any{"ownerReferences": []any{
				map[string]any{"uid": "uid-of-another"},
				map[string]any{"uid": controller, "controller": true},
			}},
			"data": map[string]any{"key": value},
		})
		if err != nil {
			t.Fatal(err)
		}
		return podinputs.NewSecret(s)
	}

	const (
		none = "no Secret"
		kept = "the stored value"
		made = "a new value"

		stored = "c3RvcmVk"
	)

	type args struct {
		composed map[string]*podinputs.Secret
		lookedUp podinputs.Secrets
		owner    string
	}

	cases := map[string]struct {
		reason string
		args   args
		want   string
	}{
		"NotLookedUp": {
			reason: "A Secret that was not looked up may exist.",
			args:   args{owner: owner},
			want:   none,
		},
		"Absent": {
			reason: "A Secret that does not exist is made.",
			args:   args{owner: owner, lookedUp: podinputs.Secrets{"name": nil}},
			want:   made,
		},
		"Composed": {
			reason: "A Secret that was composed before is carried over, before it is looked up too.",
			args:   args{owner: owner, composed: map[string]*podinputs.Secret{"resource": secret(stored, owner)}},
			want:   kept,
		},
		"ComposedAbsent": {
			reason: "A Secret that was composed before is carried over, even if it was not found.",
			args:   args{owner: owner, composed: map[string]*podinputs.Secret{"resource": secret(stored, owner)}, lookedUp: podinputs.Secrets{"name": nil}},
			want:   kept,
		},
		"ComposedEmpty": {
			reason: "A Secret without a value is of no use to anybody.",
			args:   args{owner: owner, composed: map[string]*podinputs.Secret{"resource": secret("", owner)}},
			want:   made,
		},
		"ComposedBroken": {
			reason: "A Secret whose value cannot be read is of no use to anybody.",
			args:   args{owner: owner, composed: map[string]*podinputs.Secret{"resource": secret("!", owner)}},
			want:   made,
		},
		"Ours": {
			reason: "A Secret of ours that Crossplane has lost sight of is carried over.",
			args:   args{owner: owner, lookedUp: podinputs.Secrets{"name": secret(stored, owner)}},
			want:   kept,
		},
		"SomebodyElses": {
			reason: "A Secret that belongs to somebody else is left alone.",
			args:   args{owner: owner, lookedUp: podinputs.Secrets{"name": secret(stored, "uid-of-another")}},
			want:   none,
		},
		"Nobodys": {
			reason: "A Secret that belongs to nobody is the user's, and is left alone.",
			args:   args{owner: owner, lookedUp: podinputs.Secrets{"name": secret(stored, "")}},
			want:   none,
		},
		"NobodysOfNobody": {
			reason: "A composite resource without a UID owns nothing.",
			args:   args{lookedUp: podinputs.Secrets{"name": secret(stored, "")}},
			want:   none,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			managed := []manifests.ManagedSecret{{Resource: "resource", Needed: true, Name: "name", Key: "key"}}
			secrets, madeNow := Compose(managed, tc.args.composed, tc.args.lookedUp, tc.args.owner)

			got := none
			if s, ok := secrets["resource"].(*corev1.Secret); ok {
				got = made
				if string(s.Data["key"]) == "stored" {
					got = kept
				}
				if len(s.Data["key"]) == 0 {
					t.Errorf("%s\nCompose(...): the value is empty", tc.reason)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nCompose(...): -want, +got:\n%s", tc.reason, diff)
			}
			if isMade := len(madeNow) > 0; isMade != (tc.want == made) {
				t.Errorf("%s\nCompose(...): says that it has made %v", tc.reason, madeNow)
			}
		})
	}
}

// TestValuesDiffer makes values that nobody can guess.
func TestValuesDiffer(t *testing.T) {
	managed := []manifests.ManagedSecret{{Resource: "a", Needed: true, Name: "a", Key: "key"}, {Resource: "b", Needed: true, Name: "b", Key: "key"}}
	seen := map[string]bool{}
	for range 10 {
		secrets, _ := Compose(managed, nil, podinputs.Secrets{"a": nil, "b": nil}, "owner")
		for _, o := range secrets {
			value := string(o.(*corev1.Secret).Data["key"])
			if len(value) < 32 || len(value) > 72 {
				t.Errorf("The server takes an admin's password of 8 to 72 bytes and a key of at least 32, got %d", len(value))
			}
			seen[value] = true
		}
	}
	if len(seen) != 20 {
		t.Errorf("20 values were made, of which %d differ", len(seen))
	}
}
