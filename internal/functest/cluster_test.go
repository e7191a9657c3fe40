package functest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	kerrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// TestCluster pins what the tests' cluster does as Kubernetes and Crossplane do it. A
// cluster that is kinder than they are has tests pass that should not.
func TestCluster(t *testing.T) {
	const (
		config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: A}}"
		server = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: files, namespace: team-a}
spec:
  serviceName: files
  selector: {matchLabels: {app: files}}
  template:
    metadata: {labels: {app: files}}
    spec: {containers: [{name: dittofs, image: v1, env: [{name: A, value: a}]}]}
`
	)
	image := func(c *Cluster) string {
		return StringAt(c, c.Stored("StatefulSet", "files"), "spec.template.spec.containers[0].image")
	}
	env := func(c *Cluster) string {
		names := []string{}
		for _, v := range ValueAt(Container(c.Stored("StatefulSet", "files")), "env").GetListValue().GetValues() {
			names = append(names, v.GetStructValue().GetFields()["name"].GetStringValue())
		}
		return strings.Join(names, " ")
	}
	text := func(v *structpb.Value) string { return fmt.Sprint(v.AsInterface()) }

	cases := map[string]struct {
		reason string
		do     func(c *Cluster) string
		want   string
	}{
		"FieldsOfOthersStay": {
			reason: "What another manager has added should stay, and what we apply no longer should go.",
			do: func(c *Cluster) string {
				_ = c.Apply(desire(c, map[string]string{"s": server}))
				c.UpdateAs("webhook", "StatefulSet", "files", map[string]any{"spec.template.spec.containers[0].env[1]": map[string]any{"name": "B", "value": "b"}})
				_ = c.Apply(desire(c, map[string]string{"s": strings.Replace(server, ", env: [{name: A, value: a}]", "", 1)}))
				return env(c)
			},
			want: "B",
		},
		"FieldsOfOtherAppliersStay": {
			reason: "What another manager applies should stay too.",
			do: func(c *Cluster) string {
				_ = c.Apply(desire(c, map[string]string{"s": server}))
				c.applyAs("injector", strings.Replace(server, "image: v1, env: [{name: A, value: a}]", "env: [{name: B, value: b}]", 1))
				_ = c.Apply(desire(c, map[string]string{"s": server}))
				return env(c)
			},
			want: "A B",
		},
		"WhatIsLeftOutStaysWithNobody": {
			reason: "A field that Crossplane has never applied should stay as it is when the object is adopted.",
			do: func(c *Cluster) string {
				c.AddObject(server)
				_ = c.Apply(desire(c, map[string]string{"s": "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: files}, spec: {replicas: 1}}"}))
				return image(c)
			},
			want: "v1",
		},
		"NothingChanges": {
			reason: "An object that is applied as it is should not be written.",
			do: func(c *Cluster) string {
				_ = c.Apply(desire(c, map[string]string{"s": server}))
				before := StringOf(c.Stored("StatefulSet", "files"), "metadata", "resourceVersion")
				_ = c.Apply(desire(c, map[string]string{"s": server}))
				c.applied = map[ObjectID]map[string]configuration{}
				_ = c.Apply(desire(c, map[string]string{"s": server}))
				return fmt.Sprint(before == StringOf(c.Stored("StatefulSet", "files"), "metadata", "resourceVersion"))
			},
			want: "true",
		},
		"Generation": {
			reason: "The generation should rise with the spec, and with nothing else.",
			do: func(c *Cluster) string {
				_ = c.Apply(desire(c, map[string]string{"s": server}))
				_ = c.Apply(desire(c, map[string]string{"s": strings.Replace(server, "image: v1", "image: v2", 1)}))
				_ = c.Apply(desire(c, map[string]string{"s": strings.Replace(strings.Replace(server, "image: v1", "image: v2", 1), "{name: files,", "{name: files, labels: {a: b},", 1)}))
				return text(ValueAt(c.Stored("StatefulSet", "files"), "metadata", "generation"))
			},
			want: "2",
		},
		"OldVersionConflicts": {
			reason: "An object of a version that is no longer the current one should be refused, and nobody be told.",
			do: func(c *Cluster) string {
				_ = c.Apply(desire(c, map[string]string{"s": server}))
				version := StringOf(c.Stored("StatefulSet", "files"), "metadata", "resourceVersion")
				c.Edit("s", "spec.template.spec.containers[0].image", "v2")
				before := c.XR
				err := c.Apply(desire(c, map[string]string{"s": strings.Replace(server, "{name: files,", fmt.Sprintf("{name: files, resourceVersion: %q,", version), 1)}))
				return fmt.Sprint(kerrors.IsConflict(err), " ", image(c), " ", before == c.XR)
			},
			want: "true v2 true",
		},
		"ImmutableConfigMap": {
			reason: "The data of an immutable ConfigMap should stay, and all else go on.",
			do: func(c *Cluster) string {
				c.invalidExpected = true
				immutable := strings.Replace(config, " data:", " immutable: true, data:", 1)
				_ = c.Apply(desire(c, map[string]string{"a": immutable}))
				err := c.Apply(desire(c, map[string]string{"a": strings.Replace(immutable, "a: A", "a: B", 1), "s": server}))
				return fmt.Sprint(err, " ", StringOf(c.Stored("ConfigMap", "a"), "data", "a"), " ", image(c), " ", ConditionOf(c.XR, "Synced"))
			},
			want: "<nil> A v1 False ReconcileError",
		},
		"ImmutableField": {
			reason: "The selector of a StatefulSet should stay.",
			do: func(c *Cluster) string {
				c.invalidExpected = true
				_ = c.Apply(desire(c, map[string]string{"s": server}))
				_ = c.Apply(desire(c, map[string]string{"s": strings.ReplaceAll(server, "app: files", "app: other")}))
				return StringOf(c.Stored("StatefulSet", "files"), "spec", "selector", "matchLabels", "app")
			},
			want: "files",
		},
		"Collected": {
			reason: "What is no longer desired should be deleted before anything is applied.",
			do: func(c *Cluster) string {
				_ = c.Apply(desire(c, map[string]string{"a": config}))
				_ = c.Compose(Composition{Observed: c.Composed, Response: desire(c, map[string]string{"s": server}), Refuse: func(ObjectID) error { return fmt.Errorf("no") }})
				return fmt.Sprint(c.Stored("ConfigMap", "a") == nil, len(c.refs()), c.Stored("StatefulSet", "files") == nil)
			},
			want: "true 1 true",
		},
		"NotCollectedWithoutController": {
			reason: "What does not belong to the composite resource should not be deleted.",
			do: func(c *Cluster) string {
				_ = c.Apply(desire(c, map[string]string{"a": config}))
				c.Edit("a", "metadata.ownerReferences", []any{})
				_ = c.Apply(desire(c, nil))
				return fmt.Sprint(c.Stored("ConfigMap", "a") != nil, len(c.Composed))
			},
			want: "true 0",
		},
		"NotObservedOfAnother": {
			reason: "What belongs to another composite resource should not be observed, and not be taken.",
			do: func(c *Cluster) string {
				c.invalidExpected = true
				_ = c.Apply(desire(c, map[string]string{"a": config}))
				c.Edit("a", "metadata.ownerReferences", []any{map[string]any{"apiVersion": "v1", "kind": "Other", "name": "other", "uid": "other", "controller": true}})
				observed := len(c.Composed)
				_ = c.Apply(desire(c, map[string]string{"a": config}))
				return fmt.Sprint(observed, " ", Controller(c.Stored("ConfigMap", "a")))
			},
			want: "0 other",
		},
		"ErrorEndsIt": {
			reason: "After an error the conditions should be unknown, and the status as it was.",
			do: func(c *Cluster) string {
				rsp := desire(c, map[string]string{"a": config})
				rsp.Conditions = []*fnv1.Condition{{Type: "Fine", Status: fnv1.Status_STATUS_CONDITION_TRUE, Reason: "Fine"}}
				_ = c.Apply(rsp)
				err := c.Apply(desire(c, map[string]string{"m": "{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: m}}"}))
				return fmt.Sprint(err != nil, " ", ConditionOf(c.XR, "Fine"), ", ", ConditionOf(c.XR, "Synced"))
			},
			want: "true Unknown FatalError, False ReconcileError",
		},
		"StuckOnForeignName": {
			reason: "A reference to an object that Crossplane has not composed should be the end.",
			do: func(c *Cluster) string {
				c.AddObject("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: team-a}, data: {}}")
				_ = c.Compose(Composition{Response: desire(c, map[string]string{"a": config}), Refuse: func(ObjectID) error { return fmt.Errorf("no") }})
				_, err := c.Observe()
				return fmt.Sprint(errors.Is(err, errAnonymous))
			},
			want: "true",
		},
		"Order": {
			reason: "A test should be able to say in which order objects are applied.",
			do: func(c *Cluster) string {
				c.Order = []string{"s", "a"}
				order := []string{}
				_ = c.Compose(Composition{Response: desire(c, map[string]string{"a": config, "b": strings.ReplaceAll(config, "name: a", "name: b"), "s": server}), Refuse: func(id ObjectID) error {
					order = append(order, id.Name)
					return nil
				}})
				return strings.Join(order, " ")
			},
			want: "files a b",
		},
		"LookedUp": {
			reason: "Objects should be found by name and by labels, in the namespace that they are in.",
			do: func(c *Cluster) string {
				c.AddObject("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: team-a, labels: {x: one}}}")
				c.AddObject("{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: team-b, labels: {x: one}}}")
				c.AddClaim("data-files-0", "1Gi")
				named := func(kind, namespace, name string) *fnv1.ResourceSelector {
					s := &fnv1.ResourceSelector{ApiVersion: "v1", Kind: kind, Match: &fnv1.ResourceSelector_MatchName{MatchName: name}}
					if namespace != "" {
						s.Namespace = &namespace
					}
					return s
				}
				crd := named("CustomResourceDefinition", "", "perconapgclusters.pgv2.percona.com")
				crd.ApiVersion = "apiextensions.k8s.io/v1"
				selectors := map[string]*fnv1.ResourceSelector{
					"claim": named("PersistentVolumeClaim", "team-a", "data-files-0"), "elsewhere": named("ConfigMap", "team-a", "b"), "crd": crd,
					"labels": {ApiVersion: "v1", Kind: "ConfigMap", Namespace: new("team-a"), Match: &fnv1.ResourceSelector_MatchLabels{MatchLabels: &fnv1.MatchLabels{Labels: map[string]string{"x": "one"}}}},
				}
				found := []string{}
				for name, r := range c.Request(&fnv1.Requirements{Resources: selectors}).GetRequiredResources() {
					found = append(found, fmt.Sprint(name, len(r.GetItems())))
				}
				slices.Sort(found)
				return strings.Join(found, " ")
			},
			want: "claim1 crd1 elsewhere0 labels1",
		},
		"Rights": {
			reason: "A test should be able to say what Crossplane may read.",
			do: func(c *Cluster) string {
				c.SetReadable("statefulsets.apps")
				return text(ValueAt(c.Stored("EnvironmentConfig", "function-dittoserver"), "data", "readable"))
			},
			want: "[statefulsets.apps]",
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.do(New(t, nil))); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// desire is a response that desires objects.
func desire(c *Cluster, objects map[string]string) *fnv1.RunFunctionResponse {
	rsp := &fnv1.RunFunctionResponse{Desired: &fnv1.State{Composite: &fnv1.Resource{}, Resources: map[string]*fnv1.Resource{}}}
	for name, text := range objects {
		rsp.Desired.Resources[name] = &fnv1.Resource{Resource: Object(c, text), Ready: fnv1.Ready_READY_TRUE}
	}
	return rsp
}
