package kubelet

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestFiles(t *testing.T) {
	store := &Store{
		ConfigMaps: map[string]*corev1.ConfigMap{"config": {Data: map[string]string{"config.yaml": "a: b"}}},
		Secrets:    map[string]*corev1.Secret{"keys": {Data: map[string][]byte{"one": []byte("1"), "two": []byte("2")}}},
	}
	secret := func(s corev1.SecretVolumeSource) corev1.VolumeSource { return corev1.VolumeSource{Secret: &s} }

	cases := map[string]struct {
		reason  string
		source  corev1.VolumeSource
		fsGroup *int64
		want    map[string]fs.FileMode
		wantErr bool
	}{
		"ConfigMap": {
			reason: "Every key is a file that all may read, unless a mode says otherwise.",
			source: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "config"}}},
			want:   map[string]fs.FileMode{"config.yaml": 0o644},
		},
		"DefaultMode": {
			reason: "The volume's mode is that of its files.",
			source: secret(corev1.SecretVolumeSource{SecretName: "keys", DefaultMode: new(int32(0o400))}),
			want:   map[string]fs.FileMode{"one": 0o400, "two": 0o400},
		},
		"Items": {
			reason: "Only the keys that are named are files, and their own mode comes first.",
			source: secret(corev1.SecretVolumeSource{SecretName: "keys", DefaultMode: new(int32(0o400)), Items: []corev1.KeyToPath{{Key: "one", Path: "first", Mode: new(int32(0o600))}}}),
			want:   map[string]fs.FileMode{"first": 0o600},
		},
		"FSGroup": {
			reason:  "A pod with a group may read all files as the group.",
			source:  secret(corev1.SecretVolumeSource{SecretName: "keys", DefaultMode: new(int32(0o400))}),
			fsGroup: new(int64(1234)),
			want:    map[string]fs.FileMode{"one": 0o440, "two": 0o440},
		},
		"NoSecret": {
			reason:  "A pod does not start without a Secret that it needs.",
			source:  secret(corev1.SecretVolumeSource{SecretName: "others"}),
			wantErr: true,
		},
		"NoKey": {
			reason:  "A pod does not start without a key that it needs.",
			source:  secret(corev1.SecretVolumeSource{SecretName: "keys", Items: []corev1.KeyToPath{{Key: "three", Path: "third"}}}),
			wantErr: true,
		},
		"Optional": {
			reason: "What is optional may be missing.",
			source: secret(corev1.SecretVolumeSource{SecretName: "keys", Optional: new(true), Items: []corev1.KeyToPath{{Key: "one", Path: "first"}, {Key: "three", Path: "third"}}}),
			want:   map[string]fs.FileMode{"first": 0o644},
		},
		"UnknownKind": {
			reason:  "A volume that is not understood must not go by unnoticed.",
			source:  corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}},
			wantErr: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := &Pod{dir: t.TempDir(), store: store, fsGroup: tc.fsGroup, spec: &corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: tc.source}}}}
			if err := p.Sync(); (err != nil) != tc.wantErr {
				t.Fatalf("\n%s\nSync(): want an error: %t, got %v", tc.reason, tc.wantErr, err)
			}
			if diff := cmp.Diff(tc.want, modes(t, p.volumeDir("v"))); diff != "" {
				t.Errorf("\n%s\nSync(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSyncSwapsFiles(t *testing.T) {
	keys := &corev1.Secret{Data: map[string][]byte{"stays": []byte("1"), "goes": []byte("2")}}
	p := &Pod{
		dir:   t.TempDir(),
		store: &Store{Secrets: map[string]*corev1.Secret{"keys": keys}},
		spec:  &corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "keys"}}}}},
	}
	sync := func() (payload string) {
		t.Helper()
		if err := p.Sync(); err != nil {
			t.Fatal(err)
		}
		payload, err := os.Readlink(filepath.Join(p.volumeDir("v"), dataLink))
		if err != nil {
			t.Fatal(err)
		}
		return payload
	}

	first := sync()
	if again := sync(); again != first {
		t.Error("Sync(): files that are up to date are written again")
	}

	keys.Data = map[string][]byte{"stays": []byte("3"), "comes": []byte("4")}
	if changed := sync(); changed == first {
		t.Error("Sync(): changed files are not swapped all at once")
	}
	if diff := cmp.Diff(map[string]fs.FileMode{"stays": 0o644, "comes": 0o644}, modes(t, p.volumeDir("v"))); diff != "" {
		t.Errorf("Sync(): -want, +got:\n%s", diff)
	}
	if b, err := os.ReadFile(filepath.Join(p.volumeDir("v"), "stays")); err != nil || string(b) != "3" {
		t.Errorf("Sync(): want the new value, got %q, %v", b, err)
	}
}

// modes are the files that a process sees in a volume, with their modes.
func modes(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	links, err := filepath.Glob(filepath.Join(dir, "[^.]*"))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]fs.FileMode
	for _, l := range links {
		info, err := os.Stat(l)
		if err != nil {
			t.Fatal(err)
		}
		if m == nil {
			m = map[string]fs.FileMode{}
		}
		m[filepath.Base(l)] = info.Mode()
	}
	return m
}
