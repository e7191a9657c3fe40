package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestImmutable wishes for what Kubernetes cannot change about an existing
// StatefulSet. Sent, it would be refused together with each new image and rotated
// credential, so it must stay as it is, and be told. The cluster of these tests
// refuses it too.
func TestImmutable(t *testing.T) {
	editStatefulSet := func(path string, value any) func(*cluster) {
		return func(c *cluster) { c.Edit(manifests.StatefulSetResource, path, value) }
	}

	type want struct {
		StorageInSync string
		// Message has each of these in it.
		Message []string
		// Mounts of the server's volumes.
		Mounts []string
	}

	all := []string{"/data/store/metadata", "/data/store/block", "/data/controlplane"}

	cases := map[string]struct {
		reason string
		given  func(c *cluster)
		when   func(c *cluster)
		want   want
	}{
		"Unchanged": {
			reason: "What Kubernetes adds to a claim template is no difference.",
			want:   want{StorageInSync: "TRUE InSync", Mounts: all},
		},
		"SameSizeWrittenOtherwise": {
			reason: "Sizes are compared by what they mean.",
			when:   func(c *cluster) { c.Set("spec.storage.metadataSize", "10240Mi") },
			want:   want{StorageInSync: "TRUE InSync", Mounts: all},
		},
		"MetadataSize": {
			reason: "Another size should be reported with both sizes and the way out.",
			when:   func(c *cluster) { c.Set("spec.storage.metadataSize", "20Gi") },
			want: want{
				StorageInSync: "FALSE Immutable",
				Message:       []string{"spec.storage.metadataSize: ", "10Gi", "20Gi", "kubectl delete statefulset files --cascade=orphan --wait=false"},
				Mounts:        all,
			},
		},
		"AllSizes": {
			reason: "Each size that differs should be reported.",
			when: func(c *cluster) {
				c.Set("spec.storage.metadataSize", "20Gi")
				c.Set("spec.storage.contentSize", "60Gi")
				c.Set("spec.storage.controlPlaneSize", "2Gi")
			},
			want: want{
				StorageInSync: "FALSE Immutable",
				Message:       []string{"spec.storage.metadataSize: ", "spec.storage.contentSize: ", "spec.storage.controlPlaneSize: ", "20Gi", "60Gi", "2Gi"},
				Mounts:        all,
			},
		},
		"StorageClass": {
			reason: "Another class should be reported.",
			when:   func(c *cluster) { c.Set("spec.storage.storageClassName", "fast") },
			want: want{
				StorageInSync: "FALSE Immutable",
				Message:       []string{"spec.storage.storageClassName: ", "fast", "the cluster's default"},
				Mounts:        all,
			},
		},
		"StorageClassOfInput": {
			reason: "A class that the platform team has changed should be reported too.",
			given:  func(c *cluster) { c.SetInput("storageClassName: slow") },
			when:   func(c *cluster) { c.SetInput("storageClassName: fast") },
			want: want{
				StorageInSync: "FALSE Immutable",
				Message:       []string{"spec.storage.storageClassName: ", "slow", "fast"},
				Mounts:        all,
			},
		},
		"StorageClassOfAVolume": {
			reason: "Another class of one volume should be reported for that volume alone.",
			when:   func(c *cluster) { c.Set("spec.storage.metadataStorageClassName", "fast") },
			want: want{
				StorageInSync: "FALSE Immutable",
				Message:       []string{`spec.storage.metadataStorageClassName: the volume "metadata" was created with another class (the cluster's default, not fast). Kubernetes`},
				Mounts:        all,
			},
		},
		"StorageClassOfAVolumeTakenBack": {
			reason: "A volume without a class of its own has that of all, whose field is named.",
			given:  func(c *cluster) { c.Set("spec.storage.contentStorageClassName", "fast") },
			when:   func(c *cluster) { c.Unset("spec.storage.contentStorageClassName") },
			want: want{
				StorageInSync: "FALSE Immutable",
				Message:       []string{`spec.storage.storageClassName: the volume "content" was created with another class (fast, not the cluster's default). Kubernetes`},
				Mounts:        all,
			},
		},
		"StorageClassNobodyHas": {
			reason: "A class that no volume takes is no difference.",
			given: func(c *cluster) {
				for _, volume := range []string{"metadata", "content", "controlPlane"} {
					c.Set("spec.storage."+volume+"StorageClassName", "fast")
				}
			},
			when: func(c *cluster) { c.SetInput("storageClassName: slow") },
			want: want{StorageInSync: "TRUE InSync", Mounts: all},
		},
		"ContentAdded": {
			reason: "A volume that the StatefulSet does not have cannot be mounted: the pod would never start.",
			given:  func(c *cluster) { c.Unset("spec.storage.contentSize") },
			when:   func(c *cluster) { c.Set("spec.storage.contentSize", "50Gi") },
			want: want{
				StorageInSync: "FALSE Immutable",
				Message:       []string{"spec.storage.contentSize: ", "50Gi", "kubectl delete statefulset files --cascade=orphan --wait=false"},
				Mounts:        []string{"/data/store/metadata", "/data/controlplane"},
			},
		},
		"ContentRemoved": {
			reason: "A volume with data on it should stay mounted.",
			when:   func(c *cluster) { c.Unset("spec.storage.contentSize") },
			want: want{
				StorageInSync: "FALSE Immutable",
				Message:       []string{"spec.storage.contentSize: ", "50Gi"},
				Mounts:        all,
			},
		},
		"OrderedReady": {
			reason: "A StatefulSet that somebody else has created keeps its pod management.",
			when:   editStatefulSet("spec.podManagementPolicy", "OrderedReady"),
			want:   want{StorageInSync: "TRUE InSync", Mounts: all},
		},
		"ServiceName": {
			reason: "A StatefulSet that somebody else has created keeps its Service.",
			when:   editStatefulSet("spec.serviceName", "other"),
			want:   want{StorageInSync: "TRUE InSync", Mounts: all},
		},
		"Selector": {
			reason: "A StatefulSet that somebody else has created keeps its selector.",
			when:   editStatefulSet("spec.selector", map[string]any{"matchLabels": map[string]any{"app": "dittofs-server", "instance": "files"}}),
			want:   want{StorageInSync: "TRUE InSync", Mounts: all},
		},
		"ForeignClaim": {
			reason: "A claim template that we do not know should stay, and is not mounted.",
			when: func(c *cluster) {
				ss := c.Composed[manifests.StatefulSetResource]
				claims := append(functest.ValueAt(ss, "spec", "volumeClaimTemplates").GetListValue().AsSlice(), map[string]any{
					"metadata": map[string]any{"name": "scratch"},
					"spec":     map[string]any{"accessModes": []any{"ReadWriteOnce"}, "resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}}},
				})
				c.Edit(manifests.StatefulSetResource, "spec.volumeClaimTemplates", claims)
			},
			want: want{StorageInSync: "TRUE InSync", Mounts: all},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			if tc.given != nil {
				tc.given(c)
			}
			c.Settle()
			if tc.when != nil {
				tc.when(c)
			}
			// Whatever is wished for, what is mutable moves on.
			c.Set("spec.image", "example.com/dittofs:next")
			c.SetSecret("jwt", "key", strings.Repeat("k", 32))
			before := functest.HashOf(c.Composed[manifests.StatefulSetResource])

			rsp := c.Reconcile()
			c.Apply(rsp) // Refuses immutable changes.

			ss := functest.Desired(rsp, manifests.StatefulSetResource)
			if image := functest.StringAt(t, ss, "spec.template.spec.containers[0].image"); image != "example.com/dittofs:next" || functest.HashOf(ss) == before {
				t.Errorf("%s\nThe image is %q and the hash %q: both should have moved on", tc.reason, image, functest.HashOf(ss))
			}

			got := want{StorageInSync: functest.Condition(rsp, "StorageInSync"), Message: tc.want.Message}
			for _, m := range functest.ValueAt(functest.Container(ss), "volumeMounts").GetListValue().GetValues() {
				if path := m.GetStructValue().GetFields()["mountPath"].GetStringValue(); strings.HasPrefix(path, "/data/") {
					got.Mounts = append(got.Mounts, path)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
			}
			message := functest.FullCondition(rsp, "StorageInSync").GetMessage()
			for _, s := range tc.want.Message {
				if !strings.Contains(message, s) {
					t.Errorf("%s\nThe message of StorageInSync should have %q in it: %s", tc.reason, s, message)
				}
			}
			labels := functest.ValueAt(ss, "spec", "template", "metadata", "labels").GetStructValue().GetFields()
			for k, v := range functest.ValueAt(ss, "spec", "selector", "matchLabels").GetStructValue().GetFields() {
				if diff := cmp.Diff(v, labels[k], protocmp.Transform()); diff != "" {
					t.Errorf("%s\nThe selector must match the pod's label %q: -selector, +label:\n%s", tc.reason, k, diff)
				}
			}
		})
	}
}

// TestStorageEvents tells of a storage wish that has no effect once, and once
// when it is gone. An event with each call would flood the API server.
func TestStorageEvents(t *testing.T) {
	c := newCluster(t)
	c.Settle()

	c.Set("spec.storage.metadataSize", "20Gi")
	first := c.Reconcile()
	c.Apply(first)
	second := c.Reconcile()
	c.Apply(second)
	c.Set("spec.storage.metadataSize", "10Gi")
	third := c.Reconcile()

	if diff := cmp.Diff([]string{"SEVERITY_WARNING Immutable"}, functest.Results(first)); diff != "" {
		t.Errorf("A wish that has no effect should be told.\nf.RunFunction(...): -want results, +got results:\n%s", diff)
	}
	if diff := cmp.Diff([]string{}, functest.Results(second)); diff != "" {
		t.Errorf("What was told before should not be told again.\nf.RunFunction(...): -want results, +got results:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"SEVERITY_NORMAL InSync"}, functest.Results(third)); diff != "" {
		t.Errorf("That nothing is to be done any more should be told.\nf.RunFunction(...): -want results, +got results:\n%s", diff)
	}
}
