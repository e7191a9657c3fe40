package v1alpha1

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// MaxNameLength leaves room for what Kubernetes appends to the name of a
// StatefulSet in the label controller-revision-hash of its pods.
const MaxNameLength = 52

// MinTerminationGracePeriodSeconds is one stage of the server's shutdown and
// what precedes it.
const MinTerminationGracePeriodSeconds = 36

// What is more than this is a mistake.
const (
	MaxTerminationGracePeriodSeconds = 24 * 60 * 60
	MaxShutdownTimeout               = time.Hour
)

var sizePattern = regexp.MustCompile(`^[0-9]+(Gi|Mi|Ti)$`)

// Validate returns everything that is wrong with a DittoServer to which the
// defaults have been applied.
func (s *DittoServer) Validate() field.ErrorList {
	spec := field.NewPath("spec")

	errs := validateMetadata(s.GetName(), s.GetNamespace())
	errs = append(errs, validateRange(spec.Child("replicas"), *s.Spec.Replicas, 0, 1, "a second server must not write to the same volumes")...)
	errs = append(errs, s.Spec.Storage.validate(spec.Child("storage"))...)
	errs = append(errs, s.Spec.Database.validate(spec.Child("database"), &s.Spec)...)
	errs = append(errs, s.Spec.Percona.validate(spec.Child("percona"), s.GetName(), &s.Spec)...)
	errs = append(errs, s.Spec.ControlPlane.validate(spec.Child("controlPlane"))...)
	errs = append(errs, s.Spec.Identity.validate(spec.Child("identity"))...)
	errs = append(errs, s.Spec.Logging.validate(spec.Child("logging"), s.Spec.Storage.dirs())...)
	errs = append(errs, s.Spec.validateExposure(spec)...)
	errs = append(errs, s.Spec.Metrics.validate(spec.Child("metrics"))...)
	errs = append(errs, s.Spec.validatePorts(spec)...)
	errs = append(errs, s.Spec.validateShutdown(spec)...)
	errs = append(errs, s.Spec.validatePod(spec)...)
	errs = append(errs, s.Spec.Rollout.validate(spec.Child("rollout"))...)

	return errs
}

func validateMetadata(name, namespace string) field.ErrorList {
	meta := field.NewPath("metadata")
	errs := field.ErrorList{}

	switch {
	case name == "":
		errs = append(errs, field.Required(meta.Child("name"), "name the DittoServer"))
	case len(name) > MaxNameLength:
		errs = append(errs, field.Invalid(meta.Child("name"), name,
			fmt.Sprintf("must be at most %d characters, but has %d: names of Kubernetes objects are made of it", MaxNameLength, len(name))))
	}
	if msgs := validation.IsDNS1035Label(name); name != "" && len(name) <= validation.DNS1035LabelMaxLength && len(msgs) > 0 {
		errs = append(errs, field.Invalid(meta.Child("name"), name,
			"must consist of a-z, 0-9 and '-', start with a letter and end with a letter or digit: Services are named after it"))
	}
	if namespace == "" {
		errs = append(errs, field.Required(meta.Child("namespace"), "a DittoServer lives in a namespace, and so do its Secrets. Set metadata.namespace"))
	}

	return errs
}

func (s *StorageSpec) validate(p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if s.MetadataSize == "" {
		errs = append(errs, field.Required(p.Child("metadataSize"), "the server keeps its metadata on a volume. Set a size, such as 10Gi"))
	} else {
		errs = append(errs, validateSize(p.Child("metadataSize"), s.MetadataSize)...)
	}
	if s.ContentSize != "" {
		errs = append(errs, validateSize(p.Child("contentSize"), s.ContentSize)...)
	}
	errs = append(errs, validateSize(p.Child("controlPlaneSize"), s.ControlPlaneSize)...)

	if c := s.StorageClassName; c != nil && *c != "" {
		if msgs := validation.IsDNS1123Subdomain(*c); len(msgs) > 0 {
			errs = append(errs, field.Invalid(p.Child("storageClassName"), *c, "must be the name of a StorageClass"))
		}
	}

	return errs
}

// dirs are the directories that outlive a pod.
func (s *StorageSpec) dirs() []string {
	dirs := []string{"/data/controlplane", "/data/store/metadata"}
	if s.ContentSize != "" {
		dirs = append(dirs, "/data/store/block")
	}
	return dirs
}

func (s *RolloutSpec) validate(p *field.Path) field.ErrorList {
	errs := validateEnum(p.Child("policy"), s.Policy, []string{RolloutAutomatic, RolloutManual})
	// As the schema does it, in characters.
	if utf8.RuneCountInString(s.RestartToken) > maxRestartToken {
		errs = append(errs, field.TooLong(p.Child("restartToken"), s.RestartToken, maxRestartToken))
	}
	return errs
}

const maxRestartToken = 256

func (r *SecretKeyRef) validate(p *field.Path) field.ErrorList {
	errs := validateSecretName(p.Child("name"), r.Name)
	switch {
	case r.Key == "":
		errs = append(errs, field.Required(p.Child("key"), fmt.Sprintf("name the key of Secret %q to read", r.Name)))
	case len(validation.IsConfigMapKey(r.Key)) > 0:
		errs = append(errs, field.Invalid(p.Child("key"), r.Key, "must consist of letters, digits, '-', '_' and '.', as the keys of a Secret do"))
	}
	return errs
}

func validateSecretName(p *field.Path, name string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(p, "name a Secret of the DittoServer's namespace")}
	}
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return field.ErrorList{field.Invalid(p, name, "must be the name of a Secret: a-z, 0-9, '-' and '.'. A namespace cannot be given: it is the DittoServer's")}
	}
	return nil
}

func validateSize(p *field.Path, size string) field.ErrorList {
	if !sizePattern.MatchString(size) {
		return field.ErrorList{field.Invalid(p, size, "must be a whole number of Mi, Gi or Ti, such as 10Gi")}
	}
	q, err := resource.ParseQuantity(size)
	if err != nil {
		return field.ErrorList{field.Invalid(p, size, "must be a whole number of Mi, Gi or Ti, such as 10Gi")}
	}
	if q.Sign() <= 0 {
		return field.ErrorList{field.Invalid(p, size, "must be more than zero")}
	}
	return nil
}

func validateDuration(p *field.Path, value string) field.ErrorList {
	d, err := time.ParseDuration(value)
	if err != nil {
		return field.ErrorList{field.Invalid(p, value, "must be a number with a unit of ns, us, ms, s, m or h, such as 15m or 168h. There is no unit for days")}
	}
	if d <= 0 {
		return field.ErrorList{field.Invalid(p, value, "must be more than zero")}
	}
	return nil
}

func validateRange(p *field.Path, v, lowest, highest int32, why string) field.ErrorList {
	if v < lowest || v > highest {
		return field.ErrorList{field.Invalid(p, v, fmt.Sprintf("must be from %d to %d: %s", lowest, highest, why))}
	}
	return nil
}

func validateEnum[T ~string](p *field.Path, v T, supported []T) field.ErrorList {
	if !slices.Contains(supported, v) {
		return field.ErrorList{field.NotSupported(p, v, supported)}
	}
	return nil
}

// within says whether file is the path of a file below one of the directories. The
// server would take blanks at its ends for a part of the name.
func within(file string, dirs []string) bool {
	return path.Clean(file) == file && strings.TrimSpace(file) == file && slices.ContainsFunc(dirs, func(dir string) bool {
		return strings.HasPrefix(file, dir+"/")
	})
}
