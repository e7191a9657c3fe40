package main

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// withExtras gives a server variables and files out of a ConfigMap and a Secret of the
// user's, in all ways in which it can have them.
func withExtras(c *cluster) {
	c.SetConfigMap("tuning", "gc", "5m")
	c.SetConfigMap("tuning", "TZ", "UTC")
	c.SetConfigMap("tuning", "extra.conf", "a: 1")
	c.SetSecret("s3", "ACCESS_KEY", "battery staple")
	c.Set("spec.env", []any{
		map[string]any{"name": "GOMEMLIMIT", "value": "1GiB"},
		map[string]any{"name": "DITTOFS_GC_AUTO_INTERVAL", "valueFrom": map[string]any{"configMapKeyRef": map[string]any{"name": "tuning", "key": "gc"}}},
		map[string]any{"name": "NODE", "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "spec.nodeName"}}},
		map[string]any{"name": "MEMORY", "valueFrom": map[string]any{"resourceFieldRef": map[string]any{"resource": "limits.memory"}}},
	})
	c.Set("spec.envFrom", []any{
		map[string]any{"prefix": "AWS_", "secretRef": map[string]any{"name": "s3"}},
		map[string]any{"configMapRef": map[string]any{"name": "later", "optional": true}},
	})
	c.Set("spec.volumes", []any{
		map[string]any{"name": "extra", "configMap": map[string]any{"name": "tuning", "items": []any{map[string]any{"key": "extra.conf", "path": "extra.conf"}}}},
		map[string]any{"name": "both", "projected": map[string]any{"sources": []any{
			map[string]any{"secret": map[string]any{"name": "s3"}},
			map[string]any{"serviceAccountToken": map[string]any{"path": "token"}},
		}}},
		map[string]any{"name": "scratch", "emptyDir": map[string]any{"sizeLimit": "1024Mi"}},
		map[string]any{"name": "shared", "persistentVolumeClaim": map[string]any{"claimName": "shared"}},
	})
	c.Set("spec.volumeMounts", []any{
		map[string]any{"name": "extra", "mountPath": "/extra", "readOnly": true},
		map[string]any{"name": "extra", "mountPath": "/etc/extra.conf", "subPath": "extra.conf"},
		map[string]any{"name": "both", "mountPath": "/both"},
		map[string]any{"name": "scratch", "mountPath": "/scratch"},
		map[string]any{"name": "shared", "mountPath": "/shared"},
	})
	c.AddObject("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: shared, namespace: team-a}}")
	for _, name := range []string{"files", "other"} {
		c.AddObject(fmt.Sprintf("{apiVersion: v1, kind: ServiceAccount, metadata: {name: %s, namespace: team-a}}", name))
	}
	c.Set("spec.serviceAccountName", "files")
}

// TestExtras changes what the user has added to a running server: it restarts once if the
// server reads it, and not at all if not, and is held while it is missing.
func TestExtras(t *testing.T) {
	const (
		none = "stays"
		once = "restarts once"
		held = "is held"
	)
	remove := func(kind, name, path string) func(*cluster) {
		return func(c *cluster) {
			c.UpdateAs("kubectl-edit", kind, name, map[string]any{"metadata.labels": map[string]any{"changed": "yes"}})
			c.Pull()
			c.Objects[functest.ID(kind, name)] = functest.Without(c, c.Objects[functest.ID(kind, name)], path)
			c.Show()
		}
	}
	cases := map[string]struct {
		reason string
		when   func(c *cluster)
		want   string
		naming string // In the condition SecretsResolved.
	}{
		"Nothing":        {reason: "What is sent is what Kubernetes stores.", when: func(*cluster) {}, want: none},
		"ConfigMapKey":   {reason: "A variable is read at the start.", when: func(c *cluster) { c.SetConfigMap("tuning", "gc", "6m") }, want: once},
		"ConfigMapFile":  {reason: "A file that nobody has looked into is read at the start.", when: func(c *cluster) { c.SetConfigMap("tuning", "extra.conf", "a: 2") }, want: once},
		"ConfigMapOther": {reason: "A key that nothing refers to is not read.", when: func(c *cluster) { c.SetConfigMap("tuning", "TZ", "CET") }, want: none},
		"ConfigMapLabel": {reason: "Labels are not read.", when: func(c *cluster) {
			c.UpdateAs("kubectl-label", "ConfigMap", "tuning", map[string]any{"metadata.labels": map[string]any{"a": "b"}})
		}, want: none},
		"SecretAdded":     {reason: "All keys are variables and files.", when: func(c *cluster) { c.SetSecret("s3", "REGION", "eu-west-1") }, want: once},
		"SecretEmptied":   {reason: "A variable of the user's may be empty.", when: func(c *cluster) { c.SetSecret("s3", "ACCESS_KEY", "") }, want: once},
		"OptionalAppears": {reason: "What may be missing counts once it is there.", when: func(c *cluster) { c.SetConfigMap("later", "LATER", "now") }, want: once},
		"OptionalIsEmpty": {reason: "An object without keys adds nothing.", when: func(c *cluster) {
			c.AddObject("{apiVersion: v1, kind: ConfigMap, metadata: {name: later, namespace: team-a}}")
		}, want: none},
		"PlainEnv":         {reason: "A variable is part of the pod.", when: func(c *cluster) { c.Set("spec.env[0].value", "2GiB") }, want: once},
		"Mount":            {reason: "A mount is part of the pod.", when: func(c *cluster) { c.Set("spec.volumeMounts[3].mountPath", "/scratch2") }, want: once},
		"ServiceAccount":   {reason: "The account is part of the pod.", when: func(c *cluster) { c.Set("spec.serviceAccountName", "other") }, want: once},
		"NoServiceAccount": {reason: "Kubernetes keeps the name in two fields, and both have to go.", when: func(c *cluster) { c.Unset("spec.serviceAccountName") }, want: once},
		"AccountMissing":   {reason: "Kubernetes would end the pod and create no other.", when: func(c *cluster) { c.Set("spec.serviceAccountName", "none") }, want: held, naming: `ServiceAccount "none": the ServiceAccount does not exist`},
		"AccountDeleted":   {reason: "The next pod would not be created.", when: func(c *cluster) { c.DeleteObject("ServiceAccount", "files") }, want: held, naming: `ServiceAccount "files": the ServiceAccount does not exist`},
		"AccountChanged": {reason: "Nothing of it is read.", when: func(c *cluster) {
			c.UpdateAs("kubectl-edit", "ServiceAccount", "files", map[string]any{"metadata.annotations": map[string]any{"a": "b"}})
		}, want: none},
		"ClaimMissing": {reason: "Kubernetes would end the pod and start no other.", when: func(c *cluster) { c.Set("spec.volumes[3].persistentVolumeClaim.claimName", "none") }, want: held, naming: `PersistentVolumeClaim "none": the PersistentVolumeClaim does not exist`},
		"ClaimDeleted": {reason: "The next pod would not start.", when: func(c *cluster) { c.DeleteObject("PersistentVolumeClaim", "shared") }, want: held, naming: `PersistentVolumeClaim "shared": the PersistentVolumeClaim does not exist`},
		"ClaimLeaves": {reason: "It stays for the pod that has it, and for no other.", when: func(c *cluster) {
			c.UpdateAs("kubectl-delete", "PersistentVolumeClaim", "shared", map[string]any{"metadata.deletionTimestamp": "2026-01-01T00:00:00Z"})
		}, want: held, naming: `PersistentVolumeClaim "shared": it is being deleted`},
		"ClaimUnreadable": {reason: "What Crossplane may not read must not be asked for, and holds nothing.", when: func(c *cluster) {
			c.SetReadable("statefulsets.apps")
			c.Set("spec.volumes[3].persistentVolumeClaim.claimName", "none")
		}, want: once},
		"ClaimOfItsOwn": {reason: "Kubernetes creates it for the server.", when: func(c *cluster) {
			c.Set("spec.volumes[3].persistentVolumeClaim.claimName", "content-files-0")
		}, want: once},
		"AllGone": {
			reason: "What is no longer wanted goes, all at once.",
			when: func(c *cluster) {
				for _, f := range []string{"env", "envFrom", "volumeMounts", "volumes", "serviceAccountName"} {
					c.Unset("spec." + f)
				}
			},
			want: once,
		},
		"ConfigMapDeleted": {reason: "The pod would not start again.", when: func(c *cluster) { c.DeleteObject("ConfigMap", "tuning") }, want: held, naming: `ConfigMap "tuning", key "gc": the ConfigMap does not exist`},
		"KeyRemoved":       {reason: "The pod would not start again.", when: remove("ConfigMap", "tuning", "data.gc"), want: held, naming: `ConfigMap "tuning", key "gc": the ConfigMap has no such key in its data. It has TZ, extra.conf`},
		"KeyHides":         {reason: "It would beat config.yaml.", when: func(c *cluster) { c.SetConfigMap("later", "DITTOFS_LOGGING_LEVEL", "DEBUG") }, want: held, naming: `ConfigMap "later", key "DITTOFS_LOGGING_LEVEL": the server would read it as DITTOFS_LOGGING_LEVEL, which is what spec.logging.level sets`},
		"KeyHidesProceed": {
			reason: "It is there and wrong: to go on without it is not to go on with it.",
			when: func(c *cluster) {
				c.SetInput("missingSecrets: Proceed")
				c.SetConfigMap("later", "DITTOFS_LOGGING_LEVEL", "DEBUG")
			},
			want: held, naming: `ConfigMap "later", key "DITTOFS_LOGGING_LEVEL"`,
		},
		"OtherConfigMap": {reason: "The pod would not start.", when: func(c *cluster) { c.Set("spec.env[1].valueFrom.configMapKeyRef.name", "none") }, want: held, naming: `ConfigMap "none", key "gc": the ConfigMap does not exist`},
		"NotAVariable":   {reason: "The pod would not start.", when: func(c *cluster) { c.SetSecret("s3", "ACCESS_KEY", "\xff") }, want: held, naming: `Secret "s3", key "ACCESS_KEY": a variable has to be UTF-8`},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			withExtras(c)
			c.Settle()
			template := func() string {
				return fmt.Sprint(functest.TemplateOf(c.Composed[manifests.StatefulSetResource]).AsInterface())
			}
			if template() == "<nil>" {
				t.Fatalf("There is no server: %s", functest.AsYAML(t, c.XR))
			}

			tc.when(c)
			changes := 0
			for range 4 {
				before := template()
				c.Apply(c.Reconcile())
				if template() != before {
					changes++
				}
			}

			condition := functest.ConditionOf(c.XR, "SecretsResolved")
			got := map[bool]string{true: none, false: fmt.Sprint("restarts ", changes, " times")}[changes == 0]
			switch {
			case changes == 1:
				got = once
			case changes == 0 && condition != "True Resolved":
				got = held
			}
			if got != tc.want {
				t.Errorf("%s\nThe server %s, want: it %s (SecretsResolved is %s)", tc.reason, got, tc.want, condition)
			}
			if said := functest.AsYAML(t, &structpb.Struct{Fields: map[string]*structpb.Value{"c": functest.ValueAt(c.XR, "status", "conditions")}}); !strings.Contains(strings.Join(strings.Fields(said), " "), tc.naming) {
				t.Errorf("%s\nThe conditions should say %s:\n%s", tc.reason, tc.naming, said)
			}
		})
	}
}

// TestExtrasMissingAtFirst withholds a new server until what its user adds is there, and
// then creates it.
func TestExtrasMissingAtFirst(t *testing.T) {
	cases := map[string]struct {
		reason, kind, name string
		create             func(c *cluster)
	}{
		"ConfigMap": {reason: "The pod would wait for it.", kind: "ConfigMap", name: "tuning", create: func(c *cluster) {
			c.SetConfigMap("tuning", "gc", "5m")
			c.SetConfigMap("tuning", "extra.conf", "a: 1")
		}},
		"Claim": {reason: "The pod would stay Pending.", kind: "PersistentVolumeClaim", name: "shared", create: func(c *cluster) {
			c.AddObject("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: shared, namespace: team-a}}")
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			withExtras(c)
			c.DeleteObject(tc.kind, tc.name)
			rsp := c.Settle()
			if functest.Desired(rsp, manifests.StatefulSetResource) != nil || functest.Condition(rsp, "SecretsResolved") != "FALSE Unresolved" {
				t.Errorf("%s\nThe server should be withheld: SecretsResolved is %s", tc.reason, functest.Condition(rsp, "SecretsResolved"))
			}

			tc.create(c)
			rsp = c.Settle()
			if functest.Desired(rsp, manifests.StatefulSetResource) == nil || functest.Condition(rsp, "SecretsResolved") != "TRUE Resolved" {
				t.Errorf("%s\nThe server should be created once it is there: SecretsResolved is %s", tc.reason, functest.Condition(rsp, "SecretsResolved"))
			}
		})
	}
}

// TestExtrasClaimComes advances a held server once its claim is there.
func TestExtrasClaimComes(t *testing.T) {
	c := newCluster(t)
	withExtras(c)
	c.Settle()
	c.Set("spec.volumes[3].persistentVolumeClaim.claimName", "none")
	c.Settle()
	c.AddObject("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: none, namespace: team-a}}")
	rsp := c.Settle()
	if got := functest.AsYAML(t, c.Composed[manifests.StatefulSetResource]); !strings.Contains(got, "claimName: none") {
		t.Errorf("The pod should have the claim that came, got\n%s", got)
	}
	if got := functest.Condition(rsp, "SecretsResolved"); got != "TRUE Resolved" {
		t.Errorf("Nothing is missing any more: SecretsResolved is %s", got)
	}
}

// TestExtrasGoneForRunning reports a ConfigMap that only the held server still needs.
func TestExtrasGoneForRunning(t *testing.T) {
	c := newCluster(t)
	withExtras(c)
	c.Set("spec.rollout.policy", "Manual")
	c.Settle()

	for _, f := range []string{"env", "volumeMounts", "volumes"} {
		c.Unset("spec." + f)
	}
	c.DeleteObject("ConfigMap", "tuning")
	rsp := c.Settle()

	if got := functest.Condition(rsp, "SecretsResolved"); got != "FALSE GoneForRunning" {
		t.Errorf("The pod cannot start again without its ConfigMap: SecretsResolved is %s", got)
	}
	if said := functest.FullCondition(rsp, "RestartPending").GetMessage(); !strings.Contains(said, "env, volumeMounts, volumes") {
		t.Errorf("RestartPending should name what waits: %s", said)
	}
}
