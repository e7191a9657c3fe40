package manifests

import (
	"slices"
	"strings"

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
	if sc.RunAsUser == nil {
		sc.RunAsUser = new(dittofs.UserID)
	}
	runAs := *sc.RunAsUser
	if container != nil && container.RunAsUser != nil {
		runAs = *container.RunAsUser
	}
	if sc.FSGroup == nil {
		// A new user comes with a new group, and is so given the files of the old one.
		sc.FSGroup = &runAs
	}
	if sc.FSGroupChangePolicy == nil {
		// Changing the group of every file at each start would take long.
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
	// Who adds all is not left without any.
	if sc.Capabilities.Drop == nil && !hasCapability(sc.Capabilities, "ALL") {
		sc.Capabilities = &corev1.Capabilities{Add: sc.Capabilities.Add, Drop: []corev1.Capability{"ALL"}}
	}
	if sc.ReadOnlyRootFilesystem == nil {
		sc.ReadOnlyRootFilesystem = new(true)
	}
	return &sc
}

// escalates says whether Kubernetes would refuse to have it forbidden.
func escalates(sc *corev1.SecurityContext) bool {
	return sc.Privileged != nil && *sc.Privileged || hasCapability(sc.Capabilities, "SYS_ADMIN")
}

// hasCapability says whether a capability is added. Container runtimes take it in
// any case.
func hasCapability(cs *corev1.Capabilities, name string) bool {
	return cs != nil && slices.ContainsFunc(cs.Add, func(c corev1.Capability) bool { return strings.EqualFold(string(c), name) })
}
