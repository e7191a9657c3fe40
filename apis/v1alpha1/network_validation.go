package v1alpha1

import (
	"fmt"
	"net/netip"
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
	errs := validateService(s.Service.Type, s.Service.Annotations, spec.Child("service"))
	errs = append(errs, validateService(s.AdapterServices.Type, s.AdapterServices.Annotations, spec.Child("adapterServices"))...)
	for i := range s.NetworkPolicy.From {
		errs = append(errs, validatePeer(&s.NetworkPolicy.From[i], spec.Child("networkPolicy", "from").Index(i))...)
	}
	return errs
}

// ServiceTypes are the types that a Service may have.
func ServiceTypes() []corev1.ServiceType {
	return []corev1.ServiceType{corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer}
}

func validateService(t corev1.ServiceType, annotations map[string]string, p *field.Path) field.ErrorList {
	errs := validateEnum(p.Child("type"), t, ServiceTypes())
	errs = append(errs, apivalidation.ValidateAnnotations(annotations, p.Child("annotations"))...)
	ranges, ok := annotations[corev1.AnnotationLoadBalancerSourceRangesKey]
	if !ok {
		return errs
	}
	at := p.Child("annotations").Key(corev1.AnnotationLoadBalancerSourceRangesKey)
	if t != corev1.ServiceTypeLoadBalancer {
		errs = append(errs, field.Forbidden(at, "is for the type LoadBalancer. Set that type, or remove it"))
	}
	if ranges = strings.TrimSpace(ranges); ranges != "" {
		for cidr := range strings.SplitSeq(ranges, ",") {
			errs = append(errs, validation.IsValidCIDR(at, strings.TrimSpace(cidr))...)
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
