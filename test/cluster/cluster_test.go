package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// enforced is a namespace in which only pods of the restricted Pod Security Standard
	// may be created.
	enforced = `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}`

	newPassword = "a-password-that-only-the-database-knows"

	readyLimit = 10 * time.Minute // On a machine that has much else to do.
)

// A testCluster is a cluster as its user sees it, from the host.
type testCluster struct {
	*testing.T

	paths paths
}

// The server of example/minimal, as it is in a user's cluster: it becomes ready, survives
// the loss of its process and of its pod with its data, and all of it goes without a trace.
func TestCluster(t *testing.T) {
	if err := requirements(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	p := paths{root: root, bin: filepath.Join(root, ".cache", "bin"), dir: filepath.Join(root, ".cache", "cluster")}
	c := &testCluster{T: t, paths: p}
	before := hostState(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the cluster is left as it is. make cluster-down removes it")
			return
		}
		c.run(exec.CommandContext(context.Background(), filepath.Join(p.bin, "cluster"), "down", root))
		c.nothingLeft(before)
	})
	c.run(exec.CommandContext(t.Context(), filepath.Join(p.bin, "cluster"), "up", root))

	c.apply(enforced)
	c.kubectl("apply", "-f", filepath.Join(root, "example", "minimal", "xr.yaml"))
	start := time.Now()
	c.eventually("the DittoServer is ready", func() error { return c.ready("") })
	t.Logf("ready after %.1f s", time.Since(start).Seconds())

	password := c.kubectl("get", "secret", "-n=team-a", "files-admin-bootstrap-credentials", "-o=go-template={{.data.password | base64decode}}")
	api := "http://" + c.kubectl("get", "service", "-n=team-a", "files-api", "-o=jsonpath={.spec.clusterIP}") + ":8080/api/v1"
	token, err := login(t.Context(), api, password)
	if err != nil {
		t.Fatal("login through the Service: ", err)
	}
	// If the database were new, the generated password would be good again.
	if err := post(t.Context(), api+"/users/me/password", token, map[string]string{"current_password": password, "new_password": newPassword}, nil); err != nil {
		t.Fatal("change the password: ", err)
	}
	hash := c.hash()
	if hash == "" {
		t.Fatal("the pod has no config hash")
	}

	c.Run("its process is killed", func(t *testing.T) {
		c := &testCluster{T: t, paths: p}
		restarts := c.restarts()
		if err := syscall.Kill(c.process("dfs"), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.eventually("the container is started again", func() error {
			if got := c.restarts(); got == restarts {
				return errors.New("it has restarted " + got + " times")
			}
			return nil
		})
		c.comesBack(api, password, hash, "")
	})
	c.Run("its pod is deleted", func(t *testing.T) {
		c := &testCluster{T: t, paths: p}
		old := c.uid()
		c.kubectl("delete", "pod", "-n=team-a", "files-0")
		c.comesBack(api, password, hash, old)
	})
}

// comesBack waits until the server is ready again, in another pod than the old one, and
// has its data and its hash.
func (c *testCluster) comesBack(api, oldPassword, hash, oldPod string) {
	c.Helper()
	start := time.Now()
	c.eventually("the server comes back", func() error {
		if err := c.ready(oldPod); err != nil {
			return err
		}
		_, err := login(c.Context(), api, newPassword)
		return err
	})
	c.Logf("back after %.1f s", time.Since(start).Seconds())
	if _, err := login(c.Context(), api, oldPassword); err == nil {
		c.Error("the password of the first start is good again: the database is a new one")
	}
	if got := c.hash(); got != hash {
		c.Errorf("the config hash is %q, want %q", got, hash)
	}
}

// nothingLeft checks that the host has nothing that it had not before.
func (c *testCluster) nothingLeft(before []string) {
	c.Helper()
	if left, err := inits(); err != nil || len(left) > 0 {
		c.Errorf("processes are left: %v (%v)", left, err)
	}
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		c.Fatal(err)
	}
	for _, l := range links {
		// Those of containers are files of the cluster's directory, too.
		if exe, err := os.Readlink(l); err == nil && (strings.HasPrefix(exe, home) || strings.HasPrefix(exe, c.paths.dir) || exe == filepath.Join(c.paths.bin, "kubelet")) {
			c.Errorf("a process is left: %s (%s)", exe, l)
		}
	}
	for _, l := range hostState(c.T) {
		if !slices.Contains(before, l) {
			c.Errorf("this is left: %s", l)
		}
	}
	groups, err := cgroups()
	if err != nil {
		c.Fatal(err)
	}
	for _, path := range append(groups, c.paths.dir) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			c.Errorf("%s is left (%v)", path, err)
		}
	}
}

// hostState returns what there is on the host, outside of all clusters: mounts,
// interfaces, routes and firewall rules, a line each.
func hostState(tb testing.TB) []string {
	tb.Helper()
	state, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		tb.Fatal(err)
	}
	for _, args := range []string{"ip -o -br link", "ip route", "nft list ruleset", "ip netns list"} {
		f := strings.Fields(args)
		out, err := exec.CommandContext(context.Background(), f[0], f[1:]...).Output()
		if err != nil {
			tb.Fatalf("%s: %v", args, err)
		}
		state = append(state, out...)
	}
	return strings.Split(string(state), "\n")
}

// eventually waits until a condition holds.
func (c *testCluster) eventually(what string, condition func() error) {
	c.Helper()
	if err := retry(readyLimit, condition); err != nil {
		c.Fatalf("%s: not within %s: %v", what, readyLimit, err)
	}
}

// ready returns an error unless the DittoServer is ready, in another pod than the old one.
func (c *testCluster) ready(oldPod string) error {
	out, err := c.try("get", "dittoserver", "-n=team-a", "files", `-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
	if err == nil && out != "True" {
		err = fmt.Errorf("condition Ready of the DittoServer is %q", out)
	}
	if err != nil {
		return err
	}
	out, err = c.try("get", "pod", "-n=team-a", "files-0", `-o=jsonpath={.metadata.uid} {.status.conditions[?(@.type=="Ready")].status}`)
	if err == nil && (!strings.HasSuffix(out, " True") || oldPod != "" && strings.HasPrefix(out, oldPod)) {
		err = fmt.Errorf("the pod is %s", out)
	}
	return err
}

func (c *testCluster) hash() string {
	return c.kubectl("get", "pod", "-n=team-a", "files-0", `-o=jsonpath={.metadata.annotations.dittofs\.io/config-hash}`)
}

func (c *testCluster) uid() string {
	return c.kubectl("get", "pod", "-n=team-a", "files-0", "-o=jsonpath={.metadata.uid}")
}

func (c *testCluster) restarts() string {
	return c.kubectl("get", "pod", "-n=team-a", "files-0", "-o=jsonpath={.status.containerStatuses[0].restartCount}")
}

// process returns the PID of a program in the server's pod. It is found by the pod's
// control group, so that no other process of that name is taken for it.
func (c *testCluster) process(program string) int {
	c.Helper()
	uid, found := c.uid(), 0
	if err := filepath.WalkDir(cgroupRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" || !strings.Contains(path, clusterName) || !strings.Contains(path, uid) {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for pid := range strings.FieldsSeq(string(b)) {
			if comm, err := os.ReadFile("/proc/" + pid + "/comm"); err == nil && strings.TrimSpace(string(comm)) == program {
				found, err = strconv.Atoi(pid)
				return err
			}
		}
		return nil
	}); err != nil || found == 0 {
		c.Fatalf("cannot find %s in pod %s (%v)", program, uid, err)
	}
	return found
}

// login logs in as the admin, and returns the token.
func login(ctx context.Context, api, password string) (string, error) {
	var tokens struct {
		Access string `json:"access_token"`
	}
	err := post(ctx, api+"/auth/login", "", map[string]string{"username": "admin", "password": password}, &tokens)
	if err == nil && tokens.Access == "" {
		err = errors.New("there is no token in the answer")
	}
	return tokens.Access, err
}

func post(ctx context.Context, url, token string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("cannot marshal: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("cannot ask: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("cannot ask: %w", err)
	}
	defer rsp.Body.Close()
	if rsp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", url, rsp.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(rsp.Body).Decode(into)
}

func (c *testCluster) apply(manifest string) {
	c.Helper()
	cmd := exec.CommandContext(c.Context(), filepath.Join(c.paths.bin, "kubectl"), "apply", "-f=-")
	cmd.Env, cmd.Stdin = []string{"KUBECONFIG=" + c.paths.kubeconfig(), "HOME=" + c.paths.dir}, strings.NewReader(manifest)
	c.run(cmd)
}

// kubectl returns what a command of kubectl says.
func (c *testCluster) kubectl(args ...string) string {
	c.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.Fatal(err)
	}
	return out
}

func (c *testCluster) try(args ...string) (string, error) {
	cmd := exec.CommandContext(c.Context(), filepath.Join(c.paths.bin, "kubectl"), args...)
	var said, wrong bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"KUBECONFIG=" + c.paths.kubeconfig(), "HOME=" + c.paths.dir}, &said, &wrong
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", args[0], err, bytes.TrimSpace(wrong.Bytes()))
	}
	return said.String(), nil
}

func (c *testCluster) run(cmd *exec.Cmd) {
	c.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.Fatalf("%s: %v\n%s", filepath.Base(cmd.Path), err, out)
	}
	c.Logf("%s", out)
}
