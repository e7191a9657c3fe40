package observe

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// Readiness of the composed resources, by name.
func Readiness(have *Composed, want *manifests.Objects, d rollout.Decision) map[string]bool {
	return map[string]bool{
		manifests.ConfigMapResource:       !ConfigStale(have, want) && have.Config != nil,
		manifests.HeadlessServiceResource: serviceReady(have.Services[manifests.HeadlessServiceResource], want.HeadlessService),
		manifests.APIServiceResource:      serviceReady(have.Services[manifests.APIServiceResource], want.APIService),
		manifests.StatefulSetResource:     statefulSetReady(have.StatefulSet, want, d),
	}
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

func serviceReady(have, want *corev1.Service) bool {
	if have == nil {
		return false
	}
	return want.Spec.Type != corev1.ServiceTypeLoadBalancer || len(have.Status.LoadBalancer.Ingress) > 0
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
