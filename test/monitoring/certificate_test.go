package monitoring

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestCertificate wants the example's Certificate to be one of cert-manager's, and to be
// the one that the example's server reads.
func TestCertificate(t *testing.T) {
	c := certmanager.Certificate{}
	if err := yaml.UnmarshalStrict([]byte(read(t, "example/cert-manager/certificate.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	if want := certmanager.SchemeGroupVersion.WithKind(certmanager.CertificateKind); c.GroupVersionKind() != want {
		t.Errorf("want a %s, got a %s", want, c.GroupVersionKind())
	}
	var ds struct {
		Metadata struct{ Name, Namespace string }
		Spec     struct {
			ControlPlane struct {
				CertSecretName string `json:"certSecretName"`
			} `json:"controlPlane"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "example/cert-manager/xr.yaml")), &ds); err != nil {
		t.Fatal(err)
	}
	if c.Spec.SecretName != ds.Spec.ControlPlane.CertSecretName || c.GetNamespace() != ds.Metadata.Namespace {
		t.Errorf("The Certificate is for Secret %s/%s, and the server reads %s/%s", c.GetNamespace(), c.Spec.SecretName, ds.Metadata.Namespace, ds.Spec.ControlPlane.CertSecretName)
	}

	// The names of the API's Services, as the function has rendered them.
	for _, name := range []string{"-api", "-headless"} {
		var svc struct{ Metadata struct{ Name string } }
		documentNamed(t, "example/cert-manager/expected.yaml", "Service", ds.Metadata.Name+name, &svc)
	}
	in := ds.Metadata.Namespace + ".svc"
	want := []string{
		ds.Metadata.Name + "-api", ds.Metadata.Name + "-api." + ds.Metadata.Namespace, ds.Metadata.Name + "-api." + in, ds.Metadata.Name + "-api." + in + ".cluster.local",
		ds.Metadata.Name + "-0." + ds.Metadata.Name + "-headless." + in + ".cluster.local",
	}
	if diff := cmp.Diff(want, c.Spec.DNSNames); diff != "" {
		t.Errorf("dnsNames: -want, +got:\n%s", diff)
	}

	// What cert-manager would write, and what the example has of it.
	if !slices.Contains(c.Spec.Usages, certmanager.UsageServerAuth) {
		t.Errorf("A server needs %s, and has %v", certmanager.UsageServerAuth, c.Spec.Usages)
	}
	// The alert of a fifth of its time must come after cert-manager has tried.
	if left, whole := c.Spec.RenewBefore.Duration, c.Spec.Duration.Duration; left*3 != whole {
		t.Errorf("It is renewed when %s of %s are left, and the README says a third", left, whole)
	}
	var s struct{ Data map[string][]byte }
	documentNamed(t, "example/cert-manager/secrets.yaml", "Secret", c.Spec.SecretName, &s)
	block, _ := pem.Decode(s.Data["tls.crt"])
	if block == nil {
		t.Fatal("The example's Secret has no certificate")
	}
	issued, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Spec.DNSNames, issued.DNSNames); diff != "" {
		t.Errorf("names of the example's certificate: -the Certificate's, +its own:\n%s", diff)
	}
	if got := issued.NotAfter.Sub(issued.NotBefore); got != c.Spec.Duration.Duration {
		t.Errorf("the example's certificate is valid for %s, and the Certificate asks for %s", got, c.Spec.Duration.Duration)
	}
}
