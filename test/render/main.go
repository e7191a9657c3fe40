// Command render shows what the function makes of an example: it starts the
// function, has the real Crossplane render the example with it, prints the
// result and stops the function.
//
//	go run ./test/render example/basic
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// Binaries that it takes to render, all made by make.
type Binaries struct {
	// Function is this function.
	Function string
	// CLI is the crossplane command line, or the part of it in tools/crossplane/render.
	CLI string
	// Core is Crossplane itself, whose reconciler renders, or the part of it in
	// tools/crossplane/reconcile.
	Core string
}

func main() {
	b := Binaries{}
	flag.StringVar(&b.Function, "function", ".cache/bin/function", "the function's binary")
	flag.StringVar(&b.CLI, "cli", ".cache/bin/render", "the binary of tools/crossplane/render, or of the crossplane CLI, 2.3 or later")
	flag.StringVar(&b.Core, "core", ".cache/bin/reconcile", "the binary of tools/crossplane/reconcile, or of Crossplane itself")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	if err := run(ctx, b, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		stop()
		os.Exit(1) //nolint:gocritic // Nothing is left to be done.
	}
}

func run(ctx context.Context, b Binaries, dirs []string) error {
	if len(dirs) == 0 {
		return errors.New("name at least one directory of example/")
	}

	f, err := StartFunction(ctx, b.Function)
	if err != nil {
		return err
	}
	defer f.Stop()

	for _, dir := range dirs {
		out, err := Render(ctx, b, f, dir)
		if err != nil {
			return err
		}
		fmt.Printf("# %s\n%s", dir, out)
	}
	return nil
}

// A RunningFunction is the function, listening on a port of its own.
type RunningFunction struct {
	Address string

	process *host.Process
	dir     string
}

// StartFunction starts the function and waits until it listens.
func StartFunction(ctx context.Context, binary string) (*RunningFunction, error) {
	port, err := host.FreePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "render")
	if err != nil {
		return nil, err
	}
	f := &RunningFunction{Address: host.Loopback(port), dir: dir}
	f.process, err = host.Command{
		Path: binary,
		Args: []string{"--insecure", "--address=" + f.Address, "--metrics-address=", "--health="},
		Log:  filepath.Join(dir, "function.log"),
	}.Start()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := f.process.AwaitListener(ctx, "tcp", f.Address); err != nil {
		output := f.process.Output()
		f.Stop()
		return nil, errors.Wrap(err, output)
	}
	return f, nil
}

// Stop the function.
func (f *RunningFunction) Stop() {
	f.process.Kill()
	_ = os.RemoveAll(f.dir)
}

// Render an example, which is a directory beside the files that all examples share. It has
// an xr.yaml, or an operation.yaml if it is for an Operation, and as far as it needs them
// secrets.yaml or required.yaml, and observed.yaml.
func Render(ctx context.Context, b Binaries, f *RunningFunction, dir string) ([]byte, error) {
	args := append(command(dir),
		"--crossplane-binary="+b.Core,
		"--function-annotations=render.crossplane.io/runtime-development-target="+f.Address)
	for file, flag := range map[string]string{"secrets.yaml": "--required-resources=", "required.yaml": "--required-resources=", "observed.yaml": "--observed-resources="} {
		if path := filepath.Join(dir, file); exists(path) {
			args = append(args, flag+path)
		}
	}

	cmd := exec.CommandContext(ctx, b.CLI, args...) //nolint:gosec // The user's own binary.
	stderr := &strings.Builder{}
	cmd.Stderr = stderr
	out, err := cmd.Output()
	if isOperation(dir) {
		out = stable(out)
	}
	return out, errors.Wrapf(err, "cannot render %s: %s", dir, stderr)
}

// command is the CLI's for an example, with its arguments.
func command(dir string) []string {
	shared := filepath.Dir(filepath.Clean(dir))
	functions := filepath.Join(shared, "functions.yaml")
	if isOperation(dir) {
		return []string{"operation", "render", filepath.Join(dir, "operation.yaml"), functions, "--include-function-results"}
	}
	return []string{"composition", "render", filepath.Join(dir, "xr.yaml"), filepath.Join(shared, "composition.yaml"), functions, "--xrd=" + filepath.Join(shared, "xrd.yaml")}
}

func isOperation(dir string) bool { return exists(filepath.Join(dir, "operation.yaml")) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// stable makes the output of an Operation the same each time: Crossplane applies objects in
// any order, and the CLI leaves the times of the Operation's conditions as they are.
func stable(out []byte) []byte {
	const (
		separator = "---\n"
		result    = "apiVersion: render.crossplane.io/" // What the function says comes last.
	)
	docs := strings.Split(string(out), separator)
	if len(docs) < 2 {
		return out // There was an error.
	}
	docs[1] = regexp.MustCompile(`(lastTransitionTime:) .*`).ReplaceAllString(docs[1], `$1 "2024-01-01T00:00:00Z"`)
	applied := docs[2:]
	if i := slices.IndexFunc(applied, func(d string) bool { return strings.HasPrefix(d, result) }); i >= 0 {
		applied = applied[:i]
	}
	slices.Sort(applied)
	return []byte(strings.Join(docs, separator))
}
