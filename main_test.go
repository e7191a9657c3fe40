package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// runMain makes the test binary the function, so that main is tested as it runs.
const runMain = "FUNCTION_DITTOSERVER_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestServe calls the function over gRPC with more than gRPC's own limit of 4 MB:
// three Secrets may have 1 MiB each.
func TestServe(t *testing.T) {
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
			c := newCluster(t)
			for _, name := range []string{"jwt", "admin", "db"} {
				c.SetSecret(name, "unreferenced", strings.Repeat("x", 1<<20))
			}
			c.Set("spec.database.postgresSecretRef.name", "db")
			req := c.Request(c.Call(c.Request(nil)).GetRequirements())

			rsp, err := startProcess(t, tc.args...).RunFunction(t.Context(), req)

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
	p := startProcess(t)
	c, _ := newRunningCluster(t)
	for range 3 {
		if _, err := p.RunFunction(t.Context(), c.Request(c.Required)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(p.log.String(), "without mTLS"); n != 1 {
		t.Errorf("The log should say once that there is no mTLS, got %d times:\n%s", n, p.log)
	}
}

// TestSignals stops the process as a kubelet does, and as Ctrl-C does.
func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p := startProcess(t)
			if err := p.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := p.cmd.Wait(); err != nil {
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
			cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"--address=127.0.0.1:0", "--health=", "--metrics-address="}, tc.args...)...)
			cmd.Env = append(os.Environ(), runMain+"=yes")
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), tc.want) {
				t.Errorf("%s Want an error with %q, got %v: %s", tc.reason, tc.want, err, out)
			}
		})
	}
}

// flags are those of the command line.
func flags(t *testing.T) []*kong.Flag {
	t.Helper()
	k, err := kong.New(&CLI{})
	if err != nil {
		t.Fatal(err)
	}
	return k.Model.Flags[1:] // The first is --help.
}

// A process is the function, run as a program.
type process struct {
	fnv1.FunctionRunnerServiceClient

	cmd    *exec.Cmd
	socket string
	log    *strings.Builder // To be read when the process has ended.
}

// startProcess runs the function and connects to it.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()

	socket := filepath.Join(t.TempDir(), "function.sock")
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"--insecure", "--network=unix", "--address=" + socket, "--metrics-address=", "--health="}, args...)...)
	cmd.Env = append(os.Environ(), runMain+"=yes")
	log := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // An error says that it was killed.
		if t.Failed() {
			t.Logf("The function's log:\n%s", log)
		}
	})

	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn.Connect()
	for s := conn.GetState(); s.String() != "READY"; s = conn.GetState() {
		if !conn.WaitForStateChange(ctx, s) {
			t.Fatalf("The function does not listen on %s after 30 seconds", socket)
		}
		conn.Connect()
	}
	return &process{FunctionRunnerServiceClient: fnv1.NewFunctionRunnerServiceClient(conn), cmd: cmd, socket: socket, log: log}
}
