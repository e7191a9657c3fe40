package e2e

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// interrupted kills Crossplane and the function in the middle of changes of
// configuration, template and Secrets.
func interrupted(s *scenario) {
	const servers, port = 3, 9001
	for _, app := range []string{appFunction, appCrossplane} {
		fleet := make([]*server, servers)
		s.each(servers, func(s *scenario, i int) string {
			fleet[i] = s.running("interrupted-"+app+"-"+strconv.Itoa(i), basicSpec(), basicSecrets())
			return ""
		})
		expected := "at most 2 restarts, the last one runs, 1 ConfigMap" // The rotation may come with the change, or after it.
		s.expect(fmt.Sprintf("change port and configuration of %d servers, rotate, and kill %s at once", servers, app), fmt.Sprintf("%d times %s", servers, expected), func() string {
			s.each(servers, func(s *scenario, i int) string {
				srv := fleet[i]
				w, err := s.cluster.CoreV1().ConfigMaps(srv.Namespace).Watch(s.ctx, metav1.ListOptions{LabelSelector: serverLabel + "=" + srv.Name})
				must(s, err)
				defer w.Stop()
				must(s, srv.patchSpec(s.ctx, map[string]any{"controlPlane": map[string]any{"port": port}}))
				// The middle: the new ConfigMap is there, and the template is about to name it.
				must(s, awaitEvent(s.ctx, w, "the new ConfigMap", func(cm *corev1.ConfigMap) bool {
					return strings.Contains(cm.Data["config.yaml"], fmt.Sprintf("port: %d", port))
				}))
				must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
				return ""
			})
			s.kill(app, allPods)
			return s.each(servers, func(s *scenario, i int) string {
				srv := fleet[i]
				must(s, srv.settle(s.ctx))
				got := s.restartedAtMost(srv, 2)
				must(s, srv.reconcile(s.ctx))
				if now := portOf(&s.podOf(srv).Spec); now != port {
					return fmt.Sprintf("the port is %d", now)
				}
				return got + ", the last one runs, " + plural(len(s.configMaps(srv)), "ConfigMap")
			})
		})
	}
}

func portOf(p *corev1.PodSpec) int32 { return p.Containers[0].Ports[0].ContainerPort }
