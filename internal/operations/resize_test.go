package operations

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/functest"
)

// A cluster has objects by their kinds and names.
type cluster map[string]*structpb.Struct

// newCluster returns a cluster with a server whose claims are all as in its spec, except
// for that of the metadata: it has 10Gi, and the spec says 20Gi.
func newCluster(t *testing.T) cluster {
	t.Helper()
	return cluster{
		"rights": existing(t, `{apiVersion: apiextensions.crossplane.io/v1beta1, kind: EnvironmentConfig, metadata: {name: function-dittoserver-resize}, data: {resizes: true}}`),
		"server": dittoServer(t, "a/files", storage("20Gi", "50Gi"), condition("StorageInSync", "False", "Immutable")),
		"set": existing(t, `
apiVersion: apps/v1
kind: StatefulSet
metadata: {namespace: a, name: files, uid: uid-set, ownerReferences: [{kind: DittoServer, name: files, uid: uid-files, controller: true}]}
spec: {volumeClaimTemplates: [{metadata: {name: metadata}}, {metadata: {name: content}}, {metadata: {name: controlplane}}]}`),
		"metadata":     claim(t, "metadata-files-0", "10Gi"),
		"content":      claim(t, "content-files-0", "50Gi"),
		"controlplane": claim(t, "controlplane-files-0", "1Gi"),
		"class":        existing(t, `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}, allowVolumeExpansion: true}`),
	}
}

func storage(metadata, content string) state {
	return set(map[string]any{"metadataSize": metadata, "contentSize": content, "controlPlaneSize": "1Gi"}, "spec", "storage")
}

func claim(t *testing.T, name, size string) *structpb.Struct {
	t.Helper()
	return existing(t, `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {namespace: a, name: %s, labels: {dittofs.io/server: files}}
spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: %s}}}
status: {phase: Bound, capacity: {storage: %s}}`, name, size, size)
}

// change sets a field of an object.
func (c cluster) change(name string, value any, path ...string) {
	c[name] = functest.SetAt(c[name], value, path...)
}

func (c cluster) objects() []*structpb.Struct {
	objects := []*structpb.Struct{}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		objects = append(objects, c[name])
	}
	return objects
}

func TestResize(t *testing.T) {
	type output = map[string]any
	type want struct {
		// Resized are the sizes of the claims that grow.
		Resized map[string]string
		Output  output
		Message string
		Warning bool
	}

	// refused is the answer if nothing grows, for one reason.
	refused := func(why string) want {
		return want{Output: output{"selected": 1, "refused": some(why)}, Message: "Resizes nothing. Cannot resize " + why, Warning: true}
	}
	grown := want{
		Resized: map[string]string{"a/metadata-files-0": "20Gi"}, Output: output{"selected": 1, "resized": some("a/metadata-files-0: from 10Gi to 20Gi")},
		Message: "Resizes a/metadata-files-0: from 10Gi to 20Gi",
	}
	nothing := want{Output: output{"selected": 1}, Message: "Resizes nothing"}

	cases := map[string]struct {
		reason string
		input  string
		when   func(t *testing.T, c cluster)
		want   want
	}{
		"Grow": {
			reason: "A claim that is smaller than the spec says gets the size of the spec. Those that are as large stay.",
			want:   grown,
		},
		"GrowAll": {
			reason: "Each claim grows to its own size.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c.change("server", map[string]any{"metadataSize": "20Gi", "contentSize": "1024Gi", "controlPlaneSize": "2Gi"}, "spec", "storage")
			},
			want: want{
				Resized: map[string]string{"a/metadata-files-0": "20Gi", "a/content-files-0": "1Ti", "a/controlplane-files-0": "2Gi"},
				Output: output{"selected": 1, "resized": some(
					"a/metadata-files-0: from 10Gi to 20Gi", "a/content-files-0: from 50Gi to 1Ti", "a/controlplane-files-0: from 1Gi to 2Gi")},
				Message: "Resizes a/metadata-files-0: from 10Gi to 20Gi, a/content-files-0: from 50Gi to 1Ti, a/controlplane-files-0: from 1Gi to 2Gi",
			},
		},
		"DefaultSize": {
			reason: "A size that has a default has it here, too.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c.change("server", map[string]any{"metadataSize": "10Gi", "contentSize": "50Gi"}, "spec", "storage")
				c["controlplane"] = claim(t, "controlplane-files-0", "512Mi")
			},
			want: want{
				Resized: map[string]string{"a/controlplane-files-0": "1Gi"}, Output: output{"selected": 1, "resized": some("a/controlplane-files-0: from 512Mi to 1Gi")},
				Message: "Resizes a/controlplane-files-0: from 512Mi to 1Gi",
			},
		},
		"Grown": {
			reason: "What has its size, in whatever unit, is left alone, although the condition is not up to date.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c["metadata"] = claim(t, "metadata-files-0", "20480Mi")
			},
			want: nothing,
		},
		"Growing": {
			reason: "A claim that asks for its size, and does not have it yet, has nothing to ask for.",
			when: func(_ *testing.T, c cluster) {
				c.change("metadata", "20Gi", "spec", "resources", "requests", "storage")
			},
			want: want{Output: output{"selected": 1, "growing": some("a/metadata-files-0: asks for 20Gi, and has 10Gi")}, Message: "Resizes nothing"},
		},
		"GrowingFromNothing": {
			reason: "A claim without a volume has no size yet.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c["metadata"] = functest.Without(t, claim(t, "metadata-files-0", "20Gi"), "status")
			},
			want: want{Output: output{"selected": 1, "growing": some("a/metadata-files-0: asks for 20Gi, and has nothing yet")}, Message: "Resizes nothing"},
		},
		"LargerVolume": {
			reason: "A volume can be larger than its claim asked for.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c["metadata"] = functest.SetAt(claim(t, "metadata-files-0", "20Gi"), "25Gi", "status", "capacity", "storage")
			},
			want: nothing,
		},
		"Shrink": {
			reason: "Kubernetes cannot make a claim smaller, so the spec has to change.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c["metadata"] = claim(t, "metadata-files-0", "30Gi")
			},
			want: refused("a/metadata-files-0: has 30Gi, and spec.storage.metadataSize is 20Gi. Kubernetes cannot make it smaller. Set the field back"),
		},
		"OneOfTwo": {
			reason: "What cannot be done keeps nothing else from being done.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c["content"] = claim(t, "content-files-0", "60Gi")
			},
			want: want{
				Resized: grown.Resized,
				Output: output{
					"selected": 1, "resized": some("a/metadata-files-0: from 10Gi to 20Gi"),
					"refused": some("a/content-files-0: has 60Gi, and spec.storage.contentSize is 50Gi. Kubernetes cannot make it smaller. Set the field back"),
				},
				Message: "Resizes a/metadata-files-0: from 10Gi to 20Gi. Cannot resize a/content-files-0: has 60Gi, and spec.storage.contentSize is 50Gi. Kubernetes cannot make it smaller. Set the field back", Warning: true,
			},
		},
		"ClassCannot": {
			reason: "Kubernetes refuses a claim whose class cannot expand volumes, and with it the whole Operation.",
			when:   func(_ *testing.T, c cluster) { c.change("class", false, "allowVolumeExpansion") },
			want:   refused(`a/metadata-files-0: its StorageClass "fast" has no allowVolumeExpansion: true`),
		},
		"ClassDoesNotSay": {
			reason: "A class that does not say so cannot expand volumes.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c["class"] = functest.Without(t, c["class"], "allowVolumeExpansion")
			},
			want: refused(`a/metadata-files-0: its StorageClass "fast" has no allowVolumeExpansion: true`),
		},
		"ClassGone": {
			reason: "A claim can outlive its class, and then cannot grow.",
			when:   func(_ *testing.T, c cluster) { delete(c, "class") },
			want:   refused(`a/metadata-files-0: its StorageClass "fast" does not exist`),
		},
		"NoClass": {
			reason: "A volume that somebody has made by hand cannot grow.",
			when:   func(_ *testing.T, c cluster) { c.change("metadata", "", "spec", "storageClassName") },
			want:   refused("a/metadata-files-0: has no StorageClass, so nothing can make it larger"),
		},
		"Unbound": {
			reason: "Kubernetes refuses to resize a claim that has no volume yet.",
			when:   func(_ *testing.T, c cluster) { c.change("metadata", "Pending", "status", "phase") },
			want:   refused("a/metadata-files-0: is not bound to a volume, or is to be deleted"),
		},
		"Deleting": {
			reason: "A claim that goes does not have to grow.",
			when: func(_ *testing.T, c cluster) {
				c.change("metadata", "2026-01-02T00:00:00Z", "metadata", "deletionTimestamp")
			},
			want: refused("a/metadata-files-0: is not bound to a volume, or is to be deleted"),
		},
		"NoSize": {
			reason: "A claim whose size cannot be read is not touched.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c["metadata"] = functest.Without(t, c["metadata"], "spec.resources")
			},
			want: refused("a/metadata-files-0: has no size"),
		},
		"NoClaim": {
			reason: "Kubernetes creates a claim with a pod, and not before.",
			when:   func(_ *testing.T, c cluster) { delete(c, "metadata") },
			want:   refused(`a/files, spec.storage.metadataSize: there is no claim "metadata-files-0"`),
		},
		"ClaimOfAnother": {
			reason: "A claim that another object controls is that one's.",
			when: func(_ *testing.T, c cluster) {
				c.change("metadata", []any{map[string]any{"kind": "StatefulSet", "name": "files", "uid": "another", "controller": true}}, "metadata", "ownerReferences")
			},
			want: refused(`a/files, spec.storage.metadataSize: claim "metadata-files-0" is somebody else's`),
		},
		"ClaimOfStatefulSet": {
			reason: "Kubernetes can make the StatefulSet the controller of its claims.",
			when: func(_ *testing.T, c cluster) {
				c.change("metadata", []any{map[string]any{"kind": "StatefulSet", "name": "files", "uid": "uid-set", "controller": true}}, "metadata", "ownerReferences")
			},
			want: grown,
		},
		"ClaimOwned": {
			reason: "An owner that is not the controller does not matter.",
			when: func(_ *testing.T, c cluster) {
				c.change("metadata", []any{map[string]any{"kind": "ConfigMap", "name": "a", "uid": "another"}}, "metadata", "ownerReferences")
			},
			want: grown,
		},
		"LabelOfAnother": {
			reason: "A claim of another server only looks like this one's.",
			when: func(_ *testing.T, c cluster) {
				c.change("metadata", "other", "metadata", "labels", "dittofs.io/server")
			},
			want: refused(`a/files, spec.storage.metadataSize: claim "metadata-files-0" is somebody else's`),
		},
		"NoLabel": {
			reason: "A claim that was restored from a backup may have no labels.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c["metadata"] = functest.Without(t, c["metadata"], "metadata.labels")
			},
			want: grown,
		},
		"NoStatefulSet": {
			reason: "Without its StatefulSet, nobody knows whose claims these are.",
			when:   func(_ *testing.T, c cluster) { delete(c, "set") },
			want: want{
				Output: output{"selected": 1, "refused": some(
					`a/files, spec.storage.metadataSize: there is no StatefulSet "files"`, `a/files, spec.storage.contentSize: there is no StatefulSet "files"`,
					`a/files, spec.storage.controlPlaneSize: there is no StatefulSet "files"`)},
				Message: `Resizes nothing. Cannot resize a/files, spec.storage.metadataSize: there is no StatefulSet "files", a/files, spec.storage.contentSize: there is no StatefulSet "files", ` +
					`a/files, spec.storage.controlPlaneSize: there is no StatefulSet "files"`,
				Warning: true,
			},
		},
		"StatefulSetOfAnother": {
			reason: "The claims of somebody else's StatefulSet are theirs.",
			when: func(_ *testing.T, c cluster) {
				c.change("server", map[string]any{"metadataSize": "20Gi"}, "spec", "storage")
				c.change("set", []any{map[string]any{"kind": "DittoServer", "name": "files", "uid": "another", "controller": true}}, "metadata", "ownerReferences")
			},
			want: want{
				Output: output{"selected": 1, "refused": some(
					`a/files, spec.storage.metadataSize: StatefulSet "files" is somebody else's, and so are its claims`,
					`a/files, spec.storage.controlPlaneSize: StatefulSet "files" is somebody else's, and so are its claims`)},
				Message: `Resizes nothing. Cannot resize a/files, spec.storage.metadataSize: StatefulSet "files" is somebody else's, and so are its claims, ` +
					`a/files, spec.storage.controlPlaneSize: StatefulSet "files" is somebody else's, and so are its claims`,
				Warning: true,
			},
		},
		"StatefulSetOfNobody": {
			reason: "A StatefulSet without a controller is somebody else's, too.",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c["set"] = functest.Without(t, c["set"], "metadata.ownerReferences")
				c.change("server", map[string]any{"metadataSize": "20Gi"}, "spec", "storage")
			},
			want: want{
				Output: output{"selected": 1, "refused": some(
					`a/files, spec.storage.metadataSize: StatefulSet "files" is somebody else's, and so are its claims`,
					`a/files, spec.storage.controlPlaneSize: StatefulSet "files" is somebody else's, and so are its claims`)},
				Message: `Resizes nothing. Cannot resize a/files, spec.storage.metadataSize: StatefulSet "files" is somebody else's, and so are its claims, ` +
					`a/files, spec.storage.controlPlaneSize: StatefulSet "files" is somebody else's, and so are its claims`,
				Warning: true,
			},
		},
		"VolumeAdded": {
			reason: "A volume that the StatefulSet does not have is no matter of sizes, even if a claim of the name is left.",
			when: func(_ *testing.T, c cluster) {
				c.change("server", "10Gi", "spec", "storage", "metadataSize")
				c.change("set", []any{map[string]any{"metadata": map[string]any{"name": "metadata"}}, map[string]any{"metadata": map[string]any{"name": "controlplane"}}}, "spec", "volumeClaimTemplates")
			},
			want: refused(`a/files, spec.storage.contentSize: StatefulSet "files" has no such volume`),
		},
		"InvalidSize": {
			reason: "A size that cannot be read is none, and the spec is not quoted.",
			when:   func(_ *testing.T, c cluster) { c.change("server", "much", "spec", "storage", "metadataSize") },
			want:   refused("a/files: its spec cannot be read, or its spec.storage is not valid. Its condition ConfigReady says more"),
		},
		"UnreadableSpec": {
			reason: "A spec that cannot be read has no sizes, and is not quoted.",
			when:   func(_ *testing.T, c cluster) { c.change("server", "canary", "spec", "replicas") },
			want:   refused("a/files: its spec cannot be read, or its spec.storage is not valid. Its condition ConfigReady says more"),
		},
		"ValidWithInput": {
			reason: "What is valid with the Input of the Composition only, which an Operation does not know, has its sizes all the same.",
			when: func(_ *testing.T, c cluster) {
				c.change("server", map[string]any{"loadBalancerClass": "example.com/internal"}, "spec", "service")
			},
			want: grown,
		},
		"InSync": {
			reason: "A server whose volumes are as in its spec is not looked into.",
			when: func(_ *testing.T, c cluster) {
				c["server"] = condition("StorageInSync", "True", "InSync")(c["server"])
				delete(c, "set")
			},
			want: nothing,
		},
		"NoCondition": {
			reason: "A server of which the function has said nothing is not looked into.",
			when:   func(_ *testing.T, c cluster) { c.change("server", nil, "status"); delete(c, "set") },
			want:   nothing,
		},
		"Paused": {
			reason: "Nobody looks at what becomes of a server that is paused.",
			when:   func(_ *testing.T, c cluster) { c["server"] = paused(c["server"]) },
			want:   nothing,
		},
		"ServerDeleting": {
			reason: "A server that goes is not selected.",
			when: func(_ *testing.T, c cluster) {
				c.change("server", "2026-01-02T00:00:00Z", "metadata", "deletionTimestamp")
			},
			want: want{Output: output{"selected": 0}, Message: "Resizes nothing"},
		},
		"NotSelected": {
			reason: "A server of another ring is for another Operation.",
			input:  `selector: {matchLabels: {ring: "1"}}`,
			want:   want{Output: output{"selected": 0}, Message: "Resizes nothing"},
		},
		"Several": {
			reason: "Each server has claims of its own, and one without drift has no part in it.",
			input:  "selector: {namespaces: [a, b]}",
			when: func(t *testing.T, c cluster) {
				t.Helper()
				c["insync"] = dittoServer(t, "b/insync", condition("StorageInSync", "True", "InSync"))
				for _, kind := range []string{"server", "set", "metadata", "content", "controlplane"} {
					c["other "+kind] = functest.SetAt(c[kind], "b", "metadata", "namespace")
				}
				c.change("other metadata", "slow", "spec", "storageClassName")
			},
			want: want{
				Resized: grown.Resized,
				Output: output{
					"selected": 3, "resized": some("a/metadata-files-0: from 10Gi to 20Gi"),
					"refused": some(`b/metadata-files-0: its StorageClass "slow" does not exist`),
				},
				Message: `Resizes a/metadata-files-0: from 10Gi to 20Gi. Cannot resize b/metadata-files-0: its StorageClass "slow" does not exist`, Warning: true,
			},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			if tc.when != nil {
				tc.when(t, c)
			}
			s := take(t, "kind: Resize\n"+tc.input, c.objects(), now)
			if len(s.errs) > 0 || s.err != nil {
				t.Fatal(s.errs, s.err)
			}

			expected := &Result{Desired: map[string]*structpb.Struct{}, Output: tc.want.Output, Message: tc.want.Message, Warning: tc.want.Warning}
			for n, size := range tc.want.Resized {
				ns, name, _ := strings.Cut(n, "/")
				expected.Desired[n] = functest.SetAt(functest.SetAt(existing(t, `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {namespace: %s, name: %s}`, ns, name), size, "spec", "resources", "requests", "storage"), "7", "metadata", "resourceVersion")
			}
			if diff := cmp.Diff(expected, s.result, protocmp.Transform()); diff != "" {
				t.Errorf("%s\nRun(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestResizeRequires asks for no more than it needs to know: step by step, until the
// requirements are stable.
func TestResizeRequires(t *testing.T) {
	first := []string{"dittoservers/", "rights"}
	claims := []string{"claim/a/content-files-0", "claim/a/controlplane-files-0", "claim/a/metadata-files-0", "dittoservers/", "rights", "statefulset/a/files"}
	classes := []string{"claim/a/content-files-0", "claim/a/controlplane-files-0", "claim/a/metadata-files-0", "class/fast", "dittoservers/", "rights", "statefulset/a/files"}

	cases := map[string]struct {
		reason string
		when   func(c cluster)
		want   [][]string
	}{
		"Grow":   {reason: "The class is needed only if a claim is to grow.", when: func(cluster) {}, want: [][]string{first, claims, classes, classes}},
		"InSync": {reason: "Of a server without drift nothing else is looked up.", when: func(c cluster) { delete(c, "server") }, want: [][]string{first, first}},
		"Grown": {
			reason: "Without a claim that is to grow, no class is looked up.",
			when:   func(c cluster) { c.change("metadata", "20Gi", "spec", "resources", "requests", "storage") }, want: [][]string{first, claims, claims},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			tc.when(c)
			if diff := cmp.Diff(tc.want, take(t, "kind: Resize", c.objects(), now).asked); diff != "" {
				t.Errorf("%s\nRequirements of the calls: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestResizeRights wants an error that says what to do, where Crossplane may not change
// claims.
func TestResizeRights(t *testing.T) {
	cases := map[string]struct {
		reason string
		when   func(c cluster)
	}{
		"NoEnvironmentConfig": {reason: "Nobody has said that Crossplane may.", when: func(c cluster) { delete(c, "rights") }},
		"Not":                 {reason: "Somebody has said that Crossplane may not.", when: func(c cluster) { c.change("rights", false, "data", "resizes") }},
		"Text":                {reason: "A text is no yes.", when: func(c cluster) { c.change("rights", "false", "data", "resizes") }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			tc.when(c)
			s := take(t, "kind: Resize", c.objects(), now)
			if s.err == nil || !strings.Contains(s.err.Error(), "example/resize/rbac.yaml") || s.result != nil {
				t.Errorf("%s\nRun(...): want an error that names the file, got %v, %v", tc.reason, s.result, s.err)
			}
		})
	}
}
