package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The field managers of Crossplane: of a DittoServer, and of what it is composed of.
const (
	compositeManager = "apiextensions.crossplane.io/composite"
	composedManager  = "apiextensions.crossplane.io/composed/"
)

// older is a server that a version of the function has left which had one ConfigMap
// for each, of a name that did not change: this one takes it over.
func older(s *scenario) {
	const lost = "nothing is lost, 1 ConfigMap"
	s.each(2, func(s *scenario, i int) string {
		if i == 0 {
			srv, intact := s.older("older", nil)
			s.expect("the function upgraded under a server with an older template", oneRestart+", the hash is what it was, "+lost, func() string {
				before, err := srv.hash(s.ctx)
				must(s, err)
				must(s, srv.pause(s.ctx, "false"))
				must(s, srv.awaitReason(s.ctx, "RestartPending", "UpToDate"))
				got := s.restartsOf(srv)
				if after, err := srv.hash(s.ctx); err == nil && after == before {
					got += ", the hash is what it was"
				}
				return got + ", " + intact()
			})
			s.expect("and settled", noRestart, func() string { return s.restartsOf(srv) })
			return ""
		}

		srv, intact := s.older("older-manual", map[string]any{"rollout": map[string]any{"policy": "Manual"}})
		s.expect("the same under Manual, and the pod deleted", cameBack+", 2 ConfigMaps", func() string {
			got := s.held(srv, func() { must(s, srv.pause(s.ctx, "false")) }, "ManualPolicy", "lifecycle")
			return got + ", " + plural(len(s.allConfigMaps(srv)), "ConfigMap")
		})
		s.expect("then with a token", oneRestart+", "+lost, func() string {
			must(s, srv.patchSpec(s.ctx, map[string]any{"rollout": map[string]any{"restartToken": "now"}}))
			must(s, srv.awaitReason(s.ctx, "RestartPending", "UpToDate"))
			return s.restartsOf(srv) + ", " + intact()
		})
		return ""
	})
}

// older creates a server as an older version of the function has left it, in a
// namespace of its name, with further fields in its spec. Crossplane leaves it alone
// until it is no longer paused. What is intact is what the server had, once it is the
// present version's.
func (s *scenario) older(name string, spec map[string]any) (srv *server, intact func() string) {
	s.Helper()
	srv = s.server(name)
	objects := s.read("test/e2e/testdata/older.yaml")
	for _, o := range objects {
		b, err := json.Marshal(o.Object)
		must(s, err)
		must(s, json.Unmarshal([]byte(strings.ReplaceAll(string(b), "older", name)), &o.Object))
	}

	apply := func(manager string, o *unstructured.Unstructured, subresources ...string) *unstructured.Unstructured {
		r, err := s.cluster.resource(o)
		must(s, err)
		got, err := r.Apply(s.ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: manager, Force: true}, subresources...)
		must(s, err)
		return got
	}
	// As Crossplane has it, of the DittoServer's name and kind.
	composed := composedManager + fmt.Sprintf("%x", sha256.Sum256([]byte(name+"DittoServer."+dittoServers.Group)))
	xr, objects := objects[0], objects[1:]
	refs, _, err := unstructured.NestedMap(xr.Object, "spec", "crossplane")
	must(s, err)
	status := xr.Object["status"]
	delete(xr.Object, "status")
	unstructured.RemoveNestedField(xr.Object, "spec", "crossplane")
	for k, v := range spec {
		must(s, unstructured.SetNestedField(xr.Object, v, "spec", k))
	}
	stored := apply(fieldManager, xr)
	// What Crossplane writes of a DittoServer.
	for _, w := range []struct {
		content      map[string]any
		subresources []string
	}{
		{content: map[string]any{"spec": map[string]any{"crossplane": refs}}},
		{content: map[string]any{"status": status}, subresources: []string{"status"}},
	} {
		o := &unstructured.Unstructured{Object: w.content}
		o.SetGroupVersionKind(xr.GroupVersionKind())
		o.SetNamespace(xr.GetNamespace())
		o.SetName(xr.GetName())
		apply(compositeManager, o, w.subresources...)
	}
	uids := map[object]string{}
	for _, o := range objects {
		o.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(stored, stored.GroupVersionKind())})
		uids[object{o.GetAPIVersion(), o.GetKind(), o.GetName()}] = string(apply(composed, o).GetUID())
	}
	must(s, srv.awaitPaused(s.ctx))
	must(s, srv.awaitRollout(s.ctx))
	s.restartsSince(srv)
	config, volumes := s.config(srv), s.claimsOf(srv)

	intact = func() string {
		for o, uid := range uids {
			if o.kind == "ConfigMap" {
				continue
			}
			got, err := s.cluster.get(s.ctx, o.apiVersion, o.kind, srv.Namespace, o.name)
			must(s, err)
			if string(got.GetUID()) != uid {
				return fmt.Sprintf("%s %s is another one", o.kind, o.name)
			}
			for _, m := range got.GetManagedFields() {
				if strings.HasPrefix(m.Manager, composedManager) && m.Manager != composed {
					return fmt.Sprintf("%s %s is of %s too", o.kind, o.name, m.Manager)
				}
			}
		}
		for _, o := range objects {
			if o.GetKind() != "Secret" {
				continue
			}
			got, err := s.cluster.get(s.ctx, o.GetAPIVersion(), o.GetKind(), srv.Namespace, o.GetName())
			must(s, err)
			if fmt.Sprint(got.Object["data"]) != fmt.Sprint(o.Object["data"]) {
				return "Secret " + o.GetName() + " has another value"
			}
		}
		if s.config(srv) != config {
			return "the configuration is another one"
		}
		if after := s.claimsOf(srv); after != volumes {
			return fmt.Sprintf("claims of the pod were %s, are %s", volumes, after)
		}
		if sts := s.statefulSet(srv); !contentName.MatchString(configMapOf(&sts.Spec.Template.Spec)) {
			return "the template names " + configMapOf(&sts.Spec.Template.Spec)
		}
		// The older one goes in the reconcile after.
		must(s, await(s.ctx, "one ConfigMap to be left", func(context.Context) error {
			if left := s.allConfigMaps(srv); len(left) != 1 {
				return errors.New(strings.Join(left, ", "))
			}
			return nil
		}))
		return "nothing is lost, " + plural(len(s.allConfigMaps(srv)), "ConfigMap")
	}
	return srv, intact
}

// allConfigMaps are the names of the ConfigMaps of a server's namespace that are
// composed, whatever their labels.
func (s *scenario) allConfigMaps(srv *server) []string {
	s.Helper()
	l, err := s.cluster.CoreV1().ConfigMaps(srv.Namespace).List(s.ctx, metav1.ListOptions{})
	must(s, err)
	names := []string{}
	for _, cm := range l.Items {
		if metav1.GetControllerOf(&cm) != nil {
			names = append(names, cm.Name)
		}
	}
	return names
}

// claimsOf are the claims that a server's pod mounts.
func (s *scenario) claimsOf(srv *server) string {
	s.Helper()
	all, err := claims(s, srv)
	must(s, err)
	return strings.Join(all, ", ")
}
