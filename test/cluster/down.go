package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An initProcess is the first process of a cluster.
type initProcess struct {
	pid  int
	root string // Of the repository that it was started from.
}

// inits returns the first processes of all clusters on this machine. There is at most
// one, but that is not to be relied on when everything is to be cleaned up.
func inits() ([]initProcess, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	var found []initProcess
	for _, f := range files {
		b, err := os.ReadFile(f) //nolint:gosec // A process's.
		if err != nil {
			continue // It has ended.
		}
		args := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
		if len(args) < 3 || filepath.Base(args[0]) != "cluster" || args[1] != "init" {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			return nil, fmt.Errorf("cannot parse PID: %w", err)
		}
		found = append(found, initProcess{pid: pid, root: args[2]})
	}
	return found, nil
}

// down takes everything away that a cluster of this repository has, or had.
func down(ctx context.Context, p paths) error {
	running, err := inits()
	if err != nil {
		return err
	}
	for _, i := range running {
		if i.root != p.root {
			return fmt.Errorf("the cluster of %s runs on this machine, and not one of %s", i.root, p.root)
		}
		// The kernel kills all processes in its namespaces with it.
		if err := syscall.Kill(i.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("cannot kill the cluster: %w", err)
		}
	}
	if err := retry(30*time.Second, func() error {
		if left, err := inits(); err != nil || len(left) > 0 {
			return errors.Join(err, errors.New("the cluster has not ended"))
		}
		return removeCgroups()
	}); err != nil {
		return err
	}
	// It goes with the namespace, but not at once.
	if _, err := net.InterfaceByName(clusterName); err == nil {
		if err := ip(ctx, "link del "+clusterName); err != nil {
			if _, still := net.InterfaceByName(clusterName); still == nil {
				return err
			}
		}
	}
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("cannot remove the cluster's directory: %w", err)
	}
	return nil
}

// retry tries until it succeeds, or it is too late.
func retry(timeout time.Duration, try func() error) error {
	for deadline := time.Now().Add(timeout); ; time.Sleep(100 * time.Millisecond) {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
