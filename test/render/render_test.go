package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
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

// TestReadme renders by hand, by the commands of the README. The last of them gets
// Crossplane as a binary, where users have it as a container.
func TestReadme(t *testing.T) {
	b := binaries(t)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	section := functest.Section(t, root, "README.md", "See it run")
	blocks := regexp.MustCompile("(?s)```shell\n(.*?)\n```").FindAllStringSubmatch(section, -1)
	if len(blocks) != 3 {
		t.Fatalf("The README has %d blocks of commands to see it run, want make, serve, render", len(blocks))
	}
	serve, render := blocks[1][1], blocks[2][1]

	path := "PATH=" + filepath.Join(root, ".cache", "bin") + ":" + os.Getenv("PATH")
	address := host.FreeAddress(t)
	f, err := host.Command{
		Path: "sh", Args: []string{"-c", "exec " + serve + " --address=" + address + " --health= --metrics-address="},
		Env: append(os.Environ(), path), Dir: root, Log: filepath.Join(t.TempDir(), "function.log"),
	}.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Kill)
	if err := f.AwaitListener(t.Context(), "tcp", address); err != nil {
		t.Fatalf("%v: %s", err, f.Output())
	}

	core, err := filepath.Abs(b.Core)
	if err != nil {
		t.Fatal(err)
	}
	r := exec.CommandContext(t.Context(), "sh", "-c", render+" --crossplane-binary="+core+" --function-annotations=render.crossplane.io/runtime-development-target="+address)
	r.Dir, r.Env = root, append(os.Environ(), path)
	stderr := &strings.Builder{}
	r.Stderr = stderr
	got, err := r.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", render, err, stderr)
	}
	want, err := os.ReadFile(filepath.Join(root, "example", "basic", "expected.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: -expected.yaml, +got:\n%s", render, diff)
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
