package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The states of a server, from which it has to come back as it was: one that runs, all
// that hold it, and the middle of an advance.
func states() []state {
	manual := func(s *scenario, srv *server) {
		c := changed()
		c["rollout"] = map[string]any{"policy": "Manual"}
		must(s, srv.patchSpec(s.ctx, c))
	}
	return []state{
		{name: "settled", reason: "UpToDate", into: func(*scenario, *server) {}},
		{name: "manual", reason: "ManualPolicy", into: manual},
		{name: "refused", reason: "Refused", into: func(s *scenario, srv *server) {
			// Another manager has the port that the template is to leave.
			s.applyContainer(srv, holdsPort)
			must(s, srv.patchSpec(s.ctx, changed()))
		}},
		{name: "quota", reason: "FatalError", into: func(s *scenario, srv *server) {
			s.refuseConfigMaps(srv)
			must(s, srv.patchSpec(s.ctx, changed()))
			must(s, srv.awaitCondition(s.ctx, "Synced", "False"))
		}},
		{name: "database", reason: "DatabasePending", into: func(s *scenario, srv *server) {
			cluster := srv.Name + "-postgres"
			must(s, srv.createSecret(s.ctx, cluster+"-pguser-dittofs", map[string]string{"host": cluster, "port": "5432", "dbname": "dittofs", "user": "dittofs", "password": newKey()}))
			c := changed()
			c["percona"] = map[string]any{"enabled": true, "deleteWithServer": true}
			must(s, srv.patchSpec(s.ctx, c))
		}},
		{name: "advancing", advances: true, reason: "UpToDate", into: func(*scenario, *server) {}},
	}
}

// A state is one that a server is in when something happens to it.
type state struct {
	name, reason string
	into         func(*scenario, *server)
	advances     bool // At the very moment.
}

// An accident is something that happens to a server, or to its node.
type accident struct {
	what     string
	happens  func(s *scenario, servers []*server)
	restarts count // Of a server that is not in the middle of an advance.
}

func accidents() []accident {
	onEachPod := func(do func(*scenario, *corev1.Pod)) func(*scenario, []*server) {
		return func(s *scenario, servers []*server) {
			for _, srv := range servers {
				do(s, s.podOf(srv))
			}
		}
	}
	restart := func(program string) func(*scenario, []*server) {
		return func(s *scenario, _ []*server) { must(s, s.node.restart(s.ctx, program)) }
	}
	return []accident{
		{"the process is killed", onEachPod(func(s *scenario, p *corev1.Pod) { must(s, s.node.kill(string(p.UID))) }), count{again: 1}},
		{"the pod is evicted", onEachPod(func(s *scenario, p *corev1.Pod) {
			must(s, s.cluster.PolicyV1().Evictions(p.Namespace).Evict(s.ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}}))
		}), count{pods: 1}},
		{"the node is drained, and back", func(s *scenario, servers []*server) {
			node := s.podOf(servers[0]).Spec.NodeName
			names := make([]string, 0, len(servers))
			for _, srv := range servers { // Those of other scenarios stay.
				names = append(names, srv.Name)
			}
			s.shell(root, s.kubeconfig, fmt.Sprintf("kubectl drain %s --pod-selector='%s in (%s)' --delete-emptydir-data --timeout=5m; kubectl uncordon %s",
				node, serverLabel, strings.Join(names, ", "), node))
		}, count{pods: 1}},
		{"the kubelet is killed", restart("kubelet"), count{}},
		{"containerd is killed", restart("containerd"), count{}},
	}
}

// asBefore is what becomes of a server that something has happened to.
const asBefore = "is back as it was, with its data"

// unplanned is what happens without anybody having planned it, to servers in all states.
// Each comes back as it was, with its data.
func unplanned(s *scenario) {
	all := states()
	servers := make([]*server, len(all))
	s.each(len(all), func(s *scenario, i int) string {
		srv := s.running("unplanned-"+all[i].name, basicSpec(), basicSecrets())
		s.changePassword(srv)
		all[i].into(s, srv)
		must(s, srv.awaitReason(s.ctx, "RestartPending", all[i].reason))
		servers[i] = srv
		return ""
	})
	if s.Failed() {
		return
	}
	for _, a := range accidents() {
		s.expect(a.what+", in every state and in the middle of an advance", fmt.Sprintf("%d times %s", len(all), asBefore), func() string {
			before := make([]string, len(all))
			for i, srv := range servers {
				before[i] = s.pod(srv)
				if all[i].advances {
					s.advance(srv)
				}
			}
			a.happens(s, servers)
			return s.each(len(all), func(s *scenario, i int) string { return s.back(servers[i], all[i], before[i], a.restarts) })
		})
	}
}

// advance changes configuration and template of a server, halfway.
func (s *scenario) advance(srv *server) {
	s.Helper()
	srv.markers++
	token := fmt.Sprintf("%dm", 15+srv.markers)
	s.changeHalfway(srv, map[string]any{
		"identity":       map[string]any{"jwt": map[string]any{"accessTokenDuration": token}},
		"podAnnotations": map[string]any{"e2e/token": token},
	}, token)
}

// changeHalfway changes a server's spec, and returns in the middle of that: the new
// ConfigMap, whose configuration has this in it, is there, and the template is about to name
// it.
func (s *scenario) changeHalfway(srv *server, spec map[string]any, has string) {
	s.Helper()
	w, err := s.cluster.CoreV1().ConfigMaps(srv.Namespace).Watch(s.ctx, metav1.ListOptions{LabelSelector: serverLabel + "=" + srv.Name})
	must(s, err)
	defer w.Stop()
	must(s, srv.patchSpec(s.ctx, spec))
	must(s, awaitEvent(s.ctx, w, "the new ConfigMap", func(cm *corev1.ConfigMap) bool { return strings.Contains(cm.Data["config.yaml"], has) }))
}

// back waits until a server is back after something has happened to it, and says what is
// not as it was.
func (s *scenario) back(srv *server, st state, before string, restarts count) string {
	s.Helper()
	s.knowsPassword(srv)
	must(s, srv.awaitReason(s.ctx, "RestartPending", st.reason))
	for range 2 {
		must(s, srv.reconcile(s.ctx))
	}
	must(s, srv.awaitRollout(s.ctx))
	s.knowsPassword(srv)
	c := s.countSince(srv)
	if st.advances {
		p := s.podOf(srv)
		token := p.Annotations["e2e/token"]
		if !strings.Contains(s.config(srv), token) || token == "" || !strings.Contains(s.pod(srv), token) {
			return fmt.Sprintf("%s: the configuration is not of the template with %q", st.name, token)
		}
		// The accident may come before or after the new template, and so replace the old
		// pod or the new one.
		if c.revisions != 1 || c.pods < 1 || c.pods > 1+restarts.pods || c.again > restarts.again {
			return fmt.Sprintf("%s: %s", st.name, c)
		}
		return asBefore
	}
	if after := s.pod(srv); after != before {
		return fmt.Sprintf("%s: the pod was %s, and is %s", st.name, before, after)
	}
	if c != restarts {
		return fmt.Sprintf("%s: %s, want %s", st.name, c, restarts)
	}
	return asBefore
}

// withoutSecret is a server whose process ends while a Secret that it reads is missing.
// Kubernetes starts nothing without it; with it, all is as it was.
func withoutSecret(s *scenario) {
	srv := s.running("without-secret", basicSpec(), basicSecrets())
	s.changePassword(srv)
	sec, before := srv.jwt(s), s.pod(srv)
	s.expect("the process is killed while a Secret is missing", "it waits, and the condition names the Secret", func() string {
		must(s, srv.deleteJWT(s.ctx))
		must(s, srv.awaitReason(s.ctx, "RestartPending", "SecretsMissing"))
		must(s, s.node.kill(string(s.podOf(srv).UID)))
		must(s, await(s.ctx, "the kubelet to miss the Secret", func(context.Context) error {
			if !startFails(s.podOf(srv)) {
				return errors.New("it does not")
			}
			return nil
		}))
		must(s, srv.awaitXR(s.ctx, "name the Secret", func(xr *unstructured.Unstructured) error {
			if c := condition(xr, "SecretsResolved"); !strings.Contains(fmt.Sprint(c["message"]), `"jwt"`) {
				return fmt.Errorf("condition SecretsResolved is %v", c)
			}
			return nil
		}))
		return "it waits, and the condition names the Secret"
	})
	s.expect("the Secret is back, with the same key", "the pod is what it was, with its data, "+count{again: 1}.String(), func() string {
		must(s, srv.createSecret(s.ctx, "jwt", sec))
		must(s, srv.awaitReady(s.ctx))
		must(s, srv.awaitRollout(s.ctx))
		s.knowsPassword(srv)
		if after := s.pod(srv); after != before {
			return "the pod was " + before + ", and is " + after
		}
		return "the pod is what it was, with its data, " + s.restartsOf(srv)
	})
}

// podOf is a server's pod.
func (s *scenario) podOf(srv *server) *corev1.Pod {
	s.Helper()
	p, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(s.ctx, srv.Name+"-0", metav1.GetOptions{})
	must(s, err)
	return p
}
