package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
)

// Restarts counts what the StatefulSet controller and the kubelet do, of every
// StatefulSet there is.
type restarts struct {
	cluster *cluster

	mu        sync.Mutex
	revisions map[types.NamespacedName]map[types.UID]int64
	pods      map[types.NamespacedName]map[types.UID]string
	again     map[types.NamespacedName]map[types.UID]int // Containers that were started again in a pod.
	history   map[types.NamespacedName][]string
}

// A count is how many revisions of its pod template a StatefulSet has rolled
// out, how many pods it has created for them, and how often the kubelet has started a
// container of theirs again.
type count struct{ revisions, pods, again int }

func (c count) String() string {
	s := fmt.Sprintf("%s, %s", plural(c.revisions, "revision"), plural(c.pods, "pod"))
	if c.again > 0 {
		s += ", " + plural(c.again, "container") + " started again"
	}
	return s
}

func (c count) minus(o count) count {
	return count{revisions: c.revisions - o.revisions, pods: c.pods - o.pods, again: c.again - o.again}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func countRestarts(ctx context.Context, c *cluster) (*restarts, error) {
	r := &restarts{
		cluster:   c,
		revisions: map[types.NamespacedName]map[types.UID]int64{},
		pods:      map[types.NamespacedName]map[types.UID]string{},
		again:     map[types.NamespacedName]map[types.UID]int{},
		history:   map[types.NamespacedName][]string{},
	}
	f := informers.NewSharedInformerFactory(c, 0)
	if err := each(f.Apps().V1().ControllerRevisions().Informer(), r.sawRevision); err != nil {
		return nil, err
	}
	if err := each(f.Core().V1().Pods().Informer(), r.sawPod); err != nil {
		return nil, err
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	return r, nil
}

func (r *restarts) sawRevision(cr *appsv1.ControllerRevision) {
	n, ok := statefulSetOf(cr)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.revisions[n] == nil {
		r.revisions[n] = map[types.UID]int64{}
	}
	if r.revisions[n][cr.UID] != cr.Revision {
		r.logf(n, "revision %d, %s", cr.Revision, cr.Name)
	}
	// A template that comes back has its old revision, with a higher number.
	r.revisions[n][cr.UID] = max(r.revisions[n][cr.UID], cr.Revision)
}

func (r *restarts) sawPod(p *corev1.Pod) {
	n, ok := statefulSetOf(p)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pods[n] == nil {
		r.pods[n], r.again[n] = map[types.UID]string{}, map[types.UID]int{}
	}
	if again := restartsOfContainers(p); again > r.again[n][p.UID] {
		r.logf(n, "pod %s has started %s again", p.UID, plural(again, "container"))
		r.again[n][p.UID] = again
	}
	if _, ok := r.pods[n][p.UID]; !ok {
		r.logf(n, "pod %s of revision %s, created %s", p.UID, p.Labels[appsv1.ControllerRevisionHashLabelKey], p.CreationTimestamp)
	}
	r.pods[n][p.UID] = p.Labels[appsv1.ControllerRevisionHashLabelKey]
}

// restartsOfContainers is how often the kubelet has started a pod's containers again,
// but those of which none has ever run.
func restartsOfContainers(p *corev1.Pod) int {
	n := 0
	for _, c := range p.Status.ContainerStatuses {
		if !startError(c) {
			n += int(c.RestartCount)
		}
	}
	return n
}

// startError says whether a container could not be started.
func startError(c corev1.ContainerStatus) bool {
	for _, t := range []*corev1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
		if t != nil && t.Reason == "StartError" {
			return true
		}
	}
	return false
}

// logf notes what was seen of a StatefulSet, and when.
func (r *restarts) logf(n types.NamespacedName, format string, args ...any) {
	r.history[n] = append(r.history[n], time.Now().Format(time.StampMilli)+" "+fmt.Sprintf(format, args...))
}

// seen returns all that was seen of a StatefulSet.
func (r *restarts) seen(n types.NamespacedName) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return n.String() + ":\n" + strings.Join(r.history[n], "\n")
}

// of returns the count of a StatefulSet. Watches lag, so it waits until they
// have delivered what the API server has.
func (r *restarts) of(ctx context.Context, n types.NamespacedName) (count, error) {
	var c count
	err := await(ctx, "the watches of "+n.String()+" to catch up", func(ctx context.Context) error {
		crs, err := r.cluster.AppsV1().ControllerRevisions(n.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("cannot list ControllerRevisions: %w", err)
		}
		pods, err := r.cluster.CoreV1().Pods(n.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("cannot list pods: %w", err)
		}

		r.mu.Lock()
		defer r.mu.Unlock()
		for _, cr := range crs.Items {
			if o, ok := statefulSetOf(&cr); ok && o == n && r.revisions[n][cr.UID] != cr.Revision {
				return fmt.Errorf("revision %d was not seen", cr.Revision)
			}
		}
		for _, p := range pods.Items {
			if o, ok := statefulSetOf(&p); ok && o == n && (r.pods[n][p.UID] == "" || r.again[n][p.UID] < restartsOfContainers(&p)) {
				return fmt.Errorf("pod %s was not seen", p.UID)
			}
		}
		c = count{pods: len(r.pods[n])}
		for _, again := range r.again[n] {
			c.again += again
		}
		for _, number := range r.revisions[n] {
			c.revisions = max(c.revisions, int(number)) // They are numbered from 1.
		}
		return nil
	})
	return c, err
}

// statefulSetOf returns the StatefulSet that an object belongs to.
func statefulSetOf(o metav1.Object) (types.NamespacedName, bool) {
	c := metav1.GetControllerOf(o)
	if c == nil || c.Kind != "StatefulSet" {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: c.Name}, true
}
