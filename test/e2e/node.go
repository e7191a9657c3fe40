package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A node is the one of the cluster that the tests have brought up. Its processes are
// this machine's, too, and can be killed.
type node struct {
	bin, root string

	namespace string   // Of the PIDs of its programs.
	before    []string // What there was on this machine.
}

// machine is the address of this machine as the cluster sees it.
const machine = "198.19.255.2"

// startNode brings up a cluster, with Crossplane and its arguments and without the
// function. If there is one beside an error, it has to be stopped as well.
func startNode(ctx context.Context, bin string, crossplaneArgs ...string) (*node, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("cannot find the repository: %w", err)
	}
	n := &node{bin: bin, root: abs}
	if _, err := os.Stat(filepath.Join(n.dir(), "ready")); err == nil {
		return nil, errors.New("a cluster of this repository runs already: make cluster-down ends it, and with KUBECONFIG the tests run in it")
	}
	if n.before, err = hostState(ctx); err != nil {
		return nil, err
	}
	args := []string{"up", abs, "-bare"}
	if *crossplane != "" {
		args = append(args, "-crossplane="+*crossplane)
	}
	for _, a := range crossplaneArgs {
		args = append(args, "-crossplane-arg="+a)
	}
	if err := n.command(ctx, args...); err != nil {
		return n, err
	}
	err = n.findNamespace()
	return n, err
}

// dir is the cluster's directory.
func (n *node) dir() string { return filepath.Join(n.root, ".cache", "cluster") }

// command runs a command of test/cluster.
func (n *node) command(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(n.bin, "cluster"), args...) //nolint:gosec // Constants, and a path of ours.
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot bring the cluster %s: %w", args[0], err)
	}
	return nil
}

// stop ends the cluster, of which nothing may be left.
func (n *node) stop() error {
	ctx := context.Background()
	if err := n.command(ctx, "down", n.root); err != nil {
		return err
	}
	// The kernel lets go of mounts and what is below them a moment later.
	return await(ctx, "the machine to be as it was before", n.leftovers)
}

// saveLogs copies the logs of the cluster to where they stay.
func (n *node) saveLogs() (dir string, err error) {
	dir = filepath.Join(n.root, ".cache", "e2e-logs")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return "", fmt.Errorf("cannot make directory: %w", err)
	}
	return dir, filepath.WalkDir(n.dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(path) != ".log" {
			return nil //nolint:nilerr // A pod's directory may go away meanwhile.
		}
		b, err := os.ReadFile(path) //nolint:gosec // A log of ours.
		if err != nil {
			return nil //nolint:nilerr // As above.
		}
		rel, err := filepath.Rel(n.dir(), path)
		if err != nil {
			return fmt.Errorf("cannot name log: %w", err)
		}
		return os.WriteFile(filepath.Join(dir, strings.ReplaceAll(rel, "/", "_")), b, 0o600) //nolint:gosec // A name of ours.
	})
}

// findNamespace finds the namespace of the cluster's PIDs, by its first process.
func (n *node) findNamespace() error {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return fmt.Errorf("cannot list processes: %w", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f) //nolint:gosec // A process's.
		if err != nil {
			continue // It has ended.
		}
		if args := strings.Split(string(b), "\x00"); len(args) > 2 && filepath.Base(args[0]) == "cluster" && args[1] == "init" {
			if n.namespace, err = os.Readlink(filepath.Join(filepath.Dir(f), "ns", "pid")); err == nil {
				return nil
			}
		}
	}
	return errors.New("cannot find the cluster's first process")
}

// program returns the PID of one of the node's programs, such as the kubelet.
func (n *node) program(name string) (int, error) {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return 0, fmt.Errorf("cannot list processes: %w", err)
	}
	for _, l := range links {
		exe, err := os.Readlink(l)
		if err != nil || filepath.Base(exe) != name {
			continue
		}
		dir := filepath.Dir(l)
		if ns, err := os.Readlink(filepath.Join(dir, "ns", "pid")); err == nil && ns == n.namespace {
			return strconv.Atoi(filepath.Base(dir))
		}
	}
	return 0, fmt.Errorf("%s does not run", name)
}

// signal sends a signal to one of the node's programs.
func (n *node) signal(name string, sig syscall.Signal) error {
	pid, err := n.program(name)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("cannot send %s to %s: %w", sig, name, err)
	}
	return nil
}

// restart kills one of the node's programs, and waits until the node has started it
// again.
func (n *node) restart(ctx context.Context, name string) error {
	old, err := n.program(name)
	if err != nil {
		return err
	}
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		return fmt.Errorf("cannot kill %s: %w", name, err)
	}
	return await(ctx, name+" to be started again", func(context.Context) error {
		if pid, err := n.program(name); err != nil || pid == old {
			return errors.Join(err, errors.New("it is not"))
		}
		return nil
	})
}

// processes returns the PIDs of what runs in the containers of a pod, which its control
// groups tell. The process that holds the pod's namespaces is not among them.
func (n *node) processes(uid string) ([]int, error) {
	found := map[int]bool{}
	// A runtime with systemd's names writes the UID with underscores.
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" || !strings.Contains(path, uid) {
			return nil
		}
		b, err := os.ReadFile(path) //nolint:gosec // The kernel's.
		if err != nil {
			return nil
		}
		for f := range strings.FieldsSeq(string(b)) {
			exe, err := os.Readlink("/proc/" + f + "/exe")
			if err != nil || filepath.Base(exe) == "cluster" {
				continue
			}
			pid, err := strconv.Atoi(f)
			if err != nil {
				return fmt.Errorf("cannot parse PID: %w", err)
			}
			found[pid] = true
		}
		return nil
	})
	pids := make([]int, 0, len(found))
	for pid := range found {
		pids = append(pids, pid)
	}
	return pids, err
}

// kill kills what runs in the containers of a pod.
func (n *node) kill(uid string) error {
	pids, err := n.processes(uid)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("cannot kill: %w", err)
		}
	}
	return nil
}
