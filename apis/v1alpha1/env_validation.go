package v1alpha1

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// Anything more is a mistake.
const (
	maxEnv     = 256
	maxEnvFrom = 64
)

// validateEnv refuses variables that Kubernetes refuses, and those that another field of
// the spec sets.
func validateEnv(env []corev1.EnvVar, p *field.Path) field.ErrorList {
	if len(env) > maxEnv {
		return field.ErrorList{field.TooMany(p, len(env), maxEnv)}
	}
	errs := field.ErrorList{}
	seen := map[string]bool{}
	for i := range env {
		e, at := &env[i], p.Index(i)
		switch {
		case e.Name == "":
			errs = append(errs, field.Required(at.Child("name"), "name the variable"))
		case len(validation.IsEnvVarName(e.Name)) > 0:
			errs = append(errs, field.Invalid(at.Child("name"), e.Name, "must consist of letters, digits, '_', '-' and '.', and not start with a digit"))
		case seen[e.Name]:
			errs = append(errs, field.Duplicate(at.Child("name"), e.Name))
		}
		seen[e.Name] = true
		if f, taken := dittofs.FieldOf(e.Name); taken {
			errs = append(errs, field.Forbidden(at.Child("name"), fmt.Sprintf("%s is what spec.%s sets. Remove the variable, and set that instead", e.Name, f)))
			continue
		}
		if problem := dittofs.CheckVariable(e.Name, []byte(e.Value)); problem != "" {
			errs = append(errs, field.Invalid(at.Child("value"), "", problem))
		}
		errs = append(errs, validateEnvSource(e, at.Child("valueFrom"))...)
	}
	return errs
}

func validateEnvSource(e *corev1.EnvVar, p *field.Path) field.ErrorList {
	s := e.ValueFrom
	if s == nil {
		return nil
	}
	errs := field.ErrorList{}
	if e.Value != "" {
		errs = append(errs, field.Forbidden(p, "a variable has a value or a valueFrom. Remove one of the two"))
	}
	sources := 0
	if r := s.SecretKeyRef; r != nil {
		sources++
		errs = append(errs, (&SecretKeyRef{Name: r.Name, Key: r.Key}).validate(p.Child("secretKeyRef"))...)
	}
	if r := s.ConfigMapKeyRef; r != nil {
		sources++
		errs = append(errs, validateConfigMapName(p.Child("configMapKeyRef", "name"), r.Name)...)
		errs = append(errs, validateKey(p.Child("configMapKeyRef", "key"), r.Key, r.Name)...)
	}
	if r := s.FieldRef; r != nil {
		sources++
		errs = append(errs, validateFieldRef(r, p.Child("fieldRef"))...)
	}
	if r := s.ResourceFieldRef; r != nil {
		sources++
		errs = append(errs, validateResourceFieldRef(r, p.Child("resourceFieldRef"))...)
	}
	if s.FileKeyRef != nil {
		errs = append(errs, field.Forbidden(p.Child("fileKeyRef"), "is not supported: the function cannot see what is in a file. Use secretKeyRef or configMapKeyRef"))
	} else if sources != 1 {
		errs = append(errs, field.Required(p, "must be exactly one of secretKeyRef, configMapKeyRef, fieldRef and resourceFieldRef"))
	}
	return errs
}

// validateFieldRef accepts what Kubernetes lets a pod know of itself.
func validateFieldRef(r *corev1.ObjectFieldSelector, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if r.APIVersion != "" && r.APIVersion != "v1" {
		errs = append(errs, field.NotSupported(p.Child("apiVersion"), r.APIVersion, []string{"v1"}))
	}
	fields := []string{
		"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
		"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
	}
	name, key, ok := strings.Cut(strings.TrimSuffix(r.FieldPath, "']"), "['")
	subscript := ok && strings.HasSuffix(r.FieldPath, "']") && (name == "metadata.labels" || name == "metadata.annotations")
	if subscript && name == "metadata.annotations" {
		key = strings.ToLower(key) // As Kubernetes compares them.
	}
	if !slices.Contains(fields, r.FieldPath) && (!subscript || len(validation.IsQualifiedName(key)) > 0) {
		errs = append(errs, field.NotSupported(p.Child("fieldPath"), r.FieldPath, append(fields, "metadata.labels['KEY']", "metadata.annotations['KEY']")))
	}
	return errs
}

// serverContainer is the only container of the pod. A test compares it with the one that
// is rendered.
const serverContainer = "dittofs"

func validateResourceFieldRef(r *corev1.ResourceFieldSelector, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if r.ContainerName != "" && r.ContainerName != serverContainer {
		errs = append(errs, field.NotSupported(p.Child("containerName"), r.ContainerName, []string{serverContainer}))
	}
	resources := []string{
		"limits.cpu", "limits.memory", "limits.ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
	}
	errs = append(errs, validateEnum(p.Child("resource"), r.Resource, resources)...)

	divisors := []string{"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"}
	if strings.HasSuffix(r.Resource, ".cpu") {
		divisors = []string{"1m", "1"}
	}
	if d := r.Divisor.DeepCopy(); !d.IsZero() && !slices.Contains(divisors, d.String()) {
		errs = append(errs, field.NotSupported(p.Child("divisor"), d.String(), divisors))
	}
	return errs
}

// validateEnvFrom refuses what Kubernetes refuses. What keys there are, and which
// variables they set, is known only once Crossplane has looked them up.
func validateEnvFrom(from []corev1.EnvFromSource, p *field.Path) field.ErrorList {
	if len(from) > maxEnvFrom {
		return field.ErrorList{field.TooMany(p, len(from), maxEnvFrom)}
	}
	errs := field.ErrorList{}
	for i, f := range from {
		at := p.Index(i)
		if f.Prefix != "" && len(validation.IsEnvVarName(f.Prefix)) > 0 {
			errs = append(errs, field.Invalid(at.Child("prefix"), f.Prefix, "must consist of letters, digits, '_', '-' and '.', and not start with a digit"))
		}
		if r := f.SecretRef; r != nil {
			errs = append(errs, validateSecretName(at.Child("secretRef", "name"), r.Name)...)
		}
		if r := f.ConfigMapRef; r != nil {
			errs = append(errs, validateConfigMapName(at.Child("configMapRef", "name"), r.Name)...)
		}
		if (f.SecretRef == nil) == (f.ConfigMapRef == nil) {
			errs = append(errs, field.Required(at, "must be exactly one of secretRef and configMapRef"))
		}
	}
	return errs
}
