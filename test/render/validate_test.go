package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// crossplaneImage is where the crossplane CLI looks for Crossplane's own CRDs. The
// test puts them into its cache, out of the pinned module, so that none is pulled.
const crossplaneImage = "xpkg.crossplane.io/crossplane/crossplane:v2.4.0"

// validation is what crossplane resource validate says in JSON.
type validation struct {
	Summary struct {
		Valid          int `json:"valid"`
		Invalid        int `json:"invalid"`
		MissingSchemas int `json:"missingSchemas"`
	} `json:"summary"`
	Resources []struct {
		Name   string `json:"name"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	} `json:"resources"`
}

// TestValidExamples wants all that the project shows to be accepted by the XRD, by
// the Input's CRD and by Crossplane's own CRDs. The kinds of Kubernetes itself
// have no CRDs to check against: the API server does that in make e2e.
func TestValidExamples(t *testing.T) {
	shown := []string{"../../example/composition.yaml", "../../example/functions.yaml", "../../example/xrd.yaml"}
	for _, pattern := range []string{"../../example/*/xr.yaml", "../../example/*/operation.yaml", "../dittofs/testdata/*/xr.yaml"} {
		shown = append(shown, files(t, pattern)...)
	}

	v := validate(t, shown...)
	if v.Summary.Invalid > 0 || v.Summary.MissingSchemas > 0 || v.Summary.Valid < len(shown) {
		t.Errorf("crossplane resource validate: %+v", v)
	}
}

// TestInvalidBySchema wants the schema to refuse what the function refuses, so
// that users hear of it when they apply a DittoServer.
func TestInvalidBySchema(t *testing.T) { refused(t, "testdata/invalid.yaml") }

// TestOperationsBySchema wants the schemas of the Inputs of Operations to accept and to
// refuse what the function does.
func TestOperationsBySchema(t *testing.T) {
	refused(t, "testdata/invalid-operations.yaml")

	const valid = "testdata/operations.yaml"
	if v := validate(t, valid); v.Summary.Invalid > 0 || v.Summary.Valid != len(documents(t, valid)) {
		t.Errorf("crossplane resource validate: %+v", v)
	}
}

// refused wants each document of a file to be refused as its annotation says.
func refused(t *testing.T, file string) {
	t.Helper()

	got := map[string]string{}
	for _, r := range validate(t, file).Resources {
		for _, e := range r.Errors {
			got[r.Name] += e.Message + "\n"
		}
	}

	for _, xr := range documents(t, file) {
		want := xr.GetAnnotations()["refusal"]
		if want == "" {
			t.Errorf("%s does not say how it is refused", xr.GetName())
		}
		if !strings.Contains(got[xr.GetName()], want) {
			t.Errorf("%s should be refused with %q, and was with %q", xr.GetName(), want, got[xr.GetName()])
		}
	}
}

func validate(t *testing.T, files ...string) validation {
	t.Helper()

	b := binaries(t)
	out, err := exec.CommandContext(t.Context(), b.CLI, "resource", "validate",
		"../../example/xrd.yaml,../../package/input", strings.Join(files, ","),
		"--cache-dir="+cacheCRDs(t), "--crossplane-image="+crossplaneImage, "--output=json").Output()
	v := validation{}
	if jsonErr := json.Unmarshal(out, &v); jsonErr != nil {
		t.Fatalf("cannot read what crossplane resource validate says: %v (%v): %s", jsonErr, err, out)
	}
	return v
}

// cacheCRDs lays Crossplane's CRDs out as the CLI caches them.
func cacheCRDs(t *testing.T) string {
	t.Helper()

	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f={{.Dir}}", "github.com/crossplane/crossplane/v2")
	list.Dir = "../../tools/crossplane"
	module, err := list.Output()
	if err != nil {
		t.Fatalf("cannot find the module of Crossplane: %v", err)
	}
	crds, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(module)), "cluster", "crds", "*.yaml"))
	if err != nil || len(crds) == 0 {
		t.Fatalf("no CRDs in the module of Crossplane: %v", err)
	}

	all := &bytes.Buffer{}
	for _, f := range crds {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
		all.WriteString("\n---\n")
	}

	cache := t.TempDir()
	dir := filepath.Join(cache, strings.ReplaceAll(crossplaneImage, ":", "@"))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.yaml"), all.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return cache
}

func documents(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()

	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	us := []*unstructured.Unstructured{}
	for d := kyaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		u := &unstructured.Unstructured{}
		if err := d.Decode(u); errors.Is(err, io.EOF) {
			return us
		} else if err != nil {
			t.Fatal(err)
		}
		us = append(us, u)
	}
}
