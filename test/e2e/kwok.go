package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// The node that kwok stands for, and the label by which servers are run there. It says
// of each pod that it is ready, and runs none.
const (
	kwokNode  = "kwok"
	kwokLabel = "e2e/kwok"
)

// A kwok stands for a node, from the first scenario that needs it to the end of the run.
type kwok struct {
	mu      sync.Mutex
	node    bool // It is there, and its pods are bound and ended.
	process *host.Process
}

// startKwok makes a node on which many servers cost nothing, unless another scenario has.
// The tests take the place of the scheduler there, which would wait for claims to be
// bound, and end the pods that are to be deleted: kwok would delete them by their names,
// and now and then hit the next pod of that name.
func startKwok(ctx context.Context, s *scenario) {
	s.Helper()
	s.kwok.mu.Lock()
	defer s.kwok.mu.Unlock()
	if !s.kwok.node {
		n := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: kwokNode, Labels: map[string]string{kwokLabel: ""}, Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"}},
			Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: kwokLabel, Effect: corev1.TaintEffectNoSchedule}}},
		}
		_, err := s.cluster.CoreV1().Nodes().Create(ctx, n, metav1.CreateOptions{})
		must(s, err)

		f := informers.NewSharedInformerFactory(s.cluster, 0)
		must(s, each(f.Core().V1().Pods().Informer(), func(p *corev1.Pod) {
			retry(ctx, func() error { return syncPod(ctx, s.cluster, p) })
		}))
		f.Start(ctx.Done())
		f.WaitForCacheSync(ctx.Done())
		s.kwok.node = true
	}
	// It may have ended together with the API server.
	if p := s.kwok.process; p != nil && p.Alive() == nil {
		return
	}

	bin, err := filepath.Abs(*binDir)
	must(s, err)
	dir := s.whole.TempDir()
	stages, err := kwokStages(ctx, dir)
	must(s, err)
	p, err := host.Command{
		Path: filepath.Join(bin, "kwok"), Dir: dir, Log: filepath.Join(dir, "kwok.log"), Env: []string{"HOME=" + dir},
		Args: []string{
			"--kubeconfig=" + s.kubeconfig, "--config=" + stages,
			"--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake", "--node-lease-duration-seconds=40",
			"--server-address=127.0.0.1:0",
		},
	}.Start()
	must(s, err)
	s.whole.Cleanup(p.Stop)
	s.kwok.process = p
}

// syncPod binds a pod to kwok's node, or ends it if it is to be deleted.
func syncPod(ctx context.Context, c *cluster, p *corev1.Pod) error {
	if _, ours := p.Spec.NodeSelector[kwokLabel]; !ours {
		return nil
	}
	var err error
	switch pods := c.CoreV1().Pods(p.Namespace); {
	case p.DeletionTimestamp != nil:
		err = pods.Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(p.UID))})
	case p.Spec.NodeName == "":
		err = pods.Bind(ctx, &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: p.Name, UID: p.UID},
			Target:     corev1.ObjectReference{Kind: "Node", Name: kwokNode},
		}, metav1.CreateOptions{})
	}
	if kerrors.IsNotFound(err) || kerrors.IsConflict(err) { // Gone, replaced or bound meanwhile.
		return nil
	}
	return err
}

// each calls a function with every object that is added or updated.
func each[T any](i cache.SharedIndexInformer, f func(T)) error {
	call := func(o any) {
		if t, ok := o.(T); ok {
			f(t)
		}
	}
	_, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: call, UpdateFunc: func(_, o any) { call(o) }})
	if err != nil {
		return fmt.Errorf("cannot watch: %w", err)
	}
	return nil
}

// How soon what failed is tried again.
const retryInterval = 200 * time.Millisecond

// retry calls a function until it succeeds.
func retry(ctx context.Context, f func() error) {
	for f() != nil {
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
			return
		}
	}
}

// The tag of images that no pod of kwok's node starts with.
const brokenTag = "broken"

// kwokStages writes one file of the stages that come with kwok, by which nodes and pods
// are Ready at once, but for pods with a broken image.
func kwokStages(ctx context.Context, dir string) (string, error) {
	mod, err := moduleDir(ctx, "kwok", "sigs.k8s.io/kwok")
	if err != nil {
		return "", err
	}
	var stages []byte
	for _, f := range []string{"node/fast/node-initialize.yaml", "pod/fast/pod-ready.yaml"} {
		b, err := os.ReadFile(filepath.Join(mod, "kustomize", "stage", f)) //nolint:gosec // A file of a pinned module.
		if err != nil {
			return "", fmt.Errorf("cannot read kwok stage: %w", err)
		}
		if strings.HasPrefix(f, "pod/") {
			if b, err = withoutBroken(b); err != nil {
				return "", err
			}
		}
		stages = append(append(stages, "---\n"...), b...)
	}
	file := filepath.Join(dir, "stages.yaml")
	if err := os.WriteFile(file, stages, 0o600); err != nil { //nolint:gosec // In the tests' own directory.
		return "", fmt.Errorf("cannot write kwok stages: %w", err)
	}
	return file, nil
}

// withoutBroken returns a stage of pods that leaves alone those with a broken image.
func withoutBroken(stage []byte) ([]byte, error) {
	o := map[string]any{}
	if err := yaml.Unmarshal(stage, &o); err != nil {
		return nil, fmt.Errorf("cannot parse kwok stage: %w", err)
	}
	all, _, err := unstructured.NestedSlice(o, "spec", "selector", "matchExpressions")
	if err != nil {
		return nil, fmt.Errorf("cannot read kwok stage: %w", err)
	}
	all = append(all, map[string]any{
		"key": fmt.Sprintf(`.spec.containers.[] | select( .image | endswith(":%s") ) | .image`, brokenTag), "operator": "DoesNotExist",
	})
	if err := unstructured.SetNestedSlice(o, all, "spec", "selector", "matchExpressions"); err != nil {
		return nil, fmt.Errorf("cannot change kwok stage: %w", err)
	}
	b, err := yaml.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("cannot write kwok stage: %w", err)
	}
	return b, nil
}

// moduleDir returns the directory of a module that one of the modules in tools
// requires, in the version that it requires.
func moduleDir(ctx context.Context, tool, module string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "-C", filepath.Join(root, "tools", tool), "list", "-m", "-f", "{{.Dir}}", module) //nolint:gosec // Both are constants.
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot find module %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}
