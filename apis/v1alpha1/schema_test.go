package v1alpha1

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// A schema is the part of a JSON schema that says what a value may be.
type schema struct {
	Default    any                `json:"default"`
	Enum       []any              `json:"enum"`
	Pattern    string             `json:"pattern"`
	Minimum    *float64           `json:"minimum"`
	Maximum    *float64           `json:"maximum"`
	MinLength  *int               `json:"minLength"`
	MaxLength  *int               `json:"maxLength"`
	Required   []string           `json:"required"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
}

// specSchema reads the schema of spec out of the XRD.
func specSchema(t *testing.T) *schema {
	t.Helper()
	b, err := os.ReadFile("../../example/xrd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	xrd := struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}{}
	if err := yaml.Unmarshal(b, &xrd); err != nil {
		t.Fatal(err)
	}
	return xrd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
}

// kubernetes are fields of Kubernetes' own types. What they may be Kubernetes
// says, and its API server checks.
var kubernetes = []string{
	"resources", "securityContext", "podSecurityContext", "affinity", "tolerations", "topologySpreadConstraints", "imagePullSecrets", "networkPolicy.from",
	"env", "envFrom", "volumes", "volumeMounts",
}

// walk visits all fields below a schema, with their paths.
func (s *schema) walk(path string, visit func(path string, s *schema)) {
	if slices.Contains(kubernetes, path) {
		return
	}
	visit(path, s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		s.Properties[name].walk(strings.TrimPrefix(path+"."+name, "."), visit)
	}
	if s.Items != nil {
		s.Items.walk(path+".0", visit)
	}
}

// allBlocks is a valid spec that has all blocks that can stand beside each other.
const allBlocks = `
storage: {metadataSize: 10Gi}
blockStore: {remoteCacheSize: 6Gi}
encryption: {passphraseSecretRef: {name: s, key: k}, keys: [{name: main, secretRef: {name: s, key: k}}]}
database: {sqlite: {}}
controlPlane: {certSecretName: tls, clientCASecretName: ca, minTLSVersion: "1.3"}
identity:
  jwt: {secretRef: {name: s, key: k}}
  admin: {passwordSecretRef: {name: s, key: k}}
  ldap:
    enabled: true
    url: ldaps://dc.example
    baseDN: dc=example
    bindDN: cn=dittofs
    bindPasswordSecretRef: {name: s, key: k}
    caSecretRef: {name: s, key: k}
  kerberos:
    enabled: true
    servicePrincipal: nfs/files.example@EXAMPLE
    netbiosDomain: EXAMPLE
    keytabSecretRef: {name: s, key: k}
    krb5ConfSecretRef: {name: s, key: k}
    machineAccount: {enabled: true, accountName: FILES$, secretRef: {name: s, key: k}}
logging: {output: /tmp/log, rotation: {}}
metrics:
  enabled: true
  bearerTokenSecret: {name: s, key: k}
  tls: {certSecretName: tls, clientCASecretName: ca, minVersion: "1.2"}
  serviceMonitor: {enabled: true, tls: {caSecretRef: {name: s, key: k}, clientCertSecretName: c}}
  prometheusRule: {enabled: true}
service: {}
adapters: [{type: nfs, portmapper: {}}]
adapterServices: {}
networkPolicy: {}
podDisruptionBudget: {}
percona: {}
rollout: {}
`

// allBlocksWith returns a DittoServer with all blocks, edited, and its defaults.
func allBlocksWith(t *testing.T, edit func(spec map[string]any)) *DittoServer {
	t.Helper()
	spec := map[string]any{}
	if err := yaml.Unmarshal([]byte(allBlocks), &spec); err != nil {
		t.Fatal(err)
	}
	edit(spec)

	b, err := json.Marshal(map[string]any{"metadata": map[string]any{"name": "files", "namespace": "team-a"}, "spec": spec})
	if err != nil {
		t.Fatal(err)
	}
	ds := &DittoServer{}
	if err := json.Unmarshal(b, ds); err != nil {
		t.Fatal(err)
	}
	ds.Default(Defaults{Image: "example.com/dittofs", ServiceType: corev1.ServiceTypeClusterIP})
	return ds
}

// breakRule sets one field. A field of a block that excludes others comes with
// what its block takes.
func breakRule(path string, value any) func(spec map[string]any) {
	return func(spec map[string]any) {
		switch {
		case strings.HasPrefix(path, "percona."):
			put(spec, "percona", map[string]any{"enabled": true, "deleteWithServer": true, "backup": map[string]any{
				"enabled": true, "bucket": "b", "endpoint": "e", "credentialsSecretRef": map[string]any{"name": "s"},
			}})
		case strings.HasPrefix(path, "database.postgresSecretRef"), strings.HasPrefix(path, "database.sslRootCertSecretRef"):
			put(spec, "database.postgresSecretRef", map[string]any{"name": "s"})
			put(spec, "database.sslRootCertSecretRef", map[string]any{"name": "s", "key": "k"})
		}
		put(spec, path, value)
	}
}

// put sets a field of an object, and makes the blocks that it is in.
func put(object map[string]any, path string, value any) {
	name, rest, below := strings.Cut(path, ".")
	if !below {
		object[name] = value
		return
	}
	if rest == "0" {
		object[name] = []any{value}
		return
	}
	switch v := object[name].(type) {
	case []any:
		_, rest, _ = strings.Cut(rest, ".")
		put(v[0].(map[string]any), rest, value)
	case map[string]any:
		put(v, rest, value)
	default:
		object[name] = map[string]any{}
		put(object[name].(map[string]any), rest, value)
	}
}

// get returns a field of an object, or nil.
func get(object any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch v := object.(type) {
		case map[string]any:
			object = v[name]
		case []any:
			object = v[0]
		default:
			return nil
		}
	}
	return object
}

// TestSchemaDefaults compares the defaults of the XRD's schema with those of the
// function, which may run where no API server has applied them.
func TestSchemaDefaults(t *testing.T) {
	b, err := json.Marshal(allBlocksWith(t, func(spec map[string]any) {
		delete(spec, "adapters")
		delete(spec["logging"].(map[string]any), "output")
	}).Spec)
	if err != nil {
		t.Fatal(err)
	}
	spec := map[string]any{}
	if err := json.Unmarshal(b, &spec); err != nil {
		t.Fatal(err)
	}

	found := 0
	specSchema(t).walk("", func(path string, s *schema) {
		if s.Default == nil {
			return
		}
		found++
		got := get(spec, path)
		if got == nil { // Go leaves a zero out.
			got = map[any]any{false: false, 0.0: 0.0, "": ""}[s.Default]
		}
		if diff := cmp.Diff(s.Default, got); diff != "" {
			t.Errorf("spec.%s: the default of the schema should be that of the function: -schema, +function:\n%s", path, diff)
		}
	})
	if found < 10 {
		t.Errorf("Only %d fields with a default found in the schema", found)
	}
}

// TestSchemaRules breaks each rule of the XRD's schema in turn, and expects the
// function to see it too, at the same field or at the block that it is in.
func TestSchemaRules(t *testing.T) {
	if errs := allBlocksWith(t, func(map[string]any) {}).Validate(); len(errs) > 0 {
		t.Fatalf("The spec that the rules are broken in should be valid: %v", errs)
	}

	broken := 0
	specSchema(t).walk("", func(path string, s *schema) {
		bad := map[string]any{}
		if len(s.Enum) > 0 {
			bad["enum"] = "none-of-them"
		}
		if s.Pattern != "" {
			bad["pattern"] = " !"
		}
		if s.Minimum != nil {
			bad["minimum"] = *s.Minimum - 1
			if *s.Minimum == 1 {
				bad["minimum"] = -1.0 // To Go, a zero is a number that is not set.
			}
		}
		if s.Maximum != nil {
			bad["maximum"] = *s.Maximum + 1
		}
		if s.MaxLength != nil {
			bad["maxLength"] = strings.Repeat("a", *s.MaxLength+1)
		}
		if s.MinLength != nil {
			bad["minLength"] = ""
		}
		for rule, value := range bad {
			broken++
			t.Run(path+"/"+rule, func(t *testing.T) {
				field := "spec." + strings.ReplaceAll(path, ".0", "[0]")
				errs := allBlocksWith(t, breakRule(path, value)).Validate()
				for _, err := range errs {
					if err.Field == field || strings.HasPrefix(field, err.Field+".") {
						return
					}
				}
				t.Errorf("%s: the schema's %s refuses %v, and the function says %v", field, rule, fmt.Sprintf("%#v", value), errs)
			})
		}
	})
	if broken < 30 {
		t.Errorf("Only %d rules found in the schema", broken)
	}
}
