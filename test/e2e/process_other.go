//go:build !linux

package e2e

import (
	"syscall"
	"time"
)

// childAttributes puts a child in a process group of its own, so that Ctrl-C
// reaches the tests alone and they stop their children in order.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// usage is not measured on this system.
func (p *process) usage() (cpu time.Duration, peak int64, err error) {
	return 0, 0, nil
}
