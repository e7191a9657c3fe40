package v1beta1

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// Default fills in what the Input leaves open.
func (in *Input) Default() {
	if in.PendingTTL == "" {
		in.PendingTTL = "10s"
	}
	if in.MissingSecrets == "" {
		in.MissingSecrets = MissingSecretsHold
	}
	if in.Service == nil {
		in.Service = &ServiceDefaults{}
	}
	if in.Rollout == nil {
		in.Rollout = &RolloutDefaults{}
	}
	if in.AdapterServices == nil {
		in.AdapterServices = &ServiceDefaults{}
	}
}

// Validate returns everything that is wrong with an Input to which the defaults
// have been applied.
func (in *Input) Validate() field.ErrorList {
	errs := validateTTL(field.NewPath("input", "pendingTTL"), in.PendingTTL)
	if in.TTL != "" {
		errs = append(errs, validateTTL(field.NewPath("input", "ttl"), in.TTL)...)
	}
	errs = append(errs, validateEnum(field.NewPath("input", "missingSecrets"), in.MissingSecrets, []string{MissingSecretsHold, MissingSecretsProceed})...)
	errs = append(errs, validateEnum(field.NewPath("input", "rollout", "policy"), in.Rollout.Policy, []string{"", "Automatic", "Manual"})...)
	for name, svc := range map[string]*ServiceDefaults{"service": in.Service, "adapterServices": in.AdapterServices} {
		errs = append(errs, validateEnum(field.NewPath("input", name, "type"), svc.Type,
			[]corev1.ServiceType{"", corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer})...)
	}

	errs = append(errs, v1alpha1.ValidateImage(in.Image, field.NewPath("input", "image"))...)
	errs = append(errs, v1alpha1.ValidateStorageClass(in.StorageClassName, field.NewPath("input", "storageClassName"))...)
	return append(errs, v1alpha1.ValidateResources(in.Resources, field.NewPath("input", "resources"))...)
}

// ParsedTTL returns the TTL of a valid Input, or 0 if it has none.
func (in *Input) ParsedTTL() time.Duration { return parse(in.TTL) }

// ParsedPendingTTL returns the PendingTTL of a valid Input.
func (in *Input) ParsedPendingTTL() time.Duration { return parse(in.PendingTTL) }

func parse(ttl string) time.Duration {
	d, _ := time.ParseDuration(ttl) // Validated: it parses.
	return d
}

func validateTTL(p *field.Path, ttl string) field.ErrorList {
	if d, err := time.ParseDuration(ttl); err != nil || d < time.Second {
		return field.ErrorList{field.Invalid(p, ttl, "must be at least 1s, as a number with a unit of s, m or h, such as 60s")}
	}
	return nil
}

func validateEnum[T ~string](p *field.Path, v T, supported []T) field.ErrorList {
	if !slices.Contains(supported, v) {
		return field.ErrorList{field.NotSupported(p, v, supported)}
	}
	return nil
}
