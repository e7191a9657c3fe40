package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/functest"
)

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
	whole := functest.Object(t, "spec:"+storedTemplate).GetFields()["spec"].GetStructValue().GetFields()["template"]
	theirs := "\n      f:template: {f:spec: {f:dnsPolicy: {}}}"

	cases := map[string]struct {
		reason  string
		managed string
		want    *structpb.Value
	}{
		"Ours":          {reason: "What Crossplane has applied is ours, with the values that there are.", managed: entry("kubectl", "Apply", "", theirs) + entry(ours, "Apply", "", ownedFields), want: structpb.NewStructValue(functest.Object(t, ownedTemplate))},
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
			got := Applied(functest.Object(t, text))
			if diff := cmp.Diff(tc.want, got.Value(), protocmp.Transform()); diff != "" {
				t.Errorf("%s\nApplied(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
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
			a.Changes(structpb.NewStructValue(o))
			t.Skip()
		}
		if c := a.Changes(a.Value()); len(c) > 0 {
			t.Errorf("A template changes nothing of itself, got %v", c)
		}
		wanted := structpb.NewStructValue(o)
		if got, want := a.is(wanted), equal(a.Value(), wanted); got != want {
			t.Errorf("is(...): want %t, got %t", want, got)
		}
	})
}
