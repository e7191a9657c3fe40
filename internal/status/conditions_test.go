package status

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// running is a server that runs as wanted.
func running() *View {
	ds := &v1alpha1.DittoServer{ObjectMeta: metav1.ObjectMeta{Name: "files", Namespace: "team-a"}}
	ds.Default(v1alpha1.Defaults{})
	const config = "logging: {}\n"
	return &View{
		XR: &observed.Composite{DittoServer: ds, Conditions: map[string]observed.Condition{}},
		Have: &observed.Composed{
			StatefulSet: &observed.StatefulSet{
				Generation: 1, Replicas: 1,
				Status: appsv1.StatefulSetStatus{ObservedGeneration: 1, Replicas: 1, ReadyReplicas: 1, UpdatedReplicas: 1, CurrentRevision: "r", UpdateRevision: "r"},
			},
			ConfigMaps: map[string]observed.ConfigMap{manifests.ConfigMapResource(config): {Name: "files-config", Config: config, Immutable: true}},
		},
		Want: &manifests.Objects{
			Config:      config,
			ConfigMap:   &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "files-config"}},
			StatefulSet: &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Replicas: new(int32(1))}},
		},
		Secrets:  &podinputs.Resolution{},
		Decision: rollout.Decision{Action: rollout.Advance},
	}
}

func held(why rollout.Reason, changes ...string) rollout.Decision {
	return rollout.Decision{Action: rollout.Hold, Reason: why, Changes: changes}
}

// TestViewConditions says of a server what is worth knowing. Each message has to say what
// to do, or who does it.
func TestViewConditions(t *testing.T) {
	key := podinputs.Problem{Source: podinputs.Secret("jwt"), Key: "key", Text: "its value is empty"}

	cases := map[string]struct {
		reason string
		given  func(v *View)
		typ    string
		want   string // The status and the reason of the condition.
		says   string // A part of its message.
	}{
		"Serving":        {reason: "A pod that is ready serves.", typ: TypeAvailable, want: "True Serving"},
		"NotReady":       {reason: "One that is not does not.", given: func(v *View) { v.Have.StatefulSet.Status.ReadyReplicas = 0 }, typ: TypeAvailable, want: "False NotReady"},
		"NotCreated":     {reason: "Without a StatefulSet nothing serves.", given: func(v *View) { v.Have.StatefulSet = nil }, typ: TypeAvailable, want: "False NotCreated"},
		"Stopped":        {reason: "A server that is to be stopped is as wanted.", given: func(v *View) { v.XR.Spec.Replicas = new(int32(0)); v.Have.StatefulSet = &observed.StatefulSet{} }, typ: TypeAvailable, want: "True Stopped"},
		"StoppedByHand":  {reason: "A server that somebody has stopped is not.", given: func(v *View) { v.Have.StatefulSet = &observed.StatefulSet{} }, typ: TypeAvailable, want: "False NotReady"},
		"ConfigWritten":  {reason: "The wanted ConfigMap is there.", typ: TypeConfigReady, want: "True Written"},
		"ConfigCreating": {reason: "It is not there yet.", given: func(v *View) { v.Have.ConfigMaps = nil }, typ: TypeConfigReady, want: "False Creating", says: `"files-config"`},
		"ConfigAltered": {reason: "Nobody can write an immutable one again.", given: func(v *View) {
			v.Have.ConfigMaps[manifests.ConfigMapResource(v.Want.Config)] = observed.ConfigMap{Config: "other", Immutable: true}
		}, typ: TypeConfigReady, want: "False Altered", says: "Delete it"},
		"SecretHeld": {reason: "What is missing is named, and what it means.", given: func(v *View) {
			v.Secrets.Problems = []podinputs.Problem{key}
			v.Decision = held(rollout.SecretsMissing)
		}, typ: TypeSecretsResolved, want: "False Unresolved", says: `Secret "jwt", key "key": its value is empty. Until then the running server stays`},
		"SecretWithheld": {reason: "A new server waits.", given: func(v *View) { v.Secrets.Problems = []podinputs.Problem{key}; v.Decision.Action = rollout.Withhold }, typ: TypeSecretsResolved, want: "False Unresolved", says: "created once"},
		"SecretProceed":  {reason: "The platform team wants it to run.", given: func(v *View) { v.Secrets.Problems = []podinputs.Problem{key} }, typ: TypeSecretsResolved, want: "False Unresolved", says: "runs anyway"},
		"SecretGone":     {reason: "The pod that runs would not start again.", given: func(v *View) { v.Gone = []podinputs.Problem{key}; v.Decision = held(rollout.ManualPolicy) }, typ: TypeSecretsResolved, want: "False GoneForRunning", says: "Restore it"},
		"SecretsPending": {reason: "What is not looked up yet is not missing.", given: func(v *View) { v.Secrets.Pending = []podinputs.Ref{podinputs.Secret("jwt")} }, typ: TypeSecretsResolved, want: "Unknown Pending"},
		"UpToDate":       {reason: "Nothing waits.", typ: TypeRestartPending, want: "False UpToDate"},
		"Restarting":     {reason: "What is sent is not there yet.", given: func(v *View) { v.Decision.Changes = []string{"image"} }, typ: TypeRestartPending, want: "True Restarting"},
		"StillRestarting": {reason: "It is over once the pod is ready.", given: func(v *View) {
			v.XR.Conditions[TypeRestartPending] = observed.Condition{Reason: "Restarting"}
			v.Have.StatefulSet.Status.ReadyReplicas = 0
		}, typ: TypeRestartPending, want: "True Restarting"},
		"Refused": {reason: "What was sent before, and is still not there, was refused.", given: func(v *View) {
			v.Decision.Changes = []string{"image"}
			v.XR.Conditions[TypeRestartPending] = observed.Condition{Reason: "Restarting"}
			v.XR.Conditions["Synced"] = observed.Condition{Status: observed.False}
		}, typ: TypeRestartPending, want: "True Refused", says: "Pending changes: image"},
		"Manual": {reason: "The user is asked, and told what waits.", given: func(v *View) { v.Decision = held(rollout.ManualPolicy, "image", "resources") }, typ: TypeRestartPending, want: "True ManualPolicy", says: "restartToken: image, resources"},
		"ManualNotReady": {reason: "What would repair the server waits too.", given: func(v *View) {
			v.Decision = held(rollout.ManualPolicy, "image")
			v.Have.StatefulSet.Status.ReadyReplicas = 0
		}, typ: TypeRestartPending, want: "True ManualPolicy", says: "needs a new token"},
		"ConfigMapAgain":  {reason: "To write a ConfigMap again restarts nothing.", given: func(v *View) { v.Decision = held(rollout.ConfigMapFirst) }, typ: TypeRestartPending, want: "False ConfigMapFirst"},
		"Drift":           {reason: "What differs is named, with the way out.", given: func(v *View) { v.Drift = []string{"spec.storage.metadataSize: other"} }, typ: TypeStorageInSync, want: "False Immutable", says: "kubectl delete statefulset files"},
		"DatabaseMissing": {reason: "A kind that is not there has to be installed.", given: func(v *View) { v.Kinds.Percona = observed.KindMissing }, typ: TypeDatabaseReady, want: "False KindMissing", says: "Install"},
		"DatabaseRetired": {reason: "A condition that was set stays, so it is set to something.", given: func(v *View) { v.XR.Conditions[TypeDatabaseReady] = observed.Condition{Status: observed.False} }, typ: TypeDatabaseReady, want: "True NotUsed"},
		"DatabaseUnused":  {reason: "One that never was set is not set.", typ: TypeDatabaseReady, want: "none"},
		"MonitorMissing":  {reason: "Without the kind there is no ServiceMonitor.", given: func(v *View) { v.Kinds.ServiceMonitor = observed.KindMissing }, typ: TypeServiceMonitorReady, want: "False KindMissing", says: "serviceMonitor.enabled"},
		"RuleMissing":     {reason: "Without the kind there is no PrometheusRule.", given: func(v *View) { v.Kinds.PrometheusRule = observed.KindMissing }, typ: TypePrometheusRuleReady, want: "False KindMissing", says: "prometheusRule.enabled"},
		"RuleRetired":     {reason: "One that is no longer asked for is not missing.", given: func(v *View) { v.XR.Conditions[TypePrometheusRuleReady] = observed.Condition{Status: observed.False} }, typ: TypePrometheusRuleReady, want: "True NotUsed"},
		"Unprotected":     {reason: "A Usage protects nothing before Crossplane has seen it.", given: func(v *View) { v.XR.Spec.DeletionProtection = true }, typ: TypeDeletionProtectionReady, want: "False NotReady", says: `"files-deletion-protection"`},
		"Unlabelled":      {reason: "Crossplane asks nobody about what has no label.", given: func(v *View) { v.XR.Spec.DeletionProtection, v.Have.Usage = true, true }, typ: TypeDeletionProtectionReady, want: "False NotReady", says: "crossplane.io/in-use"},
		"Protected": {reason: "With both, Crossplane refuses.", given: func(v *View) {
			v.XR.Spec.DeletionProtection, v.XR.InUse, v.Have.Usage = true, true, true
		}, typ: TypeDeletionProtectionReady, want: "True Protected"},
		"ProtectionRetired": {reason: "A condition that was set stays, so it is set to something.", given: func(v *View) {
			v.XR.Conditions[TypeDeletionProtectionReady] = observed.Condition{Status: observed.True}
		}, typ: TypeDeletionProtectionReady, want: "True NotUsed"},
		"ProtectionUnused": {reason: "One that never was set is not set.", typ: TypeDeletionProtectionReady, want: "none"},
		"ServiceDrift":     {reason: "What cannot change is named, with the way out.", given: func(v *View) { v.Want.ServiceDrift = []string{"spec.a: b", "spec.c: d"} }, typ: TypeServicesInSync, want: "False Immutable", says: "spec.a: b; spec.c: d. Kubernetes cannot change that. Set the field back, or delete the Service"},
		"ServicesInSync":   {reason: "What is as wanted again is said to be.", given: func(v *View) { v.XR.Conditions[TypeServicesInSync] = observed.Condition{Status: observed.False} }, typ: TypeServicesInSync, want: "True InSync"},
		"ServicesUnused":   {reason: "Services that can become as wanted need no condition.", typ: TypeServicesInSync, want: "none"},
		"Taken": {reason: "What is in the way is named.", given: func(v *View) {
			v.Names = []observed.Name{{Kind: "Service", Name: "files-api", Holder: observed.Others}}
		}, typ: TypeNamesAvailable, want: "False Taken", says: `Service "files-api"`},
		"Leaving":   {reason: "What goes away by itself is nobody's task.", given: func(v *View) { v.Names = []observed.Name{{Kind: "Secret", Name: "s", Holder: observed.Leaving}} }, typ: TypeNamesAvailable, want: "False Deleting"},
		"FreeAgain": {reason: "A name that is free again is said to be.", given: func(v *View) { v.XR.Conditions[TypeNamesAvailable] = observed.Condition{Status: observed.False} }, typ: TypeNamesAvailable, want: "True Available"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := running()
			if tc.given != nil {
				tc.given(v)
			}
			got, message := "none", ""
			for _, c := range Conditions(v) {
				if c.Type == tc.typ {
					got, message = string(c.Status)+" "+c.Reason, c.Message
				}
			}
			if got != tc.want || !strings.Contains(message, tc.says) {
				t.Errorf("%s\nConditions(...): want %s, got %s: %s", tc.reason, tc.want, got, message)
			}
		})
	}
}
