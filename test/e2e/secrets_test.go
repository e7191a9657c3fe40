package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// quiet is every change that is no reason to restart a server.
func quiet(s *scenario) {
	secret := func(patch string) func(*scenario, *server) {
		return func(s *scenario, srv *server) {
			_, err := s.cluster.CoreV1().Secrets(srv.Namespace).Patch(s.ctx, "jwt", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			must(s, err)
		}
	}
	spec := func(p map[string]any) func(*scenario, *server) {
		return func(s *scenario, srv *server) { must(s, srv.patchSpec(s.ctx, p)) }
	}
	changes := []struct {
		what string
		do   func(*scenario, *server)
	}{
		{"Secret: unreferenced key", secret(`{"data": {"other": "b3RoZXI="}}`)},
		{"Secret: label", secret(`{"metadata": {"labels": {"e2e": "yes"}}}`)},
		{"Secret: annotation", secret(`{"metadata": {"annotations": {"e2e": "yes"}}}`)},
		{"Secret: same bytes, another writer", func(s *scenario, srv *server) {
			sec, err := s.cluster.CoreV1().Secrets(srv.Namespace).Get(s.ctx, "jwt", metav1.GetOptions{})
			must(s, err)
			sec.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
			before := sec.ResourceVersion
			after, err := s.cluster.CoreV1().Secrets(srv.Namespace).Patch(s.ctx, "jwt", types.ApplyPatchType,
				fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "jwt"}, "data": {"key": %q}}`, base64.StdEncoding.EncodeToString(sec.Data["key"])),
				metav1.PatchOptions{FieldManager: "another", Force: new(true)})
			must(s, err)
			if before == after.ResourceVersion {
				s.Fatal("the Secret was not written")
			}
		}},
		{"DittoServer: annotation of the Service", spec(map[string]any{"service": map[string]any{"annotations": map[string]any{"example.org/pool": "b"}}})},
		{"DittoServer: replicas spelled out", spec(map[string]any{"replicas": 1})},
		{"DittoServer: label and annotation", func(s *scenario, srv *server) {
			must(s, s.cluster.patch(s.ctx, dittoServers.GroupVersion().String(), "DittoServer", srv.Namespace, srv.Name, map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"e2e": "yes"}, "annotations": map[string]any{"e2e": "yes"}},
			}))
		}},
	}
	servers := (len(changes) + changesPerServer - 1) / changesPerServer
	s.each(servers, func(s *scenario, i int) string {
		srv := s.running(fmt.Sprintf("quiet-%d", i), basicSpec(), basicSecrets())
		for _, c := range changes[i*changesPerServer : min(len(changes), (i+1)*changesPerServer)] {
			s.expect(c.what, noRestart, func() string {
				c.do(s, srv)
				return s.restartsOf(srv)
			})
		}
		return ""
	})
}

// missingAtFirst is a server whose Secrets come after it.
func missingAtFirst(s *scenario) {
	for _, c := range []struct {
		what   string
		there  secrets
		naming []string
		then   func(*server) error
	}{
		{
			what:   "no Secret",
			there:  secrets{"admin": basicSecrets()["admin"]},
			naming: []string{"jwt"},
			then: func(srv *server) error {
				return srv.createSecret(s.ctx, "jwt", map[string]string{"key": newKey()})
			},
		},
		{
			what:   "no key in the Secret",
			there:  secrets{"admin": basicSecrets()["admin"], "jwt": {"other": "x"}},
			naming: []string{"jwt", "key"},
			then: func(srv *server) error {
				return srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()})
			},
		},
		{
			what:   "an invalid key",
			there:  secrets{"admin": basicSecrets()["admin"], "jwt": {"key": "too short"}},
			naming: []string{"jwt", "key"},
			then: func(srv *server) error {
				return srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()})
			},
		},
	} {
		srv := s.server("missing-at-first-" + strings.ReplaceAll(strings.ToLower(c.what), " ", "-"))
		must(s, srv.createSecrets(s.ctx, c.there))
		s.expect(c.what+" at first", "ConfigMap and Services, no StatefulSet, the condition names it", func() string {
			must(s, srv.create(s.ctx, basicSpec()))
			must(s, srv.awaitCondition(s.ctx, "SecretsResolved", "False"))
			must(s, srv.reconcile(s.ctx)) // Whatever it composes is there now.

			for _, o := range []struct{ kind, name string }{{"Service", srv.Name + "-api"}, {"Service", srv.Name + "-headless"}} {
				if _, err := s.cluster.get(s.ctx, "v1", o.kind, srv.Namespace, o.name); err != nil {
					return err.Error()
				}
			}
			if n := len(s.configMaps(srv)); n != 1 {
				return plural(n, "ConfigMap")
			}
			if _, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Get(s.ctx, srv.Name, metav1.GetOptions{}); !kerrors.IsNotFound(err) {
				return fmt.Sprintf("StatefulSet: %v", err)
			}
			xr, err := srv.xr(s.ctx)
			must(s, err)
			msg := fmt.Sprint(condition(xr, "SecretsResolved")["message"])
			for _, n := range c.naming {
				if !strings.Contains(msg, fmt.Sprintf("%q", n)) {
					return "the condition says " + msg
				}
			}
			return "ConfigMap and Services, no StatefulSet, the condition names it"
		})

		s.expect(c.what+" at first: mended", oneRestart, func() string {
			w, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Watch(s.ctx, metav1.ListOptions{})
			must(s, err)
			defer w.Stop()
			start := time.Now()
			must(s, c.then(srv))
			must(s, awaitEvent(s.ctx, w, "the StatefulSet", func(any) bool { return true }))
			s.measure(c.what+" at first: mended to StatefulSet", ms(time.Since(start)), time.Since(start))

			must(s, srv.awaitReady(s.ctx))
			return s.restartsOf(srv)
		})
	}
}

// missingForAWhile is a running server whose Secret goes away, as controllers
// that sync Secrets delete and create them.
func missingForAWhile(s *scenario) {
	srv := s.running("missing-for-a-while", basicSpec(), basicSecrets())
	sec := srv.jwt(s)
	s.expect("Secret deleted under a running server", noRestart, func() string {
		must(s, srv.deleteJWT(s.ctx))
		must(s, srv.awaitCondition(s.ctx, "SecretsResolved", "False"))
		return s.restartsOf(srv)
	})
	s.expect("Secret back with the same key", noRestart, func() string {
		must(s, srv.createSecret(s.ctx, "jwt", sec))
		must(s, srv.awaitCondition(s.ctx, "SecretsResolved", "True"))
		return s.restartsOf(srv)
	})

	srv = s.running("missing-for-a-moment", basicSpec(), basicSecrets())
	sec = srv.jwt(s)
	s.expect("Secret deleted and back with the same key, at once", noRestart, func() string {
		must(s, srv.deleteJWT(s.ctx))
		must(s, srv.createSecret(s.ctx, "jwt", sec))
		return s.restartsOf(srv)
	})
	s.expect("Secret deleted and back with a new key, at once", oneRestart, func() string {
		must(s, srv.deleteJWT(s.ctx))
		must(s, srv.createSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		return s.restartsOf(srv)
	})

	srv = s.running("missing-then-new", basicSpec(), basicSecrets())
	s.expect("Secret deleted, and later back with a new key", oneRestart, func() string {
		must(s, srv.deleteJWT(s.ctx))
		must(s, srv.awaitCondition(s.ctx, "SecretsResolved", "False"))
		must(s, srv.createSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		return s.restartsOf(srv)
	})
}

// jwt returns what is in the Secret with the JWT key.
func (s *server) jwt(sc *scenario) map[string]string {
	sc.Helper()
	sec, err := s.cluster.CoreV1().Secrets(s.Namespace).Get(sc.ctx, "jwt", metav1.GetOptions{})
	must(sc, err)
	t := map[string]string{}
	for k, v := range sec.Data {
		t[k] = string(v)
	}
	return t
}
