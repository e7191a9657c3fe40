package kubelet

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// A Network is a network namespace, as each pod has one. Nothing but its own
// loopback interface is in it, so servers never meet on a port. It outlives the
// pods in it: what a pod talks to, such as a database, may be in it too.
type Network struct {
	dir    string
	socket string
	pid    int
	relay  *exec.Cmd
}

// envRelay tells a process that it is the one which keeps a network namespace
// open and lets others in, and where it listens.
const envRelay = "KUBELET_RELAY_SOCKET"

// Main must come first in the main function, or TestMain, of every program that
// makes networks: the program runs itself in the network's namespace.
func Main() {
	socket := os.Getenv(envRelay)
	if socket == "" {
		return
	}
	if err := serveRelay(context.Background(), socket); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// NewNetwork makes a network. Close it after use.
func NewNetwork(ctx context.Context) (*Network, error) {
	// Not below a test's directory: a socket's path has about a hundred bytes.
	dir, err := os.MkdirTemp("", "network")
	if err != nil {
		return nil, err
	}
	n := &Network{dir: dir, socket: filepath.Join(dir, "relay")}
	if err := n.start(ctx); err != nil {
		_ = n.Close()
		return nil, errors.Wrap(err, "cannot make a network namespace")
	}
	return n, nil
}

func (n *Network) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	n.relay = exec.CommandContext(ctx, "bwrap", "--unshare-net", "--die-with-parent", "--dev-bind", "/", "/", "--", self) //nolint:gosec // This program.
	n.relay.Env = append(os.Environ(), envRelay+"="+n.socket)
	stderr := &strings.Builder{}
	n.relay.Stderr = stderr
	out, err := n.relay.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.relay.Start(); err != nil {
		return err
	}
	// It says who it is once it listens, or it ends.
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = n.relay.Wait()
		return errors.Wrap(err, strings.TrimSpace(stderr.String()))
	}
	n.pid, err = strconv.Atoi(strings.TrimSpace(line))
	return err
}

// Close ends everything that goes through the network.
func (n *Network) Close() error {
	if n.relay != nil && n.relay.Process != nil {
		_ = n.relay.Process.Kill()
		_ = n.relay.Wait()
	}
	return os.RemoveAll(n.dir)
}

// DialContext connects to an address in the network.
func (n *Network) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	return n.ask(ctx, "dial "+address)
}

// Listen accepts the connections to a port of the network's loopback interface.
func (n *Network) Listen(ctx context.Context, port int) (net.Listener, error) {
	socket := filepath.Join(n.dir, strconv.Itoa(port))
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	c, err := n.ask(ctx, fmt.Sprintf("listen 127.0.0.1:%d %s", port, socket))
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return &listener{Listener: l, relay: c}, nil
}

// A listener is open in the network for as long as its connection to the relay.
type listener struct {
	net.Listener

	relay net.Conn
}

// Close ends both.
func (l *listener) Close() error {
	_ = l.relay.Close()
	return l.Listener.Close()
}

// Transport speaks HTTP in the network. It keeps no connection open, so none
// stands in the way of a server that stops.
func (n *Network) Transport() *http.Transport {
	return &http.Transport{DialContext: n.DialContext, DisableKeepAlives: true}
}

// Command is a program of this machine that runs in the network.
func (n *Network) Command(ctx context.Context, name string, arg ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append(n.enter(), append([]string{name}, arg...)...)...) //nolint:gosec // Tests say what is run.
}

// enter is the arguments that make nsenter start a program in the network. Only
// root can enter a network namespace without the user namespace that owns it.
func (n *Network) enter() []string {
	args := []string{"--target", strconv.Itoa(n.pid), "--net"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--preserve-credentials")
	}
	return append(args, "--")
}

// ask sends the relay a line and returns the connection once the relay agrees.
func (n *Network) ask(ctx context.Context, line string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", n.socket)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	if _, err := fmt.Fprintln(c, line); err != nil {
		_ = c.Close()
		return nil, err
	}
	answer, err := readLine(c)
	if err == nil && answer != "ok" {
		err = errors.New(answer)
	}
	if err != nil {
		_ = c.Close()
		return nil, errors.Wrap(err, line)
	}
	return c, c.SetDeadline(time.Time{})
}

// serveRelay lets those in who connect to the socket, until it is killed.
func serveRelay(ctx context.Context, socket string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return err
	}
	fmt.Println(os.Getpid())
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close() //nolint:errcheck // There is nobody to tell.
			if err := serveAsker(ctx, c); err != nil {
				_, _ = fmt.Fprintln(c, err)
			}
		}()
	}
}

func serveAsker(ctx context.Context, c net.Conn) error {
	line, err := readLine(c)
	if err != nil {
		return err
	}
	verb, arg, _ := strings.Cut(line, " ")
	if verb == "listen" {
		address, socket, _ := strings.Cut(arg, " ")
		return forward(ctx, c, address, socket)
	}

	up, err := (&net.Dialer{}).DialContext(ctx, "tcp", arg)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c, "ok"); err != nil {
		return err
	}
	join(c, up)
	return nil
}

// forward sends the connections to an address to a socket, until the asker hangs
// up.
func forward(ctx context.Context, asker net.Conn, address, socket string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(asker, "ok"); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, asker)
		_ = l.Close()
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil //nolint:nilerr // It was closed.
		}
		go func() {
			up, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
			if err != nil {
				_ = c.Close()
				return
			}
			join(c, up)
		}()
	}
}

// join copies both ways until both sides are done.
func join(a, b net.Conn) {
	done := make(chan struct{})
	oneWay := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		done <- struct{}{}
	}
	go oneWay(a, b)
	go oneWay(b, a)
	<-done
	<-done
	_ = a.Close()
	_ = b.Close()
}

// readLine reads no byte more than the line has: what follows is not for the
// relay.
func readLine(r io.Reader) (string, error) {
	line, b := []byte{}, make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
}
