package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	corev1 "k8s.io/api/core/v1"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// refs are what the server's container reads out of Secrets, by variable and
// file: read off the desired object, in a few lines, and independent of what the
// function makes of it.
func refs(ss *structpb.Struct) map[string]functest.Ref {
	found := map[string]functest.Ref{}
	each := func(list *structpb.Value, do func(*structpb.Struct)) {
		for _, v := range list.GetListValue().GetValues() {
			do(v.GetStructValue())
		}
	}
	str := func(s *structpb.Struct, path ...string) string { return functest.ValueAt(s, path...).GetStringValue() }

	each(functest.ValueAt(functest.Container(ss), "env"), func(e *structpb.Struct) {
		found[str(e, "name")] = functest.Ref{Secret: str(e, "valueFrom", "secretKeyRef", "name"), Key: str(e, "valueFrom", "secretKeyRef", "key")}
	})
	each(functest.ValueAt(functest.Container(ss), "volumeMounts"), func(m *structpb.Struct) {
		each(functest.ValueAt(ss, "spec", "template", "spec", "volumes"), func(v *structpb.Struct) {
			if str(v, "name") == str(m, "name") {
				each(functest.ValueAt(v, "secret", "items"), func(i *structpb.Struct) {
					found[str(m, "mountPath")+"/"+str(i, "path")] = functest.Ref{Secret: str(v, "secret", "secretName"), Key: str(i, "key")}
				})
				each(functest.ValueAt(v, "projected", "sources"), func(s *structpb.Struct) {
					each(functest.ValueAt(s, "secret", "items"), func(i *structpb.Struct) {
						found[str(m, "mountPath")+"/"+str(i, "path")] = functest.Ref{Secret: str(s, "secret", "name"), Key: str(i, "key")}
					})
				})
			}
		})
	})
	return found
}

// TestSecretInputs changes each Secret input of the server by itself. What the
// server reads at its start must change the hash; what it reads again while it
// runs must not, as the restart would be an outage for nothing.
func TestSecretInputs(t *testing.T) {
	c := newClusterWithEverything(t)
	rsp := c.Settle()
	if got := functest.Condition(rsp, "SecretsResolved"); got != "TRUE Resolved" {
		t.Fatalf("SecretsResolved is %s: %s", got, functest.FullCondition(rsp, "SecretsResolved").GetMessage())
	}
	found := refs(functest.Desired(rsp, manifests.StatefulSetResource))

	known := map[string]bool{}
	for _, in := range dittofs.SecretValues {
		known[in.Name] = true
		t.Run(strings.TrimPrefix(strings.ReplaceAll(in.Name, "/", "."), "."), func(t *testing.T) {
			from, ok := found[in.Name]
			if !ok {
				t.Fatalf("The pod does not have %s, although the DittoServer sets spec.%s", in.Name, in.Field)
			}

			c := newClusterWithEverything(t)
			before := functest.HashOf(functest.Desired(c.Settle(), manifests.StatefulSetResource))
			c.NewValue(from)
			after := functest.HashOf(functest.Desired(c.Settle(), manifests.StatefulSetResource))

			if got, want := before != after, in.Reload != dittofs.Live; got != want {
				t.Errorf("Key %q of Secret %q is read %s: the hash should change: %t, it did: %t", from.Key, from.Secret, in.Reload, want, got)
			}

			c.UnsetSecret(from.Secret, from.Key)
			rsp := c.Reconcile()
			if optional := in.Name == dittofs.EnvPostgresPort || in.Name == dittofs.EnvPostgresSSLMode; optional {
				return
			}
			message := functest.FullCondition(rsp, "SecretsResolved").GetMessage()
			if functest.Condition(rsp, "SecretsResolved") != "FALSE Unresolved" || !strings.Contains(message, `"`+from.Secret+`"`) || !strings.Contains(message, `"`+from.Key+`"`) {
				t.Errorf("A missing key should be named together with its Secret %v, got %s: %s", from, functest.Condition(rsp, "SecretsResolved"), message)
			}
			if got := functest.HashOf(functest.Desired(rsp, manifests.StatefulSetResource)); got != after {
				t.Errorf("A running server should keep its hash %q while a key is missing, got %q", after, got)
			}
		})
	}
	for name := range found {
		if !known[name] {
			t.Errorf("The pod reads %s, of which dittofs.SecretValues does not know when the server notices a change", name)
		}
	}
}

// TestRequirements checks what Crossplane is asked for: the Secrets of the pod by
// their names, in the DittoServer's namespace, and nothing else.
func TestRequirements(t *testing.T) {
	cases := map[string]struct {
		reason string
		given  func(t *testing.T) *cluster
		want   []string
	}{
		"Basic": {
			reason: "Each Secret that a reference names is required.",
			given:  func(t *testing.T) *cluster { t.Helper(); return newCluster(t) },
			want:   []string{"admin", "jwt"},
		},
		"SharedSecret": {
			reason: "A Secret that two references name is required once.",
			given: func(t *testing.T) *cluster {
				t.Helper()
				c := newCluster(t)
				c.Set("spec.identity.admin.passwordSecretRef.name", "jwt")
				c.SetSecret("jwt", "password", functest.AdminPassword)
				return c
			},
			want: []string{"jwt"},
		},
		"Everything": {
			reason: "Each Secret that the pod reads is required.",
			given:  func(t *testing.T) *cluster { t.Helper(); return newClusterWithEverything(t) },
			want:   []string{"admin", "client-ca", "db", "db-ca", "encryption", "jwt", "keytab", "krb5", "ldap", "ldap-ca", "machine", "metrics", "metrics-ca", "metrics-tls", "tls"},
		},
		"NamespaceInReference": {
			reason: "A reference cannot reach another namespace, whatever it says.",
			given: func(t *testing.T) *cluster {
				t.Helper()
				c := newCluster(t)
				c.Set("spec.identity.jwt.secretRef.namespace", "kube-system")
				return c
			},
			want: []string{"admin", "jwt"},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := tc.given(t)
			c.Settle() // While it runs nothing else is looked up.
			first := c.Call(c.Request(nil)).GetRequirements()

			got := []string{}
			for _, sel := range first.GetResources() {
				got = append(got, sel.GetMatchName())
				want := &fnv1.ResourceSelector{ApiVersion: "v1", Kind: "Secret", Match: &fnv1.ResourceSelector_MatchName{MatchName: sel.GetMatchName()}, Namespace: new("team-a")}
				if diff := functest.Diff(want, sel); diff != "" {
					t.Errorf("%s\nf.RunFunction(...): -want selector, +got selector:\n%s", tc.reason, diff)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want required, +got required:\n%s", tc.reason, diff)
			}

			// Crossplane calls until the requirements are equal to the last ones.
			resolved := c.Call(c.Request(first))
			if diff := functest.Diff(first, resolved.GetRequirements()); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -required at the 1st call, +required at the 2nd call:\n%s", tc.reason, diff)
			}
			for _, name := range tc.want {
				c.DeleteSecret(name)
			}
			if diff := functest.Diff(first, c.Call(c.Request(first)).GetRequirements()); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -required with Secrets, +required without:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestLookups follows what a new server's names are looked up for, until Crossplane
// has all of it. Crossplane calls six times at most.
func TestLookups(t *testing.T) {
	of := func(r *fnv1.Requirements) []string { return slices.Sorted(maps.Keys(r.GetResources())) }
	first := []string{"configs", "object/api-service", "object/config-4cb2e8caec", "object/headless-service", "object/nfs-service", "object/smb-service", "rights", "secret/admin", "secret/jwt"}
	all := slices.Sorted(slices.Values(append([]string{"object/statefulset"}, first...)))

	c := newCluster(t)
	required := &fnv1.Requirements{}
	for i, want := range [][]string{first, all, all} {
		rsp := c.Call(c.Request(required))
		if diff := cmp.Diff(want, of(rsp.GetRequirements())); diff != "" {
			t.Errorf("Call %d: -want required, +got required:\n%s", i+1, diff)
		}
		if complete := i == 2; (functest.Desired(rsp, manifests.StatefulSetResource) != nil) != complete {
			t.Errorf("Call %d: the StatefulSet should be sent once it is known that its name is free, and not before", i+1)
		}
		required = rsp.GetRequirements()
	}

	c.SetReadable()
	if got := of(c.Reconcile().GetRequirements()); slices.Contains(got, "object/statefulset") {
		t.Errorf("What Crossplane may not read must not be asked for: it would wait with its cache locked, got %v", got)
	}
}

// TestOtherNamespace offers Secrets of another namespace, and of another name,
// under the names of those that are required. The function should take none.
func TestOtherNamespace(t *testing.T) {
	for _, path := range []string{"metadata.namespace", "metadata.name", "kind"} {
		t.Run(path, func(t *testing.T) {
			c := newCluster(t)
			req := c.Request(c.Call(c.Request(nil)).GetRequirements())
			for name, r := range req.GetRequiredResources() {
				if strings.HasPrefix(name, "secret/") {
					r.Items[0].Resource = functest.With(t, r.GetItems()[0].GetResource(), path, "other")
				}
			}

			rsp := c.Call(req)

			if got := functest.Condition(rsp, "SecretsResolved"); got != "FALSE Unresolved" || functest.Desired(rsp, manifests.StatefulSetResource) != nil {
				t.Errorf("A Secret with another %s is another Secret: SecretsResolved is %s, want FALSE Unresolved and no StatefulSet", path, got)
			}
		})
	}
}

// TestInputsAreDerived adds to a finished pod template what no other code knows
// of, and expects it to be required and hashed all the same.
func TestInputsAreDerived(t *testing.T) {
	ds := &v1alpha1.DittoServer{}
	ds.Name, ds.Namespace = "files", "team-a"
	ds.Spec.Storage.MetadataSize = "1Gi"
	ds.Default(v1alpha1.Defaults{Image: "example.com/dittofs"})
	objects, err := manifests.Build(ds, manifests.Options{})
	if err != nil {
		t.Fatal(err)
	}

	template := &objects.StatefulSet.Spec.Template
	// The requirements of the template, without its own ConfigMap.
	require := func() ([]podinputs.Input, *fnv1.Requirements) {
		inputs := podinputs.Without(podinputs.From(template), podinputs.ConfigMap(objects.ConfigMap.GetName()))
		l := observed.NewLookups(nil)
		podinputs.LookUp(l, inputs, "team-a")
		return inputs, l.Requirements()
	}
	_, before := require()

	server := &template.Spec.Containers[0]
	server.Env = append(server.Env, corev1.EnvVar{Name: "NEW", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "new-env"}, Key: "value",
	}}})
	server.VolumeMounts = append(server.VolumeMounts, corev1.VolumeMount{Name: "new", MountPath: "/new"})
	template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: "new", VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: "new-volume"},
	}})

	inputs, requirements := require()
	added := []string{}
	for name, sel := range requirements.GetResources() {
		if before.GetResources()[name] == nil {
			added = append(added, sel.GetMatchName())
		}
	}
	slices.Sort(added)
	if diff := cmp.Diff([]string{"new-env", "new-volume"}, added); diff != "" {
		t.Errorf("What the template reads should be required: -want added, +got added:\n%s", diff)
	}

	c := newCluster(t)
	for _, sel := range requirements.GetResources() {
		c.SetSecret(sel.GetMatchName(), "value", "the first")
	}
	digest := func() string {
		l := observed.NewLookups(c.Request(requirements).GetRequiredResources())
		secrets := podinputs.Resolve(inputs, podinputs.LookUp(l, inputs, "team-a"), nil)
		return rollout.Hash(rollout.Source{Config: []byte(objects.Config), Inputs: secrets.Restart})
	}
	digests := map[string]bool{digest(): true}
	for _, name := range added {
		c.SetSecret(name, "value", "the second")
		digests[digest()] = true
	}
	if len(digests) != 3 {
		t.Errorf("Each change of what the template reads should give another hash, got %v", slices.Sorted(maps.Keys(digests)))
	}
}
