package main

import (
	"flag"
	"path/filepath"
	"testing"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/golden"
)

var update = flag.Bool("update", false, "write the expected responses instead of comparing with them")

// TestRunFunction compares whole responses with those under testdata.
func TestRunFunction(t *testing.T) {
	cases := map[string]struct {
		reason string
		rsp    func(c *cluster) *fnv1.RunFunctionResponse
	}{
		"FirstCall": {
			reason: "Before Crossplane has looked up the Secrets, all but the StatefulSet should be composed, and the Secrets required.",
			rsp: func(c *cluster) *fnv1.RunFunctionResponse {
				return c.Call(c.Request(nil))
			},
		},
		"Created": {
			reason: "With all Secrets there, the StatefulSet should be created with its hash.",
			rsp: func(c *cluster) *fnv1.RunFunctionResponse {
				return c.Reconcile()
			},
		},
		"Running": {
			reason: "A server that runs as it should is ready, and there should be no event about it.",
			rsp: func(c *cluster) *fnv1.RunFunctionResponse {
				return c.Settle()
			},
		},
		"Restarting": {
			reason: "A rotated Secret should give the StatefulSet another hash, and an event should tell of it.",
			rsp: func(c *cluster) *fnv1.RunFunctionResponse {
				c.Settle()
				c.SetSecret("jwt", "key", "another key, also of more than 32 bytes")
				return c.Reconcile()
			},
		},
		"SecretLost": {
			reason: "A running server should be left as it is when one of its Secrets is deleted, and the condition should name the Secret.",
			rsp: func(c *cluster) *fnv1.RunFunctionResponse {
				c.Settle()
				c.DeleteSecret("jwt")
				return c.Reconcile()
			},
		},
		"Postgres": {
			reason: "The credentials of a database should be read one by one, and the config should hold none of them.",
			rsp: func(c *cluster) *fnv1.RunFunctionResponse {
				c.UsePostgres()
				return c.Reconcile()
			},
		},
		"Invalid": {
			reason: "A DittoServer that can never work is fatal, with a condition that says why.",
			rsp: func(c *cluster) *fnv1.RunFunctionResponse {
				c.Unset("spec.storage.metadataSize")
				c.Set("spec.logging.level", "CHATTY")
				return c.Reconcile()
			},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := functest.AsYAML(t, tc.rsp(newCluster(t)))

			file := filepath.Join("testdata", name+".yaml")
			golden.Compare(t, *update, file, got, tc.reason)
		})
	}
}
