package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const cgroupRoot = "/sys/fs/cgroup"

// cgroups returns the cluster's control groups: one of each hierarchy (cgroup v1), or
// one (v2).
func cgroups() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		return []string{filepath.Join(cgroupRoot, clusterName)}, nil
	}
	all, err := filepath.Glob(filepath.Join(cgroupRoot, "*", "cgroup.procs"))
	if err != nil {
		return nil, fmt.Errorf("cannot list control groups: %w", err)
	}
	for i, f := range all {
		all[i] = filepath.Join(filepath.Dir(f), clusterName)
	}
	return all, nil
}

// makeCgroups makes the control groups below which the kubelet makes those of pods.
func makeCgroups() error {
	all, err := cgroups()
	if err != nil {
		return err
	}
	for _, g := range all {
		if err := os.MkdirAll(g, 0o755); err != nil { //nolint:gosec // As control groups are.
			return fmt.Errorf("cannot make control group: %w", err)
		}
		// A new group of cpuset has nothing to run on.
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
			b, err := os.ReadFile(filepath.Join(filepath.Dir(g), f)) //nolint:gosec // The kernel's.
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(g, f), b, 0o600) //nolint:gosec // As above.
			}
			if err != nil {
				return fmt.Errorf("cannot set %s: %w", f, err)
			}
		}
		for _, parent := range []string{filepath.Dir(g), g} {
			f := filepath.Join(parent, "cgroup.subtree_control")
			if _, err := os.Stat(f); err != nil || len(all) > 1 {
				continue
			}
			if err := os.WriteFile(f, []byte("+cpu +cpuset +memory +pids"), 0o600); err != nil {
				return fmt.Errorf("cannot set %s: %w", f, err)
			}
		}
	}
	return nil
}

// removeCgroups removes them, with all below them. Nothing runs in them any more.
func removeCgroups() error {
	all, err := cgroups()
	if err != nil {
		return err
	}
	for _, g := range all {
		var dirs []string
		if err := filepath.WalkDir(g, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		}); err != nil {
			return fmt.Errorf("cannot list control groups: %w", err)
		}
		for _, d := range slices.Backward(dirs) {
			if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cannot remove control group: %w", err)
			}
		}
	}
	return nil
}
