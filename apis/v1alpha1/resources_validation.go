package v1alpha1

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// minMemory is enough for the server to start. With 8Mi it is killed, with 12Mi it
// starts.
const minMemory = "16Mi"

// ValidateResources refuses resources that the API server refuses, and those with
// which the server does not start.
func ValidateResources(r *corev1.ResourceRequirements, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if r == nil {
		return errs
	}
	if len(r.Claims) > 0 {
		errs = append(errs, field.Forbidden(p.Child("claims"), "the pod has no resource claims. Remove the block"))
	}
	for list, resources := range map[string]corev1.ResourceList{"requests": r.Requests, "limits": r.Limits} {
		for name, q := range resources {
			at := p.Child(list).Key(string(name))
			errs = append(errs, validateResource(name, q, at)...)
			if list == "requests" {
				errs = append(errs, validateRequest(name, q, r.Limits, at)...)
			}
		}
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(r.Limits)), maps.Keys(r.Requests))
	if slices.ContainsFunc(names, isHugePages) && !slices.Contains(names, corev1.ResourceCPU) && !slices.Contains(names, corev1.ResourceMemory) {
		errs = append(errs, field.Required(p.Child("limits"), "huge pages need a limit or a request of cpu or memory too"))
	}

	smallest := resource.MustParse(minMemory)
	if limit, ok := r.Limits[corev1.ResourceMemory]; ok && limit.Sign() > 0 && limit.Cmp(smallest) < 0 && !isFraction(limit) { // 0 is no limit.
		errs = append(errs, field.Invalid(p.Child("limits").Key("memory"), limit.String(), "must be at least "+minMemory+": with less the server is killed while it starts"))
	}
	return errs
}

// validateResource checks one resource on its own.
func validateResource(name corev1.ResourceName, q resource.Quantity, p *field.Path) field.ErrorList {
	switch {
	case !isResource(name):
		return field.ErrorList{field.Invalid(p, string(name), "is not a resource of a container. It must be cpu, memory, ephemeral-storage or hugepages-SIZE, or have a domain, such as example.com/gpu")}
	case q.Sign() < 0:
		return field.ErrorList{field.Invalid(p, q.String(), "must not be negative")}
	case name == corev1.ResourceCPU:
		return nil
	case isFraction(q) && isExtended(name):
		return field.ErrorList{field.Invalid(p, q.String(), "must be a whole number")}
	case isFraction(q):
		return field.ErrorList{field.Invalid(p, q.String(), "is a fraction of a byte, because the suffix m means thousandths. Write 512Mi or 512M for megabytes")}
	case isHugePages(name):
		if size, err := pageSize(name); err != nil || size.Sign() <= 0 || isFraction(size) || q.Value()%size.Value() != 0 {
			return field.ErrorList{field.Invalid(p, q.String(), "must be a multiple of the page's size")}
		}
	}
	return nil
}

// validateRequest compares a request with the limit.
func validateRequest(name corev1.ResourceName, q resource.Quantity, limits corev1.ResourceList, p *field.Path) field.ErrorList {
	limit, limited := limits[name]
	switch exact := isHugePages(name) || isExtended(name); {
	case exact && (!limited || q.Cmp(limit) != 0):
		return field.ErrorList{field.Invalid(p, q.String(), "must be equal to its limit: Kubernetes does not overcommit this resource. Set both to the same value")}
	case limited && q.Cmp(limit) > 0:
		return field.ErrorList{field.Invalid(p, q.String(), fmt.Sprintf("must be at most the limit (%s)", limit.String()))}
	}
	return nil
}

func isResource(name corev1.ResourceName) bool {
	if slices.Contains([]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}, name) {
		return true
	}
	if len(validation.IsQualifiedName(string(name))) > 0 {
		return false
	}
	return isHugePages(name) || isExtended(name) && len(validation.IsQualifiedName(requestsPrefix+string(name))) == 0 ||
		strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// requestsPrefix is what quotas prepend to the name of a resource.
const requestsPrefix = "requests."

// isExtended says whether a resource is an extended one, such as a device.
func isExtended(name corev1.ResourceName) bool {
	return strings.Contains(string(name), "/") && !strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix) &&
		!strings.HasPrefix(string(name), requestsPrefix)
}

func isHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

func pageSize(name corev1.ResourceName) (resource.Quantity, error) {
	return resource.ParseQuantity(strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix))
}

func isFraction(q resource.Quantity) bool {
	whole := resource.NewQuantity(q.Value(), q.Format)
	return q.Cmp(*whole) != 0
}
