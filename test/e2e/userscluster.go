package e2e

import (
	"context"
	"fmt"
	"os"
)

// usersCluster is the kubeconfig of a cluster of the user's own in which the tests are to run,
// or nothing.
func usersCluster() string { return os.Getenv("KUBECONFIG") }

// ready returns an error unless a cluster of the user's own has what is to be tested.
func (c *cluster) ready(ctx context.Context) error {
	const say = "the cluster of KUBECONFIG must have Crossplane and the function, installed as the README says under Install"
	for _, o := range []struct{ apiVersion, kind, name, condition string }{
		{"apiextensions.crossplane.io/v2", "CompositeResourceDefinition", xrdName, "Established"},
	} {
		got, err := c.get(ctx, o.apiVersion, o.kind, "", o.name)
		if err != nil {
			return fmt.Errorf("%s: %w", say, err)
		}
		if err := conditionTrue(got, o.condition); err != nil {
			return fmt.Errorf("%s: %w", say, err)
		}
	}
	return nil
}

// needsNode skips a scenario in a cluster of the user's own.
func needsNode(f func(*scenario)) func(*scenario) {
	return func(s *scenario) {
		if s.node == nil {
			s.Skip("it takes the machine that the cluster runs on")
		}
		f(s)
	}
}
