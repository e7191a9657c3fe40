package v1alpha1

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// Labels and annotations of the pod that are the function's own.
const (
	LabelName              = "app.kubernetes.io/name"
	LabelServer            = "dittofs.io/server"
	AnnotationConfigHash   = "dittofs.io/config-hash"
	AnnotationRestartToken = "dittofs.io/restart-token"
)

// validatePod refuses what the API server would refuse of the pod, which would leave
// the server as it is for as long, and what the Services and the rollout depend on.
func (s *DittoServerSpec) validatePod(spec *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	for _, reserved := range []string{LabelName, LabelServer} {
		if v, ok := s.PodLabels[reserved]; ok {
			errs = append(errs, field.Invalid(spec.Child("podLabels").Key(reserved), v, "is what the Services find the pod by. Remove it"))
		}
	}
	for _, reserved := range []string{AnnotationConfigHash, AnnotationRestartToken} {
		if v, ok := s.PodAnnotations[reserved]; ok {
			errs = append(errs, field.Invalid(spec.Child("podAnnotations").Key(reserved), v, "is the function's own. Remove it; spec.rollout.restartToken restarts the server"))
		}
	}
	errs = append(errs, metav1validation.ValidateLabels(s.PodLabels, spec.Child("podLabels"))...)
	errs = append(errs, apivalidation.ValidateAnnotations(s.PodAnnotations, spec.Child("podAnnotations"))...)
	errs = append(errs, metav1validation.ValidateLabels(s.NodeSelector, spec.Child("nodeSelector"))...)
	errs = append(errs, apivalidation.ValidateAnnotations(s.Service.Annotations, spec.Child("service", "annotations"))...)
	errs = append(errs, apivalidation.ValidateAnnotations(s.AdapterServices.Annotations, spec.Child("adapterServices", "annotations"))...)
	errs = append(errs, metav1validation.ValidateLabels(s.Metrics.ServiceMonitor.Labels, spec.Child("metrics", "serviceMonitor", "labels"))...)

	if strings.TrimSpace(s.Image) != s.Image || strings.ContainsAny(s.Image, " \t\n") {
		errs = append(errs, field.Invalid(spec.Child("image"), s.Image, "must not have blanks in it"))
	}
	if s.ImagePullPolicy != "" {
		errs = append(errs, validateEnum(spec.Child("imagePullPolicy"), s.ImagePullPolicy, []corev1.PullPolicy{corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever})...)
	}
	for i, r := range s.ImagePullSecrets {
		errs = append(errs, validateSecretName(spec.Child("imagePullSecrets").Index(i).Child("name"), r.Name)...)
	}
	if c := s.PriorityClassName; c != "" && len(validation.IsDNS1123Subdomain(c)) > 0 {
		errs = append(errs, field.Invalid(spec.Child("priorityClassName"), c, "must be the name of a PriorityClass"))
	}
	errs = append(errs, ValidateResources(s.Resources, spec.Child("resources"))...)
	errs = append(errs, validateTolerations(s.Tolerations, spec.Child("tolerations"))...)
	errs = append(errs, validateSpread(s.TopologySpreadConstraints, spec.Child("topologySpreadConstraints"))...)
	errs = append(errs, validateAffinity(s.Affinity, spec.Child("affinity"))...)
	for i := range s.NetworkPolicy.From {
		errs = append(errs, validatePeer(&s.NetworkPolicy.From[i], spec.Child("networkPolicy", "from").Index(i))...)
	}
	return append(errs, s.validateSecurity(spec)...)
}

// ValidateResources refuses resources that the API server does.
func ValidateResources(r *corev1.ResourceRequirements, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if r == nil {
		return errs
	}
	for list, resources := range map[string]corev1.ResourceList{"requests": r.Requests, "limits": r.Limits} {
		for name, q := range resources {
			at := p.Child(list).Key(string(name))
			if !isResource(name) {
				errs = append(errs, field.Invalid(at, string(name), "is no resource of a container. It must be cpu, memory, ephemeral-storage or hugepages-SIZE, or have a domain, such as example.com/gpu"))
			}
			if q.Sign() < 0 {
				errs = append(errs, field.Invalid(at, q.String(), "must not be negative"))
			}
			if limit, limited := r.Limits[name]; list == "requests" && limited && q.Cmp(limit) > 0 {
				errs = append(errs, field.Invalid(at, q.String(), fmt.Sprintf("must be at most the limit (%s)", limit.String())))
			}
		}
	}
	return errs
}

func isResource(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage ||
		strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) ||
		strings.Contains(string(name), "/") && len(validation.IsQualifiedName(string(name))) == 0
}

func validateTolerations(ts []corev1.Toleration, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	for i, t := range ts {
		at := p.Index(i)
		if t.Key != "" {
			for _, msg := range validation.IsQualifiedName(t.Key) {
				errs = append(errs, field.Invalid(at.Child("key"), t.Key, msg))
			}
		} else if t.Operator != corev1.TolerationOpExists {
			errs = append(errs, field.Invalid(at.Child("operator"), t.Operator, "must be Exists, as there is no key"))
		}
		switch t.Operator {
		case "", corev1.TolerationOpEqual:
			for _, msg := range validation.IsValidLabelValue(t.Value) {
				errs = append(errs, field.Invalid(at.Child("value"), t.Value, msg))
			}
		case corev1.TolerationOpExists:
			if t.Value != "" {
				errs = append(errs, field.Invalid(at.Child("value"), t.Value, "must be empty, as the operator is Exists"))
			}
		default:
			errs = append(errs, field.NotSupported(at.Child("operator"), t.Operator, []corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists}))
		}
		effects := []corev1.TaintEffect{"", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}
		errs = append(errs, validateEnum(at.Child("effect"), t.Effect, effects)...)
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			errs = append(errs, field.Invalid(at.Child("effect"), t.Effect, "must be NoExecute, as there are tolerationSeconds"))
		}
	}
	return errs
}

func validateSpread(cs []corev1.TopologySpreadConstraint, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	for i, c := range cs {
		at := p.Index(i)
		if c.MaxSkew < 1 {
			errs = append(errs, field.Invalid(at.Child("maxSkew"), c.MaxSkew, "must be at least 1"))
		}
		errs = append(errs, validateTopologyKey(c.TopologyKey, at.Child("topologyKey"))...)
		errs = append(errs, validateEnum(at.Child("whenUnsatisfiable"), c.WhenUnsatisfiable, []corev1.UnsatisfiableConstraintAction{corev1.DoNotSchedule, corev1.ScheduleAnyway})...)
		errs = append(errs, validateSelector(c.LabelSelector, at.Child("labelSelector"))...)
	}
	return errs
}

func validateTopologyKey(key string, p *field.Path) field.ErrorList {
	if key == "" {
		return field.ErrorList{field.Required(p, "name the node's label that the domains are told by, such as kubernetes.io/hostname")}
	}
	return metav1validation.ValidateLabelName(key, p)
}

func validateSelector(s *metav1.LabelSelector, p *field.Path) field.ErrorList {
	return metav1validation.ValidateLabelSelector(s, metav1validation.LabelSelectorValidationOptions{}, p)
}

func validateAffinity(a *corev1.Affinity, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if a == nil {
		return errs
	}
	if n := a.NodeAffinity; n != nil {
		at := p.Child("nodeAffinity")
		if r := n.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
			terms := at.Child("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
			if len(r.NodeSelectorTerms) == 0 {
				errs = append(errs, field.Required(terms, "name at least one, or leave the block out"))
			}
			for i := range r.NodeSelectorTerms {
				errs = append(errs, validateNodeTerm(&r.NodeSelectorTerms[i], terms.Index(i))...)
			}
		}
		for i := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			t := &n.PreferredDuringSchedulingIgnoredDuringExecution[i]
			term := at.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i)
			errs = append(errs, validateWeight(t.Weight, term)...)
			errs = append(errs, validateNodeTerm(&t.Preference, term.Child("preference"))...)
		}
	}
	pods := func(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, at *field.Path) {
		for i := range required {
			errs = append(errs, validatePodTerm(&required[i], at.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i))...)
		}
		for i := range preferred {
			term := at.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i)
			errs = append(errs, validateWeight(preferred[i].Weight, term)...)
			errs = append(errs, validatePodTerm(&preferred[i].PodAffinityTerm, term.Child("podAffinityTerm"))...)
		}
	}
	if x := a.PodAffinity; x != nil {
		pods(x.RequiredDuringSchedulingIgnoredDuringExecution, x.PreferredDuringSchedulingIgnoredDuringExecution, p.Child("podAffinity"))
	}
	if x := a.PodAntiAffinity; x != nil {
		pods(x.RequiredDuringSchedulingIgnoredDuringExecution, x.PreferredDuringSchedulingIgnoredDuringExecution, p.Child("podAntiAffinity"))
	}
	return errs
}

func validateWeight(weight int32, p *field.Path) field.ErrorList {
	return validateRange(p.Child("weight"), weight, 1, 100, "it is what the others are weighed against")
}

func validatePodTerm(t *corev1.PodAffinityTerm, p *field.Path) field.ErrorList {
	errs := validateTopologyKey(t.TopologyKey, p.Child("topologyKey"))
	errs = append(errs, validateSelector(t.LabelSelector, p.Child("labelSelector"))...)
	return append(errs, validateSelector(t.NamespaceSelector, p.Child("namespaceSelector"))...)
}

func validateNodeTerm(t *corev1.NodeSelectorTerm, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	for i, r := range t.MatchExpressions {
		at := p.Child("matchExpressions").Index(i)
		errs = append(errs, metav1validation.ValidateLabelName(r.Key, at.Child("key"))...)
		switch r.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			if len(r.Values) == 0 {
				errs = append(errs, field.Required(at.Child("values"), fmt.Sprintf("the operator %s compares with values", r.Operator)))
			}
		case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
			if len(r.Values) > 0 {
				errs = append(errs, field.Forbidden(at.Child("values"), fmt.Sprintf("the operator %s compares with none. Remove them", r.Operator)))
			}
		case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
			if len(r.Values) != 1 {
				errs = append(errs, field.Required(at.Child("values"), fmt.Sprintf("the operator %s compares with one value", r.Operator)))
			}
		default:
			errs = append(errs, field.NotSupported(at.Child("operator"), r.Operator, []corev1.NodeSelectorOperator{
				corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt,
			}))
		}
	}
	return errs
}

func validatePeer(peer *networkingv1.NetworkPolicyPeer, p *field.Path) field.ErrorList {
	errs := validateSelector(peer.PodSelector, p.Child("podSelector"))
	errs = append(errs, validateSelector(peer.NamespaceSelector, p.Child("namespaceSelector"))...)
	b := peer.IPBlock
	switch {
	case b == nil && peer.PodSelector == nil && peer.NamespaceSelector == nil:
		errs = append(errs, field.Required(p, "name who may connect: podSelector, namespaceSelector or ipBlock"))
	case b != nil && (peer.PodSelector != nil || peer.NamespaceSelector != nil):
		errs = append(errs, field.Forbidden(p.Child("ipBlock"), "a peer is either addresses or pods. Make it a peer of its own"))
	}
	if b == nil {
		return errs
	}
	errs = append(errs, validation.IsValidCIDR(p.Child("ipBlock", "cidr"), b.CIDR)...)
	for i, e := range b.Except {
		errs = append(errs, validation.IsValidCIDR(p.Child("ipBlock", "except").Index(i), e)...)
	}
	return errs
}

// security is what the server's process may do, of the pod's and the container's
// settings together: where both say something, the container's counts.
type security struct {
	user       int64
	nonRoot    bool
	privileged bool
	escalates  bool  // Whether Kubernetes refuses to have it forbidden.
	bind       bool  // Whether it has the capability to open any port.
	unbound    int32 // The first port that takes no capability.
}

// imageUser is the user that the image runs as, and that the function sets where
// nobody else does.
const imageUser int64 = 65532

// securityOf is that of a spec whose defaults are as the function sets them.
func (s *DittoServerSpec) securityOf() security {
	const privilegedPorts = 1024
	e := security{user: imageUser, unbound: privilegedPorts}
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
		if sysctl.Name == "net.ipv4.ip_unprivileged_port_start" {
			if n, err := strconv.ParseInt(sysctl.Value, 10, 32); err == nil {
				e.unbound = int32(n)
			}
		}
	}

	capabilities := ptr.Deref(c.Capabilities, corev1.Capabilities{})
	drops := capabilities.Drop
	if drops == nil {
		drops = []corev1.Capability{"ALL"}
	}
	has := func(cs []corev1.Capability, names ...corev1.Capability) bool {
		return slices.ContainsFunc(cs, func(c corev1.Capability) bool {
			return slices.Contains(names, corev1.Capability(strings.ToUpper(string(c)))) // Container runtimes put CAP_ before it.
		})
	}
	e.escalates = e.privileged || has(capabilities.Add, "SYS_ADMIN", "CAP_SYS_ADMIN")
	// A process that is not root has no capability of those that its container has.
	e.bind = e.user == 0 && (e.privileged || !has(drops, "NET_BIND_SERVICE") && (has(capabilities.Add, "NET_BIND_SERVICE") || !has(drops, "ALL")))
	return e
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
		errs = append(errs, field.Invalid(p, true, "the server is to run as user 0, which is root, and the pod would never be created. Set another runAsUser, or false"))
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
		errs = append(errs, validateEnum(p.Child("procMount"), *m, []corev1.ProcMountType{corev1.DefaultProcMount, corev1.UnmaskedProcMount})...)
	}
	if c.WindowsOptions != nil {
		errs = append(errs, field.Forbidden(p.Child("windowsOptions"), "the server runs on Linux. Remove the block"))
	}
	if !ptr.Deref(c.AllowPrivilegeEscalation, true) && e.escalates {
		errs = append(errs, field.Invalid(p.Child("allowPrivilegeEscalation"), false, "cannot be false with privileged or the capability SYS_ADMIN. Remove one of the two"))
	}
	return errs
}

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
	return errs
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
	return validateProfile(s.Type, s.LocalhostProfile, p, corev1.SeccompProfileTypeLocalhost, corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeUnconfined)
}

func validateAppArmor(s *corev1.AppArmorProfile, p *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	return validateProfile(s.Type, s.LocalhostProfile, p, corev1.AppArmorProfileTypeLocalhost, corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined)
}

// validateProfile is about a profile that is a file of the node, or none.
func validateProfile[T ~string](t T, file *string, p *field.Path, localhost T, others ...T) field.ErrorList {
	errs := validateEnum(p.Child("type"), t, append([]T{localhost}, others...))
	switch {
	case t == localhost && (file == nil || *file == ""):
		errs = append(errs, field.Required(p.Child("localhostProfile"), "name the profile's file on the node"))
	case t != localhost && file != nil:
		errs = append(errs, field.Invalid(p.Child("localhostProfile"), *file, fmt.Sprintf("is for the type %s. Remove it", localhost)))
	}
	return errs
}
