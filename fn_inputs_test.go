package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"google.golang.org/protobuf/types/known/structpb"
	corev1 "k8s.io/api/core/v1"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// Everything that a server can read out of Secrets, beside what basicXR has.
const everything = `
controlPlane: {certSecretName: tls, clientCASecretName: client-ca}
metrics: {enabled: true, bearerTokenSecret: {name: metrics, key: token}}
database: {postgresSecretRef: {name: db}, sslRootCertSecretRef: {name: db-ca, key: ca.crt}}
ldap:
  enabled: true
  url: ldaps://dc.example
  baseDN: dc=example
  bindDN: cn=dittofs,dc=example
  bindPasswordSecretRef: {name: ldap, key: password}
  caSecretRef: {name: ldap-ca, key: ca.crt}
kerberos:
  enabled: true
  servicePrincipal: nfs/files.example@EXAMPLE
  realm: EXAMPLE
  netbiosDomain: EXAMPLE
  keytabSecretRef: {name: keytab, key: keytab}
  krb5ConfSecretRef: {name: krb5, key: krb5.conf}
  machineAccount: {enabled: true, accountName: FILES$, secretRef: {name: machine, key: password}}
`

// newClusterWithEverything returns a cluster with a server that reads all that a
// server can read out of Secrets.
func newClusterWithEverything(tb testing.TB) *cluster {
	tb.Helper()
	c := newCluster(tb)
	for field, v := range object(tb, everything).AsMap() {
		switch field {
		case "ldap", "kerberos":
			c.set("spec.identity."+field, v)
		default:
			c.set("spec."+field, v)
		}
	}
	c.usePostgres()
	for _, r := range []ref{
		{"tls", "tls.crt"},
		{"tls", "tls.key"},
		{"client-ca", "ca.crt"},
		{"metrics", "token"},
		{"db-ca", "ca.crt"},
		{"ldap", "password"},
		{"ldap-ca", "ca.crt"},
		{"keytab", "keytab"},
		{"krb5", "krb5.conf"},
		{"machine", "password"},
	} {
		c.newValue(r)
	}
	return c
}

// newValue sets a key of a Secret to a value that the server takes, another one
// each time. A certificate comes with its key.
func (c *cluster) newValue(r ref) {
	c.Helper()

	switch r.Key {
	case "tls.crt", "tls.key":
		certificate, key := newCertificate(c)
		c.setSecret(r.Secret, "tls.crt", certificate)
		c.setSecret(r.Secret, "tls.key", key)
	case "ca.crt":
		certificate, _ := newCertificate(c)
		c.setSecret(r.Secret, r.Key, certificate)
	case "port":
		c.setSecret(r.Secret, r.Key, fmt.Sprint(1024+mathrand.IntN(60000)))
	case "sslmode":
		c.setSecret(r.Secret, r.Key, "verify-ca")
	case "keytab":
		k := keytab.New()
		if err := k.AddEntry("nfs/files.example.com", "EXAMPLE.COM", rand.Text(), time.Unix(0, 0), 1, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
			c.Fatal(err)
		}
		b, err := k.Marshal()
		if err != nil {
			c.Fatal(err)
		}
		c.setSecret(r.Secret, r.Key, string(b))
	case "krb5.conf":
		c.setSecret(r.Secret, r.Key, "[libdefaults]\n default_realm = "+rand.Text()+"\n")
	case "host":
		c.setSecret(r.Secret, r.Key, strings.ToLower(rand.Text())+".example")
	default:
		c.setSecret(r.Secret, r.Key, rand.Text()+rand.Text())
	}
}

// newCertificate returns a certificate and its private key, in PEM form.
func newCertificate(tb testing.TB) (certificate, key string) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		tb.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// A ref is where in a Secret an input comes from.
type ref struct{ Secret, Key string }

// refs are what the server's container reads out of Secrets, by variable and
// file: read off the desired object, in a few lines, and independent of what the
// function makes of it.
func refs(ss *structpb.Struct) map[string]ref {
	found := map[string]ref{}
	each := func(list *structpb.Value, do func(*structpb.Struct)) {
		for _, v := range list.GetListValue().GetValues() {
			do(v.GetStructValue())
		}
	}
	str := func(s *structpb.Struct, path ...string) string { return valueAt(s, path...).GetStringValue() }

	each(valueAt(container(ss), "env"), func(e *structpb.Struct) {
		found[str(e, "name")] = ref{str(e, "valueFrom", "secretKeyRef", "name"), str(e, "valueFrom", "secretKeyRef", "key")}
	})
	each(valueAt(container(ss), "volumeMounts"), func(m *structpb.Struct) {
		each(valueAt(ss, "spec", "template", "spec", "volumes"), func(v *structpb.Struct) {
			if str(v, "name") == str(m, "name") {
				each(valueAt(v, "secret", "items"), func(i *structpb.Struct) {
					found[str(m, "mountPath")+"/"+str(i, "path")] = ref{str(v, "secret", "secretName"), str(i, "key")}
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
	rsp := c.settle()
	if got := condition(rsp, "SecretsResolved"); got != "TRUE Resolved" {
		t.Fatalf("SecretsResolved is %s: %s", got, fullCondition(rsp, "SecretsResolved").GetMessage())
	}
	found := refs(desired(rsp, manifests.StatefulSetResource))

	known := map[string]bool{}
	for _, in := range dittofs.SecretValues {
		known[in.Name] = true
		t.Run(strings.TrimPrefix(strings.ReplaceAll(in.Name, "/", "."), "."), func(t *testing.T) {
			from, ok := found[in.Name]
			if !ok {
				t.Fatalf("The pod does not have %s, although the DittoServer sets spec.%s", in.Name, in.Field)
			}

			c := newClusterWithEverything(t)
			before := hashOf(desired(c.settle(), manifests.StatefulSetResource))
			c.newValue(from)
			after := hashOf(desired(c.settle(), manifests.StatefulSetResource))

			if got, want := before != after, in.Reload != dittofs.Live; got != want {
				t.Errorf("Key %q of Secret %q is read %s: the hash should change: %t, it did: %t", from.Key, from.Secret, in.Reload, want, got)
			}

			c.unsetSecret(from.Secret, from.Key)
			rsp := c.reconcile()
			if optional := in.Name == dittofs.EnvPostgresPort || in.Name == dittofs.EnvPostgresSSLMode; optional {
				return
			}
			message := fullCondition(rsp, "SecretsResolved").GetMessage()
			if condition(rsp, "SecretsResolved") != "FALSE Unresolved" || !strings.Contains(message, `"`+from.Secret+`"`) || !strings.Contains(message, `"`+from.Key+`"`) {
				t.Errorf("A missing key should be named together with its Secret %v, got %s: %s", from, condition(rsp, "SecretsResolved"), message)
			}
			if got := hashOf(desired(rsp, manifests.StatefulSetResource)); got != after {
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
				c.set("spec.identity.admin.passwordSecretRef.name", "jwt")
				c.setSecret("jwt", "password", adminPassword)
				return c
			},
			want: []string{"jwt"},
		},
		"Everything": {
			reason: "Each Secret that the pod reads is required.",
			given:  func(t *testing.T) *cluster { t.Helper(); return newClusterWithEverything(t) },
			want:   []string{"admin", "client-ca", "db", "db-ca", "jwt", "keytab", "krb5", "ldap", "ldap-ca", "machine", "metrics", "tls"},
		},
		"NamespaceInReference": {
			reason: "A reference cannot reach another namespace, whatever it says.",
			given: func(t *testing.T) *cluster {
				t.Helper()
				c := newCluster(t)
				c.set("spec.identity.jwt.secretRef.namespace", "kube-system")
				return c
			},
			want: []string{"admin", "jwt"},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := tc.given(t)
			c.settle() // While it runs nothing else is looked up.
			first := c.call(c.request(nil)).GetRequirements()

			got := []string{}
			for _, sel := range first.GetResources() {
				got = append(got, sel.GetMatchName())
				want := &fnv1.ResourceSelector{ApiVersion: "v1", Kind: "Secret", Match: &fnv1.ResourceSelector_MatchName{MatchName: sel.GetMatchName()}, Namespace: new("team-a")}
				if diff := diff(want, sel); diff != "" {
					t.Errorf("%s\nf.RunFunction(...): -want selector, +got selector:\n%s", tc.reason, diff)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want required, +got required:\n%s", tc.reason, diff)
			}

			// Crossplane calls until the requirements are equal to the last ones.
			resolved := c.call(c.request(first))
			if diff := diff(first, resolved.GetRequirements()); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -required at the 1st call, +required at the 2nd call:\n%s", tc.reason, diff)
			}
			for _, name := range tc.want {
				c.deleteSecret(name)
			}
			if diff := diff(first, c.call(c.request(first)).GetRequirements()); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -required with Secrets, +required without:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestLookups follows what a new server's names are looked up for, until Crossplane
// has all of it. Crossplane calls six times at most.
func TestLookups(t *testing.T) {
	of := func(r *fnv1.Requirements) []string { return slices.Sorted(maps.Keys(r.GetResources())) }
	first := []string{"configs", "object/api-service", "object/config-dab9dbdd70", "object/headless-service", "object/nfs-service", "object/smb-service", "rights", "secret/admin", "secret/jwt"}
	all := slices.Sorted(slices.Values(append([]string{"object/statefulset"}, first...)))

	c := newCluster(t)
	required := &fnv1.Requirements{}
	for i, want := range [][]string{first, all, all} {
		rsp := c.call(c.request(required))
		if diff := cmp.Diff(want, of(rsp.GetRequirements())); diff != "" {
			t.Errorf("Call %d: -want required, +got required:\n%s", i+1, diff)
		}
		if complete := i == 2; (desired(rsp, manifests.StatefulSetResource) != nil) != complete {
			t.Errorf("Call %d: the StatefulSet should be sent once it is known that its name is free, and not before", i+1)
		}
		required = rsp.GetRequirements()
	}

	c.setReadable()
	if got := of(c.reconcile().GetRequirements()); slices.Contains(got, "object/statefulset") {
		t.Errorf("What Crossplane may not read must not be asked for: it would wait with its cache locked, got %v", got)
	}
}

// TestOtherNamespace offers Secrets of another namespace, and of another name,
// under the names of those that are required. The function should take none.
func TestOtherNamespace(t *testing.T) {
	for _, path := range []string{"metadata.namespace", "metadata.name", "kind"} {
		t.Run(path, func(t *testing.T) {
			c := newCluster(t)
			req := c.request(c.call(c.request(nil)).GetRequirements())
			for name, r := range req.GetRequiredResources() {
				if strings.HasPrefix(name, "secret/") {
					r.Items[0].Resource = with(t, r.GetItems()[0].GetResource(), path, "other")
				}
			}

			rsp := c.call(req)

			if got := condition(rsp, "SecretsResolved"); got != "FALSE Unresolved" || desired(rsp, manifests.StatefulSetResource) != nil {
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
		c.setSecret(sel.GetMatchName(), "value", "the first")
	}
	digest := func() string {
		l := observed.NewLookups(c.request(requirements).GetRequiredResources())
		secrets := podinputs.Resolve(inputs, podinputs.LookUp(l, inputs, "team-a"), nil)
		return rollout.Hash(rollout.Source{Config: []byte(objects.Config), Inputs: secrets.Restart})
	}
	digests := map[string]bool{digest(): true}
	for _, name := range added {
		c.setSecret(name, "value", "the second")
		digests[digest()] = true
	}
	if len(digests) != 3 {
		t.Errorf("Each change of what the template reads should give another hash, got %v", slices.Sorted(maps.Keys(digests)))
	}
}
