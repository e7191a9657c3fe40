package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// usersCluster is the kubeconfig of a cluster of the user's own in which the tests are to run,
// or nothing.
func usersCluster() string { return os.Getenv("KUBECONFIG") }

// ready returns an error unless a cluster of the user's own has what is to be tested.
func (c *cluster) ready(ctx context.Context) error {
	const say = "the cluster of KUBECONFIG must have Crossplane and the function, installed as the README says under Install"
	got, err := c.get(ctx, "apiextensions.crossplane.io/v2", "CompositeResourceDefinition", "", xrdName)
	if err != nil {
		return fmt.Errorf("%s: %w", say, err)
	}
	if err := conditionTrue(got, "Established"); err != nil {
		return fmt.Errorf("%s: %w", say, err)
	}
	return nil
}

// cleanUp deletes what the tests have created in a cluster of the user's own: first the
// DittoServers, which take what they are composed of with them, then the namespaces.
func (s *suite) cleanUp(tb testing.TB) {
	tb.Helper()
	ctx := context.WithoutCancel(s.ctx)
	all, err := s.cluster.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: namespaceLabel})
	must(tb, err)
	for _, ns := range all.Items {
		must(tb, s.cluster.dynamic.Resource(dittoServers).Namespace(ns.Name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	}
	must(tb, await(ctx, "the DittoServers to be gone", func(ctx context.Context) error {
		for _, ns := range all.Items {
			if l, err := s.cluster.dynamic.Resource(dittoServers).Namespace(ns.Name).List(ctx, metav1.ListOptions{}); err != nil || len(l.Items) > 0 {
				return errors.Join(err, fmt.Errorf("there are some in %s", ns.Name))
			}
		}
		return nil
	}))
	if r, err := s.cluster.kind("apiextensions.crossplane.io/v1", "Composition", ""); err == nil {
		_ = r.Delete(ctx, heldByTheInput, metav1.DeleteOptions{}) // If it was created.
	}
	for _, ns := range all.Items {
		must(tb, s.cluster.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{}))
	}
}

// needsNode skips a scenario in a cluster of the user's own.
func needsNode(f func(*scenario)) func(*scenario) {
	return func(s *scenario) {
		if s.node == nil {
			s.Skip("it takes the machine that the cluster runs on, or more of a cluster than a user's should give")
		}
		f(s)
	}
}
