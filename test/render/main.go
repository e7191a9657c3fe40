// Command render shows what the function makes of an example: it starts the
// function, has the real Crossplane render the example with it, prints the
// result and stops the function.
//
//	go run ./test/render example/basic
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// Binaries that it takes to render, all made by make.
type Binaries struct {
	// Function is this function.
	Function string
	// CLI is the crossplane command line.
	CLI string
	// Core is Crossplane itself, whose reconciler renders.
	Core string
}

func main() {
	b := Binaries{}
	flag.StringVar(&b.Function, "function", ".cache/bin/function", "the function's binary")
	flag.StringVar(&b.CLI, "cli", ".cache/bin/crossplane", "the binary of the crossplane CLI, 2.3 or later")
	flag.StringVar(&b.Core, "core", ".cache/bin/crossplane-core", "the binary of Crossplane itself")
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

	cmd *exec.Cmd
}

// StartFunction starts the function and waits until it listens.
func StartFunction(ctx context.Context, binary string, args ...string) (*RunningFunction, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}

	f := &RunningFunction{Address: address}
	f.cmd = exec.Command(binary, append([]string{"--insecure", "--address=" + address, "--metrics-address=", "--health="}, args...)...) //nolint:gosec,noctx // It is stopped by Stop.
	log := &bytes.Buffer{}
	f.cmd.Stdout, f.cmd.Stderr = log, log
	if err := f.cmd.Start(); err != nil {
		return nil, errors.Wrap(err, "cannot start the function")
	}

	if err := awaitListener(ctx, address, startTimeout); err != nil {
		f.Stop()
		return nil, errors.Wrapf(err, "the function does not listen:\n%s", log)
	}
	return f, nil
}

// freeAddress is where nobody listens.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", errors.Wrap(err, "cannot find a free port")
	}
	return l.Addr().String(), l.Close()
}

// awaitListener waits until somebody listens.
func awaitListener(ctx context.Context, address string, timeout time.Duration) error {
	for deadline := time.Now().Add(timeout); ; time.Sleep(10 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return errors.Wrapf(err, "cannot connect within %s", timeout)
		}
	}
}

const startTimeout = 10 * time.Second

// Stop the function.
func (f *RunningFunction) Stop() {
	_ = f.cmd.Process.Kill() // It may have stopped already.
	_ = f.cmd.Wait()         // An error says that it was killed.
}

// Render an example, a directory with xr.yaml and, as far as it needs them,
// secrets.yaml or required.yaml, and observed.yaml, beside the files that all examples share.
func Render(ctx context.Context, b Binaries, f *RunningFunction, dir string) ([]byte, error) {
	shared := filepath.Dir(filepath.Clean(dir))
	args := []string{
		"render", filepath.Join(dir, "xr.yaml"), filepath.Join(shared, "composition.yaml"), filepath.Join(shared, "functions.yaml"),
		"--xrd=" + filepath.Join(shared, "xrd.yaml"),
		"--crossplane-binary=" + b.Core,
		"--function-annotations=render.crossplane.io/runtime-development-target=" + f.Address,
	}
	for file, flag := range map[string]string{"secrets.yaml": "--required-resources=", "required.yaml": "--required-resources=", "observed.yaml": "--observed-resources="} {
		path := filepath.Join(dir, file)
		if _, err := os.Stat(path); err == nil {
			args = append(args, flag+path)
		}
	}

	cmd := exec.CommandContext(ctx, b.CLI, args...) //nolint:gosec // The user's own binary.
	stderr := &strings.Builder{}
	cmd.Stderr = stderr
	out, err := cmd.Output()
	return out, errors.Wrapf(err, "cannot render %s: %s", dir, stderr)
}
