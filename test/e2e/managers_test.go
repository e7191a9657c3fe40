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
	// other applies ports of the server's container, all that it applies.
	other := func(ports string) {
		_, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Patch(s.ctx, srv.Name, types.ApplyPatchType,
			fmt.Appendf(nil, "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: %s}, spec: {template: {spec: {containers: [{name: dittofs, ports: [%s]}]}}}}", srv.Name, ports),
			metav1.PatchOptions{FieldManager: "other", Force: new(true)})
		must(s, err)
	}
	s.expect("another manager has a port of the same number under another name: its own restart, and ours", "2 revisions, 2 pods, the port is api", func() string {
		other("{containerPort: 9444, protocol: TCP, name: web}")
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
