// Package serve has tests of the function as it runs: as a process, with its flags and
// the signals that it gets.
package serve

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/dittofs/function-dittoserver/internal/functest"
)

// binary is the function.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "function")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary, err = functest.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// start starts the function, and waits until it listens.
func start(t *testing.T, args ...string) *functest.Process {
	t.Helper()
	p, err := functest.StartProcess(binary, t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		if t.Failed() {
			t.Logf("The function's log:\n%s", p.Output())
		}
	})
	if err := p.AwaitListener(t.Context(), "unix", p.Socket); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLargeRequests calls the function with more than gRPC's own limit of 4 MB: three
// Secrets may have 1 MiB each.
func TestLargeRequests(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
		want   codes.Code
	}{
		"LargeSecrets": {
			reason: "By default, a request with three Secrets of the largest size should be accepted.",
			want:   codes.OK,
		},
		"Limited": {
			reason: "The limit should be that of the flag.",
			args:   []string{"--max-recv-message-size=1"},
			want:   codes.ResourceExhausted,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := start(t, tc.args...)
			c := functest.New(t, p)
			for _, name := range []string{"jwt", "admin", "db"} {
				c.SetSecret(name, "unreferenced", strings.Repeat("x", 1<<20))
			}
			c.Set("spec.database.postgresSecretRef.name", "db")
			req := c.Request(c.Call(c.Request(nil)).GetRequirements())

			rsp, err := p.RunFunction(t.Context(), req)

			if got := status.Code(err); got != tc.want {
				t.Fatalf("%s\nRunFunction(...): -want %s, +got %s: %v", tc.reason, tc.want, got, err)
			}
			if tc.want == codes.OK && len(rsp.GetDesired().GetResources()) == 0 {
				t.Errorf("%s\nThe response has no desired resources: %v", tc.reason, rsp)
			}
		})
	}
}

// TestInsecure says once that requests, which hold Secrets, are not encrypted.
func TestInsecure(t *testing.T) {
	p := start(t)
	c := functest.New(t, p)
	c.Settle()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(p.Output(), "without mTLS"); n != 1 {
		t.Errorf("The log should say once that there is no mTLS, got %d times:\n%s", n, p.Output())
	}
}

// TestSignals stops the process as a kubelet does, and as Ctrl-C does.
func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p := start(t)
			if err := p.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := p.Wait(); err != nil {
				t.Errorf("The process should end well: %v", err)
			}
		})
	}
}

// TestFlags refuses what cannot be meant.
func TestFlags(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
		want   string
	}{
		"Credentials": {reason: "To serve without TLS has to be asked for.", want: "--tls-certs-dir"},
		"TTL":         {reason: "Crossplane would call all the time.", args: []string{"--insecure", "--ttl=10ms"}, want: "--ttl"},
		"Size":        {reason: "No request is that small.", args: []string{"--insecure", "--max-recv-message-size=0"}, want: "--max-recv-message-size"},
		"Directory":   {reason: "What cannot be read should be named.", args: []string{"--tls-certs-dir=/nowhere"}, want: "/nowhere/tls.crt"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), binary, append([]string{"--address=127.0.0.1:0", "--health=", "--metrics-address="}, tc.args...)...)
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), tc.want) {
				t.Errorf("%s Want an error with %q, got %v: %s", tc.reason, tc.want, err, out)
			}
		})
	}
}

// TestHostileConnections connects without speaking gRPC, and looks whether others
// are served all the same.
func TestHostileConnections(t *testing.T) {
	p := start(t)
	c := functest.New(t, p)
	c.Settle()
	req := c.Request(c.Required)
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	for name, sent := range map[string]string{
		"Nothing":       "",
		"HTTP1":         "GET / HTTP/1.1\r\nHost: function\r\n\r\n",
		"TLS":           "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"HalfAPreface":  preface[:10],
		"NoSettings":    preface + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678",
		"HugeFrame":     preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\xff\xff\xff\x00\x00\x00\x00\x00\x01",
		"EndlessHeader": preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + strings.Repeat("\x00\x00\x04\x01\x00\x00\x00\x00\x01\x40\x01a\x00", 1000),
		"Noise":         strings.Repeat("\x00\xff\x80\x7f", 1<<16),
	} {
		t.Run(name, func(t *testing.T) {
			// Several at once, and all left open.
			for range 20 {
				conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", p.Socket)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				// It may have been closed on us already, which is well.
				_, _ = io.WriteString(conn, sent)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if _, err := p.RunFunction(ctx, req); err != nil {
				t.Errorf("Others should be served: %v", err)
			}
		})
	}
}
