package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/keyfile"
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

			released := released(c.Composed[manifests.StatefulSetResource], functest.Desired(rsp, manifests.StatefulSetResource))
			for name, sel := range c.Call(c.Request(nil)).GetRequirements().GetResources() {
				if released[name] {
					continue
				}
				if diff := functest.Diff(sel, rsp.GetRequirements().GetResources()[name]); diff != "" {
					t.Errorf("What was required must stay required: -1st call, +later call:\n%s", diff)
				}
			}

			checkKeys(c, req, rsp)

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
	if r.IntN(2) == 0 {
		c.Set("spec.blockStore.remoteCacheSize", "5Gi")
	}
	if r.IntN(3) == 0 {
		c.UsePostgres()
		if r.IntN(2) == 0 {
			c.UnsetSecret("db", "database")
			c.SetSecret("db", "dbname", "dittofs")
		}
	}
	if r.IntN(2) == 0 {
		withEncryption(c)
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
	if functest.ValueAt(c.XR, "spec", "blockStore", "remoteCacheSize") != nil {
		// The default fits the volumes that exist, which are not those of a new server.
		changes = append(changes, func() { c.Unset("spec.storage.contentSize") })
	}
	if functest.ValueAt(c.XR, "spec", "database", "postgresSecretRef") != nil {
		changes = append(changes,
			func() { c.SetSecret("db", pick(r, "database", "dbname"), "dittofs") },
			func() { c.UnsetSecret("db", pick(r, "database", "dbname")) },
		)
	}
	if functest.ValueAt(c.XR, "spec", "encryption") != nil && r.IntN(2) == 0 {
		changes = []func(){ // Few others would leave a chance to these.
			func() { c.SetSecret("encryption", "passphrase", "another") },
			func() {
				c.SetSecret("encryption", "main.key", string(keyfile.New(pick(r, "another", "correct horse"), pick(r, "key-1", "key-2"))))
			},
			func() { c.Set("spec.encryption.keys", []any{keyNamed(pick(r, "main", "other"), "main.key")}) },
			func() { c.Set("spec.encryption.keys", []any{map[string]any{"name": "main", "retired": true}}) },
			func() { c.Unset("spec.encryption") },
		}
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
				// With two values, a running server has the one that it reads, and a new one may
				// have the other.
				if data := functest.ValueAt(item.GetResource(), "data").GetStructValue(); data.GetFields()["database"] != nil && data.GetFields()["dbname"] != nil {
					item.Resource = functest.With(c, item.GetResource(), "data[dbname]", functest.StringOf(data, "database"))
				}
			}
		case 5: // There, without any.
			for _, item := range found.GetItems() {
				item.Resource = functest.Without(c, item.GetResource(), "data")
			}
		}
	}
}

// released are the requirements of Secrets that a running pod reads, and the one that
// replaces it does not. As long as it is not known that the pod is replaced, they are
// required.
func released(observed, sent *structpb.Struct) map[string]bool {
	names := map[string]bool{}
	for _, ref := range refs(observed) {
		names["secret/"+ref.Secret] = true
	}
	for _, ref := range refs(sent) {
		delete(names, "secret/"+ref.Secret)
	}
	return names
}

// checkKeys checks that no server is sent, with another hash or for the first time, that
// could not read its encrypted stores.
func checkKeys(c *cluster, req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse) {
	c.Helper()
	sent, observed := functest.Desired(rsp, manifests.StatefulSetResource), c.Composed[manifests.StatefulSetResource]
	if masterKeys(sent) == "" || functest.HashOf(sent) == functest.HashOf(observed) {
		return
	}
	id := ""
	if found := req.GetRequiredResources()["secret/encryption"].GetItems(); len(found) > 0 {
		id = masterKey(found[0].GetResource())
	}
	_, sentID, _ := strings.Cut(masterKeys(sent), "=")
	if id == "" || sentID != id {
		c.Errorf("A server is sent with the master keys %q, and its Secret has %q", masterKeys(sent), id)
	}
	if had := masterKeys(observed); had == "main=key-1" && masterKeys(sent) == "main=key-2" || had == "main=key-2" && masterKeys(sent) == "main=key-1" {
		c.Errorf("A running server with %q is sent with %q", had, masterKeys(sent))
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
	if req.GetRequiredResources() == nil { // What is refused requires nothing.
		req.RequiredResources = map[string]*fnv1.Resources{}
	}
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
