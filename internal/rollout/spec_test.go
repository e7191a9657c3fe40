package rollout

import (
	"cmp"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// TestSpecOf counts what a user has decided. What is a default is not decided, whoever
// has written it out: a newer API writes out more of them.
func TestSpecOf(t *testing.T) {
	const base = "storage: {metadataSize: 1Gi}"

	const tls = base + "\nmetrics: {enabled: true, tls: {certSecretName: a}"

	cases := map[string]struct {
		reason string
		base   string // If it is not the shortest spec.
		spec   string
		same   bool
	}{
		"Same":           {reason: "The same is the same.", spec: base, same: true},
		"Defaults":       {reason: "A default that is written out is no decision.", spec: base + "\nreplicas: 1\nlogging: {level: INFO}\nadapters: [{type: nfs, port: 12049}, {type: smb}]", same: true},
		"LaterDefaults":  {reason: "Nor is one that came later.", spec: base + "\nadapters: [{type: nfs, servicePort: 2049, portmapper: {port: 10112}}, {type: smb, servicePort: 445}]", same: true},
		"EmptyBlock":     {reason: "A block without a decision is none.", spec: base + "\nlogging: {}\nmetrics: {}", same: true},
		"DefaultOfBlock": {reason: "The defaults of a block come with it.", spec: base + "\npercona: {replicas: 1, backup: {region: eu-west-1}}", same: true},
		"DefaultOfName":  {reason: "A default may be made of the server's name.", base: tls + "}", spec: tls + ", serviceMonitor: {tls: {serverName: files-metrics.team-a.svc}}}", same: true},
		"OtherName":      {reason: "Another name is a decision.", base: tls + "}", spec: tls + ", serviceMonitor: {tls: {serverName: other-metrics.team-a.svc}}}"},
		"Level":          {reason: "Another value is a decision.", spec: base + "\nlogging: {level: DEBUG}"},
		"Annotation":     {reason: "What restarts nothing by itself is a decision too.", spec: base + "\nservice: {annotations: {a: b}}"},
		"ServicePort":    {reason: "Another port is a decision.", spec: base + "\nadapters: [{type: nfs, servicePort: 12049}, {type: smb}]"},
		"Portmapper":     {reason: "What is on is a decision.", spec: base + "\nadapters: [{type: nfs, portmapper: {enabled: true}}, {type: smb}]"},
		"Stopped":        {reason: "Zero is not unset.", spec: base + "\nreplicas: 0"},
	}

	read := func(t *testing.T, text string) string {
		t.Helper()
		ds := &v1alpha1.DittoServer{}
		if err := yaml.UnmarshalStrict([]byte(text), &ds.Spec); err != nil {
			t.Fatal(err)
		}
		ds.Name, ds.Namespace = "files", "team-a"
		b, err := SpecOf(ds)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, want := read(t, tc.spec), read(t, cmp.Or(tc.base, base)); (got == want) != tc.same {
				t.Errorf("%s\nSpecOf(...): want the same: %t, got %s and %s", tc.reason, tc.same, want, got)
			}
		})
	}
}

// TestSpecOfAdapters pins the form that a list of adapters has: it is hashed, and the
// fields that came later must not change it.
func TestSpecOfAdapters(t *testing.T) {
	got, err := SpecOf(&v1alpha1.DittoServer{Spec: v1alpha1.DittoServerSpec{Adapters: []v1alpha1.AdapterSpec{{Type: "nfs", Port: 20490}, {Type: "smb"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"adapters":[{"port":20490,"type":"nfs"},{"port":1445,"type":"smb"}]}`; string(got) != want {
		t.Errorf("SpecOf(...): want %s, got %s", want, got)
	}
}
