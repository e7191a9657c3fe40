package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
				c.setSecret(name, "unreferenced", strings.Repeat("x", 1<<20))
			}
			c.set("spec.database.postgresSecretRef.name", "db")
			req := c.request(c.call(c.request(nil)).GetRequirements())

			rsp, err := serve(t, tc.args...).RunFunction(t.Context(), req)

			if got := status.Code(err); got != tc.want {
				t.Fatalf("%s\nRunFunction(...): -want %s, +got %s: %v", tc.reason, tc.want, got, err)
			}
			if tc.want == codes.OK && len(rsp.GetDesired().GetResources()) == 0 {
				t.Errorf("%s\nThe response has no desired resources: %v", tc.reason, rsp)
			}
		})
	}
}

// serve runs the function as a process of its own and returns a client.
func serve(t *testing.T, args ...string) fnv1.FunctionRunnerServiceClient {
	t.Helper()

	socket := filepath.Join(t.TempDir(), "function.sock")
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"--insecure", "--network=unix", "--address=" + socket, "--metrics-address="}, args...)...)
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
	return fnv1.NewFunctionRunnerServiceClient(conn)
}
