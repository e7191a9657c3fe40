package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	resizeName = "resized-by-operation"
	resizeRBAC = "example/resize/rbac.yaml"

	// Of the cluster's own volumes, without what lets them grow.
	fixedClass = "fixed-size"
)

// resizedByOperation are servers of one namespace whose sizes differ from those of their
// volumes: one grows under the running server, and of the others nothing is touched.
func resizedByOperation(s *scenario) {
	must(s, s.createNamespace(resizeName))
	s.fixedClass()
	sizes := func(size string) map[string]any {
		return map[string]any{"storage": map[string]any{"metadataSize": size, "contentSize": size}}
	}
	create := func(name, size string, storage map[string]any) *server {
		srv := s.suite.server(resizeName, name)
		spec := basicSpec()
		spec["storage"] = map[string]any{"metadataSize": size, "contentSize": size}
		maps.Copy(spec["storage"].(map[string]any), storage)
		must(s, srv.create(s.ctx, spec))
		return srv
	}
	grows := create("grows", "1Gi", nil)
	must(s, grows.createSecrets(s.ctx, basicSecrets()))
	fixed := create("fixed", "1Gi", map[string]any{"storageClassName": fixedClass})
	shrinks := create("shrinks", "2Gi", nil)
	s.claimOf("shop", "metadata-lodger-0")
	lodger := create("lodger", "1Gi", nil)
	s.setOf("shop", "taken")
	s.claimOf("shop", "metadata-taken-0")
	taken := create("taken", "2Gi", nil)
	refused := []*server{fixed, shrinks, lodger}
	for _, srv := range append(refused, grows) {
		must(s, srv.awaitReady(s.ctx))
		s.restartsOf(srv)
	}
	must(s, taken.awaitReason(s.ctx, "NamesAvailable", "Taken"))

	for srv, size := range map[*server]string{grows: "2Gi", fixed: "2Gi", shrinks: "1Gi", lodger: "2Gi"} {
		must(s, srv.patchSpec(s.ctx, sizes(size)))
		must(s, srv.awaitCondition(s.ctx, "StorageInSync", "False"))
	}
	before, set, fs := s.requests(), s.statefulSet(grows).UID, s.metadataSize(grows)

	var cron *cron
	s.expect("a CronOperation that resizes, without the rights for it", "it fails, and names "+resizeRBAC, func() string {
		cron = s.cron(resizeName, "@every 20s", map[string]any{"kind": "Resize", "selector": map[string]any{"namespaces": []any{resizeName}}})
		if op := cron.nextWith("Synced", "False"); !strings.Contains(op.synced, resizeRBAC) {
			return op.synced
		}
		if now := s.requests(); now != before {
			return fmt.Sprintf("the claims were %s, and are %s", before, now)
		}
		return "it fails, and names " + resizeRBAC
	})
	const grown = "StorageInSync=True, the file system has grown, the StatefulSet is the same, " + noRestart
	s.expect("the rights applied, "+resizeRBAC, grown, func() string {
		s.apply(resizeRBAC)
		must(s, grows.awaitCondition(s.ctx, "StorageInSync", "True"))
		got := s.restartsOf(grows)
		if now := s.metadataSize(grows); now <= fs || now < (2<<30)*9/10 {
			return fmt.Sprintf("the file system has %d bytes, and had %d", now, fs)
		}
		if s.statefulSet(grows).UID != set {
			return "another StatefulSet"
		}
		return "StorageInSync=True, the file system has grown, the StatefulSet is the same, " + got
	})
	s.expect("servers whose volumes cannot grow, whose sizes shrink, whose claims are somebody else's", "each named with the reason, and a warning; their claims are as they were, "+noRestart, func() string {
		for range 2 { // The first may have been tried before there were rights.
			cron.next()
		}
		op := cron.next()
		for _, why := range []string{
			`metadata-fixed-0: its StorageClass \"` + fixedClass + `\"`, "metadata-shrinks-0: has 2Gi", `claim \"metadata-lodger-0\" is somebody else's`,
		} {
			if !strings.Contains(op.text(), why) {
				return fmt.Sprintf("%q is not in %s", why, op.text())
			}
		}
		s.Log(s.warningsOf(op))
		if now := s.requests(); now != strings.NewReplacer(
			"content-grows-0: 1Gi", "content-grows-0: 2Gi", "metadata-grows-0: 1Gi", "metadata-grows-0: 2Gi", "content-lodger-0: 1Gi", "content-lodger-0: 2Gi",
		).Replace(before) {
			return fmt.Sprintf("the claims were %s, and are %s", before, now)
		}
		for _, srv := range refused {
			if got := s.restartsOf(srv); got != noRestart {
				return srv.String() + ": " + got
			}
		}
		return "each named with the reason, and a warning; their claims are as they were, " + noRestart
	})
	s.deleted(operationsVersion, "CronOperation", "", resizeName)
	s.restartsSince(taken) // The StatefulSet of others has a revision.
}

// fixedClass makes a StorageClass of the cluster's own volumes that cannot grow.
func (s *scenario) fixedClass() {
	s.Helper()
	all, err := s.cluster.StorageV1().StorageClasses().List(s.ctx, metav1.ListOptions{})
	must(s, err)
	_, err = s.cluster.StorageV1().StorageClasses().Create(s.ctx, &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: fixedClass}, Provisioner: all.Items[0].Provisioner, AllowVolumeExpansion: new(bool),
	}, metav1.CreateOptions{})
	must(s, err)
	s.Cleanup(func() {
		must(s, s.cluster.StorageV1().StorageClasses().Delete(context.WithoutCancel(s.ctx), fixedClass, metav1.DeleteOptions{}))
	})
}

// claimOf creates a claim of 1Gi that says that it is another server's.
func (s *scenario) claimOf(owner, name string) {
	s.Helper()
	must(s, s.cluster.apply(s.ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": map[string]any{"name": name, "namespace": resizeName, "labels": map[string]any{serverLabel: owner}},
		"spec": map[string]any{
			"accessModes": []any{"ReadWriteOnce"}, "resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
		},
	}}))
}

// setOf creates a StatefulSet without pods that is somebody else's.
func (s *scenario) setOf(owner, name string) {
	s.Helper()
	must(s, s.cluster.apply(s.ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": name, "namespace": resizeName},
		"spec": map[string]any{
			"replicas": int64(0),
			"selector": map[string]any{"matchLabels": map[string]any{"app": owner}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": owner}},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": owner, "image": "example.org/shop"}}},
			},
		},
	}}))
}

// requests are the sizes that the claims of the servers ask for.
func (s *scenario) requests() string {
	s.Helper()
	l, err := s.cluster.CoreV1().PersistentVolumeClaims(resizeName).List(s.ctx, metav1.ListOptions{})
	must(s, err)
	all := make([]string, 0, len(l.Items))
	for _, c := range l.Items {
		all = append(all, c.Name+": "+c.Spec.Resources.Requests.Storage().String())
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// metadataSize is that of the file system that a server has its metadata on, in bytes.
func (s *scenario) metadataSize(srv *server) int64 {
	s.Helper()
	fs := syscall.Statfs_t{}
	must(s, syscall.Statfs(s.proc(srv)+"/root/data/store/metadata", &fs))
	return int64(fs.Blocks) * fs.Bsize
}
