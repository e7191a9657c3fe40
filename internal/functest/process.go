package functest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// Build builds the function into a directory. It looks for races if the tests do.
func Build(dir string) (binary string, err error) {
	binary = filepath.Join(dir, "function")
	args, env := []string{"build", "-buildvcs=false", "-o", binary}, append(os.Environ(), "CGO_ENABLED=0")
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args, env = append(args, "-race"), os.Environ()
	}
	build := exec.Command("go", append(args, "github.com/dittofs/function-dittoserver")...) // It ends by itself.
	build.Env = env
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the function: %w: %s", err, out)
	}
	return binary, nil
}

// A Process is the function as a process of its own, without TLS.
type Process struct {
	Function
	*host.Process

	// Socket is where it listens.
	Socket string

	conn *grpc.ClientConn
}

// StartProcess starts the function, with its socket and its log in a directory, and
// connects to it. A call waits until it listens.
func StartProcess(binary, dir string, args ...string) (*Process, error) {
	socket := filepath.Join(dir, "function.sock")
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		return nil, err
	}
	p, err := host.Command{
		Path: binary,
		Args: append([]string{"--insecure", "--network=unix", "--address=" + socket, "--metrics-address=", "--health="}, args...),
		Log:  filepath.Join(dir, "function.log"),
	}.Start()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &Process{Function: Connected(conn), Process: p, Socket: socket, conn: conn}, nil
}

// Close ends the process and the connection to it.
func (p *Process) Close() {
	_ = p.conn.Close()
	p.Kill()
}
