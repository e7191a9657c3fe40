package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// The server's image under other names, which every registry and runtime takes for the
// same.
const (
	imageNext  = "docker.io/marmos91c/dittofs:v0.29.0"
	imageFleet = "index.docker.io/marmos91c/dittofs:v0.29.0"
)

// heldByTheInput is a Composition of its own, whose Input changes.
const heldByTheInput = "held-by-the-input"

// changed is a change of all kinds of fields that would replace the pod: what stands
// in the configuration and in the template, the image, and the resources.
func changed() map[string]any {
	return map[string]any{
		"controlPlane": map[string]any{"port": 9443},
		"image":        imageNext,
		"resources":    map[string]any{"limits": map[string]any{"memory": "768Mi"}},
	}
}

// held is a server that is held while all about it changes, and whose pod is deleted
// meanwhile: it has to come back as it was, as soon as it can have its Secrets.
func held(s *scenario) {
	must(s, s.composition(heldByTheInput, nil))

	holds := []struct {
		what    string
		spec    map[string]any // On top of basicSpec.
		hold    func(s *scenario, srv *server)
		release func(s *scenario, srv *server)
		reason  string
		waiting string // What RestartPending says, of what arrives in the end.
		arrives string
		comes   string // What is seen of the pod meanwhile.
	}{
		{
			what: "a missing Secret",
			hold: func(s *scenario, srv *server) {
				must(s, srv.deleteJWT(s.ctx))
				must(s, srv.patchSpec(s.ctx, changed()))
			},
			release: func(s *scenario, srv *server) {
				must(s, srv.createSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
			},
			reason: "SecretsMissing", arrives: "port: 9443", comes: cannotStart,
		},
		{
			what: "a missing key",
			hold: func(s *scenario, srv *server) {
				must(s, s.cluster.patch(s.ctx, "v1", "Secret", srv.Namespace, "jwt", map[string]any{"data": map[string]any{"key": nil, "other": "eA=="}}))
				must(s, srv.patchSpec(s.ctx, changed()))
			},
			release: func(s *scenario, srv *server) {
				must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
			},
			reason: "SecretsMissing", arrives: "port: 9443", comes: cannotStart,
		},
		{
			what: "an invalid value",
			hold: func(s *scenario, srv *server) {
				must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey() + "\x00"}))
				must(s, srv.patchSpec(s.ctx, changed()))
			},
			release: func(s *scenario, srv *server) {
				must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
			},
			reason: "SecretsMissing", arrives: "port: 9443", comes: cannotStart,
		},
		{
			what: "the policy Manual",
			hold: func(s *scenario, srv *server) {
				c := changed()
				c["rollout"] = map[string]any{"policy": "Manual"}
				must(s, srv.patchSpec(s.ctx, c))
				// Not before: a reconcile may know of the key and not of the policy.
				must(s, srv.awaitReason(s.ctx, "RestartPending", "ManualPolicy"))
				must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
			},
			release: func(s *scenario, srv *server) {
				must(s, srv.patchSpec(s.ctx, map[string]any{"rollout": map[string]any{"restartToken": "now"}}))
			},
			reason: "ManualPolicy", waiting: "configuration or Secrets, image", arrives: "port: 9443", comes: cameBack,
		},
		{
			what: "the policy Manual, against the Input",
			spec: map[string]any{
				"crossplane": map[string]any{"compositionRef": map[string]any{"name": heldByTheInput}},
				"rollout":    map[string]any{"policy": "Manual"},
				"resources":  nil, // So that those of the Input count.
			},
			hold: func(s *scenario, _ *server) {
				must(s, s.composition(heldByTheInput, map[string]any{
					"image": imageFleet, "resources": map[string]any{"limits": map[string]any{"memory": "768Mi"}},
				}))
			},
			release: func(s *scenario, srv *server) {
				must(s, srv.patchSpec(s.ctx, map[string]any{"rollout": map[string]any{"restartToken": "now"}}))
			},
			reason: "ManualPolicy", waiting: "image", arrives: imageFleet, comes: cameBack,
		},
	}
	s.each(len(holds), func(s *scenario, i int) string {
		h := holds[i]
		spec := basicSpec()
		maps.Copy(spec, h.spec)
		srv := s.running(fmt.Sprintf("held-%d", i), spec, basicSecrets())
		s.expect("held by "+h.what+", all kinds of changes, and the pod deleted", h.comes, func() string {
			return s.held(srv, func() { h.hold(s, srv) }, h.reason, h.waiting)
		})
		s.expect("then no longer held by "+h.what, "1 revision, 1 pod, 1 ConfigMap", func() string {
			h.release(s, srv)
			must(s, srv.awaitReason(s.ctx, "RestartPending", "UpToDate"))
			got := s.restartsOf(srv)
			if !strings.Contains(s.pod(srv), h.arrives) {
				return "the change did not come"
			}
			return got + ", " + plural(len(s.configMaps(srv)), "ConfigMap")
		})
		return ""
	})
}

// What is seen of a server that was held while its pod was deleted. Kubernetes starts no
// container whose Secret is missing, or has a value that no variable can hold.
const (
	cameBack    = "the pod is what it was, 0 revisions, 1 pod"
	cannotStart = "the pod is what it was, but cannot start, 0 revisions, 1 pod"
)

// held does what is to be held back, deletes the pod once that has had its effect,
// and says what became of it.
func (s *scenario) held(srv *server, do func(), reason, waiting string) string {
	s.Helper()
	before := s.pod(srv)
	do()
	must(s, srv.awaitXR(s.ctx, "wait", func(xr *unstructured.Unstructured) error {
		if c := condition(xr, "RestartPending"); c["reason"] != reason || !strings.Contains(fmt.Sprint(c["message"]), waiting) {
			return fmt.Errorf("condition RestartPending is %v", c)
		}
		return nil
	}))
	// As settle does, but for the condition Ready: what a server is held for may be
	// what is not ready.
	for range 2 {
		must(s, srv.reconcile(s.ctx))
	}
	must(s, srv.awaitRollout(s.ctx))
	starts := s.replacePod(srv)
	for range 2 {
		must(s, srv.reconcile(s.ctx))
	}
	got := s.restartsSince(srv)
	if after := s.pod(srv); after != before {
		return "the pod was " + before + ", and is " + after
	}
	if !starts {
		return "the pod is what it was, but cannot start, " + got
	}
	must(s, srv.awaitRollout(s.ctx))
	return "the pod is what it was, " + got
}

// composition creates or changes a Composition of its own, with the Input of the
// example but for some fields.
func (s *scenario) composition(name string, input map[string]any) error {
	s.Helper()
	for _, o := range s.read("example/composition.yaml") {
		pipeline, _, err := unstructured.NestedSlice(o.Object, "spec", "pipeline")
		must(s, err)
		maps.Copy(pipeline[0].(map[string]any)["input"].(map[string]any), input)
		// A Configuration has the function installed under another name.
		if have, err := s.cluster.get(s.ctx, o.GetAPIVersion(), o.GetKind(), "", o.GetName()); err == nil {
			installed, _, err := unstructured.NestedSlice(have.Object, "spec", "pipeline")
			must(s, err)
			pipeline[0].(map[string]any)["functionRef"] = installed[0].(map[string]any)["functionRef"]
		}
		must(s, unstructured.SetNestedSlice(o.Object, pipeline, "spec", "pipeline"))
		o.SetName(name)
		if err := s.cluster.apply(s.ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// waiting is a server for which more and more waits.
func waiting(s *scenario) {
	spec := basicSpec()
	spec["rollout"] = map[string]any{"policy": "Manual"}
	srv := s.running("waiting", spec, basicSecrets())
	pendingHash := func() string {
		xr, err := srv.xr(s.ctx)
		must(s, err)
		h, _, err := unstructured.NestedString(xr.Object, "status", "pendingHash")
		must(s, err)
		return h
	}
	s.expect("three changes that wait, and the pod deleted", cameBack+", 2 ConfigMaps", func() string {
		got := s.held(srv, func() {
			for _, n := range []int{9001, 9002, 9003} {
				before := pendingHash()
				must(s, srv.patchSpec(s.ctx, map[string]any{"controlPlane": map[string]any{"port": n}}))
				must(s, await(s.ctx, "another pending hash", func(context.Context) error {
					if h := pendingHash(); h == before {
						return fmt.Errorf("it is %q", h)
					}
					return nil
				}))
			}
		}, "ManualPolicy", "configuration or Secrets")
		return got + ", " + plural(len(s.configMaps(srv)), "ConfigMap")
	})
	s.expect("the pending hash as token", oneRestart+", "+startedWell+", the last one runs, 1 ConfigMap", func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"rollout": map[string]any{"restartToken": pendingHash()}}))
		must(s, srv.awaitReason(s.ctx, "RestartPending", "UpToDate"))
		got := s.restartsOf(srv)
		must(s, srv.reconcile(s.ctx))
		if !strings.Contains(s.pod(srv), "port: 9003") {
			return s.pod(srv)
		}
		return got + ", " + s.startsOf(srv.Namespace) + ", the last one runs, " + plural(len(s.configMaps(srv)), "ConfigMap")
	})
	s.expect("the token taken away", noRestart+", nothing waits", func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"rollout": map[string]any{"restartToken": nil}}))
		got := s.restartsOf(srv)
		xr, err := srv.xr(s.ctx)
		must(s, err)
		if c := condition(xr, "RestartPending"); c["reason"] != "UpToDate" {
			return fmt.Sprint(c)
		}
		return got + ", nothing waits"
	})
}

// orphaned is what an orphaning delete has left, under Manual, with its data: it is
// taken over as it is.
func orphaned(s *scenario) {
	spec := basicSpec()
	spec["rollout"] = map[string]any{"policy": "Manual"}
	srv := s.running("orphaned", spec, basicSecrets())
	s.expect("orphaning delete of the DittoServer, and created again", noRestart, func() string {
		must(s, srv.xrs().Delete(s.ctx, srv.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationOrphan)}))
		s.gone(dittoServers.GroupVersion().String(), "DittoServer", srv.Namespace, srv.Name)
		must(s, srv.create(s.ctx, spec))
		must(s, srv.awaitReady(s.ctx))
		return s.restartsOf(srv)
	})
	s.expect("orphaning delete of the StatefulSet", noRestart, func() string {
		sets := s.cluster.AppsV1().StatefulSets(srv.Namespace)
		old, err := sets.Get(s.ctx, srv.Name, metav1.GetOptions{})
		must(s, err)
		must(s, sets.Delete(s.ctx, srv.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationOrphan)}))
		must(s, await(s.ctx, "another StatefulSet", func(ctx context.Context) error {
			ss, err := sets.Get(ctx, srv.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if ss.UID == old.UID {
				return errors.New("it is the old one")
			}
			return nil
		}))
		return s.restartsOf(srv)
	})
	s.expect("scaled to 0 with a change, and back", "1 revision, 1 pod, with the change", func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"replicas": 0}))
		must(s, srv.awaitRolledOut(s.ctx, 0))
		c := changed()
		c["replicas"] = 1
		must(s, srv.patchSpec(s.ctx, c))
		must(s, srv.awaitRolledOut(s.ctx, 1))
		got := s.restartsOf(srv)
		if strings.Contains(s.pod(srv), "port: 9443") {
			got += ", with the change"
		}
		return got
	})
}

// The quota that refuseConfigMaps makes.
const quotaName = "configmaps"

// refuseConfigMaps makes a quota by which a server's namespace has all ConfigMaps that it
// may have.
func (s *scenario) refuseConfigMaps(srv *server) {
	s.Helper()
	all, err := s.cluster.CoreV1().ConfigMaps(srv.Namespace).List(s.ctx, metav1.ListOptions{})
	must(s, err)
	const counted = "count/configmaps"
	most := *resource.NewQuantity(int64(len(all.Items)), resource.DecimalSI)
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: quotaName}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{counted: most}}}
	_, err = s.cluster.CoreV1().ResourceQuotas(srv.Namespace).Create(s.ctx, q, metav1.CreateOptions{})
	must(s, err)
	must(s, await(s.ctx, "the quota to count", func(ctx context.Context) error {
		got, err := s.cluster.CoreV1().ResourceQuotas(srv.Namespace).Get(ctx, quotaName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if used := got.Status.Used[counted]; used.Cmp(most) != 0 {
			return fmt.Errorf("used are %s", used.String())
		}
		return nil
	}))
}

// quota refuses a ConfigMap, and somebody deletes one.
func quota(s *scenario) {
	srv := s.running("quota", basicSpec(), basicSecrets())
	s.expect("the ConfigMap deleted under a running server", noRestart+", 1 ConfigMap", func() string {
		before := s.config(srv)
		s.deleteConfigMaps(srv)
		got := s.restartsOf(srv)
		if s.config(srv) != before {
			return "the configuration is another one"
		}
		return got + ", " + plural(len(s.configMaps(srv)), "ConfigMap")
	})

	s.expect("a quota refuses the new ConfigMap", "Synced=False, the server's ConfigMap is there, "+noRestart, func() string {
		s.refuseConfigMaps(srv)
		must(s, srv.patchSpec(s.ctx, map[string]any{"logging": map[string]any{"level": "DEBUG"}}))
		must(s, srv.awaitCondition(s.ctx, "Synced", "False"))
		if s.config(srv) == "" {
			return "the server's ConfigMap is gone"
		}
		return "Synced=False, the server's ConfigMap is there, " + s.restartsSince(srv)
	})
	s.expect("the pod deleted meanwhile", cameBack, func() string {
		before := s.pod(srv)
		s.replacePod(srv)
		must(s, srv.awaitRollout(s.ctx))
		got := s.restartsSince(srv)
		if after := s.pod(srv); after != before {
			return "the pod was " + before + ", and is " + after
		}
		return "the pod is what it was, " + got
	})
	s.expect("the quota raised", oneRestart+", 1 ConfigMap", func() string {
		must(s, s.cluster.CoreV1().ResourceQuotas(srv.Namespace).Delete(s.ctx, quotaName, metav1.DeleteOptions{}))
		must(s, srv.awaitCondition(s.ctx, "Synced", "True"))
		got := s.restartsOf(srv)
		return got + ", " + plural(len(s.configMaps(srv)), "ConfigMap")
	})

	s.expect("the ConfigMap deleted under a held server, and the pod too", cameBack, func() string {
		return s.held(srv, func() {
			c := changed()
			c["rollout"] = map[string]any{"policy": "Manual"}
			must(s, srv.patchSpec(s.ctx, c))
			must(s, srv.awaitReason(s.ctx, "RestartPending", "ManualPolicy"))
			s.deleteConfigMaps(srv)
		}, "ManualPolicy", "")
	})
}

// deleteConfigMaps deletes the ConfigMaps of a server, and waits until the one that it
// reads is back.
func (s *scenario) deleteConfigMaps(srv *server) {
	s.Helper()
	cms := s.cluster.CoreV1().ConfigMaps(srv.Namespace)
	l, err := cms.List(s.ctx, metav1.ListOptions{LabelSelector: serverLabel + "=" + srv.Name})
	must(s, err)
	sts, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Get(s.ctx, srv.Name, metav1.GetOptions{})
	must(s, err)
	name := configMapOf(&sts.Spec.Template.Spec)
	var old types.UID
	for _, cm := range l.Items {
		s.starts.excuse(cm.UID)
		if cm.Name == name {
			old = cm.UID
		}
		must(s, cms.Delete(s.ctx, cm.Name, metav1.DeleteOptions{}))
	}
	must(s, await(s.ctx, "the ConfigMap to be back", func(ctx context.Context) error {
		cm, err := cms.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if cm.UID == old {
			return errors.New("it is the old one")
		}
		return nil
	}))
}

// hurry changes the configuration three times without waiting, and takes a change
// back.
func hurry(s *scenario) {
	srv := s.running("hurry", basicSpec(), basicSecrets())
	port := func(n int) { must(s, srv.patchSpec(s.ctx, map[string]any{"controlPlane": map[string]any{"port": n}})) }
	s.expect("three changes in a hurry", "at most 3 restarts, "+startedWell+", the last one runs, 1 ConfigMap", func() string {
		for _, n := range []int{9001, 9002, 9003} {
			port(n)
		}
		got := s.restartedAtMost(srv, 3)
		must(s, srv.reconcile(s.ctx))
		if !strings.Contains(s.pod(srv), "port: 9003") {
			return s.pod(srv)
		}
		return got + ", " + s.startsOf(srv.Namespace) + ", the last one runs, " + plural(len(s.configMaps(srv)), "ConfigMap")
	})
	s.expect("a change that is taken back at once", "at most 2 restarts, "+startedWell+", what ran before runs, 1 ConfigMap", func() string {
		before := s.pod(srv)
		port(9004)
		port(9003)
		got := s.restartedAtMost(srv, 2)
		must(s, srv.reconcile(s.ctx))
		if s.pod(srv) != before {
			return s.pod(srv)
		}
		return got + ", " + s.startsOf(srv.Namespace) + ", what ran before runs, " + plural(len(s.configMaps(srv)), "ConfigMap")
	})
	s.expect("a change that is taken back half way", "at most 2 restarts, "+startedWell+", what ran before runs, 1 ConfigMap", func() string {
		before := s.pod(srv)
		s.changeHalfway(srv, map[string]any{"controlPlane": map[string]any{"port": 9005}}, "port: 9005")
		port(9003)
		got := s.restartedAtMost(srv, 2)
		must(s, srv.reconcile(s.ctx))
		if s.pod(srv) != before {
			return s.pod(srv)
		}
		return got + ", " + s.startsOf(srv.Namespace) + ", what ran before runs, " + plural(len(s.configMaps(srv)), "ConfigMap")
	})
}

// pod is all that a server's pod is made of, with the bytes of the configuration that it
// reads.
func (s *scenario) pod(srv *server) string {
	s.Helper()
	p, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(s.ctx, srv.Name+"-0", metav1.GetOptions{})
	must(s, err)
	cm, err := s.cluster.CoreV1().ConfigMaps(srv.Namespace).Get(s.ctx, configMapOf(&p.Spec), metav1.GetOptions{})
	must(s, err)
	// The controller puts the claims in any order.
	slices.SortFunc(p.Spec.Volumes, func(a, b corev1.Volume) int { return strings.Compare(a.Name, b.Name) })
	b, err := json.Marshal([]any{p.Labels, p.Annotations, p.Spec})
	must(s, err)
	return string(b) + cm.Data["config.yaml"]
}

// replacePod deletes a server's pod, waits for the next one, and says whether it can
// start.
func (s *scenario) replacePod(srv *server) (starts bool) {
	s.Helper()
	pods := s.cluster.CoreV1().Pods(srv.Namespace)
	old, err := pods.Get(s.ctx, srv.Name+"-0", metav1.GetOptions{})
	must(s, err)
	must(s, pods.Delete(s.ctx, old.Name, metav1.DeleteOptions{}))
	must(s, await(s.ctx, "the next pod", func(ctx context.Context) error {
		p, err := pods.Get(ctx, old.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		starts = podReady(p)
		if p.UID == old.UID || !starts && !startFails(p) {
			return fmt.Errorf("the pod is %s, ready: %t", p.UID, starts)
		}
		return nil
	}))
	return starts
}

// startFails says whether the kubelet cannot start a pod's containers at all.
func startFails(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return startError(c) || c.State.Waiting != nil && c.State.Waiting.Reason == "CreateContainerConfigError"
	})
}

// awaitReason waits until a condition of the DittoServer has a reason.
func (s *server) awaitReason(ctx context.Context, typ, reason string) error {
	return s.awaitXR(ctx, fmt.Sprintf("have the condition %s with the reason %s", typ, reason), func(xr *unstructured.Unstructured) error {
		if c := condition(xr, typ); c["reason"] != reason {
			return fmt.Errorf("condition %s is %v", typ, c)
		}
		return nil
	})
}

// awaitRolledOut waits until the StatefulSet has as many pods, and is done with them.
func (s *server) awaitRolledOut(ctx context.Context, replicas int32) error {
	return await(ctx, fmt.Sprintf("%s to have %d pods", s, replicas), func(ctx context.Context) error {
		sts, err := s.cluster.AppsV1().StatefulSets(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if *sts.Spec.Replicas != replicas || sts.Status.ObservedGeneration < sts.Generation || sts.Status.Replicas != replicas || sts.Status.ReadyReplicas != replicas {
			return fmt.Errorf("there are to be %d, status is %+v", *sts.Spec.Replicas, sts.Status)
		}
		return nil
	})
}
