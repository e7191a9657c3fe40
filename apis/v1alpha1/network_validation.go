package v1alpha1

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateExposure refuses what the API server would refuse in the Services and in the
// NetworkPolicy.
func (s *DittoServerSpec) validateExposure(spec *field.Path) field.ErrorList {
	errs := s.Service.validate(spec.Child("service"))
	errs = append(errs, s.AdapterServices.validate(spec.Child("adapterServices"))...)
	for i := range s.NetworkPolicy.From {
		errs = append(errs, validatePeer(&s.NetworkPolicy.From[i], spec.Child("networkPolicy", "from").Index(i))...)
	}
	return errs
}

// ServiceTypes are the types that a Service may have.
func ServiceTypes() []corev1.ServiceType {
	return []corev1.ServiceType{corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer}
}

func (s *ServiceSpec) validate(p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if s.Type != "" {
		errs = append(errs, validateEnum(p.Child("type"), s.Type, ServiceTypes())...)
	}
	errs = append(errs, apivalidation.ValidateAnnotations(s.Annotations, p.Child("annotations"))...)
	errs = append(errs, s.validateLoadBalancer(p)...)

	if policy := s.ExternalTrafficPolicy; policy != "" {
		at := p.Child("externalTrafficPolicy")
		errs = append(errs, validateEnum(at, policy, []corev1.ServiceExternalTrafficPolicy{corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal})...)
		errs = append(errs, s.validateNeed(p, at, string(policy), corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer)...)
	}
	return append(errs, s.validateFamilies(p)...)
}

// validateLoadBalancer checks what is for Services with a load balancer.
func (s *ServiceSpec) validateLoadBalancer(p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	only := func(at *field.Path, value any) {
		errs = append(errs, s.validateNeed(p, at, value, corev1.ServiceTypeLoadBalancer)...)
	}

	if s.LoadBalancerClass != "" {
		at := p.Child("loadBalancerClass")
		only(at, s.LoadBalancerClass)
		if len(validation.IsQualifiedName(s.LoadBalancerClass)) > 0 {
			errs = append(errs, field.Invalid(at, s.LoadBalancerClass, "must be a name with an optional prefix, such as example.com/internal"))
		}
	}
	if len(s.LoadBalancerSourceRanges) > 0 {
		only(p.Child("loadBalancerSourceRanges"), s.LoadBalancerSourceRanges)
	}
	for i, cidr := range s.LoadBalancerSourceRanges {
		errs = append(errs, validation.IsValidCIDR(p.Child("loadBalancerSourceRanges").Index(i), cidr)...)
	}

	ranges, ok := s.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]
	if !ok {
		return errs
	}
	at := p.Child("annotations").Key(corev1.AnnotationLoadBalancerSourceRangesKey)
	only(at, ranges)
	if ranges = strings.TrimSpace(ranges); ranges != "" {
		for cidr := range strings.SplitSeq(ranges, ",") {
			errs = append(errs, validation.IsValidCIDR(at, strings.TrimSpace(cidr))...)
		}
	}
	return errs
}

// needsType says whether the spec has what Services of some types only have. It is the
// counterpart of the calls of validateNeed.
func (s *ServiceSpec) needsType() bool {
	_, ranges := s.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]
	return ranges || s.LoadBalancerClass != "" || len(s.LoadBalancerSourceRanges) > 0 || s.ExternalTrafficPolicy != ""
}

// validateNeed refuses what Services of another type do not have.
func (s *ServiceSpec) validateNeed(p, at *field.Path, value any, types ...corev1.ServiceType) field.ErrorList {
	if slices.Contains(types, s.Type) {
		return nil
	}
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	is := "not set, and the default may change"
	if s.Type != "" {
		is = string(s.Type)
	}
	return field.ErrorList{field.Invalid(at, value, fmt.Sprintf("needs the type %s, and %s is %s. Set it, or remove this", strings.Join(names, " or "), p.Child("type"), is))}
}

// validateFamilies checks the families of a Service's addresses.
func (s *ServiceSpec) validateFamilies(p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if s.IPFamilyPolicy != "" {
		errs = append(errs, validateEnum(p.Child("ipFamilyPolicy"), s.IPFamilyPolicy,
			[]corev1.IPFamilyPolicy{corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack})...)
	}
	families := p.Child("ipFamilies")
	for i, f := range s.IPFamilies {
		errs = append(errs, validateEnum(families.Index(i), f, []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol})...)
		if slices.Contains(s.IPFamilies[:i], f) {
			errs = append(errs, field.Duplicate(families.Index(i), f))
		}
	}
	if len(s.IPFamilies) > 1 && (s.IPFamilyPolicy == "" || s.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack) {
		errs = append(errs, field.Invalid(families, s.IPFamilies, "two families need the ipFamilyPolicy PreferDualStack or RequireDualStack. Set one of them, or name one family"))
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
	block, err := netip.ParsePrefix(b.CIDR)
	for i, e := range b.Except {
		at := p.Child("ipBlock", "except").Index(i)
		invalid := validation.IsValidCIDR(at, e)
		errs = append(errs, invalid...)
		if inner, innerErr := netip.ParsePrefix(e); err == nil && innerErr == nil && len(invalid) == 0 &&
			(!block.Contains(inner.Addr()) || inner.Bits() <= block.Bits()) {
			errs = append(errs, field.Invalid(at, e, fmt.Sprintf("must be a part of cidr (%s), and less than all of it", b.CIDR)))
		}
	}
	return errs
}
