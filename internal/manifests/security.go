package manifests

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// podSecurityContext is the restricted Pod Security Standard, field by field
// under what the user sets. Without the fsGroup the server could read neither
// its volumes nor its keytabs.
// What is not set fits what is, whichever of the two levels says it: Kubernetes does
// not create a container that is to run as root and not to be root.
func podSecurityContext(user *corev1.PodSecurityContext, container *corev1.SecurityContext) *corev1.PodSecurityContext {
	sc := corev1.PodSecurityContext{}
	if user != nil {
		sc = *user
	}
	if sc.FSGroup == nil {
		sc.FSGroup = new(dittofs.UserID)
	}
	if sc.FSGroupChangePolicy == nil {
		// Changing the owner of every file at each start would take long.
		sc.FSGroupChangePolicy = new(corev1.FSGroupChangeOnRootMismatch)
	}
	if sc.RunAsUser == nil {
		sc.RunAsUser = new(dittofs.UserID)
	}
	runAs := *sc.RunAsUser
	if container != nil && container.RunAsUser != nil {
		runAs = *container.RunAsUser
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

// securityContext is the container's part of the same.
func securityContext(user *corev1.SecurityContext) *corev1.SecurityContext {
	sc := corev1.SecurityContext{}
	if user != nil {
		sc = *user
	}
	if sc.AllowPrivilegeEscalation == nil && !escalates(&sc) {
		sc.AllowPrivilegeEscalation = new(false)
	}
	if sc.Capabilities == nil {
		sc.Capabilities = &corev1.Capabilities{}
	}
	if sc.Capabilities.Drop == nil {
		sc.Capabilities = &corev1.Capabilities{Add: sc.Capabilities.Add, Drop: []corev1.Capability{"ALL"}}
	}
	if sc.ReadOnlyRootFilesystem == nil {
		sc.ReadOnlyRootFilesystem = new(true)
	}
	return &sc
}

// escalates says whether Kubernetes would refuse to have it forbidden.
func escalates(sc *corev1.SecurityContext) bool {
	return sc.Privileged != nil && *sc.Privileged ||
		sc.Capabilities != nil && slices.ContainsFunc(sc.Capabilities.Add, func(c corev1.Capability) bool { return c == "CAP_SYS_ADMIN" || c == "SYS_ADMIN" })
}
