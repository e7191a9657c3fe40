package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// extras is a server with variables and files of its user's, out of ConfigMaps and a
// Secret: it waits for them, restarts once for each change that it reads, with the new
// value, and is held while one is missing or hides what the spec sets.
func extras(s *scenario) {
	srv := s.server("extras")
	must(s, srv.createSecrets(s.ctx, basicSecrets()))
	must(s, srv.createSecret(s.ctx, "s3", map[string]string{"KEY": "first"}))
	must(s, srv.createConfigMap(s.ctx, "extra", map[string]string{"extra.conf": "first", "other": "x"}))
	_, err := s.cluster.CoreV1().ServiceAccounts(srv.Namespace).Create(s.ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "files"}}, metav1.CreateOptions{})
	must(s, err)
	must(s, srv.create(s.ctx, extrasSpec()))

	s.expect("ConfigMap of the user's missing at first", "no StatefulSet, the condition names it", func() string {
		must(s, srv.awaitCondition(s.ctx, "SecretsResolved", "False"))
		must(s, srv.reconcile(s.ctx)) // Whatever it composes is there now.
		if _, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Get(s.ctx, srv.Name, metav1.GetOptions{}); !kerrors.IsNotFound(err) {
			return fmt.Sprintf("StatefulSet: %v", err)
		}
		if msg := s.unresolved(srv); !strings.Contains(msg, `ConfigMap "settings": the ConfigMap does not exist`) {
			return "the condition says " + msg
		}
		return "no StatefulSet, the condition names it"
	})
	s.expect("ConfigMap of the user's there", oneRestart+", variable first, file first, 401, files", func() string {
		must(s, srv.createConfigMap(s.ctx, "settings", map[string]string{"CONTROLPLANE_PPROF": "true"}))
		must(s, srv.awaitReady(s.ctx))
		return s.restartsOf(srv) + s.extrasOf(srv)
	})

	for _, c := range []struct {
		what, expected string
		do             func() error
	}{
		{"setting in a ConfigMap changed", oneRestart + ", variable first, file first, 404, files", func() error {
			return srv.setConfigMap(s.ctx, "settings", map[string]string{"CONTROLPLANE_PPROF": "false"})
		}},
		{"variable in a Secret changed", oneRestart + ", variable second, file first, 404, files", func() error {
			return srv.setSecret(s.ctx, "s3", map[string]string{"KEY": "second"})
		}},
		{"file in a ConfigMap changed", oneRestart + ", variable second, file second, 404, files", func() error {
			return srv.setConfigMap(s.ctx, "extra", map[string]string{"extra.conf": "second"})
		}},
		{"key of a ConfigMap that nothing reads changed", noRestart + ", variable second, file second, 404, files", func() error {
			return srv.setConfigMap(s.ctx, "extra", map[string]string{"other": "y"})
		}},
		{"service account that does not exist", noRestart + ", variable second, file second, 404, files", func() error {
			if err := srv.patchSpec(s.ctx, map[string]any{"serviceAccountName": "none"}); err != nil {
				return err
			}
			return srv.awaitCondition(s.ctx, "SecretsResolved", "False")
		}},
		{"service account removed", oneRestart + ", variable second, file second, 404, default", func() error {
			return srv.patchSpec(s.ctx, map[string]any{"serviceAccountName": nil})
		}},
		{"claim that does not exist", noRestart + ", variable second, file second, 404, default", func() error {
			volumes := append(extrasSpec()["volumes"].([]any), map[string]any{"name": "later", "persistentVolumeClaim": map[string]any{"claimName": "later"}})
			if err := srv.patchSpec(s.ctx, map[string]any{"volumes": volumes}); err != nil {
				return err
			}
			return srv.awaitCondition(s.ctx, "SecretsResolved", "False")
		}},
		{"claim there", oneRestart + ", variable second, file second, 404, default", func() error {
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "later"}, Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
			}}
			_, err := s.cluster.CoreV1().PersistentVolumeClaims(srv.Namespace).Create(s.ctx, claim, metav1.CreateOptions{})
			return err
		}},
	} {
		s.expect("extras: "+c.what, c.expected, func() string {
			must(s, c.do())
			return s.restartsOf(srv) + s.extrasOf(srv)
		})
	}

	s.expect("ConfigMap of the user's deleted", "held, "+noRestart, func() string {
		must(s, s.cluster.CoreV1().ConfigMaps(srv.Namespace).Delete(s.ctx, "settings", metav1.DeleteOptions{}))
		must(s, srv.awaitCondition(s.ctx, "SecretsResolved", "False"))
		if msg := s.unresolved(srv); !strings.Contains(msg, "the running server stays as it is") {
			return "the condition says " + msg
		}
		return "held, " + s.restartsOf(srv)
	})
	s.expect("ConfigMap of the user's back, with a key that hides a setting", "held, "+noRestart, func() string {
		must(s, srv.createConfigMap(s.ctx, "settings", map[string]string{"CONTROLPLANE_PPROF": "false", "LOGGING_LEVEL": "DEBUG"}))
		must(s, srv.awaitXR(s.ctx, "say what the key hides", func(*unstructured.Unstructured) error {
			if msg := s.unresolved(srv); !strings.Contains(msg, `ConfigMap "settings", key "LOGGING_LEVEL"`) || !strings.Contains(msg, "spec.logging.level") {
				return fmt.Errorf("the condition says %s", msg)
			}
			return nil
		}))
		return "held, " + s.restartsOf(srv)
	})
	s.expect("ConfigMap of the user's as it was", noRestart+", variable second, file second, 404, default", func() string {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"CONTROLPLANE_PPROF": "false"}}
		_, err := s.cluster.CoreV1().ConfigMaps(srv.Namespace).Update(s.ctx, cm, metav1.UpdateOptions{FieldManager: fieldManager})
		must(s, err)
		must(s, srv.awaitCondition(s.ctx, "SecretsResolved", "True"))
		return s.restartsOf(srv) + s.extrasOf(srv)
	})
}

// extrasSpec is basicSpec with variables and files of the user's.
func extrasSpec() map[string]any {
	spec := basicSpec()
	maps.Copy(spec, map[string]any{
		"serviceAccountName": "files",
		"env": []any{
			map[string]any{"name": "S3_KEY", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": "s3", "key": "KEY"}}},
			map[string]any{"name": "NODE", "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "spec.nodeName"}}},
			map[string]any{"name": "MEMORY", "valueFrom": map[string]any{"resourceFieldRef": map[string]any{"resource": "limits.memory"}}},
		},
		"envFrom": []any{map[string]any{"prefix": "DITTOFS_", "configMapRef": map[string]any{"name": "settings"}}},
		"volumes": []any{
			map[string]any{"name": "extra", "configMap": map[string]any{"name": "extra", "items": []any{map[string]any{"key": "extra.conf", "path": "extra.conf"}}}},
			map[string]any{"name": "token", "projected": map[string]any{"sources": []any{map[string]any{"serviceAccountToken": map[string]any{"path": "token", "audience": "e2e"}}}}},
			map[string]any{"name": "scratch", "emptyDir": map[string]any{"medium": "Memory", "sizeLimit": "16Mi"}},
		},
		"volumeMounts": []any{
			map[string]any{"name": "extra", "mountPath": "/extra", "readOnly": true},
			map[string]any{"name": "token", "mountPath": "/token", "readOnly": true},
			map[string]any{"name": "scratch", "mountPath": "/scratch"},
		},
	})
	return spec
}

// extrasOf is what the server's process has of what its user has added: a variable, a file,
// what it answers to somebody who asks for a profile without logging in, which a setting
// turns on, and the service account of its pod.
func (s *scenario) extrasOf(srv *server) string {
	s.Helper()
	dir := s.proc(srv)
	environ, err := os.ReadFile(dir + "/environ")
	must(s, err)
	key := ""
	for e := range strings.SplitSeq(string(environ), "\x00") {
		if value, ok := strings.CutPrefix(e, "S3_KEY="); ok {
			key = value
		}
	}
	file, err := os.ReadFile(dir + "/root/extra/extra.conf")
	must(s, err)
	if token, err := os.ReadFile(dir + "/root/token/token"); err != nil || len(token) == 0 {
		return fmt.Sprintf(", no token: %v", err)
	}
	pod, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(s.ctx, srv.Name+"-0", metav1.GetOptions{})
	must(s, err)
	return fmt.Sprintf(", variable %s, file %s, %d, %s", key, file, s.profile(srv), pod.Spec.ServiceAccountName)
}

// profile is the status of the answer to somebody who asks for a profile of a server and
// does not log in. Without the setting there is nothing to log in for.
func (s *scenario) profile(srv *server) int {
	s.Helper()
	status := 0
	must(s, await(s.ctx, srv.String()+" to answer", func(context.Context) error {
		a, err := s.ask("http://"+s.address(srv, "api")+"/debug/pprof/", "", nil)
		status = a.status
		return err
	}))
	return status
}

// hasExtras looks at what the row of the matrix with variables and files of the user's
// makes of them.
func (s *scenario) hasExtras(srv *server) string {
	s.Helper()
	if got := s.profile(srv); got != http.StatusUnauthorized {
		return fmt.Sprintf("profiles, which a variable turns on for who logs in, are answered with %d", got)
	}
	for file, want := range map[string]string{
		"/extra/extra.conf": "a: 1\n", "/extra/binary": "\x00\x01\x02", "/etc/extra.conf": "a: 1\n",
		"/both/s3/secret": "battery-staple", "/both/CONTROLPLANE_PPROF": "true",
	} {
		if b, err := os.ReadFile(s.proc(srv) + "/root" + file); err != nil || string(b) != want {
			return fmt.Sprintf("%s has %q: %v", file, b, err)
		}
	}
	return ""
}

// unresolved is what the condition SecretsResolved says.
func (s *scenario) unresolved(srv *server) string {
	s.Helper()
	xr, err := srv.xr(s.ctx)
	must(s, err)
	return fmt.Sprint(condition(xr, "SecretsResolved")["message"])
}

// createConfigMap creates a ConfigMap.
func (s *server) createConfigMap(ctx context.Context, name string, data map[string]string) error {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
	if _, err := s.cluster.CoreV1().ConfigMaps(s.Namespace).Create(ctx, cm, metav1.CreateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("cannot create ConfigMap %s: %w", name, err)
	}
	return nil
}

// setConfigMap sets keys of a ConfigMap.
func (s *server) setConfigMap(ctx context.Context, name string, data map[string]string) error {
	cm, err := s.cluster.CoreV1().ConfigMaps(s.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("cannot get ConfigMap %s: %w", name, err)
	}
	maps.Copy(cm.Data, data)
	if _, err := s.cluster.CoreV1().ConfigMaps(s.Namespace).Update(ctx, cm, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("cannot update ConfigMap %s: %w", name, err)
	}
	return nil
}
