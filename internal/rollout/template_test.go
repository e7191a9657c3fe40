package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) *structpb.Struct {
	t.Helper()
	j, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := &structpb.Struct{}
	if err := protojson.Unmarshal(j, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// What is stored of a template: some of it is ours, some defaulted, some of others.
const storedTemplate = `
  template:
    metadata:
      creationTimestamp: null
      labels: {ours: a, theirs: b}
      annotations: {dittofs.io/config-hash: hash, kubectl.kubernetes.io/restartedAt: now}
    spec:
      dnsPolicy: ClusterFirst
      containers:
      - name: sidecar
        image: proxy
      - name: dittofs
        image: dfs
        terminationMessagePath: /dev/termination-log
        env:
        - {name: INJECTED, value: x}
        - {name: OURS, valueFrom: {secretKeyRef: {name: s, key: k}}}
        ports:
        - {containerPort: 8080, name: api, protocol: TCP}
        - {containerPort: 8080, name: other, protocol: UDP}
        args: [start, --foreground]
      volumes:
      - {name: tmp, emptyDir: {}}
      - {name: injected, emptyDir: {}}
      nodeSelector: {disk: ssd}
      finalizers: [a, b]
`

const ownedFields = `
      f:template:
        f:metadata:
          f:labels: {"f:ours": {}}
          f:annotations: {"f:dittofs.io/config-hash": {}}
        f:spec:
          f:containers:
            'k:{"name":"dittofs"}':
              .: {}
              f:name: {}
              f:image: {}
              f:args: {}
              f:env:
                'k:{"name":"OURS"}': {.: {}, f:name: {}, f:valueFrom: {f:secretKeyRef: {}}}
              f:ports:
                'k:{"containerPort":8080,"protocol":"TCP"}': {.: {}, f:containerPort: {}, f:name: {}, f:protocol: {}}
          f:volumes:
            'k:{"name":"tmp"}': {.: {}, f:name: {}, f:emptyDir: {}}
          f:nodeSelector: {}
          f:finalizers: {'v:"b"': {}}
          f:gone: {}
`

const ownedTemplate = `
metadata:
  labels: {ours: a}
  annotations: {dittofs.io/config-hash: hash}
spec:
  containers:
  - name: dittofs
    image: dfs
    env:
    - {name: OURS, valueFrom: {secretKeyRef: {name: s, key: k}}}
    ports:
    - {containerPort: 8080, name: api, protocol: TCP}
    args: [start, --foreground]
  volumes:
  - {name: tmp, emptyDir: {}}
  nodeSelector: {disk: ssd}
  finalizers: [b]
`

func entry(manager, operation, subresource, fields string) string {
	s := "\n  - manager: " + manager + "\n    operation: " + operation + "\n    fieldsV1:\n     f:spec:" + fields
	if subresource != "" {
		s += "\n    subresource: " + subresource
	}
	return s
}

// TestApplied finds what of a template Crossplane has applied. What it takes too
// much it takes over from others, and what it takes too little it removes.
func TestApplied(t *testing.T) {
	const ours = "apiextensions.crossplane.io/composed/0123"
	whole := object(t, "spec:"+storedTemplate).GetFields()["spec"].GetStructValue().GetFields()["template"]
	theirs := "\n      f:template: {f:spec: {f:dnsPolicy: {}}}"

	cases := map[string]struct {
		reason  string
		managed string
		want    *structpb.Value
	}{
		"Ours":          {reason: "What Crossplane has applied is ours, with the values that there are.", managed: entry("kubectl", "Apply", "", theirs) + entry(ours, "Apply", "", ownedFields), want: structpb.NewStructValue(object(t, ownedTemplate))},
		"Webhook":       {reason: "What a webhook has added to a request of Crossplane's is an update, and not ours.", managed: entry(ours, "Update", "", theirs)},
		"Others":        {reason: "What others have applied is theirs.", managed: entry("kubectl", "Apply", "", theirs)},
		"Subresource":   {reason: "What was written to the status or the scale is no template.", managed: entry(ours, "Apply", "scale", theirs)},
		"NotOfTemplate": {reason: "A StatefulSet of which only other fields are ours has no template of ours.", managed: entry(ours, "Apply", "", "\n      f:replicas: {}")},
		"Unmanaged":     {reason: "Without managed fields all counts as ours.", want: whole},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			text := "metadata: {name: files}\nspec:" + storedTemplate
			if tc.managed != "" {
				text = "metadata:\n  managedFields:" + tc.managed + "\nspec:" + storedTemplate
			}
			got := Applied(object(t, text))
			if diff := cmp.Diff(tc.want, got.Value(), protocmp.Transform()); diff != "" {
				t.Errorf("%s\nApplied(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestChanges names what a wanted template would change, both of a template that is
// known to the field and of one of which only the values are known.
func TestChanges(t *testing.T) {
	const base = `
metadata:
  labels: {a: b}
  annotations: {dittofs.io/config-hash: old, user: x}
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
		s := object(t, base)
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
				s["volumes"].GetListValue().GetValues()[0] = structpb.NewStructValue(object(t, "{name: config, configMap: {name: two}}"))
			}),
			want: []string{"configuration or Secrets"},
		},
		"OtherVolume": {reason: "Another volume is named.", wanted: edit(func(_, s, _ map[string]*structpb.Value) {
			s["volumes"].GetListValue().Values = append(s["volumes"].GetListValue().Values, structpb.NewStructValue(object(t, "{name: tls, secret: {secretName: s}}")))
		}), want: []string{"volumes"}},
		"Field": {reason: "A field of the pod is named, and its value is not.", wanted: edit(func(_, s, _ map[string]*structpb.Value) {
			s["terminationGracePeriodSeconds"] = structpb.NewNumberValue(36)
		}), want: []string{"terminationGracePeriodSeconds"}},
		"Env": {reason: "A variable is a field of the container.", wanted: edit(func(_, _, c map[string]*structpb.Value) {
			c["env"].GetListValue().GetValues()[0] = structpb.NewStructValue(object(t, "{name: A, value: y}"))
		}), want: []string{"env"}},
		"Labels": {reason: "A label is named as such.", wanted: edit(func(m, _, _ map[string]*structpb.Value) {
			field(m["metadata"], "labels").GetStructValue().GetFields()["a"] = text("c")
		}), want: []string{"labels"}},
		"Annotations": {reason: "An annotation of the user's is named as such.", wanted: edit(func(m, _, _ map[string]*structpb.Value) {
			field(m["metadata"], "annotations").GetStructValue().GetFields()["user"] = text("y")
		}), want: []string{"annotations"}},
		"Removed": {reason: "A field that is no longer wanted is a change too.", wanted: edit(func(_, s, _ map[string]*structpb.Value) { delete(s, "terminationGracePeriodSeconds") }), want: []string{"terminationGracePeriodSeconds"}, removal: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			owned := Template{applied: setOf(structpb.NewStructValue(object(t, base))), whole: edit(func(_, s, _ map[string]*structpb.Value) { s["schedulerName"] = text("default") })}
			if diff := cmp.Diff(tc.want, owned.Changes(tc.wanted, "dittofs")); diff != "" {
				t.Errorf("%s\nChanges(...): -want, +got:\n%s", tc.reason, diff)
			}
			if tc.removal {
				return
			}
			for _, whole := range []Template{{whole: owned.whole, unmanaged: true}, {whole: owned.whole}} {
				if diff := cmp.Diff(tc.want, whole.Changes(tc.wanted, "dittofs")); diff != "" {
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

// FuzzApplied reads managed fields that nobody has made with care, and compares what
// they name with another template in both ways that there are.
func FuzzApplied(f *testing.F) {
	const stored = `{"metadata":{"managedFields":[{"manager":"apiextensions.crossplane.io/composed/a","operation":"Apply","fieldsV1":{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:name":{}}}}}}}}]},"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}}`
	f.Add(stored, `{"spec":{"containers":[{"name":"c"}]}}`)
	f.Add(stored, `{"spec":{"containers":[{"name":"c"},{"name":"d"}]}}`)
	f.Add(stored, `{"spec":{"containers":[]}}`)
	f.Fuzz(func(t *testing.T, text, other string) {
		s, o := &structpb.Struct{}, &structpb.Struct{}
		if protojson.Unmarshal([]byte(text), s) != nil || protojson.Unmarshal([]byte(other), o) != nil {
			t.Skip()
		}
		a := Applied(s)
		if a.foreign() {
			a.Changes(structpb.NewStructValue(o), "dittofs")
			t.Skip()
		}
		if c := a.Changes(a.Value(), "dittofs"); len(c) > 0 {
			t.Errorf("A template changes nothing of itself, got %v", c)
		}
		wanted := structpb.NewStructValue(o)
		if got, want := a.is(wanted), equal(a.Value(), wanted); got != want {
			t.Errorf("is(...): want %t, got %t", want, got)
		}
	})
}
