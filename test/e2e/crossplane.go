package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

const crossplaneNamespace = "crossplane-system"

// The apps of Crossplane's namespace.
const (
	appCrossplane  = "crossplane"
	appRBACManager = "crossplane-rbac-manager"
	appFunction    = functionName
)

// A program of the node.
const apiServer = "kube-apiserver"

// podsOf returns the pods of an app, but those that are to end.
func (s *suite) podsOf(ctx context.Context, app string) ([]corev1.Pod, error) {
	selector := "app=" + app
	if app == appFunction {
		selector = "pkg.crossplane.io/function=" + app
	}
	l, err := s.cluster.CoreV1().Pods(crossplaneNamespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("cannot list pods of %s: %w", app, err)
	}
	return slices.DeleteFunc(l.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), nil
}

// podReady says whether a pod is.
func podReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
}

// kill kills the processes of an app, or of so many of its pods, all at once. The pods
// are deleted, too: the kubelet takes its time to start a container again that has
// ended often.
func (s *scenario) kill(app string, most int) {
	s.Helper()
	pods, err := s.podsOf(s.ctx, app)
	must(s, err)
	for _, p := range pods[:min(most, len(pods))] {
		must(s, s.node.kill(string(p.UID)))
		err := s.cluster.CoreV1().Pods(p.Namespace).Delete(s.ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(p.UID))})
		if err != nil && !kerrors.IsNotFound(err) && !kerrors.IsConflict(err) {
			must(s, err)
		}
	}
}

// all of an app's pods.
const allPods = 1 << 10

// hold kills an app, and lets no pod start until released.
func (s *scenario) hold(app string) {
	s.Helper()
	s.schedulable(s.ctx, false)
	s.kill(app, allPods)
}

func (s *scenario) release() {
	s.Helper()
	s.schedulable(context.WithoutCancel(s.ctx), true)
}

// schedulable says whether pods may be bound to the node.
func (s *scenario) schedulable(ctx context.Context, may bool) {
	s.Helper()
	nodes, err := s.cluster.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	must(s, err)
	for _, n := range nodes.Items {
		_, err := s.cluster.CoreV1().Nodes().Patch(ctx, n.Name, types.MergePatchType, fmt.Appendf(nil, `{"spec": {"unschedulable": %t}}`, !may), metav1.PatchOptions{})
		must(s, err)
	}
}

// awaitApp waits until so many pods of an app are ready, and no others are there.
func (s *scenario) awaitApp(app string, n int) {
	s.Helper()
	must(s, await(s.ctx, app+" to run", func(ctx context.Context) error {
		pods, err := s.podsOf(ctx, app)
		if err != nil {
			return err
		}
		if len(pods) != n {
			return fmt.Errorf("there are %s", plural(len(pods), "pod"))
		}
		for _, p := range pods {
			if !podReady(&p) {
				return fmt.Errorf("pod %s is not ready", p.Name)
			}
		}
		return nil
	}))
}

// usage is what apps and the API server have used so far: CPU of all of an app's pods,
// and memory of the one that has the most.
func (s *scenario) usage() map[string]host.Usage {
	s.Helper()
	all := map[string]host.Usage{}
	for _, app := range []string{appFunction, appCrossplane, appRBACManager} {
		pods, err := s.podsOf(s.ctx, app)
		must(s, err)
		var u host.Usage
		for _, p := range pods {
			pids, err := s.node.processes(string(p.UID))
			must(s, err)
			for _, pid := range pids {
				one, err := host.UsageOf(pid)
				must(s, err)
				u = host.Usage{CPU: u.CPU + one.CPU, Resident: max(u.Resident, one.Resident), Peak: max(u.Peak, one.Peak)}
			}
		}
		all[app] = u
	}
	pid, err := s.node.program(apiServer)
	must(s, err)
	all[apiServer], err = host.UsageOf(pid)
	must(s, err)
	return all
}

// watchEvents returns how many events Crossplane has counted so far towards the
// circuit breakers of all composite resources, and whether it tells.
func (s *suite) watchEvents(tb testing.TB) (int, bool) {
	tb.Helper()
	return s.crossplaneMetric(tb, "circuit_breaker_events_total")
}

// crossplaneMetric returns the sum of a counter of Crossplane's, and whether it tells.
func (s *suite) crossplaneMetric(tb testing.TB, name string) (int, bool) {
	tb.Helper()
	pods, err := s.podsOf(s.ctx, appCrossplane)
	must(tb, err)
	if len(pods) == 0 {
		must(tb, errors.New("no pod of Crossplane's runs"))
	}
	b, err := s.cluster.CoreV1().Pods(crossplaneNamespace).ProxyGet("http", pods[0].Name, "8080", "/metrics", nil).DoRaw(s.ctx)
	if err != nil {
		return 0, false
	}
	n := 0
	for l := bufio.NewScanner(bytes.NewReader(b)); l.Scan(); {
		if !strings.HasPrefix(l.Text(), name+"{") {
			continue
		}
		v, err := strconv.ParseFloat(l.Text()[strings.LastIndexByte(l.Text(), ' ')+1:], 64)
		must(tb, err)
		n += int(v)
	}
	return n, true
}

// Crossplane looks at a composite resource only now and then once it and its objects
// have changed fifty times within a minute. No user changes a server as often as the
// tests do.
const manyChanges = "--circuit-breaker-burst=1000"

// hasBreaker says whether a version of Crossplane has circuit breakers: 2.1 or later.
func hasBreaker(version string) bool { return !strings.HasPrefix(version, "2.0.") }

// hasScale says whether a version of Crossplane can give kinds the subresource scale: 2.3
// or later.
func hasScale(version string) bool {
	return !slices.ContainsFunc([]string{"2.0.", "2.1.", "2.2."}, func(v string) bool { return strings.HasPrefix(version, v) })
}

// restartCrossplane gives Crossplane other arguments, or other resources.
func (s *scenario) restartCrossplane(change func(*corev1.Container)) {
	s.Helper()
	deployments := s.cluster.AppsV1().Deployments(crossplaneNamespace)
	d, err := deployments.Get(s.ctx, appCrossplane, metav1.GetOptions{})
	must(s, err)
	want := &d.Spec.Template.Spec.Containers[0]
	change(want)
	_, err = deployments.Update(s.ctx, d, metav1.UpdateOptions{})
	must(s, err)
	must(s, await(s.ctx, "Crossplane to run as it is told now", func(ctx context.Context) error {
		pods, err := s.podsOf(ctx, appCrossplane)
		if err != nil {
			return err
		}
		if len(pods) != 1 || !podReady(&pods[0]) {
			return fmt.Errorf("there are %s, or it is not ready", plural(len(pods), "pod"))
		}
		if got := pods[0].Spec.Containers[0]; !slices.Equal(got.Args, want.Args) || !equality.Semantic.DeepEqual(got.Resources, want.Resources) {
			return errors.New("it does not yet")
		}
		return nil
	}))
}
