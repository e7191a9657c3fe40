package v1alpha1

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateTolerations(ts []corev1.Toleration, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	for i, t := range ts {
		at := p.Index(i)
		if t.Key != "" {
			for _, msg := range validation.IsQualifiedName(t.Key) {
				errs = append(errs, field.Invalid(at.Child("key"), t.Key, msg))
			}
		} else if t.Operator != corev1.TolerationOpExists {
			errs = append(errs, field.Invalid(at.Child("operator"), t.Operator, "must be Exists, because there is no key"))
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
		errs = append(errs, validateLabelKeys(c.MatchLabelKeys, nil, c.LabelSelector, at)...)
		if slices.ContainsFunc(cs[:i], func(o corev1.TopologySpreadConstraint) bool {
			return o.TopologyKey == c.TopologyKey && o.WhenUnsatisfiable == c.WhenUnsatisfiable
		}) {
			errs = append(errs, field.Duplicate(at.Child("topologyKey"), c.TopologyKey))
		}
		if d := c.MinDomains; d != nil && *d < 1 {
			errs = append(errs, field.Invalid(at.Child("minDomains"), *d, "must be at least 1"))
		} else if d != nil && c.WhenUnsatisfiable != corev1.DoNotSchedule {
			errs = append(errs, field.Invalid(at.Child("minDomains"), *d, "is for whenUnsatisfiable: DoNotSchedule. Remove it"))
		}
		for name, policy := range map[string]*corev1.NodeInclusionPolicy{"nodeAffinityPolicy": c.NodeAffinityPolicy, "nodeTaintsPolicy": c.NodeTaintsPolicy} {
			if policy != nil {
				errs = append(errs, validateEnum(at.Child(name), *policy, []corev1.NodeInclusionPolicy{corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore})...)
			}
		}
	}
	return errs
}

// validateLabelKeys checks label keys whose values come from the pod's own labels.
func validateLabelKeys(match, mismatch []string, selector *metav1.LabelSelector, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	selected := []string{}
	if selector != nil {
		selected = slices.AppendSeq(selected, maps.Keys(selector.MatchLabels))
		for _, e := range selector.MatchExpressions {
			selected = append(selected, e.Key)
		}
	}
	for name, keys := range map[string][]string{"matchLabelKeys": match, "mismatchLabelKeys": mismatch} {
		for i, key := range keys {
			at := p.Child(name).Index(i)
			errs = append(errs, metav1validation.ValidateLabelName(key, at)...)
			switch {
			case selector == nil:
				errs = append(errs, field.Forbidden(at, "needs a labelSelector, which it narrows. Set one, or remove it"))
			case name == "matchLabelKeys" && (slices.Contains(selected, key) || slices.Contains(mismatch, key)):
				errs = append(errs, field.Invalid(at, key, "is also in labelSelector or mismatchLabelKeys. Remove one of the two"))
			}
		}
	}
	return errs
}

func validateTopologyKey(key string, p *field.Path) field.ErrorList {
	if key == "" {
		return field.ErrorList{field.Required(p, "name the node label that tells the domains apart, such as kubernetes.io/hostname")}
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
	return validateRange(p.Child("weight"), weight, 1, 100, "Kubernetes accepts no other weight")
}

func validatePodTerm(t *corev1.PodAffinityTerm, p *field.Path) field.ErrorList {
	errs := validateTopologyKey(t.TopologyKey, p.Child("topologyKey"))
	errs = append(errs, validateSelector(t.LabelSelector, p.Child("labelSelector"))...)
	errs = append(errs, validateLabelKeys(t.MatchLabelKeys, t.MismatchLabelKeys, t.LabelSelector, p)...)
	for i, ns := range t.Namespaces {
		if len(validation.IsDNS1123Label(ns)) > 0 {
			errs = append(errs, field.Invalid(p.Child("namespaces").Index(i), ns, "must be the name of a namespace"))
		}
	}
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
				errs = append(errs, field.Required(at.Child("values"), fmt.Sprintf("the operator %s needs at least one value. Name it", r.Operator)))
			}
		case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
			if len(r.Values) > 0 {
				errs = append(errs, field.Forbidden(at.Child("values"), fmt.Sprintf("the operator %s takes no values. Remove them", r.Operator)))
			}
		case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
			if len(r.Values) != 1 {
				errs = append(errs, field.Required(at.Child("values"), fmt.Sprintf("the operator %s needs exactly one value. Name it", r.Operator)))
			} else if _, err := strconv.ParseInt(r.Values[0], 10, 64); err != nil {
				errs = append(errs, field.Invalid(at.Child("values").Index(0), r.Values[0], fmt.Sprintf("must be a whole number, as the operator is %s", r.Operator)))
			}
		default:
			errs = append(errs, field.NotSupported(at.Child("operator"), r.Operator, []corev1.NodeSelectorOperator{
				corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt,
			}))
		}
		for j, v := range r.Values {
			for _, msg := range validation.IsValidLabelValue(v) {
				errs = append(errs, field.Invalid(at.Child("values").Index(j), v, msg))
			}
		}
	}
	for i, r := range t.MatchFields {
		at := p.Child("matchFields").Index(i)
		if r.Key != metav1.ObjectNameField {
			errs = append(errs, field.NotSupported(at.Child("key"), r.Key, []string{metav1.ObjectNameField}))
		}
		errs = append(errs, validateEnum(at.Child("operator"), r.Operator, []corev1.NodeSelectorOperator{corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn})...)
		if len(r.Values) != 1 || len(validation.IsDNS1123Subdomain(r.Values[0])) > 0 {
			errs = append(errs, field.Required(at.Child("values"), "name one node"))
		}
	}
	return errs
}
