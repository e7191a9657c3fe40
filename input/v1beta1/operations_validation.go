package v1beta1

import (
	"slices"
	"strconv"
	"strings"

	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// conditionReady is Crossplane's condition of everything that is composed.
const conditionReady = "Ready"

// Default fills in what the Restart leaves open.
func (r *Restart) Default() {
	if r.Selector == nil {
		r.Selector = &Selector{}
	}
	if r.MaxUnavailable == nil {
		r.MaxUnavailable = new(intstr.FromInt32(1))
	}
	if r.Healthy == nil {
		r.Healthy = &Healthy{}
	}
	if len(r.Healthy.Conditions) == 0 {
		r.Healthy.Conditions = []string{conditionReady}
	}
}

// Validate returns everything that is wrong with a Restart to which the defaults have
// been applied.
func (r *Restart) Validate() field.ErrorList {
	p := field.NewPath("input")
	errs := r.Selector.validate(p.Child("selector"))
	if n, percent := parseMaxUnavailable(*r.MaxUnavailable); n < 1 || percent && n > 100 {
		errs = append(errs, field.Invalid(p.Child("maxUnavailable"), r.MaxUnavailable.String(), "must be a number of at least 1, or a percentage of 1% to 100%"))
	}
	healthy := p.Child("healthy")
	for i, c := range r.Healthy.Conditions {
		for _, msg := range validation.IsQualifiedName(c) {
			errs = append(errs, field.Invalid(healthy.Child("conditions").Index(i), c, "must be the type of a condition, such as Ready: "+msg))
		}
	}
	if s := r.Healthy.MinReadySeconds; s < 0 || s > 86400 {
		errs = append(errs, field.Invalid(healthy.Child("minReadySeconds"), s, "must be 0 to 86400"))
	}
	return errs
}

// MaxUnavailableOf returns how many of so many servers may be unavailable, for a valid
// Restart: at least one.
func (r *Restart) MaxUnavailableOf(servers int) int {
	n, percent := parseMaxUnavailable(*r.MaxUnavailable)
	if percent {
		n = max(1, servers*n/100)
	}
	return n
}

// parseMaxUnavailable returns the number, which is 0 if there is none.
func parseMaxUnavailable(m intstr.IntOrString) (n int, percent bool) {
	if m.Type == intstr.Int {
		return m.IntValue(), false
	}
	text, percent := strings.CutSuffix(m.StrVal, "%")
	if !percent {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text {
		return 0, true // As the schema, it takes neither a sign nor leading zeros.
	}
	return n, true
}

// Default fills in what the Resize leaves open.
func (r *Resize) Default() {
	if r.Selector == nil {
		r.Selector = &Selector{}
	}
}

// Validate returns everything that is wrong with a Resize to which the defaults have
// been applied.
func (r *Resize) Validate() field.ErrorList {
	return r.Selector.validate(field.NewPath("input", "selector"))
}

func (s *Selector) validate(p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	for i, ns := range s.Namespaces {
		at := p.Child("namespaces").Index(i)
		if slices.Index(s.Namespaces, ns) < i {
			errs = append(errs, field.Duplicate(at, ns))
		}
		for _, msg := range validation.IsDNS1123Label(ns) {
			errs = append(errs, field.Invalid(at, ns, "must be the name of a namespace: "+msg))
		}
	}
	return append(errs, metav1validation.ValidateLabels(s.MatchLabels, p.Child("matchLabels"))...)
}
