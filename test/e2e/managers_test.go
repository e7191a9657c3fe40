package e2e

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// managers are others who apply fields of a server's StatefulSet.
func managers(s *scenario) {
	srv := s.running("managers", basicSpec(), basicSecrets())
	s.expect("another manager has a port of the same number under another name: its own restart, and ours", "2 revisions, 2 pods, the port is api", func() string {
		s.applyContainer(srv, "{name: dittofs, ports: [{containerPort: 9444, protocol: TCP, name: web}]}")
		must(s, srv.awaitRollout(s.ctx))
		must(s, srv.patchSpec(s.ctx, map[string]any{"controlPlane": map[string]any{"port": 9444}}))
		must(s, srv.awaitReason(s.ctx, "RestartPending", "UpToDate"))
		got, port := s.restartsOf(srv), "not there"
		for _, p := range s.templateOf(srv).Spec.Containers[0].Ports {
			if p.ContainerPort == 9444 && p.Protocol == corev1.ProtocolTCP {
				port = p.Name
			}
		}
		return got + ", the port is " + port
	})
}

// applyContainer has another manager apply fields of the server's container, all that it
// applies.
func (s *scenario) applyContainer(srv *server, container string) {
	s.Helper()
	_, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Patch(s.ctx, srv.Name, types.ApplyPatchType, fmt.Appendf(nil,
		"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: %s}, spec: {template: {spec: {containers: [%s]}}}}", srv.Name, container),
		metav1.PatchOptions{FieldManager: "another"})
	must(s, err)
}

// What is applied of the server's container by who holds the port of its API, and by who
// holds nothing.
const (
	holdsPort    = "{name: dittofs, ports: [{containerPort: 8080, name: api, protocol: TCP}]}"
	holdsNothing = "{name: dittofs}"
)
