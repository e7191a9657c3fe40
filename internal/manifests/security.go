package manifests

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// podSecurityContext returns what the user sets, and the restricted Pod Security
// Standard for every other field. Without an fsGroup the server could read neither its
// volumes nor its keytabs. Defaults fit what the user sets for the pod or the container:
// Kubernetes creates no container that runs as root with runAsNonRoot.
func podSecurityContext(user *corev1.PodSecurityContext, container *corev1.SecurityContext) *corev1.PodSecurityContext {
	sc := corev1.PodSecurityContext{}
	if user != nil {
		sc = *user
	}
	if sc.RunAsUser == nil {
		sc.RunAsUser = new(dittofs.UserID)
	}
	runAs := *sc.RunAsUser
	if container != nil && container.RunAsUser != nil {
		runAs = *container.RunAsUser
	}
	if sc.FSGroup == nil {
		// With a new user comes a new group, which gives it the files of the old user.
		sc.FSGroup = &runAs
	}
	if sc.FSGroupChangePolicy == nil {
		// Changing the group of every file at each start would take too long.
		sc.FSGroupChangePolicy = new(corev1.FSGroupChangeOnRootMismatch)
	}
	if sc.RunAsNonRoot == nil && runAs != 0 {
		sc.RunAsNonRoot = new(true)
	}
	if sc.RunAsGroup == nil {
		sc.RunAsGroup = new(dittofs.UserID)
	}
	if sc.SeccompProfile == nil {
		sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	return &sc
}

// securityContext does the same for the container.
func securityContext(user *corev1.SecurityContext) *corev1.SecurityContext {
	sc := corev1.SecurityContext{}
	if user != nil {
		sc = *user
	}
	if sc.AllowPrivilegeEscalation == nil && !v1alpha1.Escalates(&sc) {
		sc.AllowPrivilegeEscalation = new(false)
	}
	capabilities := &corev1.Capabilities{Drop: v1alpha1.DroppedCapabilities(sc.Capabilities)}
	if sc.Capabilities != nil {
		capabilities.Add = sc.Capabilities.Add
	}
	sc.Capabilities = capabilities
	if sc.ReadOnlyRootFilesystem == nil {
		sc.ReadOnlyRootFilesystem = new(true)
	}
	return &sc
}
