package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// saved is a server that is deleted and created again, with its password saved first,
// as the README says.
func saved(s *scenario) {
	const manifest = `
apiVersion: dittofs.io/v1alpha1
kind: DittoServer
metadata: {name: saved}
spec:
  storage: {metadataSize: 1Gi}
`
	srv := s.server("saved")
	dir, kubeconfig := s.TempDir(), s.kubeconfigOf(srv)
	must(s, os.WriteFile(filepath.Join(dir, "saved.yaml"), []byte(manifest), 0o600))
	s.shell(dir, kubeconfig, "kubectl apply -f saved.yaml")
	must(s, srv.awaitReady(s.ctx))
	s.restartsOf(srv)
	password := func() []byte {
		sec, err := s.cluster.CoreV1().Secrets(srv.Namespace).Get(s.ctx, "saved-admin-bootstrap-credentials", metav1.GetOptions{})
		must(s, err)
		return sec.Data["password"]
	}
	before := password()

	s.expect("deleted and created again, with the password saved", "ready, with the old password", func() string {
		blocks := s.documented("README.md", "Troubleshooting")
		if len(blocks) != 1 {
			s.Fatalf("the README has %d blocks of commands under Troubleshooting, want 1", len(blocks))
		}
		s.shell(dir, kubeconfig, strings.ReplaceAll(blocks[0], "NAME", srv.Name))
		must(s, srv.awaitReady(s.ctx))
		if !bytes.Equal(before, password()) {
			return "ready, with another password"
		}
		return "ready, with the old password"
	})
	s.expect("and reconciled", noRestart, func() string {
		s.restartsOf(srv)
		for range 2 {
			must(s, srv.reconcile(s.ctx))
		}
		return s.restartsOf(srv)
	})
}

// again is a server that is deleted and created again before what it was made of is
// gone.
func again(s *scenario) {
	srv := s.running("again", basicSpec(), basicSecrets())
	s.expect("deleted and created again at once", "ready, another pod, 1 ConfigMap", func() string {
		old := s.statefulSet(srv)
		must(s, srv.xrs().Delete(s.ctx, srv.Name, metav1.DeleteOptions{}))
		s.gone(dittoServers.GroupVersion().String(), "DittoServer", srv.Namespace, srv.Name)
		must(s, srv.create(s.ctx, basicSpec()))
		must(s, srv.awaitReady(s.ctx))
		must(s, srv.settle(s.ctx))
		if s.statefulSet(srv).UID == old.UID {
			return "the StatefulSet is the old one"
		}
		p, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(s.ctx, srv.Name+"-0", metav1.GetOptions{})
		must(s, err)
		if c := metav1.GetControllerOf(p); c.UID == old.UID || p.DeletionTimestamp != nil {
			return "the pod is the old one"
		}
		return "ready, another pod, " + plural(len(s.configMaps(srv)), "ConfigMap")
	})
	s.expect("and settled", noRestart, func() string {
		s.restartsSince(srv)
		for range 2 {
			must(s, srv.reconcile(s.ctx))
		}
		return s.restartsOf(srv)
	})
}
