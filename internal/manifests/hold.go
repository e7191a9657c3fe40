package manifests

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Hold keeps of an existing pod what goes with the configuration and the Secrets
// that it has read: to change that without the hash would replace the pod now,
// and once more when the hash follows. Image, resources, scheduling and security
// are free to move.
func (o *Objects) Hold(existing *corev1.PodSpec) {
	i := slices.IndexFunc(existing.Containers, func(c corev1.Container) bool { return c.Name == ContainerName })
	if i < 0 {
		return
	}

	pod := &o.StatefulSet.Spec.Template.Spec
	want, have := &pod.Containers[0], &existing.Containers[i]
	want.Env = have.Env
	want.Ports = have.Ports
	want.VolumeMounts = have.VolumeMounts
	want.StartupProbe, want.LivenessProbe, want.ReadinessProbe = have.StartupProbe, have.LivenessProbe, have.ReadinessProbe
	pod.Volumes = existing.Volumes
	pod.TerminationGracePeriodSeconds = existing.TerminationGracePeriodSeconds
}
