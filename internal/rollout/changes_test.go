package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/functest"
)

// TestChanges names what a wanted template would change, both of a template that is
// known to the field and of one of which only the values are known.
func TestChanges(t *testing.T) {
	const base = `
metadata:
  labels: {a: b}
  annotations: {dittofs.io/config-hash: old, dittofs.io/encryption-keys: a=1, user: x}
spec:
  containers:
  - name: dittofs
    image: dfs:1
    env: [{name: A, value: x}]
    ports: [{containerPort: 8080, name: api, protocol: TCP}]
    volumeMounts: [{name: config, mountPath: /config}]
  volumes:
  - {name: config, configMap: {name: one}}
  - {name: tmp, emptyDir: {}}
  terminationGracePeriodSeconds: 100
`
	edit := func(f func(template, spec, container map[string]*structpb.Value)) *structpb.Value {
		s := functest.Object(t, base)
		spec := s.GetFields()["spec"].GetStructValue().GetFields()
		f(s.GetFields(), spec, spec["containers"].GetListValue().GetValues()[0].GetStructValue().GetFields())
		return structpb.NewStructValue(s)
	}
	text := structpb.NewStringValue

	cases := map[string]struct {
		reason string
		wanted *structpb.Value
		want   []string

		// removal is set where only the fields that are owned tell.
		removal bool
	}{
		"Nothing": {reason: "What is as wanted has no changes.", wanted: edit(func(_, _, _ map[string]*structpb.Value) {})},
		"Image":   {reason: "An image is named first.", wanted: edit(func(_, s, c map[string]*structpb.Value) { c["image"] = text("dfs:2"); s["dnsPolicy"] = text("Default") }), want: []string{"image", "dnsPolicy"}},
		"Configuration": {
			reason: "A configuration that changes has another volume, which is not named too.",
			wanted: edit(func(m, s, _ map[string]*structpb.Value) {
				field(m["metadata"], "annotations").GetStructValue().GetFields()["dittofs.io/config-hash"] = text("new")
				s["volumes"].GetListValue().GetValues()[0] = structpb.NewStructValue(functest.Object(t, "{name: config, configMap: {name: two}}"))
			}),
			want: []string{"configuration or Secrets"},
		},
		"OtherVolume": {reason: "Another volume is named.", wanted: edit(func(_, s, _ map[string]*structpb.Value) {
			s["volumes"].GetListValue().Values = append(s["volumes"].GetListValue().Values, structpb.NewStructValue(functest.Object(t, "{name: tls, secret: {secretName: s}}")))
		}), want: []string{"volumes"}},
		"Field": {reason: "A field of the pod is named, and its value is not.", wanted: edit(func(_, s, _ map[string]*structpb.Value) {
			s["terminationGracePeriodSeconds"] = structpb.NewNumberValue(36)
		}), want: []string{"terminationGracePeriodSeconds"}},
		"Env": {reason: "A variable is a field of the container.", wanted: edit(func(_, _, c map[string]*structpb.Value) {
			c["env"].GetListValue().GetValues()[0] = structpb.NewStructValue(functest.Object(t, "{name: A, value: y}"))
		}), want: []string{"env"}},
		"Labels": {reason: "A label is named as such.", wanted: edit(func(m, _, _ map[string]*structpb.Value) {
			field(m["metadata"], "labels").GetStructValue().GetFields()["a"] = text("c")
		}), want: []string{"labels"}},
		"Annotations": {reason: "An annotation of the user's is named as such.", wanted: edit(func(m, _, _ map[string]*structpb.Value) {
			field(m["metadata"], "annotations").GetStructValue().GetFields()["user"] = text("y")
		}), want: []string{"annotations"}},
		"EncryptionKeys": {reason: "The names of the keys are none of the user's annotations: a key is a file that the server reads.", wanted: edit(func(m, _, _ map[string]*structpb.Value) {
			a := field(m["metadata"], "annotations").GetStructValue().GetFields()
			a["dittofs.io/config-hash"], a["dittofs.io/encryption-keys"] = text("new"), text("a=1,b=2")
		}), want: []string{"configuration or Secrets"}},
		"EncryptionKeyAlone": {reason: "Nor are they one where nothing else has changed.", wanted: edit(func(m, _, _ map[string]*structpb.Value) {
			field(m["metadata"], "annotations").GetStructValue().GetFields()["dittofs.io/encryption-keys"] = text("a=2")
		}), want: []string{"configuration or Secrets"}},
		"Removed": {reason: "A field that is no longer wanted is a change too.", wanted: edit(func(_, s, _ map[string]*structpb.Value) { delete(s, "terminationGracePeriodSeconds") }), want: []string{"terminationGracePeriodSeconds"}, removal: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			owned := Template{applied: setOf(structpb.NewStructValue(functest.Object(t, base))), whole: edit(func(_, s, _ map[string]*structpb.Value) { s["schedulerName"] = text("default") })}
			if diff := cmp.Diff(tc.want, owned.Changes(tc.wanted)); diff != "" {
				t.Errorf("%s\nChanges(...): -want, +got:\n%s", tc.reason, diff)
			}
			if tc.removal {
				return
			}
			for _, whole := range []Template{{whole: owned.whole, unmanaged: true}, {whole: owned.whole}} {
				if diff := cmp.Diff(tc.want, whole.Changes(tc.wanted)); diff != "" {
					t.Errorf("%s\nChanges(...) of a whole template: -want, +got:\n%s", tc.reason, diff)
				}
			}
		})
	}
}

// setOf is the set of all fields of a value. Lists in it belong to one manager.
func setOf(v *structpb.Value) *structpb.Value {
	set := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for name, child := range fieldsOf(v) {
		set.Fields["f:"+name] = setOf(child)
	}
	return structpb.NewStructValue(set)
}
