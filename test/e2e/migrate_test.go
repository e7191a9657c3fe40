package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// migrate moves a server of the DittoFS operator by the commands of its runbook.
func migrate(s *scenario) {
	srv := s.suite.server("team-a", "files") // As the runbook has it.
	must(s, s.createNamespace(srv.Namespace))
	operate(s)

	var before []string
	must(s, await(s.ctx, "the operator's server to run", func(context.Context) error {
		var err error
		before, err = claims(s, srv)
		return err
	}))
	must(s, srv.awaitRollout(s.ctx))
	first, err := s.restarts.of(s.ctx, srv.NamespacedName)
	must(s, err)

	s.expect("the runbook's commands on a server of the operator", "ready, 1 pod more, on the same 3 claims", func() string {
		dir := s.TempDir()
		xr := fmt.Sprintf(`
apiVersion: dittofs.io/v1alpha1
kind: DittoServer
metadata: {name: %s, namespace: %s}
spec:
  storage: {metadataSize: 10Gi, contentSize: 50Gi}
`, srv.Name, srv.Namespace)
		must(s, os.WriteFile(filepath.Join(dir, srv.Name+".yaml"), []byte(xr), 0o600))

		for _, commands := range s.documented("docs/migration.md", "Moving a server from the DittoFS operator") {
			s.shell(dir, s.kubeconfig, commands)
		}

		must(s, srv.awaitReady(s.ctx))
		must(s, srv.settle(s.ctx))
		srv.last, err = s.restarts.of(s.ctx, srv.NamespacedName)
		must(s, err)
		after, err := claims(s, srv)
		must(s, err)
		if !slices.Equal(before, after) {
			return fmt.Sprintf("claims of the pod were %v, are %v", before, after)
		}
		return fmt.Sprintf("ready, %s more, on the same %s", plural(srv.last.pods-first.pods, "pod"), plural(len(after), "claim"))
	})
}

// operate creates a server as the operator leaves it.
func operate(s *scenario) {
	s.apply("test/e2e/testdata/operator-crd.yaml")
	var owner *unstructured.Unstructured
	for _, o := range s.read("test/e2e/testdata/operator.yaml") {
		if owner != nil {
			o.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, owner.GroupVersionKind())})
		}
		must(s, await(s.ctx, o.GetKind()+" "+o.GetName()+" to be created", func(ctx context.Context) error {
			return s.cluster.apply(ctx, o) // The first is of a kind that is new.
		}))
		if owner == nil {
			var err error
			owner, err = s.cluster.get(s.ctx, o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName())
			must(s, err)
		}
	}
}

// claims returns the UIDs of the claims that a server's pod mounts.
func claims(s *scenario, srv *server) ([]string, error) {
	p, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(s.ctx, srv.Name+"-0", metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot get pod: %w", err)
	}
	var uids []string
	for _, v := range p.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		c, err := s.cluster.CoreV1().PersistentVolumeClaims(srv.Namespace).Get(s.ctx, v.PersistentVolumeClaim.ClaimName, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("cannot get claim: %w", err)
		}
		if c.DeletionTimestamp == nil {
			uids = append(uids, c.Name+" "+string(c.UID))
		}
	}
	slices.Sort(uids)
	return uids, nil
}
