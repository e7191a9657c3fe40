package podinputs

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
)

const (
	owner    = "uid-of-the-dittoserver"
	jwtName  = "files-jwt-secret"
	adminKey = "password"
	admin    = "files-admin-bootstrap-credentials"
	claim    = "claim/controlplane-files-0"
)

// object is one of the namespace.
func object(t *testing.T, kind, name string, fields map[string]any) *structpb.Struct {
	t.Helper()
	o := map[string]any{"kind": kind, "metadata": map[string]any{"name": name, "namespace": "team-a"}}
	for k, v := range fields {
		if k == "metadata" {
			maps.Copy(o["metadata"].(map[string]any), v.(map[string]any))
			continue
		}
		o[k] = v
	}
	s, err := structpb.NewStruct(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ownedBy is the metadata of an object that belongs to another one.
func ownedBy(kind, name, uid string) map[string]any {
	return map[string]any{"ownerReferences": []any{
		map[string]any{"uid": "uid-of-another"},
		map[string]any{"kind": kind, "name": name, "uid": uid, "controller": true},
	}}
}

// left is the metadata of an object that an orphaning delete has left.
func left() map[string]any {
	return map[string]any{
		"labels":      map[string]any{manifests.LabelServer: "files"},
		"annotations": map[string]any{"crossplane.io/composition-resource-name": "of-the-server"},
	}
}

func found(o ...*structpb.Struct) *fnv1.Resources {
	r := &fnv1.Resources{}
	for _, s := range o {
		r.Items = append(r.Items, &fnv1.Resource{Resource: s})
	}
	return r
}

// rights are those of the example, or none.
func rights(t *testing.T, kinds ...any) *fnv1.Resources {
	t.Helper()
	s, err := structpb.NewStruct(map[string]any{
		"kind": "EnvironmentConfig", "metadata": map[string]any{"name": "function-dittoserver"}, "data": map[string]any{"readable": kinds},
	})
	if err != nil {
		t.Fatal(err)
	}
	return found(s)
}

const (
	none      = "no Secret"
	kept      = "the stored value"
	generated = "a new value"
	emptied   = "a Secret without the value"

	stored = "c3RvcmVk"
)

// seen says in short what became of a Secret.
func seen(secrets map[string]runtime.Object, resource, key string) string {
	s, ok := secrets[resource].(*corev1.Secret)
	switch {
	case !ok:
		return none
	case len(s.Data[key]) == 0:
		return emptied
	case string(s.Data[key]) == "stored":
		return kept
	}
	return generated
}

func server() *observed.Composite {
	xr := &observed.Composite{DittoServer: &v1alpha1.DittoServer{}}
	xr.Name, xr.Namespace, xr.UID = "files", "team-a", owner
	xr.Default(v1alpha1.Defaults{})
	return xr
}

// compose calls Compose with what Crossplane has found.
func compose(xr *observed.Composite, have *observed.Composed, required map[string]*fnv1.Resources) (map[string]runtime.Object, map[Ref]Absent) {
	l := observed.NewLookups(required)
	around := observed.NewSurroundings(l, observed.Identity{Name: "files", Namespace: "team-a", UID: owner})
	sources := LookUp(l, []Input{{Source: Secret(jwtName)}, {Source: Secret(admin)}}, "team-a")
	return Generate(xr, have, around, sources)
}

// TestGenerate goes through what may be known of a managed Secret. A value that is
// generated again ends all sessions, so that happens only when there certainly is
// none.
func TestGenerate(t *testing.T) {
	secret := func(value string, meta map[string]any) *structpb.Struct {
		return object(t, "Secret", jwtName, map[string]any{"metadata": meta, "data": map[string]any{"jwt-secret": value}})
	}
	composed := func(value string) map[string]*structpb.Struct {
		return map[string]*structpb.Struct{manifests.JWTSecretResource: secret(value, ownedBy("DittoServer", "files", owner))}
	}

	cases := map[string]struct {
		reason   string
		composed map[string]*structpb.Struct
		lookedUp *fnv1.Resources
		want     string
		creating bool
	}{
		"NotLookedUp":    {reason: "A Secret that was not looked up may exist.", want: none},
		"Absent":         {reason: "A Secret that does not exist is generated.", lookedUp: found(), want: generated, creating: true},
		"Composed":       {reason: "A Secret that was composed before is carried over, before it is looked up too.", composed: composed(stored), want: kept},
		"ComposedAbsent": {reason: "A Secret that was composed before is carried over, even if it was not found.", composed: composed(stored), lookedUp: found(), want: kept},
		"ComposedEmpty":  {reason: "A Secret without a value is of no use to anybody.", composed: composed(""), want: generated, creating: true},
		"ComposedBroken": {reason: "A Secret whose value cannot be read is of no use to anybody.", composed: composed("!"), want: generated, creating: true},
		"Ours":           {reason: "A Secret of ours that Crossplane has lost sight of is carried over.", lookedUp: found(secret(stored, ownedBy("DittoServer", "files", owner))), want: kept},
		"Orphaned":       {reason: "A Secret that an orphaning delete has left is taken over with its value.", lookedUp: found(secret(stored, left())), want: kept},
		"SomebodyElses":  {reason: "A Secret that belongs to somebody else is left alone.", lookedUp: found(secret(stored, ownedBy("Vault", "v", "uid-of-another"))), want: none},
		"Leaving":        {reason: "A Secret that goes away with an earlier DittoServer is not relied on.", lookedUp: found(secret(stored, ownedBy("DittoServer", "files", "uid-of-before"))), want: none, creating: true},
		"Nobodys":        {reason: "A Secret that belongs to nobody is the user's, and is left alone.", lookedUp: found(secret(stored, nil)), want: none},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			required := map[string]*fnv1.Resources{}
			if tc.lookedUp != nil {
				required["secret/"+jwtName] = tc.lookedUp
			}
			secrets, absent := compose(server(), &observed.Composed{Secrets: tc.composed}, required)

			if diff := cmp.Diff(tc.want, seen(secrets, manifests.JWTSecretResource, "jwt-secret")); diff != "" {
				t.Errorf("%s\nGenerate(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.creating, absent[Secret(jwtName)].Creating); diff != "" {
				t.Errorf("%s\nGenerate(...): -want creating, +got creating:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestComposeAdmin generates the admin's password only where no database can know
// another one.
func TestComposeAdmin(t *testing.T) {
	type required = map[string]*fnv1.Resources
	claims := rights(t, "persistentvolumeclaims")

	cases := map[string]struct {
		reason   string
		given    func(xr *observed.Composite, have *observed.Composed)
		required required
		want     string
		absent   Absent // The Text is part of what is said.
	}{
		"New":           {reason: "A new server gets a password.", required: required{"rights": claims, claim: found()}, want: generated, absent: Absent{Creating: true}},
		"RightsUnknown": {reason: "Before it is known whether the claim may be looked up, nothing is generated.", want: none, absent: Absent{Creating: true}},
		"ClaimUnknown":  {reason: "Before the claim is looked up, nothing is generated.", required: required{"rights": claims}, want: none, absent: Absent{Creating: true}},
		"ClaimThere": {
			reason:   "The database of an earlier server knows another password.",
			required: required{"rights": claims, claim: found(object(t, "PersistentVolumeClaim", "controlplane-files-0", nil))},
			want:     none, absent: Absent{Text: `PersistentVolumeClaim "controlplane-files-0" holds the database`},
		},
		"NoRights":       {reason: "What cannot be looked up may be there.", required: required{"rights": found()}, want: none, absent: Absent{Text: "Apply the function's example/rbac.yaml"}},
		"NoRightsListed": {reason: "Rights on other kinds are none on claims.", required: required{"rights": rights(t, "statefulsets.apps")}, want: none, absent: Absent{Text: "Apply the function's example/rbac.yaml"}},
		"OtherVolume": {
			reason: "The claim is the one that the database is on.",
			given: func(xr *observed.Composite, _ *observed.Composed) {
				xr.Spec.Database.SQLite.Path = "/data/store/metadata/cp.db"
			},
			required: required{"rights": claims, "claim/metadata-files-0": found(object(t, "PersistentVolumeClaim", "metadata-files-0", nil))},
			want:     none, absent: Absent{Text: `PersistentVolumeClaim "metadata-files-0" holds the database`},
		},
		"Postgres": {
			reason: "A database outside of the claims is nothing that could be looked up.",
			given:  func(xr *observed.Composite, _ *observed.Composed) { xr.Spec.Database.Type = v1alpha1.DatabasePostgres },
			want:   generated, absent: Absent{Creating: true},
		},
		"Running": {
			reason: "The database of a running server knows the password that was deleted.",
			given:  func(_ *observed.Composite, have *observed.Composed) { have.StatefulSet = &observed.StatefulSet{} },
			want:   none, absent: Absent{Text: "the server's database has the password"},
		},
		"RunningEmptied": {
			reason: "A Secret that has lost its value is not left out: that would delete it.",
			given: func(_ *observed.Composite, have *observed.Composed) {
				have.StatefulSet = &observed.StatefulSet{}
				have.Secrets = map[string]*structpb.Struct{manifests.AdminSecretResource: object(t, "Secret", admin, nil)}
			},
			want: emptied, absent: Absent{Text: "the server's database has the password"},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			xr, have := server(), &observed.Composed{}
			if tc.given != nil {
				tc.given(xr, have)
			}
			answers := required{"secret/" + admin: found()}
			maps.Copy(answers, tc.required)

			secrets, absent := compose(xr, have, answers)

			if diff := cmp.Diff(tc.want, seen(secrets, manifests.AdminSecretResource, adminKey)); diff != "" {
				t.Errorf("%s\nGenerate(...): -want, +got:\n%s", tc.reason, diff)
			}
			got := absent[Secret(admin)]
			if got.Creating != tc.absent.Creating || !strings.Contains(got.Text, tc.absent.Text) || tc.absent.Text == "" && got.Text != "" {
				t.Errorf("%s\nGenerate(...): want absent %+v, got %+v", tc.reason, tc.absent, got)
			}
		})
	}
}

// TestValuesDiffer generates values that nobody can guess.
func TestValuesDiffer(t *testing.T) {
	values := map[string]bool{}
	for range 10 {
		xr := server()
		xr.Spec.Database.Type = v1alpha1.DatabasePostgres
		secrets, _ := compose(xr, &observed.Composed{}, map[string]*fnv1.Resources{"secret/" + jwtName: found(), "secret/" + admin: found()})
		for resource, key := range map[string]string{manifests.JWTSecretResource: "jwt-secret", manifests.AdminSecretResource: adminKey} {
			value := string(secrets[resource].(*corev1.Secret).Data[key])
			if len(value) < 32 || len(value) > 72 {
				t.Errorf("The server takes an admin's password of 8 to 72 bytes and a key of at least 32, got %d", len(value))
			}
			values[value] = true
		}
	}
	if len(values) != 20 {
		t.Errorf("20 values were generated, of which %d differ", len(values))
	}
}
