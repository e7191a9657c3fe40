package host

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

const (
	// stopTimeout is how long a process may take to stop by itself before it is killed.
	stopTimeout = 5 * time.Second

	// startTimeout is how long a process may take until it listens, on a machine that
	// has much else to do.
	startTimeout = 2 * time.Minute
)

// A Command describes a process to start.
type Command struct {
	Path string
	Args []string
	Env  []string // Nil for that of the tests.
	Dir  string   // Empty for that of the tests.

	// Log is the file that the output is appended to: a program that is started again
	// continues its log.
	Log string

	// Name is what the process is called in errors. Empty for that of the program.
	Name string
}

// A Process is a program that the tests have started. It dies with them, however they
// end.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd

	exited chan struct{}
	err    error // Valid once exited is closed.
}

// Usage is what a process has used, and uses: CPU time, and bytes of memory that are
// resident now and were at most.
type Usage struct {
	CPU            time.Duration
	Resident, Peak int64
}

// Start starts the process.
func (c Command) Start() (*Process, error) {
	p := &Process{name: c.Name, log: c.Log, exited: make(chan struct{})}
	if p.name == "" {
		p.name = filepath.Base(c.Path)
	}
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open log of %s: %w", p.name, err)
	}
	defer log.Close() // The child has a descriptor of its own.

	p.cmd = exec.Command(c.Path, c.Args...) // Stopped by Stop, in the right order, rather than by a context.
	p.cmd.Env, p.cmd.Dir = c.Env, c.Dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = childAttributes()
	if err := launch(p.cmd); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// Run starts the process and waits until it has succeeded.
func (c Command) Run(ctx context.Context) error {
	p, err := c.Start()
	if err != nil {
		return err
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.Stop()
		return fmt.Errorf("cannot wait for %s: %w", p.name, ctx.Err())
	}
	if p.err != nil {
		return fmt.Errorf("%s failed: %w: see %s", p.name, p.err, p.log)
	}
	return nil
}

// AwaitListener waits until the process listens on an address.
func (p *Process) AwaitListener(ctx context.Context, network, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.exited:
			return p.Alive()
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen on %s within %s: %w", p.name, address, startTimeout, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Signal sends the process a signal.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Wait waits until the process is gone, and returns an error if it has not succeeded.
func (p *Process) Wait() error {
	<-p.exited
	return p.err
}

// Exited is closed once the process is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Stop asks the process to stop, and kills it if it does not.
func (p *Process) Stop() {
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.Kill()
	}
}

// Kill kills the process and its children, and waits until it is gone.
func (p *Process) Kill() {
	if p.Alive() == nil {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // It leads a group of its own.
	}
	<-p.exited
}

// Alive returns an error if the process has exited.
func (p *Process) Alive() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s exited (%w): see %s", p.name, errors.Join(p.err), p.log)
	default:
		return nil
	}
}

// Output is all that the process has said.
func (p *Process) Output() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Linux kills a child with a parent death signal when the thread that started
// it exits. A thread that is locked for good lives as long as the tests do, so
// that no child outlives them, however they end.
var launches = func() chan<- func() {
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
