package e2e

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// clients use a share as people do who know the names of the server and of the share, and
// no ports.
func clients(s *scenario) {
	srv := s.running("clients", basicSpec(), basicSecrets())
	s.share(srv)
	home := s.admin(srv)
	const alice = "a password of hers"
	s.dfsctl(home, "user", "create", "--username", "alice", "--password", alice, "--uid", "1000", "--gid", "1000")
	s.dfsctl(home, "share", "permission", "grant", "/export", "--user", "alice", "--level", "read-write")
	host := func(service string) string {
		name, _, _ := strings.Cut(s.address(srv, service), ":")
		return name
	}

	s.expect("the endpoints in the status", "files are at 2049 and 445", func() string {
		xr, err := srv.xr(s.ctx)
		must(s, err)
		for service, port := range map[string]int64{"api": 8080, "nfs": 2049, "smb": 445} {
			e, _, _ := unstructured.NestedMap(xr.Object, "status", "endpoints", service)
			if e["host"] != fmt.Sprintf("%s-%s.%s.svc", srv.Name, service, srv.Namespace) || e["port"] != port {
				return fmt.Sprintf("%s is at %v", service, e)
			}
		}
		return "files are at 2049 and 445"
	})
	s.expect("SMB without a port", "written and read", func() string {
		read := filepath.Join(s.TempDir(), "read")
		out, err := exec.CommandContext(s.ctx, "smbclient", "//"+host("smb")+"/export", "-U", "alice%"+alice,
			"-c", fmt.Sprintf("put %s/LICENSE smb; get smb %s", root, read)).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%v: %s", err, out)
		}
		got, err := os.ReadFile(read)
		must(s, err)
		want, err := os.ReadFile(root + "/LICENSE")
		must(s, err)
		if !bytes.Equal(got, want) {
			return fmt.Sprintf("%d bytes are there, of %d", len(got), len(want))
		}
		return "written and read"
	})
	s.expect("NFSv4 without options", "it lists the file", func() string {
		// It opens none: see test/dittofs.
		out, err := nfs(s.ctx, "nfs-ls", "nfs://"+host("nfs")+"/export?version=4&uid=0&gid=0").CombinedOutput()
		if err != nil || !strings.Contains(string(out), " smb\n") {
			return fmt.Sprintf("%v: %s", err, out)
		}
		return "it lists the file"
	})

	const v3 = "?version=3&uid=0&gid=0"
	list := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		return nfs(ctx, "nfs-ls", "nfs://"+host("nfs")+"/export"+v3).Run()
	}
	s.expect("NFSv3 without options, and without a portmapper", "no", func() string {
		if list(s.ctx) == nil {
			return "it lists files"
		}
		return "no"
	})
	s.expect("a portmapper", noRestart, func() string {
		s.turnPortmapperOn(home)
		must(s, srv.patchSpec(s.ctx, map[string]any{"adapters": []any{
			map[string]any{"type": "nfs", "portmapper": map[string]any{"enabled": true}}, map[string]any{"type": "smb"},
		}}))
		return s.restartsOf(srv)
	})
	s.expect("NFSv3 without options", "written and read", func() string {
		must(s, await(s.ctx, "the Service to lead to the portmapper", list))
		dir, err := os.MkdirTemp("", "clients")
		must(s, err)
		s.Cleanup(func() { _ = os.RemoveAll(dir) })
		must(s, os.Chmod(dir, 0o755))
		const content = "written by somebody who knows no port\n"
		written, file := filepath.Join(dir, "written"), "nfs://"+host("nfs")+"/export/nfs"+v3
		must(s, os.WriteFile(written, []byte(content), 0o644))
		if out, err := nfs(s.ctx, "nfs-cp", written, file).CombinedOutput(); err != nil {
			return fmt.Sprintf("%v: %s", err, out)
		}
		got, err := nfs(s.ctx, "nfs-cat", file).Output()
		must(s, err)
		if string(got) != content {
			return fmt.Sprintf("%d bytes are there, of %d", len(got), len(content))
		}
		return "written and read"
	})
}

// turnPortmapperOn does so as the README says.
func (s *scenario) turnPortmapperOn(home string) {
	s.Helper()
	for _, block := range s.documented("README.md", "NFSv3 without options") {
		for command := range strings.Lines(block) {
			s.dfsctl(home, strings.Fields(command)[1:]...)
		}
	}
}

// loadBalancers get addresses and lose them, and are to be others.
func loadBalancers(s *scenario) {
	srv := s.server("load-balancers")
	must(s, srv.createSecrets(s.ctx, basicSecrets()))
	spec := basicSpec()
	// No cluster has an implementation of the class, so nobody else gives addresses.
	spec["adapterServices"] = map[string]any{"type": "LoadBalancer", "loadBalancerClass": "example.com/first"}
	must(s, srv.create(s.ctx, spec))

	const ready, unready, first, second = "ready", "not ready", "203.0.113.1", "lb.example.com"
	// seen waits until the server is ready or not, and says where NFS is then.
	seen := func(want string) string {
		status, nfs := map[string]string{ready: "True", unready: "False"}[want], ""
		must(s, srv.awaitXR(s.ctx, "be "+want, func(xr *unstructured.Unstructured) error {
			if c := condition(xr, "Available"); c["status"] != "True" {
				return fmt.Errorf("condition Available is %v", c)
			}
			if c := condition(xr, "Ready"); c["status"] != status {
				return fmt.Errorf("condition Ready is %v", c)
			}
			nfs, _, _ = unstructured.NestedString(xr.Object, "status", "endpoints", "nfs", "loadBalancer")
			return nil
		}))
		return want + ", NFS at " + nfs
	}

	s.expect("load balancers without addresses", unready+", NFS at ", func() string { return seen(unready) })
	s.expect("and with them", ready+", NFS at "+first, func() string {
		s.balanceWith(srv, "nfs", `[{"ip": "`+first+`"}]`)
		s.balanceWith(srv, "smb", `[{"hostname": "`+second+`"}]`)
		return seen(ready)
	})
	s.restartsOf(srv)
	s.expect("an address is gone", unready+", NFS at ", func() string {
		s.balanceWith(srv, "nfs", "null")
		return seen(unready)
	})
	s.expect("and another one there", ready+", NFS at "+second+", "+noRestart, func() string {
		s.balanceWith(srv, "nfs", `[{"hostname": "`+second+`"}]`)
		got := seen(ready)
		return got + ", " + s.restartsOf(srv)
	})
	s.expect("another class, which Kubernetes refuses, and another port", "told, the port has changed, "+noRestart, func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{
			"adapterServices": map[string]any{"loadBalancerClass": "example.com/second"},
			"adapters":        []any{map[string]any{"type": "nfs", "servicePort": 20490}, map[string]any{"type": "smb"}},
		}))
		must(s, srv.awaitReason(s.ctx, "ServicesInSync", "Immutable"))
		if _, port, _ := strings.Cut(s.address(srv, "nfs"), ":"); port != "20490" {
			return "the port is " + port
		}
		return "told, the port has changed, " + s.restartsOf(srv)
	})
	s.expect("the Services deleted", "they are there with the other class, "+noRestart, func() string {
		for _, name := range []string{"nfs", "smb"} {
			must(s, await(s.ctx, "Service "+name, func(ctx context.Context) error {
				svc, err := s.cluster.CoreV1().Services(srv.Namespace).Get(ctx, srv.Name+"-"+name, metav1.GetOptions{})
				if err != nil {
					return err
				}
				if c := svc.Spec.LoadBalancerClass; c != nil && *c == "example.com/second" {
					return nil
				}
				// Also one that a reconcile under way has brought back as it had seen it.
				return cmp.Or(s.cluster.CoreV1().Services(srv.Namespace).Delete(ctx, svc.Name, metav1.DeleteOptions{}), errors.New("it has another class"))
			}))
		}
		must(s, srv.awaitReason(s.ctx, "ServicesInSync", "InSync"))
		s.balance(srv)
		return "they are there with the other class, " + s.restartsOf(srv)
	})
}

// balanceWith gives a Service's load balancer addresses, or takes them, as a cloud does.
func (s *scenario) balanceWith(srv *server, service, ingress string) {
	s.Helper()
	must(s, await(s.ctx, "Service "+service, func(ctx context.Context) error {
		_, err := s.cluster.CoreV1().Services(srv.Namespace).Patch(ctx, srv.Name+"-"+service, types.MergePatchType,
			[]byte(`{"status": {"loadBalancer": {"ingress": `+ingress+`}}}`), metav1.PatchOptions{}, "status")
		return err
	}))
}
