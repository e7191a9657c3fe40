//go:build !linux

package host

import "syscall"

// childAttributes puts a child in a process group of its own, so that Ctrl-C
// reaches the tests alone and they stop their children in order.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// Usage is not measured on this system.
func (p *Process) Usage() (Usage, error) { return Usage{}, nil }

// UsageOf is not measured on this system.
func UsageOf(int) (Usage, error) { return Usage{}, nil }
