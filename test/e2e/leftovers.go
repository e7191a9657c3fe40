package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// hostState is what there is on this machine, outside of all clusters: mounts,
// interfaces, routes and firewall rules, a line each.
func hostState(ctx context.Context) ([]string, error) {
	state, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("cannot read mounts: %w", err)
	}
	for _, args := range []string{"ip -o -br link", "ip route", "nft list ruleset", "ip netns list", "losetup --list --noheadings"} {
		f := strings.Fields(args)
		out, err := exec.CommandContext(ctx, f[0], f[1:]...).Output() //nolint:gosec // Constants.
		if err != nil {
			return nil, fmt.Errorf("%s: %w", args, err)
		}
		state = append(state, out...)
	}
	return strings.Split(string(state), "\n"), nil
}

// leftovers returns an error that says what a cluster that has ended has left on this
// machine: what was not there before, a process, a control group, or its directory.
func (n *node) leftovers(ctx context.Context) error {
	var left []error
	now, err := hostState(ctx)
	if err != nil {
		return err
	}
	for _, l := range now {
		if !slices.Contains(n.before, l) {
			left = append(left, errors.New(l))
		}
	}
	links, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		return fmt.Errorf("cannot list processes: %w", err)
	}
	for _, l := range links {
		// What has ended, and waits for its parent to be told so, runs no program.
		_, err := os.Readlink(filepath.Join(filepath.Dir(l), "..", "exe"))
		if ns, nsErr := os.Readlink(l); err == nil && nsErr == nil && ns == n.namespace {
			left = append(left, fmt.Errorf("process %s", l))
		}
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*/dittofs-cluster")
	if err != nil {
		return fmt.Errorf("cannot list control groups: %w", err)
	}
	for _, path := range append(groups, "/sys/fs/cgroup/dittofs-cluster", n.dir()) {
		if _, err := os.Stat(path); err == nil {
			left = append(left, errors.New(path))
		}
	}
	return errors.Join(left...)
}
