package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

const foreignService = `
apiVersion: v1
kind: Service
metadata: {name: files-api, namespace: team-a, labels: {app.kubernetes.io/managed-by: Helm}}
spec: {selector: {app: shop}, ports: [{port: 80, protocol: TCP}]}
`

// TestNames has something under the name of an object that is to be composed. What is
// somebody else's is left alone, and what is the DittoServer's is taken over.
func TestNames(t *testing.T) {
	statefulSet := func(metadata string) string {
		return "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: files, namespace: team-a" + metadata + "}\n" +
			"spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}"
	}

	type want struct {
		NamesAvailable string
		Message        string // A part of it.

		Service, StatefulSet bool // Whether they are sent.
	}

	cases := map[string]struct {
		reason string
		given  func(c *cluster)
		want   want
	}{
		"Free": {
			reason: "Where no name is taken there is nothing to say.",
			given:  func(*cluster) {},
			want:   want{NamesAvailable: "UNSPECIFIED ", Service: true, StatefulSet: true},
		},
		"Service": {
			reason: "A Service of others is left alone, and the server runs without.",
			given:  func(c *cluster) { c.AddObject(foreignService) },
			want:   want{NamesAvailable: "FALSE Taken", Message: `Service "files-api"`, StatefulSet: true},
		},
		"OwnedByOthers": {
			reason: "What belongs to somebody else is somebody else's, whatever its labels say.",
			given: func(c *cluster) {
				c.AddObject(strings.Replace(foreignService, "labels: {app.kubernetes.io/managed-by: Helm}",
					"labels: {dittofs.io/server: files}, annotations: {crossplane.io/composition-resource-name: api-service}, ownerReferences: [{apiVersion: v1, kind: Shop, name: shop, uid: other, controller: true}]", 1))
			},
			want: want{NamesAvailable: "FALSE Taken", Message: `Service "files-api"`, StatefulSet: true},
		},
		"Leaving": {
			reason: "What goes away with an earlier DittoServer is waited for.",
			given: func(c *cluster) {
				c.AddObject(strings.Replace(foreignService, "labels: {app.kubernetes.io/managed-by: Helm}",
					"labels: {}, ownerReferences: [{apiVersion: dittofs.io/v1alpha1, kind: DittoServer, name: files, uid: before, controller: true}]", 1))
			},
			want: want{NamesAvailable: "FALSE Deleting", Message: `Service "files-api"`, StatefulSet: true},
		},
		"Orphaned": {
			reason: "What an orphaning delete has left is ours.",
			given: func(c *cluster) {
				c.AddObject(strings.Replace(foreignService, "labels: {app.kubernetes.io/managed-by: Helm}",
					"labels: {dittofs.io/server: files}, annotations: {crossplane.io/composition-resource-name: api-service}", 1))
			},
			want: want{NamesAvailable: "UNSPECIFIED ", Service: true, StatefulSet: true},
		},
		"StatefulSet": {
			reason: "A StatefulSet of others is left alone.",
			given:  func(c *cluster) { c.AddObject(statefulSet("")) },
			want:   want{NamesAvailable: "FALSE Taken", Message: `StatefulSet "files"`, Service: true},
		},
		"ConfigMap": {
			reason: "A server must not start with a ConfigMap of others.",
			given: func(c *cluster) {
				c.AddObject("{apiVersion: v1, kind: ConfigMap, metadata: {name: files-config-4cb2e8caec, namespace: team-a}, data: {config.yaml: theirs}}")
			},
			want: want{NamesAvailable: "FALSE Taken", Message: `ConfigMap "files-config-4cb2e8caec"`, Service: true},
		},
		"NoRights": {
			reason: "What Crossplane may not read is sent as it always was.",
			given:  func(c *cluster) { c.SetReadable() },
			want:   want{NamesAvailable: "UNSPECIFIED ", Service: true, StatefulSet: true},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			tc.given(c)

			rsp := c.Reconcile()

			got := want{
				NamesAvailable: functest.Condition(rsp, "NamesAvailable"),
				Message:        tc.want.Message,
				Service:        functest.Desired(rsp, manifests.APIServiceResource) != nil,
				StatefulSet:    functest.Desired(rsp, manifests.StatefulSetResource) != nil,
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
			}
			if m := functest.FullCondition(rsp, "NamesAvailable").GetMessage(); !strings.Contains(m, tc.want.Message) {
				t.Errorf("%s\nThe message should have %q in it: %s", tc.reason, tc.want.Message, m)
			}
			if taken := tc.want.Message != ""; taken != (rsp.GetDesired().GetComposite().GetReady() == fnv1.Ready_READY_FALSE) {
				t.Errorf("%s\nA server that does without something is not ready, and another one is not unready: %s", tc.reason, rsp.GetDesired().GetComposite().GetReady())
			}
		})
	}
}

// TestNameIsFreeAgain deletes what was in the way.
func TestNameIsFreeAgain(t *testing.T) {
	c := newCluster(t)
	c.AddObject(foreignService)
	c.Settle()
	c.DeleteObject("Service", "files-api")

	rsp := c.Settle()

	if functest.Desired(rsp, manifests.APIServiceResource) == nil || functest.Condition(rsp, "NamesAvailable") != "TRUE Available" {
		t.Errorf("With the name free, the Service should be sent: NamesAvailable is %s", functest.Condition(rsp, "NamesAvailable"))
	}
}

// TestEarlierStep gives an earlier step of the pipeline a resource with a name of this
// function's.
func TestEarlierStep(t *testing.T) {
	c, _ := newRunningCluster(t)
	c.Earlier = &fnv1.State{Resources: map[string]*fnv1.Resource{
		manifests.APIServiceResource: {Resource: functest.Object(t, foreignService)}, manifests.StatefulSetResource: {Resource: functest.Object(t, foreignService)},
	}}
	checkFatal(t, "What one of two steps desires would be lost.", c.Reconcile(), "NameTaken", []string{`"api-service"`, "Composition"})
}

// TestResizedClaim looks at the claims themselves where the claim templates have
// another size.
func TestResizedClaim(t *testing.T) {
	cases := map[string]struct {
		reason string
		when   func(c *cluster)
		want   string
	}{
		"AsCreated":  {reason: "A claim that has the old size is not as wanted.", when: func(c *cluster) { c.AddClaim("metadata-files-0", "10Gi") }, want: "FALSE Immutable"},
		"Resized":    {reason: "A claim that was resized by hand is, whatever the template says.", when: func(c *cluster) { c.AddClaim("metadata-files-0", "20Gi") }, want: "TRUE InSync"},
		"OtherClaim": {reason: "Each volume has a claim of its own.", when: func(c *cluster) { c.AddClaim("content-files-0", "20Gi") }, want: "FALSE Immutable"},
		"NoRights": {reason: "What Crossplane may not read is not asked for.", when: func(c *cluster) {
			c.AddClaim("metadata-files-0", "20Gi")
			c.SetReadable("statefulsets.apps")
		}, want: "FALSE Immutable"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, running := newRunningCluster(t)
			tc.when(c)
			c.Set("spec.storage.metadataSize", "20Gi")

			rsp := c.Reconcile()

			if diff := cmp.Diff(tc.want, functest.Condition(rsp, "StorageInSync")); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
			}
			for name := range running.GetRequirements().GetResources() {
				if strings.HasPrefix(name, "claim/") {
					t.Errorf("%s\nClaims are asked for only where the answer matters, got %s", tc.reason, name)
				}
			}
		})
	}
}

// TestMoveToPercona turns Percona on under a running server. Percona's operator writes
// the account's Secret long before the database is ready.
func TestMoveToPercona(t *testing.T) {
	c, _ := newRunningCluster(t)
	before := functest.TemplateOf(c.Composed[manifests.StatefulSetResource])
	c.Set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true})
	for key, value := range map[string]string{"host": "files-postgres", "port": "5432", "dbname": "dittofs", "user": "dittofs", "password": "battery staple"} {
		c.SetSecret("files-postgres-pguser-dittofs", key, value)
	}

	held := c.Settle()
	if diff := functest.Diff(before, functest.TemplateOf(c.Composed[manifests.StatefulSetResource])); diff != "" {
		t.Errorf("A running server should stay on its database until the new one is ready: -before, +after:\n%s", diff)
	}
	if got := functest.Condition(held, "RestartPending"); got != "TRUE DatabasePending" {
		t.Errorf("RestartPending is %s, want TRUE DatabasePending", got)
	}

	c.Edit(manifests.PerconaResource, "status.state", "ready")
	c.Settle()
	moved := functest.TemplateOf(c.Composed[manifests.StatefulSetResource])
	if functest.Diff(before, moved) == "" {
		t.Error("With the database ready the server should move to it")
	}

	c.Edit(manifests.PerconaResource, "status.state", "initializing")
	c.Set("spec.logging.level", "DEBUG")
	c.Settle()
	if functest.Diff(moved, functest.TemplateOf(c.Composed[manifests.StatefulSetResource])) == "" {
		t.Error("A database that fails over under a server that uses it should hold nothing")
	}
}

// TestPerconaIsNotInstalled turns Percona on where nobody knows it.
func TestPerconaIsNotInstalled(t *testing.T) {
	c, _ := newRunningCluster(t)
	c.DeleteObject("CustomResourceDefinition", "perconapgclusters.pgv2.percona.com")
	c.Set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true})

	rsp := c.Settle()
	if functest.Desired(rsp, manifests.PerconaResource) != nil || functest.Condition(rsp, "DatabaseReady") != "FALSE KindMissing" {
		t.Errorf("An object of a kind that is not there should not be sent, DatabaseReady is %s", functest.Condition(rsp, "DatabaseReady"))
	}

	c.Unset("spec.percona")
	if got := functest.Condition(c.Settle(), "DatabaseReady"); got != "TRUE NotUsed" {
		t.Errorf("A condition about what is off should not stay as it was: DatabaseReady is %s", got)
	}
}

// TestRestartIsToldOnce tells of a restart once for each hash, however long the
// StatefulSet that is observed is an old one.
func TestRestartIsToldOnce(t *testing.T) {
	c, _ := newRunningCluster(t)
	c.SetSecret("jwt", "key", strings.Repeat("k", 40))
	old := c.Composed[manifests.StatefulSetResource]

	told := 0
	for range 3 {
		rsp := c.Reconcile()
		for _, r := range rsp.GetResults() {
			if r.GetReason() == "ConfigHashChanged" {
				told++
			}
		}
		_ = c.Apply(rsp)
		req := c.Request(c.Required)
		req.Observed.Resources[manifests.StatefulSetResource] = &fnv1.Resource{Resource: old}
		for _, r := range c.Call(req).GetResults() {
			if r.GetReason() == "ConfigHashChanged" {
				told++
			}
		}
	}
	if told != 1 {
		t.Errorf("The restart was told %d times, want once", told)
	}
}

// TestAdditionsOfOthers holds a server while others have added to its template.
func TestAdditionsOfOthers(t *testing.T) {
	c, _ := newRunningCluster(t)
	c.UpdateAs("webhook", "StatefulSet", "files", map[string]any{
		"spec.template.spec.containers[0].env[2]":                               map[string]any{"name": "INJECTED", "value": "x"},
		"spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]": "now",
	})
	before := functest.TemplateOf(c.Stored("StatefulSet", "files"))
	key := c.Secrets["team-a/jwt"]
	c.DeleteSecret("jwt")
	c.Settle()
	c.Secrets["team-a/jwt"] = key
	c.Settle()

	if diff := functest.Diff(before, functest.TemplateOf(c.Stored("StatefulSet", "files"))); diff != "" {
		t.Errorf("A Secret that goes away and comes back should change nothing: -before, +after:\n%s", diff)
	}
}

// TestScaledByHand has somebody scale the StatefulSet behind Crossplane's back. What is
// said of the server should agree with itself.
func TestScaledByHand(t *testing.T) {
	cases := map[string]struct {
		reason                                string
		wanted, scaled                        int
		phase, available, progressing, status string
	}{
		"Stopped":  {reason: "A server that is to run and was stopped does not run.", wanted: 1, scaled: 0, phase: "Pending", available: "FALSE NotReady", progressing: "TRUE RollingOut", status: "0"},
		"Started":  {reason: "A server that is to be stopped and was started runs.", wanted: 0, scaled: 1, phase: "Pending", available: "TRUE Serving", progressing: "TRUE RollingOut", status: "1"},
		"AsWanted": {reason: "A server that is stopped is stopped.", wanted: 0, scaled: 0, phase: "Stopped", available: "TRUE Stopped", progressing: "FALSE RolledOut", status: "0"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.Set("spec.replicas", tc.wanted)
			c.Settle()
			c.UpdateAs("kubectl-scale", "StatefulSet", "files", map[string]any{"spec.replicas": tc.scaled})

			rsp := c.Reconcile()

			status := func(field string) string {
				return functest.StringAt(t, rsp.GetDesired().GetComposite().GetResource(), "status."+field)
			}
			want := []string{tc.phase, tc.available, tc.progressing, tc.status}
			got := []string{status("phase"), functest.Condition(rsp, "Available"), functest.Condition(rsp, "Progressing"), status("replicas")}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
