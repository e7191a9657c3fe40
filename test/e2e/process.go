package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// How long a process may take to stop by itself before it is killed.
const stopTimeout = 5 * time.Second

// A process is a program that the tests started. Its output is appended to a
// log file, so that a program that is started again continues its log.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd

	exited chan struct{}
	err    error // Valid once exited is closed.
}

// A command describes a process to start.
type command struct {
	name string
	path string
	args []string
	env  []string // On top of PATH and HOME, which is all that is inherited.
	dir  string   // The log file goes here.
}

func (c command) start() (*process, error) {
	p := &process{name: c.name, log: filepath.Join(c.dir, c.name+".log"), exited: make(chan struct{})}

	f, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open log of %s: %w", c.name, err)
	}
	defer f.Close() //nolint:errcheck // The child has a descriptor of its own.

	p.cmd = exec.Command(c.path, c.args...) //nolint:gosec,noctx // Stopped by stop, in the right order, rather than by a context.
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}, c.env...)
	p.cmd.Dir = c.dir
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = childAttributes()

	if err := launch(p.cmd); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", c.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// run starts the process and waits until it has succeeded.
func (c command) run(ctx context.Context) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.stop()
		return fmt.Errorf("cannot wait for %s: %w", c.name, ctx.Err())
	}
	if p.err != nil {
		return fmt.Errorf("%s failed: %w: see %s", c.name, p.err, p.log)
	}
	return nil
}

// stop asks the process to stop, and kills it if it does not.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.kill()
	}
}

// kill kills the process and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// alive returns an error if the process has exited.
func (p *process) alive() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s exited (%w): see %s", p.name, errors.Join(p.err), p.log)
	default:
		return nil
	}
}

// Linux kills a child with a parent death signal when the thread that started
// it exits. A thread that is locked for good lives as long as the tests do, so
// that no child outlives them, however they end.
var launches = func() chan<- func() { //nolint:gochecknoglobals // A thread is a thing of the whole process.
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
}()

func launch(cmd *exec.Cmd) error {
	err := make(chan error)
	launches <- func() { err <- cmd.Start() }
	return <-err
}

// freePort returns a loopback port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // Does not block.
	if err != nil {
		return 0, fmt.Errorf("cannot find a free port: %w", err)
	}
	defer l.Close()                          //nolint:errcheck // Nothing was accepted.
	return l.Addr().(*net.TCPAddr).Port, nil //nolint:forcetypeassert // A TCP listener has a TCP address.
}
