package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
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

// drained is a server whose pod may not be evicted.
func drained(s *scenario) {
	const budget = "PodDisruptionBudget"
	spec := basicSpec()
	spec["podDisruptionBudget"] = map[string]any{"enabled": true}
	srv := s.running("drained", spec, basicSecrets())
	evict := func() error {
		return s.cluster.PolicyV1().Evictions(srv.Namespace).Evict(s.ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: srv.Namespace, Name: srv.Name + "-0"}})
	}
	// replaced waits for the next pod.
	replaced := func(old types.UID) string {
		must(s, await(s.ctx, "the next pod", func(ctx context.Context) error {
			p, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(ctx, srv.Name+"-0", metav1.GetOptions{})
			if err == nil && p.UID == old {
				err = errors.New("it is the old one")
			}
			return err
		}))
		return s.restartsOf(srv)
	}

	s.expect("the pod evicted", "429, "+noRestart, func() string {
		if err := evict(); !kerrors.IsTooManyRequests(err) {
			return fmt.Sprintf("not refused: %v", err)
		}
		return "429, " + s.restartsOf(srv)
	})
	s.expect("a rotation with a "+budget, oneRestart, func() string {
		must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		return s.restartsOf(srv)
	})
	for _, command := range s.advised(srv, "kubectl delete pod ") {
		s.expect(command, "0 revisions, 1 pod", func() string {
			old := s.podOf(srv).UID
			s.shell(root, s.kubeconfigOf(srv), command)
			return replaced(old)
		})
	}
	s.expect("the "+budget+" switched off, and the pod evicted", noRestart+", then 0 revisions, 1 pod", func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"podDisruptionBudget": map[string]any{"enabled": false}}))
		s.gone("policy/v1", budget, srv.Namespace, srv.Name)
		got, old := s.restartsOf(srv), s.podOf(srv).UID
		if err := evict(); err != nil {
			return err.Error()
		}
		return got + ", then " + replaced(old)
	})
}

// protected is a server whose DittoServer may not be deleted.
func protected(s *scenario) {
	const usage, ready = "Usage", "DeletionProtectionReady"
	spec := basicSpec()
	spec["deletionProtection"] = true
	srv := s.running("protected", spec, basicSecrets())
	must(s, srv.awaitReason(s.ctx, ready, "Protected"))

	s.expect("a protected DittoServer deleted", "refused with the reason, "+noRestart, func() string {
		for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan} {
			err := srv.xrs().Delete(s.ctx, srv.Name, metav1.DeleteOptions{PropagationPolicy: &policy})
			if err == nil || !strings.Contains(err.Error(), "spec.deletionProtection is true") {
				return fmt.Sprintf("%s: %v", policy, err)
			}
		}
		xr, err := srv.xr(s.ctx)
		must(s, err)
		if xr.GetDeletionTimestamp() != nil {
			return "it is being deleted"
		}
		return "refused with the reason, " + s.restartsOf(srv)
	})
	s.expect("a rotation, protected", oneRestart, func() string {
		must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		return s.restartsOf(srv)
	})
	for _, command := range s.advised(srv, "kubectl patch ") {
		s.expect(command, "not protected, "+noRestart, func() string {
			s.shell(root, s.kubeconfigOf(srv), command)
			must(s, srv.awaitReason(s.ctx, ready, "NotUsed"))
			s.gone("protection.crossplane.io/v1beta1", usage, srv.Namespace, srv.Name+"-deletion-protection")
			return "not protected, " + s.restartsOf(srv)
		})
	}
	s.expect("and deleted", "gone", func() string {
		s.deleted(dittoServers.GroupVersion().String(), "DittoServer", srv.Namespace, srv.Name)
		for _, o := range composed(srv) {
			s.gone(o.apiVersion, o.kind, srv.Namespace, o.name)
		}
		return "gone"
	})

	other := s.running("protected-namespace", spec, basicSecrets())
	must(s, other.awaitReason(s.ctx, ready, "Protected"))
	s.expect("the namespace of a protected DittoServer deleted", "gone", func() string {
		s.deleted("v1", "Namespace", "", other.Namespace)
		return "gone"
	})
}
