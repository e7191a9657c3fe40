package e2e

import (
	"fmt"
	"strings"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// advised are the commands of the README that start so and are about what is planned for
// a server.
func (s *scenario) advised(srv *server, start string) []string {
	s.Helper()
	var commands []string
	for _, m := range inline.FindAllStringSubmatch(s.section("README.md", "Stopping, draining, deleting"), -1) {
		if strings.HasPrefix(m[1], start) {
			// The operator's kind has the same name, and another scenario brings it.
			commands = append(commands, strings.NewReplacer("NAME", srv.Name, "dittoserver ", "dittoservers.dittofs.io ").Replace(m[1]))
		}
	}
	if len(commands) == 0 {
		s.Fatalf("the README has no command that starts with %q", start)
	}
	return commands
}

// scaled is a server that is stopped and started with kubectl scale.
func scaled(s *scenario) {
	if !hasScale(*crossplane) {
		s.Skip("this Crossplane gives its kinds no subresource scale")
	}
	srv := s.running("scaled", basicSpec(), basicSecrets())
	s.changePassword(srv)
	commands, kubeconfig := s.advised(srv, "kubectl scale "), s.kubeconfigOf(srv)
	if len(commands) != 2 {
		s.Fatalf("the README has the commands %v, want two", commands)
	}

	s.expect(commands[0], "Stopped, 0 revisions, 0 pods", func() string {
		s.shell(root, kubeconfig, commands[0])
		must(s, srv.awaitRolledOut(s.ctx, 0))
		must(s, srv.awaitXR(s.ctx, "be stopped", func(xr *unstructured.Unstructured) error {
			if phase, _, _ := unstructured.NestedString(xr.Object, "status", "phase"); phase != "Stopped" {
				return fmt.Errorf("its phase is %q", phase)
			}
			return nil
		}))
		return "Stopped, " + s.restartsSince(srv)
	})
	s.expect(commands[1], "ready, with its data, 0 revisions, 1 pod", func() string {
		s.shell(root, kubeconfig, commands[1])
		must(s, srv.awaitRolledOut(s.ctx, 1))
		got := s.restartsOf(srv)
		s.knowsPassword(srv)
		return "ready, with its data, " + got
	})
	s.expect("scaled to 2", "refused, "+noRestart, func() string {
		_, err := s.cluster.dynamic.Resource(dittoServers).Namespace(srv.Namespace).
			Patch(s.ctx, srv.Name, types.MergePatchType, []byte(`{"spec": {"replicas": 2}}`), metav1.PatchOptions{}, "scale")
		if !kerrors.IsInvalid(err) {
			return fmt.Sprintf("not refused: %v", err)
		}
		return "refused, " + s.restartsOf(srv)
	})
}
