package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// How a line of progress says that there will be none after it.
const (
	readyLine    = "ready"
	failedPrefix = "failed: "
)

// up starts a cluster and returns once it is ready.
func up(ctx context.Context, p paths) error {
	running, err := inits()
	if err != nil {
		return err
	}
	if len(running) > 0 {
		if running[0].root != p.root {
			return fmt.Errorf("the cluster of %s runs on this machine. make cluster-down in there ends it", running[0].root)
		}
		if _, err := os.Stat(p.ready()); err != nil {
			return errors.New("the cluster is being started. make cluster-down ends it")
		}
		fmt.Println("It runs already.")
		fmt.Print(hints(p))
		return nil
	}
	if err := down(ctx, p); err != nil { // What a failed one has left.
		return err
	}
	if err := addressesFree(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("cannot make directory: %w", err)
	}
	if err := giveToUser(p.dir); err != nil {
		return err
	}
	if err := makeCgroups(); err != nil {
		return err
	}
	progress, err := startInNamespaces(ctx, p)
	if err != nil {
		return err
	}
	defer progress.Close() //nolint:errcheck // Only read from.
	for l := bufio.NewScanner(progress); l.Scan(); {
		if l.Text() == readyLine {
			if err := giveToUser(p.kubeconfig()); err != nil {
				return err
			}
			fmt.Print(hints(p))
			return nil
		}
		if why, failed := strings.CutPrefix(l.Text(), failedPrefix); failed {
			return fmt.Errorf("%s. Logs are in %s. make cluster-down removes what is there", why, p.dir)
		}
		fmt.Println(l.Text())
	}
	return fmt.Errorf("the cluster has ended: see %s/cluster.log. make cluster-down removes what is there", p.dir)
}

// giveToUser makes a file that of the user who has called sudo, if there is one.
func giveToUser(path string) error {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if err != nil {
		return nil //nolint:nilerr // It is root's own call.
	}
	if err := os.Chown(path, uid, -1); err != nil {
		return fmt.Errorf("cannot give %s to the user: %w", path, err)
	}
	return nil
}

// hints says what to do with a cluster.
func hints(p paths) string {
	return fmt.Sprintf(`
The cluster runs until make cluster-down. Try:

  export KUBECONFIG=%s PATH=%s:$PATH
  kubectl get pods -A
  kubectl create namespace team-a
  kubectl apply -f example/minimal/xr.yaml
  kubectl get dittoserver -n team-a files -w
`, p.kubeconfig(), p.bin)
}
