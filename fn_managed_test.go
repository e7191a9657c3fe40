package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// newManagedCluster returns a cluster with a DittoServer that names no Secrets.
func newManagedCluster(tb testing.TB) *cluster {
	tb.Helper()
	c := newCluster(tb)
	c.Unset("spec.identity")
	c.DeleteSecret("jwt")
	c.DeleteSecret("admin")
	return c
}

// generated are the values of the Secrets that the function composes.
func generated(rsp *fnv1.RunFunctionResponse) map[string]string {
	values := map[string]string{}
	for name, key := range map[string]string{manifests.JWTSecretResource: "jwt-secret", manifests.AdminSecretResource: "password"} {
		if s := functest.Desired(rsp, name); s != nil {
			b, _ := base64.StdEncoding.DecodeString(functest.ValueAt(s, "data", key).GetStringValue())
			values[name] = string(b)
		}
	}
	return values
}

// TestManagedSecretsAreGeneratedOnce follows a server from its creation on. A value
// that is generated again ends all sessions and locks out the admin.
func TestManagedSecretsAreGeneratedOnce(t *testing.T) {
	c := newManagedCluster(t)

	if got := generated(c.Call(c.Request(nil))); len(got) > 0 {
		t.Errorf("Secrets that Crossplane has not looked up may exist, and should not be generated: %d are", len(got))
	}

	created := c.Reconcile()
	first := generated(created)
	if len(first) != 2 || len(first[manifests.JWTSecretResource]) < 32 || len(first[manifests.AdminSecretResource]) < 8 {
		t.Errorf("Secrets that do not exist should be generated, with values that the server takes, got %d", len(first))
	}
	if functest.Desired(created, manifests.StatefulSetResource) != nil {
		t.Error("A StatefulSet that is created together with its Secrets would have the hash of values that may never be stored")
	}
	if got := functest.Condition(created, "SecretsResolved"); got != "FALSE Creating" || len(created.GetResults()) > 0 {
		t.Errorf("Secrets that are being created are nobody's problem, got %s and results %v", got, functest.Results(created))
	}

	c.Apply(created)
	second := c.Reconcile()
	if diff := cmp.Diff(first, generated(second)); diff != "" {
		t.Error("Values that are stored should be carried over, and are generated anew")
	}
	if functest.Desired(second, manifests.StatefulSetResource) == nil {
		t.Error("With its Secrets stored, the server should be created")
	}

	running := c.Settle()
	cases := map[string]struct {
		reason string
		when   func(c *cluster, req *fnv1.RunFunctionRequest)
	}{
		"Unresolved": {reason: "What is not looked up yet is still observed.", when: func(_ *cluster, req *fnv1.RunFunctionRequest) { req.RequiredResources = nil }},
		"NotFound":   {reason: "A lookup that fails is no reason for another value.", when: func(_ *cluster, req *fnv1.RunFunctionRequest) { clearItems(req) }},
		"NotObserved": {reason: "A Secret that Crossplane has lost sight of is still looked up.", when: func(_ *cluster, req *fnv1.RunFunctionRequest) {
			delete(req.GetObserved().GetResources(), manifests.JWTSecretResource)
		}},
		"OtherKeys": {reason: "Keys that somebody adds are no reason for another value.", when: func(c *cluster, req *fnv1.RunFunctionRequest) {
			r := req.GetObserved().GetResources()[manifests.JWTSecretResource]
			r.Resource = functest.With(c, r.GetResource(), "data.other", "dmFsdWU=")
		}},
		"SpecChanged": {reason: "What else changes is no reason for another value.", when: func(c *cluster, req *fnv1.RunFunctionRequest) {
			xr := req.GetObserved().GetComposite()
			xr.Resource = functest.With(c, xr.GetResource(), "spec.logging.level", "DEBUG")
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req := c.Request(c.Required)
			tc.when(c, req)
			rsp := c.Call(req)
			if diff := cmp.Diff(first, generated(rsp)); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -value generated, +value now:\n%s", tc.reason, diff)
			}
			if name != "SpecChanged" && functest.HashOf(functest.Desired(rsp, manifests.StatefulSetResource)) != functest.HashOf(functest.Desired(running, manifests.StatefulSetResource)) {
				t.Errorf("%s\nThe hash should stay", tc.reason)
			}
		})
	}
}

// TestManagedSecretsNotSeen changes nothing about Secrets that can neither be
// observed nor have been looked up.
func TestManagedSecretsNotSeen(t *testing.T) {
	c := newManagedCluster(t)
	c.Settle()
	delete(c.Composed, manifests.JWTSecretResource)
	delete(c.Composed, manifests.AdminSecretResource)

	if got := generated(c.Call(c.Request(nil))); len(got) > 0 {
		t.Errorf("A Secret that is not looked up yet must not be generated anew: %d are", len(got))
	}
}

// TestManagedSecretsOfOthers leaves a Secret alone that happens to have the name,
// and has the server use it.
func TestManagedSecretsOfOthers(t *testing.T) {
	c := newManagedCluster(t)
	c.SetSecret("files-jwt-secret", "jwt-secret", strings.Repeat("theirs", 6))

	rsp := c.Settle()

	if s := functest.Desired(rsp, manifests.JWTSecretResource); s != nil {
		t.Error("A Secret that belongs to nobody, or somebody else, should not be taken over")
	}
	if functest.Desired(rsp, manifests.StatefulSetResource) == nil || functest.Condition(rsp, "SecretsResolved") != "TRUE Resolved" {
		t.Errorf("The server should use the Secret as it is, SecretsResolved is %s", functest.Condition(rsp, "SecretsResolved"))
	}
}

// TestManagedSecretsAreKept looks for the values that the function has generated in
// all that it says but the Secrets themselves.
func TestManagedSecretsAreKept(t *testing.T) {
	log := &recorder{}
	c := newManagedCluster(t)
	c.f.log = log
	created := c.Reconcile()
	values := generated(created)
	c.Apply(created)
	running := c.Settle()

	other := generated(newManagedCluster(t).Reconcile())
	for name, value := range values {
		if value == other[name] {
			t.Errorf("Two servers should not have the same value in %s", name)
		}
		for what, rsp := range map[string]*fnv1.RunFunctionResponse{"creating": created, "running": running} {
			rsp = proto.CloneOf(rsp)
			delete(rsp.GetDesired().GetResources(), name)
			for _, trace := range []string{value, base64.StdEncoding.EncodeToString([]byte(value))} {
				if strings.Contains(text(t, rsp), trace) || strings.Contains(log.String(), trace) {
					t.Errorf("The value of %s stands outside of its Secret while %s", name, what)
				}
			}
		}
	}
}

// clearItems has Crossplane find none of what is required.
func clearItems(req *fnv1.RunFunctionRequest) {
	for _, r := range req.GetRequiredResources() {
		r.Items = nil
	}
}
