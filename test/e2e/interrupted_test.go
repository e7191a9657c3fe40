package e2e

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// interrupted kills Crossplane and the function in the middle of a change of
// configuration, template and Secrets, again and again.
func interrupted(s *scenario) {
	const times = 2
	for _, app := range []string{appFunction, appCrossplane} {
		srv := s.running("interrupted-"+app, basicSpec(), basicSecrets())
		s.expect(fmt.Sprintf("change port and configuration, rotate, and kill %s at once, %d times", app, times), fmt.Sprintf("at most %d restarts, the last one runs, 1 ConfigMap", 2*times), func() string {
			for n := range times {
				w, err := s.cluster.CoreV1().ConfigMaps(srv.Namespace).Watch(s.ctx, metav1.ListOptions{LabelSelector: serverLabel + "=" + srv.Name})
				must(s, err)
				must(s, srv.patchSpec(s.ctx, map[string]any{"controlPlane": map[string]any{"port": 9001 + n}}))
				// The middle: the new ConfigMap is there, and the template is about to name it.
				must(s, awaitEvent(s.ctx, w, "the new ConfigMap", func(cm *corev1.ConfigMap) bool {
					return strings.Contains(cm.Data["config.yaml"], fmt.Sprintf("port: %d", 9001+n))
				}))
				w.Stop()
				must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
				s.kill(app, allPods)
				must(s, srv.settle(s.ctx))
			}
			got := s.restartedAtMost(srv, 2*times) // The rotation may come with the change, or after it.
			must(s, srv.reconcile(s.ctx))
			p, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(s.ctx, srv.Name+"-0", metav1.GetOptions{})
			must(s, err)
			if port := portOf(&p.Spec); port != 9000+times {
				return fmt.Sprintf("the port is %d", port)
			}
			return got + ", the last one runs, " + plural(len(s.configMaps(srv)), "ConfigMap")
		})
	}
}

func portOf(p *corev1.PodSpec) int32 { return p.Containers[0].Ports[0].ContainerPort }
