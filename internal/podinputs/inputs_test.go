package podinputs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/observed"
)

func secretKeyRef(secret, key string, optional bool) *corev1.EnvVarSource {
	s := &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key}
	if optional {
		s.Optional = new(true)
	}
	return &corev1.EnvVarSource{SecretKeyRef: s}
}

func secretVolume(name, secret string, items ...corev1.KeyToPath) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret, Items: items}}}
}

func projectedVolume(name string, sources ...corev1.VolumeProjection) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: sources}}}
}

func projected(secret string, items ...corev1.KeyToPath) corev1.VolumeProjection {
	return corev1.VolumeProjection{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Items: items}}
}

// TestFrom goes through all ways in which a pod can read from Secrets.
func TestFrom(t *testing.T) {
	cases := map[string]struct {
		reason string
		spec   corev1.PodSpec
		want   []Input
	}{
		"Nothing": {
			reason: "A pod that reads from no other object has no inputs, whatever else it reads.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{
					Name:         "c",
					Env:          []corev1.EnvVar{{Name: "PLAIN", Value: "v"}, {Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}},
					VolumeMounts: []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}, {Name: "claim", MountPath: "/data"}},
				}},
				Volumes: []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
			},
			want: nil,
		},
		"Env": {
			reason: "A variable is an input by its own name.",
			spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Env: []corev1.EnvVar{
				{Name: "B", ValueFrom: secretKeyRef("s", "b", false)},
				{Name: "A", ValueFrom: secretKeyRef("s", "a", true)},
			}}}},
			want: []Input{
				{Container: "c", Env: "A", Source: Secret("s"), Key: "a", Optional: true},
				{Container: "c", Env: "B", Source: Secret("s"), Key: "b"},
			},
		},
		"EnvFrom": {
			reason: "All keys of a Secret become variables, behind the prefix.",
			spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", EnvFrom: []corev1.EnvFromSource{
				{Prefix: "P_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Optional: new(true)}},
			}}}},
			want: []Input{{Container: "c", Env: "P_", Source: Secret("s"), Optional: true}},
		},
		"ConfigMaps": {
			reason: "A ConfigMap is read in the same ways as a Secret, and the two may have one name.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{
					Name:    "c",
					EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "o"}, Optional: new(true)}}},
					Env: []corev1.EnvVar{
						{Name: "A", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "o"}, Key: "a"}}},
						{Name: "B", ValueFrom: secretKeyRef("o", "b", false)},
					},
					VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/v"}, {Name: "p", MountPath: "/p"}},
				}},
				Volumes: []corev1.Volume{
					{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "o"}}}},
					projectedVolume("p", corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "o"}, Items: []corev1.KeyToPath{{Key: "k", Path: "f"}}}}),
				},
			},
			want: []Input{
				{Container: "c", Source: ConfigMap("o"), Optional: true},
				{Container: "c", Env: "A", Source: ConfigMap("o"), Key: "a"},
				{Container: "c", Env: "B", Source: Secret("o"), Key: "b"},
				{Container: "c", File: "/p/f", Source: ConfigMap("o"), Key: "k"},
				{Container: "c", File: "/v/", Source: ConfigMap("o")},
			},
		},
		"TwoEnvFromWithoutPrefix": {
			reason: "Neither of two Secrets may be forgotten because they look alike.",
			spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", EnvFrom: []corev1.EnvFromSource{
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s2"}}},
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s1"}}},
			}}}},
			want: []Input{{Container: "c", Source: Secret("s1")}, {Container: "c", Source: Secret("s2")}},
		},
		"SecretVolume": {
			reason: "Without items, each key is a file below the mount.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/mnt/"}}}},
				Volumes:    []corev1.Volume{secretVolume("v", "s")},
			},
			want: []Input{{Container: "c", File: "/mnt/", Source: Secret("s")}},
		},
		"SecretVolumeWithItems": {
			reason: "With items, only those keys are files, by the paths that the items give them.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/mnt"}}}},
				Volumes:    []corev1.Volume{secretVolume("v", "s", corev1.KeyToPath{Key: "k", Path: "dir/f"})},
			},
			want: []Input{{Container: "c", File: "/mnt/dir/f", Source: Secret("s"), Key: "k"}},
		},
		"OptionalSecretVolume": {
			reason: "A volume whose Secret may be missing is optional.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/mnt"}}}},
				Volumes:    []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s", Optional: new(true)}}}},
			},
			want: []Input{{Container: "c", File: "/mnt/", Source: Secret("s"), Optional: true}},
		},
		"ProjectedVolume": {
			reason: "The Secrets of a projected volume are inputs, and what comes from no object is not.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/mnt"}}}},
				Volumes: []corev1.Volume{projectedVolume("v",
					corev1.VolumeProjection{DownwardAPI: &corev1.DownwardAPIProjection{}},
					projected("s1", corev1.KeyToPath{Key: "k", Path: "f"}), projected("s2"))},
			},
			want: []Input{{Container: "c", File: "/mnt/", Source: Secret("s2")}, {Container: "c", File: "/mnt/f", Source: Secret("s1"), Key: "k"}},
		},
		"TwoProjectedSourcesOnOneMount": {
			reason: "Neither of two Secrets may be forgotten because they look alike.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/mnt"}}}},
				Volumes:    []corev1.Volume{projectedVolume("v", projected("s2"), projected("s1"))},
			},
			want: []Input{{Container: "c", File: "/mnt/", Source: Secret("s1")}, {Container: "c", File: "/mnt/", Source: Secret("s2")}},
		},
		"SubPathOfFile": {
			reason: "A file that is mounted by its subPath is at the mount itself, and Kubernetes never updates it.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/etc/f", SubPath: "dir/f"}}}},
				Volumes:    []corev1.Volume{secretVolume("v", "s", corev1.KeyToPath{Key: "k", Path: "dir/f"})},
			},
			want: []Input{{Container: "c", File: "/etc/f", Source: Secret("s"), Key: "k", SubPath: true}},
		},
		"SubPathOfKey": {
			reason: "Without items, the subPath is the key.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/etc/f", SubPath: "k"}}}},
				Volumes:    []corev1.Volume{secretVolume("v", "s")},
			},
			want: []Input{{Container: "c", File: "/etc/f", Source: Secret("s"), Key: "k", SubPath: true}},
		},
		"SubPathOfDirectory": {
			reason: "A directory that is mounted by its subPath shows the files below it.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/etc/d", SubPath: "dir/"}}}},
				Volumes:    []corev1.Volume{secretVolume("v", "s", corev1.KeyToPath{Key: "k", Path: "dir/sub/f"})},
			},
			want: []Input{{Container: "c", File: "/etc/d/sub/f", Source: Secret("s"), Key: "k", SubPath: true}},
		},
		"SubPathExpr": {
			reason: "What a subPathExpr leaves visible only the kubelet knows, so all of it counts.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/mnt", SubPathExpr: "$(POD)"}}}},
				Volumes:    []corev1.Volume{secretVolume("v", "s", corev1.KeyToPath{Key: "k", Path: "f"})},
			},
			want: []Input{{Container: "c", File: "/mnt/f", Source: Secret("s"), Key: "k", SubPath: true}},
		},
		"SubPathHidesOtherSecret": {
			reason: "The pod does not start without a Secret of its volumes, even one that no container sees.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/etc/f1", SubPath: "f1"}}}},
				Volumes:    []corev1.Volume{projectedVolume("v", projected("s1", corev1.KeyToPath{Key: "k", Path: "f1"}), projected("s2", corev1.KeyToPath{Key: "k", Path: "f2"}))},
			},
			want: []Input{
				{Container: "c", File: "/etc/f1", Source: Secret("s1"), Key: "k", SubPath: true},
				{Container: "volume v", File: "/f2", Source: Secret("s2"), Key: "k", SubPath: true},
			},
		},
		"Unmounted": {
			reason: "The pod does not start without a Secret of its volumes, even one that no container mounts.",
			spec:   corev1.PodSpec{Volumes: []corev1.Volume{secretVolume("v", "s"), secretVolume("w", "s", corev1.KeyToPath{Key: "k", Path: "f"})}},
			want: []Input{
				{Container: "volume v", File: "/", Source: Secret("s"), SubPath: true},
				{Container: "volume w", File: "/f", Source: Secret("s"), Key: "k", SubPath: true},
			},
		},
		"MountedTwice": {
			reason: "A file at two paths is two inputs: each process may read the other one.",
			spec: corev1.PodSpec{
				Containers: []corev1.Container{
					{Name: "c1", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/a"}, {Name: "v", MountPath: "/b"}}},
					{Name: "c2", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/a"}}},
				},
				Volumes: []corev1.Volume{secretVolume("v", "s", corev1.KeyToPath{Key: "k", Path: "f"})},
			},
			want: []Input{
				{Container: "c1", File: "/a/f", Source: Secret("s"), Key: "k"},
				{Container: "c1", File: "/b/f", Source: Secret("s"), Key: "k"},
				{Container: "c2", File: "/a/f", Source: Secret("s"), Key: "k"},
			},
		},
		"ServiceAccount": {
			reason: "Kubernetes creates no pod whose ServiceAccount does not exist.",
			spec:   corev1.PodSpec{ServiceAccountName: "a", DeprecatedServiceAccount: "a"},
			want:   []Input{{Source: ServiceAccount("a")}},
		},
		"Claim": {
			reason: "Kubernetes starts no pod one of whose claims does not exist, mounted or not.",
			spec: corev1.PodSpec{Volumes: []corev1.Volume{
				{Name: "a", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "a"}}},
			}},
			want: []Input{{Source: Claim("a")}},
		},
		"InitContainer": {
			reason: "What prepares the server reads Secrets too.",
			spec: corev1.PodSpec{
				InitContainers: []corev1.Container{{
					Name: "init", Env: []corev1.EnvVar{{Name: "A", ValueFrom: secretKeyRef("s", "a", false)}},
					VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/mnt"}},
				}},
				Volumes: []corev1.Volume{secretVolume("v", "s2")},
			},
			want: []Input{{Container: "init", Env: "A", Source: Secret("s"), Key: "a"}, {Container: "init", File: "/mnt/", Source: Secret("s2")}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := From(&corev1.PodTemplateSpec{Spec: tc.spec})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nFrom(...): -want, +got:\n%s", tc.reason, diff)
			}
			l := observed.NewLookups(map[string]*fnv1.Resources{"rights": rights(t, "persistentvolumeclaims")})
			LookUp(l, got, "ns")
			for _, in := range got {
				sel, ok := l.Requirements().GetResources()[in.Source.key()]
				if !ok || sel.GetKind() != in.Source.Kind || sel.GetMatchName() != in.Source.Name || sel.GetNamespace() != "ns" {
					t.Errorf("%s\nLookUp(...): %s %q is not required: %v", tc.reason, in.Source.Kind, in.Source.Name, sel)
				}
			}
		})
	}
}

func TestName(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     Input
		want   string
	}{
		"Env":      {reason: "A variable has the name of the variable, whatever Secret it is from.", in: Input{Container: "c", Env: "E", Source: Secret("s"), Key: "k"}, want: "c env E"},
		"File":     {reason: "A file has its path as its name, whatever Secret it is from.", in: Input{Container: "c", File: "/f", Source: Secret("s"), Key: "k"}, want: "c file /f"},
		"AllEnvs":  {reason: "All keys as variables have the prefix as their name.", in: Input{Container: "c", Source: Secret("s")}, want: "c env "},
		"AllFiles": {reason: "All keys as files have the directory as their name.", in: Input{Container: "c", File: "/d/", Source: Secret("s")}, want: "c file /d/"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.in.Name()); diff != "" {
				t.Errorf("%s\nName(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLive(t *testing.T) {
	const live = dittofs.TLSCertFile

	cases := map[string]struct {
		reason string
		in     Input
		want   bool
	}{
		"LiveFile":      {reason: "The server reads this file again.", in: Input{File: live}, want: true},
		"LiveFileFixed": {reason: "The server would read this file again, but Kubernetes never changes it.", in: Input{File: live, SubPath: true}, want: false},
		"Account":       {reason: "No process reads anything of a ServiceAccount.", in: Input{Source: ServiceAccount("a")}, want: true},
		"Claim":         {reason: "What is on a claim is not an input.", in: Input{Source: Claim("a")}, want: true},
		"OtherFile":     {reason: "A file that nobody has looked into is read once.", in: Input{File: "/other"}, want: false},
		"Env":           {reason: "A process never sees another value of a variable.", in: Input{Env: live}, want: false},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.in.Live(); got != tc.want {
				t.Errorf("%s\nLive(): want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}
