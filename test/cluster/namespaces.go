package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What the host has of the cluster's: an interface, and control groups of this name.
const clusterName = "dittofs-cluster"

// The addresses are from a range that is meant for benchmarks, and so is hardly in use.
const (
	allCIDRs    = "198.18.0.0/15"
	serviceCIDR = "198.18.0.0/16"
	podCIDR     = "198.19.0.0/24"
	nodeAddress = "198.19.255.1"
	hostAddress = "198.19.255.2"
	dnsAddress  = "198.18.0.10"

	// Crossplane speaks HTTP without TLS to private addresses only.
	registryAddress = "10.198.0.1"
	registry        = registryAddress + ":5000"
)

// The cluster's directory as its own processes see it. A socket's path may not be long.
const home = "/run/cluster"

// The descriptor of the pipe to whoever started the cluster.
const progressFD = 3

// startInNamespaces starts the first process of a cluster, and connects it to the host.
// What it tells about its progress is read from the file.
func startInNamespaces(ctx context.Context, p paths) (progress *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot make a pipe: %w", err)
	}
	defer w.Close() //nolint:errcheck // The child has its own.
	log, err := os.Create(filepath.Join(p.dir, "cluster.log"))
	if err != nil {
		return nil, fmt.Errorf("cannot write log: %w", err)
	}
	defer log.Close() //nolint:errcheck // The child has its own.
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program: %w", err)
	}
	cmd := exec.Command(self, append([]string{"init", p.root}, p.flags...)...) //nolint:gosec,noctx // Itself. It outlives this process.
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start in namespaces: %w", err)
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	for _, args := range []string{
		"link add " + clusterName + " type veth peer name eth0 netns " + pid,
		"addr add " + hostAddress + "/30 dev " + clusterName,
		"link set " + clusterName + " up",
		"route add " + allCIDRs + " via " + nodeAddress + " dev " + clusterName,
		"route add " + registryAddress + " via " + nodeAddress + " dev " + clusterName,
	} {
		if err := ip(ctx, args); err != nil {
			return nil, errors.Join(err, cmd.Process.Kill())
		}
	}
	return r, nil
}

// addressesFree returns an error if the host has routes to what are to be the cluster's
// addresses.
func addressesFree(ctx context.Context) error {
	for _, addresses := range []string{allCIDRs, registryAddress + "/32"} {
		out, err := exec.CommandContext(ctx, "ip", "route", "show", "root", addresses).Output() //nolint:gosec // Constants.
		if err != nil {
			return fmt.Errorf("cannot list routes: %w", err)
		}
		if used := bytes.TrimSpace(out); len(used) > 0 {
			return fmt.Errorf("this machine uses addresses of %s, which the cluster needs: %s", addresses, used)
		}
	}
	return nil
}

// ip runs a command of iproute2.
func ip(ctx context.Context, args string) error {
	if out, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput(); err != nil { //nolint:gosec // Constants, and a PID.
		return fmt.Errorf("ip %s: %w: %s", args, err, bytes.TrimSpace(out))
	}
	return nil
}

// initialize is the first process in the namespaces. It sets up mounts and addresses,
// starts the one that does the rest, and reaps orphans for as long as that runs.
func initialize(ctx context.Context, p paths) error {
	if err := mounts(p.dir); err != nil {
		return err
	}
	if err := addresses(ctx); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	child, err := os.StartProcess(self, append([]string{self, "run", p.root}, p.flags...), &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, os.NewFile(progressFD, "progress")},
	})
	if err != nil {
		return fmt.Errorf("cannot start the cluster: %w", err)
	}
	_ = os.NewFile(progressFD, "progress").Close()
	signal.Ignore(syscall.SIGHUP)
	for {
		pid, err := syscall.Wait4(-1, nil, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("cannot wait: %w", err)
		case pid == child.Pid:
			return errors.New("the cluster has ended")
		}
	}
}

// mounts gives the cluster what containerd, the kubelet and CNI plugins write to
// wherever they are told to write: /run and /var.
func mounts(dir string) error {
	type mount struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}
	for _, m := range []mount{
		{target: "/", flags: syscall.MS_REC | syscall.MS_PRIVATE},
		{target: "/", flags: syscall.MS_REC | syscall.MS_SHARED}, // Containers see later mounts of volumes.
		{source: "proc", target: "/proc", kind: "proc"},
		{source: "tmpfs", target: "/run", kind: "tmpfs"},
		{source: dir, target: home, flags: syscall.MS_BIND},
		{source: "overlay", target: "/var", kind: "overlay", data: "lowerdir=/var,upperdir=" + home + "/var,workdir=" + home + "/work"},
	} {
		if m.target == home {
			if err := os.MkdirAll(home, 0o700); err != nil {
				return fmt.Errorf("cannot make directory: %w", err)
			}
		}
		if m.kind == "overlay" {
			for _, d := range []string{"/var", "/work"} {
				if err := os.MkdirAll(home+d, 0o755); err != nil { //nolint:gosec // As /var is.
					return fmt.Errorf("cannot make directory: %w", err)
				}
			}
		}
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("cannot mount %s: %w", m.target, err)
		}
	}
	return nil
}

// addresses gives the node its addresses, once the host has connected it.
func addresses(ctx context.Context) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := net.InterfaceByName("eth0"); err == nil {
			break
		} else if time.Now().After(deadline) {
			return fmt.Errorf("the host has not connected the node: %w", err)
		}
	}
	for _, args := range []string{
		"link set lo up",
		"addr add " + registryAddress + "/32 dev lo",
		"addr add " + nodeAddress + "/30 dev eth0",
		"link set eth0 up",
		"route add default via " + hostAddress,
	} {
		if err := ip(ctx, args); err != nil {
			return err
		}
	}
	return nil
}
