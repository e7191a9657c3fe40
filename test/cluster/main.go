package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

func main() {
	if err := command(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// command runs what the arguments name. Users give up or down and the repository; the
// others are the cluster's own.
func command(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == "pause" {
		pause()
	}
	const usage = "usage: cluster up|down REPOSITORY [FLAG...]"
	if len(args) < 2 {
		return errors.New(usage)
	}
	root, err := filepath.Abs(args[1])
	if err != nil {
		return fmt.Errorf("cannot find the repository: %w", err)
	}
	p := paths{root: root, bin: filepath.Join(root, ".cache", "bin"), dir: filepath.Join(root, ".cache", "cluster"), flags: args[2:]}
	o := options{}
	flags := flag.NewFlagSet(usage, flag.ContinueOnError)
	flags.BoolVar(&o.bare, "bare", false, "install Crossplane, but not the function")
	flags.StringVar(&o.version, "crossplane", defaultCrossplane, "the version of Crossplane, one that the project has a module for")
	flags.Func("crossplane-arg", "an argument for Crossplane, more than once for more", func(a string) error {
		o.crossplane = append(o.crossplane, a)
		return nil
	})
	if err := flags.Parse(p.flags); err != nil {
		return fmt.Errorf("cannot parse flags: %w", err)
	}
	switch args[0] {
	case "up":
		if err := requirements(); err != nil {
			return err
		}
		return up(ctx, p)
	case "down":
		if err := requirements(); err != nil {
			return err
		}
		return down(ctx, p)
	case "init":
		return initialize(ctx, p)
	case "run":
		return run(ctx, p, o)
	}
	return fmt.Errorf("there is no command %q", args[0])
}

// requirements returns an error on a machine that cannot run a cluster.
func requirements() error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return errors.New("this needs Linux, and root")
	}
	for _, p := range []string{"containerd", "runc", "/usr/lib/cni/ptp", "ip", "nft", "mkfs.xfs", "losetup"} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("there is no %s. On Debian, make cluster-packages installs it", p)
		}
	}
	return nil
}

// paths are where the cluster's things are.
type paths struct {
	root string // Of the repository.
	bin  string
	dir  string // Of the cluster alone, and gone with it.

	flags []string // That the cluster was started with.
}

// options are what the flags say.
type options struct {
	bare       bool
	version    string   // Of Crossplane.
	crossplane []string // Its arguments.
}

func (p paths) kubeconfig() string { return filepath.Join(p.dir, "kubeconfig") }
func (p paths) ready() string      { return filepath.Join(p.dir, "ready") }
