package status

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// Ready says whether a composed resource other than the StatefulSet is as wanted.
func Ready(name string, o runtime.Object, have *observed.Composed) bool {
	switch o := o.(type) {
	case *corev1.ConfigMap:
		return have.ConfigMaps[name].Config == o.Data[dittofs.ConfigFile] && have.Exists[name]
	case *corev1.Service:
		if o.Spec.Type == corev1.ServiceTypeLoadBalancer {
			return have.LoadBalancers[name] != ""
		}
	}
	if name == manifests.PerconaResource {
		return have.PerconaReady
	}
	return have.Exists[name]
}

// StatefulSetReady says whether the server runs as wanted. A server that is held for a
// Secret, its database or the user still runs, so it stays ready. One that is held for
// its ConfigMap does not, so that Crossplane comes back soon.
func (v *View) StatefulSetReady() bool {
	ss, d := v.Have.StatefulSet, v.Decision
	return ss != nil && d.Reason != rollout.ConfigMapFirst && (d.Action == rollout.Hold || len(d.Changes) == 0 || v.Announces()) &&
		rolledOut(ss, *v.Want.StatefulSet.Spec.Replicas)
}

// rolledOut says whether the controller is done: it has seen the newest spec, and all
// pods are of that and ready.
func rolledOut(ss *observed.StatefulSet, replicas int32) bool {
	s := &ss.Status
	return ss.Replicas == replicas && ss.Settled() && s.ReadyReplicas == replicas &&
		(replicas == 0 || s.CurrentRevision == s.UpdateRevision)
}
