package manifests

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// expose makes of a Service what the user wants of it besides its ports.
func expose(s *corev1.Service, want *v1alpha1.ServiceSpec) {
	s.Annotations = want.Annotations
	s.Spec.LoadBalancerClass = pointer(want.LoadBalancerClass)
	s.Spec.LoadBalancerSourceRanges = want.LoadBalancerSourceRanges
	s.Spec.ExternalTrafficPolicy = want.ExternalTrafficPolicy
	s.Spec.IPFamilyPolicy = pointer(want.IPFamilyPolicy)
	s.Spec.IPFamilies = want.IPFamilies
}

// pointer returns a pointer to a text, or nil if there is none.
func pointer[T ~string](v T) *T {
	if v == "" {
		return nil
	}
	return &v
}

// An ExistingService is what limits how an existing Service can change.
type ExistingService struct {
	Type              corev1.ServiceType
	LoadBalancerClass string
	IPFamilyPolicy    corev1.IPFamilyPolicy
	IPFamilies        []corev1.IPFamily
}

// keep keeps what the API server would refuse to change of a Service. It returns what is
// not as wanted because of that, by the path of the spec that wants it.
func (e *ExistingService) keep(s *corev1.Service, p *field.Path) []string {
	var drift []string

	const lb = corev1.ServiceTypeLoadBalancer
	if e.Type == lb && s.Spec.Type == lb {
		if want := s.Spec.LoadBalancerClass; want != nil && *want != e.LoadBalancerClass {
			drift = append(drift, fmt.Sprintf("%s: Service %q has the class %q, not %q", p.Child("loadBalancerClass"), s.Name, e.LoadBalancerClass, *want))
		}
		s.Spec.LoadBalancerClass = pointer(e.LoadBalancerClass)
	}

	want := s.Spec.IPFamilies
	if len(want) == 0 || len(e.IPFamilies) == 0 {
		return drift
	}
	policy := e.IPFamilyPolicy
	if p := s.Spec.IPFamilyPolicy; p != nil {
		policy = *p
	}
	switch {
	case want[0] != e.IPFamilies[0]:
		drift = append(drift, fmt.Sprintf("%s: the first family of Service %q is %s, not %s", p.Child("ipFamilies"), s.Name, e.IPFamilies[0], want[0]))
		s.Spec.IPFamilies = e.IPFamilies
	case len(want) < len(e.IPFamilies) && policy != corev1.IPFamilyPolicySingleStack:
		// The second is what the policy has added. Only another policy removes it.
		s.Spec.IPFamilies = e.IPFamilies
	}
	return drift
}

// keepServices keeps what cannot change of existing Services, and returns what is not as
// wanted because of that.
func keepServices(objects map[string]runtime.Object, existing map[string]ExistingService) []string {
	var drift []string
	for _, name := range []string{APIServiceResource, NFSServiceResource, SMBServiceResource} {
		e, exists := existing[name]
		s, wanted := objects[name].(*corev1.Service)
		if !exists || !wanted {
			continue
		}
		p := field.NewPath("spec", "adapterServices")
		if name == APIServiceResource {
			p = field.NewPath("spec", "service")
		}
		drift = append(drift, e.keep(s, p)...)
	}
	return drift
}
