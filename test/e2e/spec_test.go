package e2e

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// storage is a change that Kubernetes does not allow. It must not stand in the
// way of those that it does.
func storage(s *scenario) {
	srv := s.running("storage", basicSpec(), basicSecrets())
	s.expect("storage size changed", "StorageInSync=False", func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"storage": map[string]any{"metadataSize": "2Gi"}}))
		must(s, srv.awaitCondition(s.ctx, "StorageInSync", "False"))
		return "StorageInSync=False"
	})
	s.expect("then a rotation", oneRestart, func() string {
		must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		return s.restartsOf(srv)
	})
	s.expect("storage size as it was", "StorageInSync=True, "+noRestart, func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"storage": map[string]any{"metadataSize": "1Gi"}}))
		must(s, srv.awaitCondition(s.ctx, "StorageInSync", "True"))
		return "StorageInSync=True, " + s.restartsOf(srv)
	})
}

// badSpec is a spec that the schema cannot refuse, on a running server.
func badSpec(s *scenario) {
	srv := s.running("bad-spec", basicSpec(), basicSecrets())
	uids := func() string {
		var all []string
		for _, o := range composed(srv) {
			got, err := s.cluster.get(s.ctx, o.apiVersion, o.kind, srv.Namespace, o.name)
			must(s, err)
			all = append(all, string(got.GetUID()))
		}
		return strings.Join(all, " ")
	}
	before := uids()

	s.expect("bad spec on a running server", "Synced=False names the field, nothing is deleted", func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"podSecurityContext": map[string]any{"sysctls": []any{map[string]any{"name": "kernel.unknown", "value": "1"}}}}))
		must(s, srv.awaitXR(s.ctx, "say what is wrong", func(xr *unstructured.Unstructured) error {
			c := condition(xr, "Synced")
			if c["status"] != "False" || !strings.Contains(fmt.Sprint(c["message"]), "spec.podSecurityContext.sysctls") {
				return fmt.Errorf("condition Synced is %v", c)
			}
			return nil
		}))
		// It was tried again since, by the time that the rights of the rotation
		// below have been looked up; nothing may be gone by then either.
		must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		if after := uids(); after != before {
			return fmt.Sprintf("objects were %s, are %s", before, after)
		}
		return "Synced=False names the field, nothing is deleted"
	})
	s.expect("spec mended, with the rotation meanwhile", "Synced=True, "+oneRestart, func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"podSecurityContext": nil}))
		must(s, srv.awaitCondition(s.ctx, "Synced", "True"))
		return "Synced=True, " + s.restartsOf(srv)
	})
}

// manual is a server that is restarted when its owner says so.
func manual(s *scenario) {
	spec := basicSpec()
	spec["rollout"] = map[string]any{"policy": "Manual"}
	srv := s.running("manual", spec, basicSecrets())

	s.expect("policy Manual: rotation and change of configuration", "RestartPending=True, "+noRestart, func() string {
		must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		must(s, srv.awaitCondition(s.ctx, "RestartPending", "True"))
		must(s, srv.patchSpec(s.ctx, map[string]any{"logging": map[string]any{"level": "DEBUG"}}))
		got := s.restartsOf(srv)
		xr, err := srv.xr(s.ctx)
		must(s, err)
		return fmt.Sprintf("RestartPending=%v, %s", condition(xr, "RestartPending")["status"], got)
	})
	s.expect("policy Manual: new restartToken", "RestartPending=False, "+oneRestart, func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"rollout": map[string]any{"restartToken": "1"}}))
		must(s, srv.awaitCondition(s.ctx, "RestartPending", "False"))
		got := s.restartsOf(srv)
		if !strings.Contains(s.config(srv), "DEBUG") {
			return "the change of configuration is not in the ConfigMap"
		}
		return "RestartPending=False, " + got
	})
}
