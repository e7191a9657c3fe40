// Package dittofs proves what the function renders on the real DittoFS server.
// Each directory of testdata is one DittoServer with its Secrets. The function
// renders it, package kubelet does to the result what a kubelet does, and the
// tests ask the server that comes out of it.
package dittofs

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/test/dittofs/kubelet"
)

// update says that golden files are to be written, not compared.
var update = flag.Bool("update", false, "write the golden files")

// function is the function under test, a process of its own.
var function functest.Function

func TestMain(m *testing.M) {
	kubelet.Main()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	// The tests wait for servers most of the time, so many run at once on few
	// processors.
	if !isSet("test.parallel") {
		_ = flag.Set("test.parallel", "32")
	}

	dir, err := os.MkdirTemp("", "dittofs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Only directories of failed tests may stay.
	defer os.Remove(dir)
	if err := errors.Join(os.Chmod(dir, 0o755), os.Setenv("TMPDIR", dir)); err != nil { // Servers run as other users.
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cleanUpWhenInterrupted(dir)

	binaries := filepath.Join(dir, "function")
	tools.dir = binaries
	defer os.RemoveAll(binaries)
	stop, err := startFunction(binaries)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot start the function:", err)
		return 1
	}
	defer stop()
	return m.Run()
}

// cleanUpWhenInterrupted leaves nothing behind. All processes die with this one.
func cleanUpWhenInterrupted(dir string) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-interrupted
		fmt.Fprintln(os.Stderr, s)
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}()
}

// startFunction builds the function, starts it as Crossplane does, but without
// mTLS, and connects to it.
func startFunction(dir string) (stop func(), err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	binary, err := functest.Build(dir)
	if err != nil {
		return nil, err
	}
	p, err := functest.StartProcess(binary, dir)
	if err != nil {
		return nil, err
	}
	function = p
	return p.Close, nil
}

func isSet(name string) bool {
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// needs skips a test on a machine that lacks a program, and names the Debian
// package that has it. In CI, where nothing may be skipped, it fails.
func needs(t *testing.T, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program); len(found) > 0 {
		return found[len(found)-1]
	}
	msg := fmt.Sprintf("%s is not installed. Install the Debian package %s", program, debianPackage)
	if os.Getenv("CI") == "true" {
		t.Fatal(msg)
	}
	t.Skip(msg)
	return ""
}

// tools is where the programs are that servers run in their sandboxes. The clone may
// be one that only its owner can enter, and they run as other users.
var tools = struct {
	sync.Mutex

	dir    string
	copied map[string]bool
}{copied: map[string]bool{}}

// tool is a program that the Makefile builds, where every user can read it.
func tool(t *testing.T, name string) string {
	t.Helper()
	tools.Lock()
	defer tools.Unlock()

	path := filepath.Join(tools.dir, name)
	if tools.copied[name] {
		return path
	}
	built, err := os.Open(filepath.Join("..", "..", ".cache", "bin", name))
	if err != nil {
		t.Fatalf("%s is not built. Run make test", name)
	}
	defer built.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, built); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	tools.copied[name] = true
	return path
}

// workDir is a directory for what a test's processes write. It stays when the
// test fails.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", strings.ReplaceAll(t.Name(), "/", "-")) //nolint:usetesting // It stays when the test fails.
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Logs and volumes are kept in %s", dir)
			return
		}
		if err := removeAll(dir); err != nil {
			t.Errorf("cannot remove %s: %v", dir, err)
		}
	})
	return dir
}

// removeAll removes a directory in which processes may have been at work until
// just now: those that were killed take a moment to end.
func removeAll(dir string) error {
	for deadline := time.Now().Add(requestDeadline); ; time.Sleep(pollInterval) {
		err := os.RemoveAll(dir)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// pollInterval is how often something is tried that has to work soon.
const pollInterval = 50 * time.Millisecond

// network is the network of a test's server, and of what the server talks to.
func network(t *testing.T) *kubelet.Network {
	t.Helper()
	needs(t, "bwrap", "bubblewrap")
	needs(t, "nsenter", "util-linux")
	n, err := kubelet.NewNetwork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// eventually tries until it works, and says what did not when it is too late.
func eventually(t *testing.T, within time.Duration, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s: %v", within, what, err)
		case <-time.After(pollInterval):
		}
	}
}

// serve answers every connection to a port of the network until the test ends.
// Whoever connects notices when that fails.
func serve(t *testing.T, n *kubelet.Network, port int, answer func(c net.Conn) error) {
	t.Helper()
	l, err := n.Listen(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = answer(c)
				_ = c.Close()
			}()
		}
	}()
}
