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
	"github.com/dittofs/function-dittoserver/internal/functest/golden"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

var update = flag.Bool("update", false, "write the expected output instead of comparing with it")

// pairs are the crossplane CLI with Crossplane, and the parts of both that make render
// uses.
var pairs = []Binaries{
	{Function: "../../.cache/bin/function", CLI: "../../.cache/bin/crossplane", Core: "../../.cache/bin/crossplane-core"},
	{Function: "../../.cache/bin/function", CLI: "../../.cache/bin/render", Core: "../../.cache/bin/reconcile"},
}

// generated are the values of the Secrets that the function makes.
var generated = regexp.MustCompile(`(?m)^(  (?:jwt-secret|password):) [A-Za-z0-9+/=]{70,}$`)

// TestExamples renders every example with the real Crossplane and compares the
// result with what stands beside the example. The parts that make render uses have to
// print the same.
func TestExamples(t *testing.T) {
	f := started(t)

	for _, file := range append(files(t, "../../example/*/xr.yaml"), files(t, "../../example/*/operation.yaml")...) {
		dir := filepath.Dir(file)
		expected := filepath.Join(dir, "expected.yaml")
		for _, b := range pairs {
			t.Run(filepath.Base(dir)+"/"+filepath.Base(b.CLI), func(t *testing.T) {
				got, err := Render(t.Context(), b, f, dir)
				if err != nil {
					t.Fatal(err)
				}
				got = generated.ReplaceAll(got, []byte("$1 generated"))

				golden.Compare(t, *update, expected, string(got), "What the example renders is in its directory.")
			})
		}
	}
}

// files returns those that match a pattern, of which there must be some.
func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no files match %s: %v", pattern, err)
	}
	return found
}

// TestErrors renders what cannot be rendered. Both command lines have to say why.
func TestErrors(t *testing.T) {
	f := started(t)

	// restart is an Operation with a mistake in a field of its Input.
	const restart = `{apiVersion: ops.crossplane.io/v1alpha1, kind: Operation, metadata: {name: restart}, spec: {mode: Pipeline, pipeline: [
  {step: restart, functionRef: {name: function-dittoserver}, input: {apiVersion: dittoserver.fn.crossplane.io/v1beta1, kind: Restart, maxUnavailable: 0}}]}}`

	cases := map[string]struct {
		reason string
		file   string
		text   string
		want   string
	}{
		"OtherKind": {
			reason: "A Composition composes one kind only.",
			file:   "xr.yaml",
			text:   `{apiVersion: dittofs.io/v1alpha1, kind: FileServer, metadata: {name: files, namespace: team-a}}`,
			want:   "FileServer",
		},
		"Refused": {
			reason: "What the function says reaches the user.",
			file:   "xr.yaml",
			text:   `{apiVersion: dittofs.io/v1alpha1, kind: DittoServer, metadata: {name: files, namespace: team-a}, spec: {image: "a b", storage: {metadataSize: 1Gi}}}`,
			want:   `spec.image: Invalid value: "a b"`,
		},
		"NoOperation": {
			reason: "What an Operation does to DittoServers is not in a DittoServer.",
			file:   "operation.yaml",
			text:   `{apiVersion: dittofs.io/v1alpha1, kind: DittoServer, metadata: {name: files, namespace: team-a}}`,
			want:   "DittoServer",
		},
		"RefusedOperation": {
			reason: "What the function says of an Operation reaches the user, too.",
			file:   "operation.yaml",
			text:   restart,
			want:   `input.maxUnavailable: Invalid value: "0"`,
		},
	}

	for name, tc := range cases {
		shared := t.TempDir()
		for _, file := range []string{"composition.yaml", "functions.yaml", "xrd.yaml"} {
			content, err := os.ReadFile(filepath.Join("..", "..", "example", file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(shared, file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		dir := filepath.Join(shared, name)
		if err := os.Mkdir(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, tc.file), []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}

		for _, b := range pairs {
			t.Run(name+"/"+filepath.Base(b.CLI), func(t *testing.T) {
				if out, err := Render(t.Context(), b, f, dir); err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%s\nwant an error with %q, got %v and %s", tc.reason, tc.want, err, out)
				}
			})
		}
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
	// As the Makefile builds it, so that little is left to compile, and before the wait for
	// its listener begins: on a busy machine that can take minutes.
	env := append(os.Environ(), path, "CGO_ENABLED=0")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", filepath.Join(t.TempDir(), "function"), ".")
	build.Dir, build.Env = root, env
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	address := host.FreeAddress(t)
	f, err := host.Command{
		Path: "sh", Args: []string{"-c", "exec " + serve + " --address=" + address + " --health= --metrics-address="},
		Env: env, Dir: root, Log: filepath.Join(t.TempDir(), "function.log"),
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
	r.Dir, r.Env = root, env
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

// started returns the function, running.
func started(t *testing.T) *RunningFunction {
	t.Helper()
	f, err := StartFunction(t.Context(), binaries(t).Function)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

// binaries returns the built binaries. They take minutes to build, so without
// them the test is skipped, but not in CI.
func binaries(t *testing.T) Binaries {
	t.Helper()

	b := pairs[0]
	for _, f := range []string{b.Function, b.CLI, b.Core, pairs[1].CLI, pairs[1].Core} {
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
