package v1alpha1

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// security says what the server's process may do. It combines the settings of the pod and
// of the container. If both set a field, the container's counts.
type security struct {
	user       int64
	nonRoot    bool
	privileged bool
	escalates  bool  // Whether Kubernetes refuses allowPrivilegeEscalation: false.
	bind       bool  // Whether it has the capability to open any port.
	unbound    int32 // The first port that needs no capability.
}

// securityOf returns the security of a spec, with the defaults that the function sets.
func (s *DittoServerSpec) securityOf() security {
	const privilegedPorts = 1024
	e := security{user: dittofs.UserID, unbound: privilegedPorts}
	pod, c := corev1.PodSecurityContext{}, corev1.SecurityContext{}
	if s.PodSecurityContext != nil {
		pod = *s.PodSecurityContext
	}
	if s.SecurityContext != nil {
		c = *s.SecurityContext
	}

	e.user = ptr.Deref(c.RunAsUser, ptr.Deref(pod.RunAsUser, e.user))
	e.nonRoot = ptr.Deref(c.RunAsNonRoot, ptr.Deref(pod.RunAsNonRoot, false))
	e.privileged = ptr.Deref(c.Privileged, false)
	for _, sysctl := range pod.Sysctls {
		if n, err := strconv.ParseInt(sysctl.Value, 10, 32); err == nil && sysctlName(sysctl.Name) == unprivilegedPorts {
			e.unbound = int32(n)
		}
	}

	adds, drops := ptr.Deref(c.Capabilities, corev1.Capabilities{}).Add, DroppedCapabilities(c.Capabilities)
	e.escalates = Escalates(&c)
	// A process that is not root has none of its container's capabilities.
	e.bind = e.user == 0 && (e.privileged || !hasCapability(drops, "NET_BIND_SERVICE") && (hasCapability(adds, "NET_BIND_SERVICE") || !hasCapability(drops, "ALL")))
	return e
}

// DroppedCapabilities returns the capabilities that a container drops. By default these
// are ALL, unless the user adds ALL and so wants none of them dropped.
func DroppedCapabilities(c *corev1.Capabilities) []corev1.Capability {
	switch {
	case c == nil:
		return []corev1.Capability{"ALL"}
	case c.Drop == nil && !hasCapability(c.Add, "ALL"):
		return []corev1.Capability{"ALL"}
	}
	return c.Drop
}

// Escalates says whether Kubernetes would refuse allowPrivilegeEscalation: false.
func Escalates(c *corev1.SecurityContext) bool {
	return ptr.Deref(c.Privileged, false) || c.Capabilities != nil && hasCapability(c.Capabilities.Add, "SYS_ADMIN")
}

// hasCapability looks for a capability. Container runtimes ignore the case of its
// letters.
func hasCapability(cs []corev1.Capability, name string) bool {
	return slices.ContainsFunc(cs, func(c corev1.Capability) bool { return strings.EqualFold(string(c), name) })
}

// validateSecurity refuses security contexts with which the pod would never be
// created, and ports that its process may not open.
func (s *DittoServerSpec) validateSecurity(spec *field.Path) field.ErrorList {
	e := s.securityOf()
	container, pod := spec.Child("securityContext"), spec.Child("podSecurityContext")
	errs := append(e.validateContainer(s.SecurityContext, container), validatePodSecurity(s.PodSecurityContext, pod)...)

	if e.user == 0 && e.nonRoot {
		p := pod.Child("runAsNonRoot")
		if c := s.SecurityContext; c != nil && c.RunAsNonRoot != nil {
			p = container.Child("runAsNonRoot")
		}
		errs = append(errs, field.Invalid(p, true, "must be false for runAsUser 0, which is root: the pod would never be created. Set it to false, or choose another runAsUser"))
	}

	errs = append(errs, e.validatePort(*s.ControlPlane.Port, spec.Child("controlPlane", "port"))...)
	if s.Metrics.Enabled {
		errs = append(errs, e.validatePort(*s.Metrics.Port, spec.Child("metrics", "port"))...)
	}
	return errs
}

func (e *security) validatePort(port int32, p *field.Path) field.ErrorList {
	if port <= 0 || port >= e.unbound || e.bind {
		return nil
	}
	return field.ErrorList{field.Invalid(p, port, fmt.Sprintf("only root with the capability NET_BIND_SERVICE may open a port below %d, and the server does not start. "+
		"Choose another port, or set the sysctl net.ipv4.ip_unprivileged_port_start in spec.podSecurityContext.sysctls", e.unbound))}
}

func (e *security) validateContainer(c *corev1.SecurityContext, p *field.Path) field.ErrorList {
	if c == nil {
		return nil
	}
	errs := validateID(c.RunAsUser, p.Child("runAsUser"))
	errs = append(errs, validateID(c.RunAsGroup, p.Child("runAsGroup"))...)
	errs = append(errs, validateSeccomp(c.SeccompProfile, p.Child("seccompProfile"))...)
	errs = append(errs, validateAppArmor(c.AppArmorProfile, p.Child("appArmorProfile"))...)
	if m := c.ProcMount; m != nil {
		errs = append(errs, validateEnum(p.Child("procMount"), *m, []corev1.ProcMountType{corev1.DefaultProcMount})...)
	}
	if c.WindowsOptions != nil {
		errs = append(errs, field.Forbidden(p.Child("windowsOptions"), "the server runs on Linux. Remove the block"))
	}
	if !ptr.Deref(c.AllowPrivilegeEscalation, true) && e.escalates {
		errs = append(errs, field.Invalid(p.Child("allowPrivilegeEscalation"), false, "cannot be false with privileged or the capability SYS_ADMIN. Remove one of the two"))
	}
	if c.Capabilities != nil {
		errs = append(errs, validateCapabilities(c.Capabilities.Add, p.Child("capabilities", "add"))...)
		errs = append(errs, validateCapabilities(c.Capabilities.Drop, p.Child("capabilities", "drop"))...)
	}
	return errs
}

// validateCapabilities refuses names that the API server accepts but no kernel knows.
// With such a name, some container runtimes do not create the container, and others leave
// the capability out.
func validateCapabilities(cs []corev1.Capability, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	for i, c := range cs {
		if name := strings.ToUpper(string(c)); name != "ALL" && !slices.Contains(strings.Fields(linuxCapabilities), name) {
			errs = append(errs, field.Invalid(p.Index(i), c, "is not a capability of Linux. Write it as Kubernetes does, without CAP_, such as NET_BIND_SERVICE"))
		}
	}
	return errs
}

const linuxCapabilities = `AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID
	IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON
	SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME
	SYS_TTY_CONFIG SYSLOG WAKE_ALARM`

func validatePodSecurity(c *corev1.PodSecurityContext, p *field.Path) field.ErrorList {
	if c == nil {
		return nil
	}
	errs := validateID(c.RunAsUser, p.Child("runAsUser"))
	errs = append(errs, validateID(c.RunAsGroup, p.Child("runAsGroup"))...)
	errs = append(errs, validateID(c.FSGroup, p.Child("fsGroup"))...)
	for i := range c.SupplementalGroups {
		errs = append(errs, validateID(&c.SupplementalGroups[i], p.Child("supplementalGroups").Index(i))...)
	}
	errs = append(errs, validateSeccomp(c.SeccompProfile, p.Child("seccompProfile"))...)
	errs = append(errs, validateAppArmor(c.AppArmorProfile, p.Child("appArmorProfile"))...)
	if c.WindowsOptions != nil {
		errs = append(errs, field.Forbidden(p.Child("windowsOptions"), "the server runs on Linux. Remove the block"))
	}
	if g := c.FSGroupChangePolicy; g != nil {
		errs = append(errs, validateEnum(p.Child("fsGroupChangePolicy"), *g, []corev1.PodFSGroupChangePolicy{corev1.FSGroupChangeAlways, corev1.FSGroupChangeOnRootMismatch})...)
	}
	if g := c.SupplementalGroupsPolicy; g != nil {
		errs = append(errs, validateEnum(p.Child("supplementalGroupsPolicy"), *g, []corev1.SupplementalGroupsPolicy{corev1.SupplementalGroupsPolicyMerge, corev1.SupplementalGroupsPolicyStrict})...)
	}
	if x := c.SELinuxChangePolicy; x != nil {
		errs = append(errs, validateEnum(p.Child("seLinuxChangePolicy"), *x, []corev1.PodSELinuxChangePolicy{corev1.SELinuxChangePolicyRecursive, corev1.SELinuxChangePolicyMountOption})...)
	}
	return append(errs, validateSysctls(c.Sysctls, p.Child("sysctls"))...)
}

func validateID(id *int64, p *field.Path) field.ErrorList {
	const most = 1<<31 - 1
	if id != nil && (*id < 0 || *id > most) {
		return field.ErrorList{field.Invalid(p, *id, fmt.Sprintf("must be from 0 to %d", int64(most)))}
	}
	return nil
}

func validateSeccomp(s *corev1.SeccompProfile, p *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	errs := validateProfile(s.Type, s.LocalhostProfile, p, corev1.SeccompProfileTypeLocalhost, corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeUnconfined)
	if file := ptr.Deref(s.LocalhostProfile, ""); strings.HasPrefix(file, "/") || slices.Contains(strings.Split(file, "/"), "..") {
		errs = append(errs, field.Invalid(p.Child("localhostProfile"), file, "must be a path below the kubelet's directory of profiles, without '..' and without '/' at its start"))
	}
	return errs
}

func validateAppArmor(s *corev1.AppArmorProfile, p *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	return validateProfile(s.Type, s.LocalhostProfile, p, corev1.AppArmorProfileTypeLocalhost, corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined)
}

// maxProfile is the length of the longest path in Linux.
const maxProfile = 4095

// validateProfile checks a seccomp or AppArmor profile, which may be a file on the node.
func validateProfile[T ~string](t T, file *string, p *field.Path, localhost T, others ...T) field.ErrorList {
	errs := validateEnum(p.Child("type"), t, append([]T{localhost}, others...))
	switch {
	case t == localhost && (file == nil || strings.TrimSpace(*file) == ""):
		errs = append(errs, field.Required(p.Child("localhostProfile"), "name the profile's file on the node"))
	case t == localhost && (strings.TrimSpace(*file) != *file || len(*file) > maxProfile):
		errs = append(errs, field.Invalid(p.Child("localhostProfile"), *file, fmt.Sprintf("must not start or end with a blank, and must have at most %d bytes", maxProfile)))
	case t != localhost && file != nil:
		errs = append(errs, field.Invalid(p.Child("localhostProfile"), *file, fmt.Sprintf("is for the type %s. Remove it", localhost)))
	}
	return errs
}
