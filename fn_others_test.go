package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

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
			given:  func(c *cluster) { c.addObject(foreignService) },
			want:   want{NamesAvailable: "FALSE Taken", Message: `Service "files-api"`, StatefulSet: true},
		},
		"OwnedByOthers": {
			reason: "What belongs to somebody else is somebody else's, whatever its labels say.",
			given: func(c *cluster) {
				c.addObject(strings.Replace(foreignService, "labels: {app.kubernetes.io/managed-by: Helm}",
					"labels: {dittofs.io/server: files}, annotations: {crossplane.io/composition-resource-name: api-service}, ownerReferences: [{apiVersion: v1, kind: Shop, name: shop, uid: other, controller: true}]", 1))
			},
			want: want{NamesAvailable: "FALSE Taken", Message: `Service "files-api"`, StatefulSet: true},
		},
		"Leaving": {
			reason: "What goes away with an earlier DittoServer is waited for.",
			given: func(c *cluster) {
				c.addObject(strings.Replace(foreignService, "labels: {app.kubernetes.io/managed-by: Helm}",
					"labels: {}, ownerReferences: [{apiVersion: dittofs.io/v1alpha1, kind: DittoServer, name: files, uid: before, controller: true}]", 1))
			},
			want: want{NamesAvailable: "FALSE Deleting", Message: `Service "files-api"`, StatefulSet: true},
		},
		"Orphaned": {
			reason: "What an orphaning delete has left is ours.",
			given: func(c *cluster) {
				c.addObject(strings.Replace(foreignService, "labels: {app.kubernetes.io/managed-by: Helm}",
					"labels: {dittofs.io/server: files}, annotations: {crossplane.io/composition-resource-name: api-service}", 1))
			},
			want: want{NamesAvailable: "UNSPECIFIED ", Service: true, StatefulSet: true},
		},
		"StatefulSet": {
			reason: "A StatefulSet of others is left alone.",
			given:  func(c *cluster) { c.addObject(statefulSet("")) },
			want:   want{NamesAvailable: "FALSE Taken", Message: `StatefulSet "files"`, Service: true},
		},
		"ConfigMap": {
			reason: "A server must not start with a ConfigMap of others.",
			given: func(c *cluster) {
				c.addObject("{apiVersion: v1, kind: ConfigMap, metadata: {name: files-config-dab9dbdd70, namespace: team-a}, data: {config.yaml: theirs}}")
			},
			want: want{NamesAvailable: "FALSE Taken", Message: `ConfigMap "files-config-dab9dbdd70"`, Service: true},
		},
		"NoRights": {
			reason: "What Crossplane may not read is sent as it always was.",
			given:  func(c *cluster) { c.setReadable() },
			want:   want{NamesAvailable: "UNSPECIFIED ", Service: true, StatefulSet: true},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			tc.given(c)

			rsp := c.reconcile()

			got := want{
				NamesAvailable: condition(rsp, "NamesAvailable"),
				Message:        tc.want.Message,
				Service:        desired(rsp, manifests.APIServiceResource) != nil,
				StatefulSet:    desired(rsp, manifests.StatefulSetResource) != nil,
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
			}
			if m := fullCondition(rsp, "NamesAvailable").GetMessage(); !strings.Contains(m, tc.want.Message) {
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
	c.addObject(foreignService)
	c.settle()
	c.deleteObject("Service", "files-api")

	rsp := c.settle()

	if desired(rsp, manifests.APIServiceResource) == nil || condition(rsp, "NamesAvailable") != "TRUE Available" {
		t.Errorf("With the name free, the Service should be sent: NamesAvailable is %s", condition(rsp, "NamesAvailable"))
	}
}

// TestEarlierStep gives an earlier step of the pipeline a resource with a name of this
// function's.
func TestEarlierStep(t *testing.T) {
	c, _ := newRunningCluster(t)
	c.earlier = &fnv1.State{Resources: map[string]*fnv1.Resource{
		manifests.APIServiceResource: {Resource: object(t, foreignService)}, manifests.StatefulSetResource: {Resource: object(t, foreignService)},
	}}
	checkFatal(t, "What one of two steps desires would be lost.", c.reconcile(), "NameTaken", []string{`"api-service"`, "Composition"})
}

// TestResizedClaim looks at the claims themselves where the claim templates have
// another size.
func TestResizedClaim(t *testing.T) {
	cases := map[string]struct {
		reason string
		when   func(c *cluster)
		want   string
	}{
		"AsCreated":  {reason: "A claim that has the old size is not as wanted.", when: func(c *cluster) { c.addClaim("metadata-files-0", "10Gi") }, want: "FALSE Immutable"},
		"Resized":    {reason: "A claim that was resized by hand is, whatever the template says.", when: func(c *cluster) { c.addClaim("metadata-files-0", "20Gi") }, want: "TRUE InSync"},
		"OtherClaim": {reason: "Each volume has a claim of its own.", when: func(c *cluster) { c.addClaim("content-files-0", "20Gi") }, want: "FALSE Immutable"},
		"NoRights": {reason: "What Crossplane may not read is not asked for.", when: func(c *cluster) {
			c.addClaim("metadata-files-0", "20Gi")
			c.setReadable("statefulsets.apps")
		}, want: "FALSE Immutable"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, running := newRunningCluster(t)
			tc.when(c)
			c.set("spec.storage.metadataSize", "20Gi")

			rsp := c.reconcile()

			if diff := cmp.Diff(tc.want, condition(rsp, "StorageInSync")); diff != "" {
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
	before := template(c.composed[manifests.StatefulSetResource])
	c.set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true})
	for key, value := range map[string]string{"host": "files-postgres", "port": "5432", "dbname": "dittofs", "user": "dittofs", "password": "battery staple"} {
		c.setSecret("files-postgres-pguser-dittofs", key, value)
	}

	held := c.settle()
	if diff := diff(before, template(c.composed[manifests.StatefulSetResource])); diff != "" {
		t.Errorf("A running server should stay on its database until the new one is ready: -before, +after:\n%s", diff)
	}
	if got := condition(held, "RestartPending"); got != "TRUE DatabasePending" {
		t.Errorf("RestartPending is %s, want TRUE DatabasePending", got)
	}

	c.edit(manifests.PerconaResource, "status.state", "ready")
	c.settle()
	moved := template(c.composed[manifests.StatefulSetResource])
	if diff(before, moved) == "" {
		t.Error("With the database ready the server should move to it")
	}

	c.edit(manifests.PerconaResource, "status.state", "initializing")
	c.set("spec.logging.level", "DEBUG")
	c.settle()
	if diff(moved, template(c.composed[manifests.StatefulSetResource])) == "" {
		t.Error("A database that fails over under a server that uses it should hold nothing")
	}
}

// TestPerconaIsNotInstalled turns Percona on where nobody knows it.
func TestPerconaIsNotInstalled(t *testing.T) {
	c, _ := newRunningCluster(t)
	c.deleteObject("CustomResourceDefinition", "perconapgclusters.pgv2.percona.com")
	c.set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true})

	rsp := c.settle()
	if desired(rsp, manifests.PerconaResource) != nil || condition(rsp, "DatabaseReady") != "FALSE KindMissing" {
		t.Errorf("An object of a kind that is not there should not be sent, DatabaseReady is %s", condition(rsp, "DatabaseReady"))
	}

	c.unset("spec.percona")
	if got := condition(c.settle(), "DatabaseReady"); got != "TRUE NotUsed" {
		t.Errorf("A condition about what is off should not stay as it was: DatabaseReady is %s", got)
	}
}

// TestRestartIsToldOnce tells of a restart once for each hash, however long the
// StatefulSet that is observed is an old one.
func TestRestartIsToldOnce(t *testing.T) {
	c, _ := newRunningCluster(t)
	c.setSecret("jwt", "key", strings.Repeat("k", 40))
	old := c.composed[manifests.StatefulSetResource]

	told := 0
	for range 3 {
		rsp := c.reconcile()
		for _, r := range rsp.GetResults() {
			if r.GetReason() == "ConfigHashChanged" {
				told++
			}
		}
		_ = c.apply(rsp)
		req := c.request(c.required)
		req.Observed.Resources[manifests.StatefulSetResource] = &fnv1.Resource{Resource: old}
		for _, r := range c.call(req).GetResults() {
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
	c.updateAs("webhook", "StatefulSet", "files", map[string]any{
		"spec.template.spec.containers[0].env[2]":                               map[string]any{"name": "INJECTED", "value": "x"},
		"spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]": "now",
	})
	before := template(c.stored("StatefulSet", "files"))
	key := c.secrets["team-a/jwt"]
	c.deleteSecret("jwt")
	c.settle()
	c.secrets["team-a/jwt"] = key
	c.settle()

	if diff := diff(before, template(c.stored("StatefulSet", "files"))); diff != "" {
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
			c.set("spec.replicas", tc.wanted)
			c.settle()
			c.updateAs("kubectl-scale", "StatefulSet", "files", map[string]any{"spec.replicas": tc.scaled})

			rsp := c.reconcile()

			status := func(field string) string {
				return stringAt(t, rsp.GetDesired().GetComposite().GetResource(), "status."+field)
			}
			want := []string{tc.phase, tc.available, tc.progressing, tc.status}
			got := []string{status("phase"), condition(rsp, "Available"), condition(rsp, "Progressing"), status("replicas")}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
