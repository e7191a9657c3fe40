package e2e

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// foreign objects have names that a server needs to start: they are left alone, and
// the server waits for them to go.
func foreign(s *scenario) {
	srv := s.server("foreign")
	must(s, srv.createSecrets(s.ctx, basicSecrets()))
	waits := "the condition names it, all else is there, it is as it was"

	// Another server of the name tells which names its ConfigMaps have.
	must(s, s.createNamespace("foreign-twin"))
	twin := s.suite.server("foreign-twin", srv.Name)
	must(s, twin.createSecrets(s.ctx, basicSecrets()))
	must(s, twin.create(s.ctx, basicSpec()))
	must(s, twin.awaitReady(s.ctx))
	s.restartsOf(twin)

	// inTheWay creates an object of somebody else, and says how it is left alone.
	inTheWay := func(o *unstructured.Unstructured) (gone func(), was func() string) {
		r, err := s.cluster.resource(o)
		must(s, err)
		before, err := r.Create(s.ctx, o, metav1.CreateOptions{FieldManager: "helm"})
		must(s, err)
		gone = func() {
			s.deleted(o.GetAPIVersion(), o.GetKind(), srv.Namespace, o.GetName())
		}
		was = func() string {
			xr, err := srv.xr(s.ctx)
			must(s, err)
			if msg := fmt.Sprint(condition(xr, "NamesAvailable")["message"]); !strings.Contains(msg, fmt.Sprintf("%s %q", o.GetKind(), o.GetName())) {
				return "the condition says " + msg
			}
			if _, err := s.cluster.CoreV1().Services(srv.Namespace).Get(s.ctx, srv.Name+"-api", metav1.GetOptions{}); err != nil {
				return err.Error()
			}
			after, err := r.Get(s.ctx, o.GetName(), metav1.GetOptions{})
			must(s, err)
			for _, m := range after.GetManagedFields() {
				if strings.HasPrefix(m.Manager, "apiextensions.crossplane.io") {
					return m.Manager + " has written it"
				}
			}
			if after.GetUID() != before.GetUID() || after.GetGeneration() != before.GetGeneration() || len(after.GetOwnerReferences()) > 0 {
				return "it is another one"
			}
			return waits
		}
		return gone, was
	}
	configMap := func(name string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": srv.Namespace},
			"data": map[string]any{"config.yaml": "somebody: else\n"},
		}}
	}

	deleteSet, setWas := inTheWay(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": srv.Name, "namespace": srv.Namespace},
		"spec": map[string]any{
			"replicas": int64(0),
			"selector": map[string]any{"matchLabels": map[string]any{"app": "shop"}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": "shop"}},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "shop", "image": "example.org/shop"}}},
			},
		},
	}})
	s.expect("a StatefulSet of others in the way", waits, func() string {
		must(s, srv.create(s.ctx, basicSpec()))
		must(s, srv.awaitReason(s.ctx, "NamesAvailable", "Taken"))
		must(s, srv.reconcile(s.ctx))
		if n := len(s.configMaps(srv)); n != 1 {
			return plural(n, "ConfigMap")
		}
		return setWas()
	})
	s.expect("the StatefulSet of others deleted", "ready, "+oneRestart, func() string {
		deleteSet()
		must(s, srv.awaitReady(s.ctx))
		must(s, srv.awaitReason(s.ctx, "NamesAvailable", "Available"))
		return "ready, " + s.restartsOf(srv)
	})

	port := map[string]any{"controlPlane": map[string]any{"port": 9443}}
	must(s, twin.patchSpec(s.ctx, port))
	s.restartsOf(twin)
	next := s.templateOf(twin)
	deleteMap, mapWas := inTheWay(configMap(configMapOf(&next.Spec)))
	s.expect("a ConfigMap of others in the way of a running server's next", waits+", "+noRestart, func() string {
		must(s, srv.patchSpec(s.ctx, port))
		must(s, srv.awaitReason(s.ctx, "RestartPending", "NameTaken"))
		must(s, srv.reconcile(s.ctx))
		must(s, srv.awaitRollout(s.ctx))
		return mapWas() + ", " + s.restartsSince(srv)
	})
	s.expect("the ConfigMap of others deleted", oneRestart+", "+startedWell, func() string {
		deleteMap()
		must(s, srv.awaitReason(s.ctx, "RestartPending", "UpToDate"))
		return s.restartsOf(srv) + ", " + s.startsOf(srv.Namespace)
	})
}

// templateOf is the pod template of a server's StatefulSet.
func (s *scenario) templateOf(srv *server) *corev1.PodTemplateSpec {
	s.Helper()
	ss := s.statefulSet(srv)
	return &ss.Spec.Template
}

// statefulSet is a server's StatefulSet.
func (s *scenario) statefulSet(srv *server) *appsv1.StatefulSet {
	s.Helper()
	var ss *appsv1.StatefulSet
	must(s, await(s.ctx, "the StatefulSet", func(ctx context.Context) (err error) {
		ss, err = s.cluster.AppsV1().StatefulSets(srv.Namespace).Get(ctx, srv.Name, metav1.GetOptions{})
		return err
	}))
	return ss
}
