package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the expected output instead of comparing with it")

// generated are the values of the Secrets that the function makes.
var generated = regexp.MustCompile(`(?m)^(  (?:jwt-secret|password):) [A-Za-z0-9+/=]{70,}$`)

// TestExamples renders every example with the real Crossplane and compares the
// result with what stands beside the example.
func TestExamples(t *testing.T) {
	b := binaries(t)

	f, err := StartFunction(t.Context(), b.Function)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)

	xrs, err := filepath.Glob("../../example/*/xr.yaml")
	if err != nil || len(xrs) == 0 {
		t.Fatalf("no examples found: %v", err)
	}

	for _, xr := range xrs {
		dir := filepath.Dir(xr)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got, err := Render(t.Context(), b, f, dir)
			if err != nil {
				t.Fatal(err)
			}
			got = generated.ReplaceAll(got, []byte("$1 generated"))

			expected := filepath.Join(dir, "expected.yaml")
			if *update {
				if err := os.WriteFile(expected, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("rendered %s: -expected.yaml, +got (make update-golden accepts it):\n%s", dir, diff)
			}
		})
	}
}

// binaries returns the built binaries. They take minutes to build, so without
// them the test is skipped, but not in CI.
func binaries(t *testing.T) Binaries {
	t.Helper()

	b := Binaries{Function: "../../.cache/bin/function", CLI: "../../.cache/bin/crossplane", Core: "../../.cache/bin/crossplane-core"}
	for _, f := range []string{b.Function, b.CLI, b.Core} {
		if _, err := os.Stat(f); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not there: run make test", f)
		}
		t.Skipf("%s is not there: make test builds it", f)
	}
	return b
}
