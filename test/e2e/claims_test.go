package e2e

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// resized is a claim that was resized by hand: the volume grows under the server.
func resized(s *scenario) {
	srv := s.running("resized", basicSpec(), basicSecrets())
	s.changePassword(srv)
	const claim, large = "metadata-resized-0", 2 << 30
	before := s.metadataSize(srv)

	s.expect("another size in the spec", "StorageInSync=False", func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"storage": map[string]any{"metadataSize": "2Gi"}}))
		must(s, srv.awaitCondition(s.ctx, "StorageInSync", "False"))
		return "StorageInSync=False"
	})
	const grown = "StorageInSync=True, the file system has grown, the StatefulSet is the same, " + noRestart
	s.expect("the claim resized by hand", grown, func() string {
		set := s.statefulSet(srv)
		_, err := s.cluster.CoreV1().PersistentVolumeClaims(srv.Namespace).Patch(s.ctx, claim, types.MergePatchType,
			[]byte(`{"spec": {"resources": {"requests": {"storage": "2Gi"}}}}`), metav1.PatchOptions{})
		must(s, err)
		must(s, srv.awaitCondition(s.ctx, "StorageInSync", "True"))
		after, got := s.metadataSize(srv), s.restartsOf(srv)
		if after <= before || after < large*9/10 {
			return fmt.Sprintf("the file system has %d bytes, and had %d", after, before)
		}
		if s.statefulSet(srv).UID != set.UID {
			return "another StatefulSet"
		}
		return "StorageInSync=True, the file system has grown, the StatefulSet is the same, " + got
	})
	s.expect("and the pod deleted", "with its data, on the file system that has grown", func() string {
		s.replacePod(srv)
		s.knowsPassword(srv)
		s.restartsOf(srv)
		if after := s.metadataSize(srv); after < large*9/10 {
			return fmt.Sprintf("the file system has %d bytes", after)
		}
		return "with its data, on the file system that has grown"
	})
}

// oldRBAC is a function that is newer than the ClusterRole: Crossplane may not read
// claims, and nobody says what it may read.
func oldRBAC(s *scenario) {
	s.Cleanup(func() { s.apply("example/rbac.yaml") })
	srv := s.running("old-rbac", basicSpec(), basicSecrets())

	s.deleted("apiextensions.crossplane.io/v1beta1", "EnvironmentConfig", "", functionName)
	for _, o := range s.read("example/rbac.yaml") {
		if o.GetKind() != "ClusterRole" {
			continue
		}
		rules, _, err := unstructured.NestedSlice(o.Object, "rules")
		must(s, err)
		var kept []any
		for _, r := range rules {
			if resources, _, _ := unstructured.NestedStringSlice(r.(map[string]any), "resources"); resources[0] != "persistentvolumeclaims" {
				kept = append(kept, r)
			}
		}
		must(s, unstructured.SetNestedSlice(o.Object, kept, "rules"))
		must(s, s.cluster.apply(s.ctx, o))
	}
	s.expect("a function that is newer than its ClusterRole: another size, and a rotation", "StorageInSync=False, "+oneRestart, func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"storage": map[string]any{"metadataSize": "2Gi"}}))
		must(s, srv.awaitCondition(s.ctx, "StorageInSync", "False"))
		must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		return "StorageInSync=False, " + s.restartsOf(srv)
	})

	managed := s.server("old-rbac-new")
	s.expect("a new server that names no Secrets", "it waits, and says for what", func() string {
		must(s, managed.create(s.ctx, map[string]any{"storage": map[string]any{"metadataSize": "1Gi"}}))
		must(s, managed.awaitReason(s.ctx, "SecretsResolved", "Unresolved"))
		return "it waits, and says for what"
	})
	s.expect("the ClusterRole applied", "ready, 1 revision, 1 pod", func() string {
		s.apply("example/rbac.yaml")
		must(s, managed.awaitReady(s.ctx))
		return "ready, " + s.restartsOf(managed)
	})
}
