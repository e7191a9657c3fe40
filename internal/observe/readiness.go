package observe

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// Ready says whether a composed resource is as wanted.
func Ready(name string, o runtime.Object, have *Composed, want *manifests.Objects, d rollout.Decision) bool {
	switch name {
	case manifests.ConfigMapResource:
		return have.Config != nil && *have.Config == want.Config()
	case manifests.StatefulSetResource:
		return statefulSetReady(have.StatefulSet, want, d)
	case manifests.PerconaResource:
		return have.PerconaReady
	}
	if svc, ok := o.(*corev1.Service); ok && svc.Spec.Type == corev1.ServiceTypeLoadBalancer {
		return have.Exposed[name]
	}
	return have.Exists[name]
}

// ConfigStale says whether a pod that starts now could see another config.yaml
// than the wanted one. Where there is neither a ConfigMap nor a StatefulSet it
// cannot: a new pod waits for its ConfigMap.
func ConfigStale(have *Composed, want *manifests.Objects) bool {
	if have.Config == nil {
		return have.StatefulSet != nil
	}
	return *have.Config != want.Config()
}

// statefulSetReady says whether the server runs as wanted. A hash that is held
// for a Secret or for the user does not make it unready, as it runs; one that is
// held for the ConfigMap does, so that Crossplane comes back soon.
func statefulSetReady(ss *StatefulSet, want *manifests.Objects, d rollout.Decision) bool {
	return ss != nil && d.Reason != rollout.ConfigMapFirst && ss.Annotations == d.Annotations && rolledOut(ss, *want.StatefulSet.Spec.Replicas)
}

// rolledOut says whether the StatefulSet's controller is done: it has seen the
// newest spec, and all pods are of it and ready.
func rolledOut(ss *StatefulSet, replicas int32) bool {
	s := &ss.Status
	return s.ObservedGeneration >= ss.Generation &&
		s.Replicas == replicas &&
		s.ReadyReplicas == replicas &&
		(replicas == 0 || s.UpdatedReplicas == replicas && s.CurrentRevision == s.UpdateRevision)
}
