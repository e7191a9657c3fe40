package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestAnyState has the function answer in states of a cluster that are made at
// random, many of which should never come up. Each answer is checked for what must
// always hold (see cluster.call and violations), and for these: the hash of an
// existing server is the one it has or the one that a new server would get, and
// what was required does not shrink by what was looked up.
//
// The seed of a state is its name: run it again with -run TestAnyState/SEED.
func TestAnyState(t *testing.T) {
	const states = 100

	total, seen := 0, map[string]int{}
	for seed := range uint64(states) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			total++
			r := rand.New(rand.NewPCG(seed, 0))
			c := newCluster(t)
			randomSpec(c, r)
			c.Settle()
			randomChange(c, r)

			required := c.Call(c.Request(nil)).GetRequirements()
			for range 2 { // What is asked for next follows from the answers.
				required = c.Call(c.Request(required)).GetRequirements()
			}
			req := c.Request(required)
			randomLookUps(c, req, r)
			rsp := c.Call(req)

			for name, sel := range c.Call(c.Request(nil)).GetRequirements().GetResources() {
				if diff := functest.Diff(sel, rsp.GetRequirements().GetResources()[name]); diff != "" {
					t.Errorf("What was required must stay required: -1st call, +later call:\n%s", diff)
				}
			}

			// A server that does not exist yet gets the hash of all inputs, or none.
			created := create(c, req)

			whole := functest.HashOf(functest.Desired(created, manifests.StatefulSetResource))
			got := functest.HashOf(functest.Desired(rsp, manifests.StatefulSetResource))
			switch observed, exists := c.Composed[manifests.StatefulSetResource]; {
			case exists && got == functest.HashOf(observed) && got == whole:
				seen["kept"]++
			case exists && got == functest.HashOf(observed), exists && got == "":
				seen["held"]++
			case got == "":
				seen["withheld"]++
			case got == whole && exists:
				seen["advanced"]++
			case got == whole:
				seen["created"]++
			default:
				t.Errorf("The hash is %q, want the observed one (%q) or the one of a new server (%q)", got, functest.HashOf(observed), whole)
			}
		})
	}

	// A generator that makes only one kind of states finds nothing.
	for _, what := range []string{"kept", "held", "withheld", "advanced", "created"} {
		if total == states && seen[what] == 0 {
			t.Errorf("No state in which the StatefulSet is %s, of %v", what, seen)
		}
	}
}

// randomSpec makes up a DittoServer and an Input.
func randomSpec(c *cluster, r *rand.Rand) {
	// Its default fits the volumes that exist, which are not those of a new server.
	c.Set("spec.blockStore.remoteCacheSize", "5Gi")
	if r.IntN(3) == 0 {
		c.UsePostgres()
	}
	if r.IntN(3) == 0 {
		c.Set("spec.rollout", map[string]any{"policy": pick(r, "Automatic", "Manual"), "restartToken": pick(r, "", "monday")})
	}
	if r.IntN(4) == 0 {
		c.Set("spec.replicas", r.IntN(2))
	}
	if r.IntN(3) == 0 {
		withExtras(c)
	}
	if r.IntN(3) == 0 {
		c.SetInput(fmt.Sprintf("missingSecrets: %s\nincludeGeneration: %t\nttl: %s", pick(r, "Hold", "Proceed"), r.IntN(2) == 0, pick(r, "60s", "1h")))
	}
}

// randomChange changes what is wanted and what is there, by none to a few changes.
func randomChange(c *cluster, r *rand.Rand) {
	changes := []func(){
		func() { c.Set("spec.logging.level", pick(r, "DEBUG", "WARN")) },
		func() { c.Set("spec.image", "example.com/dittofs:next") },
		func() { c.Set("spec.rollout.restartToken", "tuesday") },
		func() { c.Set("spec.storage.metadataSize", "20Gi") },
		func() { c.Unset("spec.storage.contentSize") },
		func() { c.SetSecret("jwt", "key", strings.Repeat("k", 32+r.IntN(32))) },
		func() { c.SetSecret("admin", "password", strings.Repeat("p", r.IntN(80))) },
		func() { c.SetSecret("jwt", "other", "value") },
		func() { c.SetSecret("s3", "REGION", "eu-west-1") },
		func() { c.SetConfigMap("tuning", "gc", "6m") },
		func() { c.DeleteObject("ConfigMap", "tuning") },
		func() { c.SetConfigMap("later", pick(r, "LATER", "DITTOFS_LOGGING_LEVEL"), "DEBUG") },
		func() { delete(c.Composed, manifests.StatefulSetResource) },
		func() { delete(c.Composed, c.configMap()) },
		func() { c.Edit(c.configMap(), "data[config.yaml]", "edited: true") },
		func() { c.Edit(c.configMap(), "data", map[string]any{}) },
		func() { c.Edit(manifests.StatefulSetResource, "spec.template.metadata.annotations", map[string]any{}) },
		func() {
			c.Edit(manifests.StatefulSetResource, "spec.template.metadata.annotations", map[string]any{manifests.AnnotationConfigHash: "of another kind"})
		},
		func() { c.Edit(manifests.StatefulSetResource, "status", map[string]any{}) },
		func() { c.Edit(manifests.StatefulSetResource, "metadata.generation", 7) },
	}
	for range r.IntN(4) {
		changes[r.IntN(len(changes))]()
	}
}

// randomLookUps has Crossplane look up the required Secrets and ConfigMaps with all
// kinds of results.
func randomLookUps(c *cluster, req *fnv1.RunFunctionRequest, r *rand.Rand) {
	for _, name := range slices.Sorted(maps.Keys(req.GetRequiredResources())) {
		found := req.GetRequiredResources()[name]
		if !isInput(name) {
			continue
		}
		switch r.IntN(24) {
		case 0: // Not asked yet.
			delete(req.GetRequiredResources(), name)
		case 1: // Not there.
			found.Items = nil
		case 2: // There, and another one.
			for _, item := range found.GetItems() {
				item.Resource = functest.With(c, item.GetResource(), pick(r, "metadata.name", "metadata.namespace"), "other")
			}
		case 3: // There, with other keys.
			for _, item := range found.GetItems() {
				item.Resource = functest.With(c, item.GetResource(), "data", map[string]any{"other": "dmFsdWU="})
			}
		case 4: // There, with values that are not as they should be.
			for _, item := range found.GetItems() {
				for key := range functest.ValueAt(item.GetResource(), "data").GetStructValue().GetFields() {
					item.Resource = functest.With(c, item.GetResource(), "data["+key+"]", pick(r, "", "not base64!", "c2hvcnQ="))
				}
			}
		case 5: // There, without any.
			for _, item := range found.GetItems() {
				item.Resource = functest.Without(c, item.GetResource(), "data")
			}
		}
	}
}

// isInput says whether a requirement is for something that the pod reads.
func isInput(name string) bool {
	kind, _, _ := strings.Cut(name, "/")
	return slices.Contains([]string{"secret", "configmap", "serviceaccount", "persistentvolumeclaim"}, kind)
}

// create has the function answer when no composed resource exists, and every name is
// free.
func create(c *cluster, req *fnv1.RunFunctionRequest) *fnv1.RunFunctionResponse {
	c.Helper()
	req = proto.CloneOf(req)
	req.Observed.Resources = nil
	for range functest.MaxCalls {
		rsp, complete := c.Call(req), true
		for name := range rsp.GetRequirements().GetResources() {
			if _, answered := req.GetRequiredResources()[name]; !answered && !isInput(name) {
				req.RequiredResources[name] = &fnv1.Resources{}
				complete = false
			}
		}
		if complete {
			return rsp
		}
	}
	c.Fatal("The function asks for more and more")
	return nil
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }
