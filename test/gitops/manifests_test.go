package gitops

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestConfigMap checks that the ConfigMap has the script, for the kind that the XRD
// defines.
func TestConfigMap(t *testing.T) {
	var xrd struct {
		Spec struct {
			Group string
			Names struct{ Kind string }
		}
	}
	parse(t, readFile(t, "example/xrd.yaml"), &xrd)
	var cm struct{ Data map[string]string }
	parse(t, readFile(t, "example/gitops/argocd/argocd-cm.yaml"), &cm)

	key := "resource.customizations.health." + xrd.Spec.Group + "_" + xrd.Spec.Names.Kind
	if diff := cmp.Diff(readFile(t, script), cm.Data[key]); diff != "" {
		t.Errorf("%s of argocd-cm.yaml: -health.lua, +argocd-cm.yaml:\n%s", key, diff)
	}
}

// healthCheckExprs returns those of the Kustomization, which are for DittoServers.
func healthCheckExprs(t *testing.T) expressions {
	t.Helper()
	var ks struct {
		Spec struct{ HealthCheckExprs []expressions }
	}
	parse(t, readFile(t, kustomization), &ks)
	if len(ks.Spec.HealthCheckExprs) != 1 {
		t.Fatalf("%s: want expressions for one kind, got %d", kustomization, len(ks.Spec.HealthCheckExprs))
	}
	exprs := ks.Spec.HealthCheckExprs[0]
	if s := newServer(t, "example/running/expected.yaml"); exprs.APIVersion != s.GetAPIVersion() || exprs.Kind != s.GetKind() {
		t.Errorf("%s: want expressions for %s, got some for %s %s", kustomization, s.GroupVersionKind(), exprs.APIVersion, exprs.Kind)
	}
	return exprs
}

// TestDocumented checks that docs/gitops.md names each file of example/gitops, and that
// those it names are there.
func TestDocumented(t *testing.T) {
	files := map[string]bool{}
	if err := filepath.WalkDir(filepath.Join(root, "example", "gitops"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(root, path)
			files[path] = true
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`\]\(\.\./(example/gitops/[^)]+)\)`).FindAllStringSubmatch(readFile(t, "docs/gitops.md"), -1) {
		named[m[1]] = true
	}
	if diff := cmp.Diff(files, named); diff != "" {
		t.Errorf("docs/gitops.md: -the files of example/gitops, +those that it names:\n%s", diff)
	}
}
