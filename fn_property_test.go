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
			c.settle()
			randomChange(c, r)

			required := c.call(c.request(nil)).GetRequirements()
			for range 2 { // What is asked for next follows from the answers.
				required = c.call(c.request(required)).GetRequirements()
			}
			req := c.request(required)
			randomLookUps(c, req, r)
			rsp := c.call(req)

			for name, sel := range c.call(c.request(nil)).GetRequirements().GetResources() {
				if diff := diff(sel, rsp.GetRequirements().GetResources()[name]); diff != "" {
					t.Errorf("What was required must stay required: -1st call, +later call:\n%s", diff)
				}
			}

			// A server that does not exist yet gets the hash of all inputs, or none.
			created := create(c, req)

			whole := hashOf(desired(created, manifests.StatefulSetResource))
			got := hashOf(desired(rsp, manifests.StatefulSetResource))
			switch observed, exists := c.composed[manifests.StatefulSetResource]; {
			case exists && got == hashOf(observed) && got == whole:
				seen["kept"]++
			case exists && got == hashOf(observed), exists && got == "":
				seen["held"]++
			case got == "":
				seen["withheld"]++
			case got == whole && exists:
				seen["advanced"]++
			case got == whole:
				seen["created"]++
			default:
				t.Errorf("The hash is %q, want the observed one (%q) or the one of a new server (%q)", got, hashOf(observed), whole)
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
	if r.IntN(3) == 0 {
		c.usePostgres()
	}
	if r.IntN(3) == 0 {
		c.set("spec.rollout", map[string]any{"policy": pick(r, "Automatic", "Manual"), "restartToken": pick(r, "", "monday")})
	}
	if r.IntN(4) == 0 {
		c.set("spec.replicas", r.IntN(2))
	}
	if r.IntN(3) == 0 {
		c.setInput(fmt.Sprintf("missingSecrets: %s\nincludeGeneration: %t\nttl: %s", pick(r, "Hold", "Proceed"), r.IntN(2) == 0, pick(r, "60s", "1h")))
	}
}

// randomChange changes what is wanted and what is there, by none to a few changes.
func randomChange(c *cluster, r *rand.Rand) {
	changes := []func(){
		func() { c.set("spec.logging.level", pick(r, "DEBUG", "WARN")) },
		func() { c.set("spec.image", "example.com/dittofs:next") },
		func() { c.set("spec.rollout.restartToken", "tuesday") },
		func() { c.set("spec.storage.metadataSize", "20Gi") },
		func() { c.unset("spec.storage.contentSize") },
		func() { c.setSecret("jwt", "key", strings.Repeat("k", 32+r.IntN(32))) },
		func() { c.setSecret("admin", "password", strings.Repeat("p", r.IntN(80))) },
		func() { c.setSecret("jwt", "other", "value") },
		func() { delete(c.composed, manifests.StatefulSetResource) },
		func() { delete(c.composed, c.configMap()) },
		func() { c.edit(c.configMap(), "data[config.yaml]", "edited: true") },
		func() { c.edit(c.configMap(), "data", map[string]any{}) },
		func() { c.edit(manifests.StatefulSetResource, "spec.template.metadata.annotations", map[string]any{}) },
		func() {
			c.edit(manifests.StatefulSetResource, "spec.template.metadata.annotations", map[string]any{manifests.AnnotationConfigHash: "of another kind"})
		},
		func() { c.edit(manifests.StatefulSetResource, "status", map[string]any{}) },
		func() { c.edit(manifests.StatefulSetResource, "metadata.generation", 7) },
	}
	for range r.IntN(4) {
		changes[r.IntN(len(changes))]()
	}
}

// randomLookUps has Crossplane look up the required Secrets with all kinds of
// results.
func randomLookUps(c *cluster, req *fnv1.RunFunctionRequest, r *rand.Rand) {
	for _, name := range slices.Sorted(maps.Keys(req.GetRequiredResources())) {
		found := req.GetRequiredResources()[name]
		if !strings.HasPrefix(name, "secret/") {
			continue
		}
		switch r.IntN(24) {
		case 0: // Not asked yet.
			delete(req.GetRequiredResources(), name)
		case 1: // Not there.
			found.Items = nil
		case 2: // There, and another one.
			for _, item := range found.GetItems() {
				item.Resource = with(c, item.GetResource(), pick(r, "metadata.name", "metadata.namespace"), "other")
			}
		case 3: // There, with other keys.
			for _, item := range found.GetItems() {
				item.Resource = with(c, item.GetResource(), "data", map[string]any{"other": "dmFsdWU="})
			}
		case 4: // There, with values that are not as they should be.
			for _, item := range found.GetItems() {
				for key := range valueAt(item.GetResource(), "data").GetStructValue().GetFields() {
					item.Resource = with(c, item.GetResource(), "data["+key+"]", pick(r, "", "not base64!", "c2hvcnQ="))
				}
			}
		case 5: // There, without any.
			for _, item := range found.GetItems() {
				item.Resource = without(c, item.GetResource(), "data")
			}
		}
	}
}

// create has the function answer when no composed resource exists, and every name is
// free.
func create(c *cluster, req *fnv1.RunFunctionRequest) *fnv1.RunFunctionResponse {
	c.Helper()
	req = proto.CloneOf(req)
	req.Observed.Resources = nil
	for range maxCalls {
		rsp, complete := c.call(req), true
		for name := range rsp.GetRequirements().GetResources() {
			if _, answered := req.GetRequiredResources()[name]; !answered && !strings.HasPrefix(name, "secret/") {
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
