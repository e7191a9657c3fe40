package e2e

import (
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// resized is a claim that was resized by hand. There is no driver here that resizes
// volumes: the test says in its place that it has.
func resized(s *scenario) {
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "expandable"}, Provisioner: "example.org/none", AllowVolumeExpansion: new(true)}
	_, err := s.cluster.StorageV1().StorageClasses().Create(s.ctx, class, metav1.CreateOptions{})
	must(s, err)
	spec := basicSpec()
	spec["storage"] = map[string]any{"metadataSize": "1Gi", "storageClassName": class.Name}
	srv := s.running("resized", spec, basicSecrets())
	claim := "metadata-" + srv.Name + "-0"
	patch := func(subresource []string, p string) {
		_, err := s.cluster.CoreV1().PersistentVolumeClaims(srv.Namespace).Patch(s.ctx, claim, types.MergePatchType, []byte(p), metav1.PatchOptions{}, subresource...)
		must(s, err)
	}
	status := []string{"status"}
	patch(nil, `{"spec": {"volumeName": "pv"}}`)
	patch(status, `{"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}`)

	s.expect("another size in the spec", "StorageInSync=False", func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"storage": map[string]any{"metadataSize": "2Gi"}}))
		must(s, srv.awaitCondition(s.ctx, "StorageInSync", "False"))
		return "StorageInSync=False"
	})
	s.expect("the claim resized by hand", "StorageInSync=True, the StatefulSet is the same, "+noRestart, func() string {
		before, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Get(s.ctx, srv.Name, metav1.GetOptions{})
		must(s, err)
		patch(nil, `{"spec": {"resources": {"requests": {"storage": "2Gi"}}}}`)
		patch(status, `{"status": {"capacity": {"storage": "2Gi"}}}`)
		must(s, srv.awaitCondition(s.ctx, "StorageInSync", "True"))
		got := s.restartsOf(srv)
		after, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Get(s.ctx, srv.Name, metav1.GetOptions{})
		must(s, err)
		if after.UID != before.UID {
			return "another StatefulSet"
		}
		return "StorageInSync=True, the StatefulSet is the same, " + got
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
