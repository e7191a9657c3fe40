package manifests_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/golden"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

var update = flag.Bool("update", false, "write the expected objects instead of comparing with them")

// dittoServer reads a DittoServer's spec and applies the defaults. What is read is
// valid.
func dittoServer(t *testing.T, spec string) *v1alpha1.DittoServer {
	t.Helper()
	ds := &v1alpha1.DittoServer{}
	if err := yaml.UnmarshalStrict([]byte(spec), &ds.Spec); err != nil {
		t.Fatal(err)
	}
	ds.Name, ds.Namespace = "files", "team-a"
	ds.Default(v1alpha1.Defaults{Image: "example.com/dittofs:test"})
	if err := ds.Validate().ToAggregate(); err != nil {
		t.Fatal(err)
	}
	return ds
}

// TestBuild compares all objects of a server with those under testdata, from a
// spec that stands beside them.
func TestBuild(t *testing.T) {
	specs, err := filepath.Glob("testdata/*.spec.yaml")
	if err != nil || len(specs) == 0 {
		t.Fatalf("no specs found: %v", err)
	}

	for _, file := range specs {
		name := file[len("testdata/") : len(file)-len(".spec.yaml")]
		t.Run(name, func(t *testing.T) {
			spec, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := build(t, dittoServer(t, string(spec)), manifests.Options{ServiceMonitor: true, PrometheusRule: true, Percona: true})
			compareObjects(t, filepath.Join("testdata", name+".objects.yaml"), got)
		})
	}
}

// TestConfigPinned pins the config.yaml of a server that sets nothing. Other bytes
// restart every user's servers when the function is upgraded, which makes them a
// breaking change.
func TestConfigPinned(t *testing.T) {
	const want = `blockstore:
  local:
    default_remote_cache_size: 5368709120
controlplane:
  host: 0.0.0.0
  jwt:
    access_token_duration: 15m
    refresh_token_duration: 168h
  port: 8080
  require_initial_password_change: true
database:
  sqlite:
    path: /data/controlplane/controlplane.db
  type: sqlite
logging:
  format: json
  level: INFO
  output: stdout
shutdown_timeout: 30s
`

	got := build(t, dittoServer(t, "storage: {metadataSize: 10Gi}"), manifests.Options{})
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Errorf("A change of these bytes restarts every user's servers: -want, +got:\n%s", diff)
	}
}

// TestBuildIsPure renders the same DittoServer twice: neither may the result
// differ, nor may it share anything with the DittoServer or with the first one.
func TestBuildIsPure(t *testing.T) {
	spec, err := os.ReadFile("testdata/everything.spec.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ds := dittoServer(t, string(spec))
	before := ds.DeepCopy()

	first := build(t, ds, manifests.Options{ServiceMonitor: true, PrometheusRule: true, Percona: true})
	second := build(t, ds, manifests.Options{ServiceMonitor: true, PrometheusRule: true, Percona: true})

	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("The same DittoServer should give the same objects: -1st, +2nd:\n%s", diff)
	}
	if diff := cmp.Diff(before, ds); diff != "" {
		t.Errorf("Build should not change the DittoServer: -before, +after:\n%s", diff)
	}
	first.StatefulSet.Spec.Template.Labels["added"] = "later"
	first.StatefulSet.Spec.Selector.MatchLabels["added"] = "later"
	if second.StatefulSet.Spec.Template.Labels["added"] != "" || second.StatefulSet.Spec.Selector.MatchLabels["added"] != "" {
		t.Error("Two renderings should share nothing")
	}
}

// TestServiceMonitorKind leaves a kind out that the cluster does not know: to
// apply it would keep all others from being applied.
func TestServiceMonitorKind(t *testing.T) {
	ds := dittoServer(t, "{storage: {metadataSize: 10Gi}, metrics: {enabled: true, serviceMonitor: {enabled: true}}}")
	for _, known := range []bool{true, false} {
		got := build(t, ds, manifests.Options{ServiceMonitor: known})
		if _, ok := got.Supporting[manifests.ServiceMonitorResource]; ok != known {
			t.Errorf("Build(...): the cluster knows the kind: %t, there is a ServiceMonitor: %t", known, ok)
		}
	}
}

// TestPrometheusRule says for what there are alerts.
func TestPrometheusRule(t *testing.T) {
	const metrics = "metrics: {enabled: true, serviceMonitor: {enabled: true}, prometheusRule: {enabled: true"
	always := []string{
		"DittoServerSecretsUnresolved", "DittoServerRestartStuck", "DittoServerRestartPending", "DittoServerNotAsWanted",
		"DittoServerVolumeNearlyFull", "DittoServerVolumeNearlyFull", "DittoServerRemoteDown", "DittoServerDataCorrupt",
	}
	cases := map[string]struct {
		reason  string
		spec    string
		tls     string
		options manifests.Options
		want    []string
	}{
		"Minimal": {
			reason:  "A server that runs is alerted of when it is down.",
			spec:    "storage: {metadataSize: 10Gi}",
			options: manifests.Options{PrometheusRule: true},
			want:    append([]string{"DittoServerDown"}, always...),
		},
		"Stopped": {
			reason:  "A server that is scaled to 0 is not down.",
			spec:    "storage: {metadataSize: 10Gi}\nreplicas: 0",
			options: manifests.Options{PrometheusRule: true},
			want:    always,
		},
		"Certificate": {
			reason:  "There is an alert of a certificate where there is a certificate.",
			spec:    "storage: {metadataSize: 10Gi}\ncontrolPlane: {certSecretName: tls}",
			options: manifests.Options{PrometheusRule: true},
			want: []string{
				"DittoServerDown", "DittoServerSecretsUnresolved", "DittoServerRestartStuck", "DittoServerRestartPending", "DittoServerNotAsWanted", "DittoServerVolumeNearlyFull",
				"DittoServerVolumeNearlyFull", "DittoServerCertificateExpiring", "DittoServerCertificateExpiring", "DittoServerRemoteDown", "DittoServerDataCorrupt",
			},
		},
		"Certificates": {
			reason:  "The metrics' own is another one.",
			spec:    "storage: {metadataSize: 10Gi}\ncontrolPlane: {certSecretName: tls}",
			tls:     ", tls: {certSecretName: metrics-tls}",
			options: manifests.Options{PrometheusRule: true},
			want: []string{
				"DittoServerDown", "DittoServerSecretsUnresolved", "DittoServerRestartStuck", "DittoServerRestartPending", "DittoServerNotAsWanted", "DittoServerVolumeNearlyFull",
				"DittoServerVolumeNearlyFull", "DittoServerCertificateExpiring", "DittoServerCertificateExpiring", "DittoServerCertificateExpiring", "DittoServerCertificateExpiring",
				"DittoServerRemoteDown", "DittoServerDataCorrupt",
			},
		},
		"KindUnknown": {
			reason: "What the cluster does not know keeps all else from being applied.",
			spec:   "storage: {metadataSize: 10Gi}",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ds := dittoServer(t, tc.spec+"\n"+metrics+", labels: {release: prometheus, app.kubernetes.io/name: mine}}"+tc.tls+"}")
			u, ok := build(t, ds, tc.options).Supporting[manifests.PrometheusRuleResource].(*unstructured.Unstructured)
			if ok != (tc.want != nil) {
				t.Fatalf("%s\nBuild(...): there is a PrometheusRule: %t", tc.reason, ok)
			}
			if !ok {
				return
			}
			got := []string{}
			for _, g := range u.Object["spec"].(map[string]any)["groups"].([]any) {
				for _, r := range g.(map[string]any)["rules"].([]any) {
					got = append(got, r.(map[string]any)["alert"].(string))
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nalerts: -want, +got:\n%s", tc.reason, diff)
			}
			want := map[string]string{"release": "prometheus", "app.kubernetes.io/name": "dittofs", "dittofs.io/server": ds.GetName()}
			if diff := cmp.Diff(want, u.GetLabels()); diff != "" {
				t.Errorf("The user's labels are added, and replace none: -want, +got:\n%s", diff)
			}
		})
	}
}

// TestPrometheusRuleVolumes looks at the volumes that the StatefulSet really has.
func TestPrometheusRuleVolumes(t *testing.T) {
	before := dittoServer(t, "storage: {metadataSize: 10Gi}")
	im := manifests.Wanted(before)
	ds := dittoServer(t, "{storage: {metadataSize: 10Gi, contentSize: 1Gi}, metrics: {enabled: true, serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}}")
	got := build(t, ds, manifests.Options{PrometheusRule: true, Existing: &im}).Supporting[manifests.PrometheusRuleResource].(*unstructured.Unstructured)
	text, err := yaml.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(`persistentvolumeclaim=~"metadata-%s-0|controlplane-%s-0"`, ds.GetName(), ds.GetName()); !strings.Contains(string(text), want) {
		t.Errorf("A volume that the StatefulSet does not have has no size: want %s in\n%s", want, text)
	}
}

// TestSecurityContext puts the restricted defaults under what the user sets, field
// by field.
func TestSecurityContext(t *testing.T) {
	user := dittoServer(t, `
storage: {metadataSize: 10Gi}
podSecurityContext: {runAsUser: 1000, fsGroup: 2000, supplementalGroups: [3000]}
securityContext: {readOnlyRootFilesystem: false, capabilities: {add: [NET_BIND_SERVICE]}}
`)
	before := user.DeepCopy()

	wantPod := &corev1.PodSecurityContext{
		RunAsUser:           new(int64(1000)),
		FSGroup:             new(int64(2000)),
		SupplementalGroups:  []int64{3000},
		RunAsGroup:          new(int64(65532)),
		RunAsNonRoot:        new(true),
		FSGroupChangePolicy: new(corev1.FSGroupChangeOnRootMismatch),
		SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	pod := build(t, user, manifests.Options{}).StatefulSet.Spec.Template.Spec
	if diff := cmp.Diff(wantPod, pod.SecurityContext); diff != "" {
		t.Errorf("What the user does not set should keep the restricted default.\nBuild(...): -want, +got:\n%s", diff)
	}
	want := &corev1.SecurityContext{
		ReadOnlyRootFilesystem:   new(false),
		Capabilities:             &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}, Drop: []corev1.Capability{"ALL"}},
		AllowPrivilegeEscalation: new(false),
	}
	if diff := cmp.Diff(want, pod.Containers[0].SecurityContext); diff != "" {
		t.Errorf("What the user does not set should keep the restricted default.\nBuild(...): -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(before, user); diff != "" {
		t.Errorf("The user's own should not be changed: -before, +after:\n%s", diff)
	}
}

// TestRootInTheContainer sets a user in the container that the pod's default would
// never let be created.
func TestRootInTheContainer(t *testing.T) {
	ds := dittoServer(t, "{storage: {metadataSize: 10Gi}, securityContext: {runAsUser: 0, capabilities: {drop: [NET_RAW]}}}")
	pod := build(t, ds, manifests.Options{}).StatefulSet.Spec.Template.Spec
	if pod.SecurityContext.RunAsNonRoot != nil {
		t.Errorf("A container that is root must not be forbidden to be, got %v", *pod.SecurityContext.RunAsNonRoot)
	}
	want := &corev1.Capabilities{Drop: []corev1.Capability{"NET_RAW"}}
	if diff := cmp.Diff(want, pod.Containers[0].SecurityContext.Capabilities); diff != "" {
		t.Errorf("What the user drops is what is dropped: -want, +got:\n%s", diff)
	}
}

// TestGracePeriod leaves the server the time that its shutdown can take.
func TestGracePeriod(t *testing.T) {
	cases := map[string]struct {
		reason string
		spec   string
		want   int64
	}{
		"Default":  {reason: "Three stages of 30 s and 5 s, and 5 s to spare.", spec: "{storage: {metadataSize: 1Gi}}", want: 100},
		"Longer":   {reason: "A longer timeout takes a longer grace period.", spec: "{storage: {metadataSize: 1Gi}, shutdownTimeout: 1m}", want: 190},
		"Fraction": {reason: "Half a second is rounded up, not off.", spec: "{storage: {metadataSize: 1Gi}, shutdownTimeout: 100ms}", want: 11},
		"Set":      {reason: "The user's own counts.", spec: "{storage: {metadataSize: 1Gi}, terminationGracePeriodSeconds: 40}", want: 40},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := build(t, dittoServer(t, tc.spec), manifests.Options{}).StatefulSet.Spec.Template.Spec.TerminationGracePeriodSeconds
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Errorf("%s\nBuild(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestReservedLabels keeps the pod's labels those that its selector asks for.
func TestReservedLabels(t *testing.T) {
	ds := dittoServer(t, "{storage: {metadataSize: 1Gi}, podLabels: {app: mine, team: a}}")
	existing := manifests.Wanted(ds)
	existing.Selector.MatchLabels = map[string]string{"app": "theirs"}

	got := build(t, ds, manifests.Options{Existing: &existing})

	want := map[string]string{"app": "theirs", "team": "a", "app.kubernetes.io/name": "dittofs", "dittofs.io/server": "files"}
	if diff := cmp.Diff(want, got.StatefulSet.Spec.Template.Labels); diff != "" {
		t.Errorf("Labels of the existing selector should win, or Kubernetes refuses the StatefulSet: -want, +got:\n%s", diff)
	}
}

func build(t *testing.T, ds *v1alpha1.DittoServer, o manifests.Options) manifests.Objects {
	t.Helper()
	got, err := manifests.Build(ds, o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// compareObjects compares objects, as they are sent, with those in a file.
func compareObjects(t *testing.T, file string, o manifests.Objects) {
	t.Helper()

	objects := map[string]runtime.Object{manifests.ConfigMapResource(o.Config): o.ConfigMap, manifests.StatefulSetResource: o.StatefulSet}
	maps.Copy(objects, o.Supporting)
	sent := map[string]any{}
	for name, o := range objects {
		s, err := structs.FromObject(o)
		if err != nil {
			t.Fatal(err)
		}
		sent[name] = s.AsMap()
	}
	got, err := yaml.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}

	golden.Compare(t, *update, file, string(got), "What is sent should be what somebody has looked at.")
}

// TestReserved compares what the function renders with what users cannot take: names of
// volumes, paths of mounts and names of variables.
func TestReserved(t *testing.T) {
	specs, err := filepath.Glob("testdata/*.spec.yaml")
	if err != nil || len(specs) == 0 {
		t.Fatalf("no specs found: %v", err)
	}
	for _, file := range specs {
		spec, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ds := dittoServer(t, string(spec))
		ds.Spec.Env, ds.Spec.Volumes, ds.Spec.VolumeMounts = nil, nil, nil
		ss := build(t, ds, manifests.Options{}).StatefulSet
		pod := ss.Spec.Template.Spec

		for _, v := range pod.Volumes {
			if !v1alpha1.ReservedVolume(v.Name) {
				t.Errorf("%s: a user could have a volume with the name of the function's volume %s", file, v.Name)
			}
		}
		for _, c := range ss.Spec.VolumeClaimTemplates {
			if !v1alpha1.ReservedVolume(c.Name) {
				t.Errorf("%s: a user could have a volume with the name of the claim %s", file, c.Name)
			}
		}
		for _, m := range pod.Containers[0].VolumeMounts {
			if !slices.Contains(dittofs.Paths(), m.MountPath) {
				t.Errorf("%s: a user could mount something at %s", file, m.MountPath)
			}
		}
		for _, e := range pod.Containers[0].Env {
			if _, taken := dittofs.FieldOf(e.Name); !taken {
				t.Errorf("%s: a user could set %s, too", file, e.Name)
			}
		}
		ds.Spec.Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: manifests.ContainerName, Resource: "limits.cpu"}}}}
		if errs := ds.Validate(); len(errs) > 0 {
			t.Errorf("%s: the container that is rendered is refused: %v", file, errs)
		}
	}
}
