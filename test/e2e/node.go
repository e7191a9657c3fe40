package e2e

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// The one node there is. Its kubelet is kwok.
const nodeName = "e2e"

// startNode creates the node, takes the place of the scheduler, which binds pods
// to it, and ends the pods that are to be deleted: kwok would delete them by their
// names, and now and then hit the next pod of that name. Claims are not bound: no
// pod needs its volumes.
func startNode(ctx context.Context, c *cluster) error {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}
	if _, err := c.CoreV1().Nodes().Create(ctx, n, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("cannot create node: %w", err)
	}

	f := informers.NewSharedInformerFactory(c, 0)
	if err := each(f.Core().V1().Pods().Informer(), func(p *corev1.Pod) {
		retry(ctx, func() error { return syncPod(ctx, c, p) })
	}); err != nil {
		return err
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	return nil
}

// syncPod binds a pod, or ends it if it is to be deleted.
func syncPod(ctx context.Context, c *cluster, p *corev1.Pod) error {
	var err error
	switch pods := c.CoreV1().Pods(p.Namespace); {
	case p.DeletionTimestamp != nil:
		err = pods.Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(p.UID))})
	case p.Spec.NodeName == "":
		err = pods.Bind(ctx, &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: p.Name, UID: p.UID},
			Target:     corev1.ObjectReference{Kind: "Node", Name: nodeName},
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

// How soon a node tries again what failed.
const retryInterval = 200 * time.Millisecond

// retry calls a function until it succeeds: the API server may be down for a
// while, and a node has to live with that.
func retry(ctx context.Context, f func() error) {
	for f() != nil {
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
			return
		}
	}
}
