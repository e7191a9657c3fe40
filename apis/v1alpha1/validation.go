package v1alpha1

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// MaxNameLength leaves room for what Kubernetes appends to the name of a
// StatefulSet in the label controller-revision-hash of its pods.
const MaxNameLength = 52

// MinTerminationGracePeriodSeconds is enough for one stage of the server's shutdown and
// what precedes it.
const MinTerminationGracePeriodSeconds = 36

// Anything above these limits is a mistake.
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
	errs = append(errs, s.Spec.BlockStore.validate(spec.Child("blockStore"), &s.Spec.Storage)...)
	errs = append(errs, s.Spec.Encryption.validate(spec.Child("encryption"))...)
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
	case utf8.RuneCountInString(name) > MaxNameLength:
		errs = append(errs, field.Invalid(meta.Child("name"), name,
			fmt.Sprintf("must be at most %d characters, but has %d: the names of Kubernetes objects start with it", MaxNameLength, utf8.RuneCountInString(name))))
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

	errs = append(errs, ValidateStorageClass(s.StorageClassName, p.Child("storageClassName"))...)
	errs = append(errs, ValidateStorageClass(s.MetadataStorageClassName, p.Child("metadataStorageClassName"))...)
	errs = append(errs, ValidateStorageClass(s.ContentStorageClassName, p.Child("contentStorageClassName"))...)
	errs = append(errs, ValidateStorageClass(s.ControlPlaneStorageClassName, p.Child("controlPlaneStorageClassName"))...)
	if s.ContentStorageClassName != nil && s.ContentSize == "" {
		errs = append(errs, field.Required(p.Child("contentSize"), "contentStorageClassName is the class of a volume that does not exist without a size. Set a size, or remove the class"))
	}
	return errs
}

// ValidateStorageClass checks the name of a StorageClass. An empty name means no class.
func ValidateStorageClass(name *string, p *field.Path) field.ErrorList {
	if name != nil && *name != "" && len(validation.IsDNS1123Subdomain(*name)) > 0 {
		return field.ErrorList{field.Invalid(p, *name, "must be the name of a StorageClass")}
	}
	return nil
}

// dirs returns the directories that outlive a pod.
func (s *StorageSpec) dirs() []string {
	dirs := []string{dittofs.ControlPlaneDir, dittofs.MetadataDir}
	if s.ContentSize != "" {
		dirs = append(dirs, dittofs.ContentDir)
	}
	return dirs
}

func (s *RolloutSpec) validate(p *field.Path) field.ErrorList {
	errs := validateEnum(p.Child("policy"), s.Policy, []string{RolloutAutomatic, RolloutManual})
	return append(errs, validateLength(p.Child("restartToken"), s.RestartToken, maxRestartToken)...)
}

// Anything longer is a mistake. The configuration is also an annotation, and Kubernetes
// limits the total size of an object's annotations.
const (
	maxRestartToken = 256
	maxText         = 1024
	maxDuration     = 64
	maxCacheSize    = 64
)

// validateLength counts characters, as the schema does.
func validateLength(p *field.Path, value string, longest int) field.ErrorList {
	if utf8.RuneCountInString(value) > longest {
		return field.ErrorList{field.TooLong(p, "", longest)}
	}
	return nil
}

// validateTexts checks lines of text that become part of the configuration.
func validateTexts(p *field.Path, values map[string]string) field.ErrorList {
	errs := field.ErrorList{}
	for name, value := range values {
		at := p.Child(name)
		errs = append(errs, validateLength(at, value, maxText)...)
		if strings.ContainsFunc(value, unicode.IsControl) {
			errs = append(errs, field.Invalid(at, value, "must not have line breaks, tabs or other control characters in it"))
		}
	}
	return errs
}

func (r *SecretKeyRef) validate(p *field.Path) field.ErrorList {
	return append(validateSecretName(p.Child("name"), r.Name), validateKey(p.Child("key"), r.Key, r.Name)...)
}

// validateKey checks a key of the Secret or ConfigMap of the given name.
func validateKey(p *field.Path, key, source string) field.ErrorList {
	switch {
	case key == "":
		return field.ErrorList{field.Required(p, fmt.Sprintf("name the key of %q to read", source))}
	case len(validation.IsConfigMapKey(key)) > 0:
		return field.ErrorList{field.Invalid(p, key, "must consist of letters, digits, '-', '_' and '.', as the keys of Secrets and ConfigMaps do")}
	}
	return nil
}

func validateSecretName(p *field.Path, name string) field.ErrorList {
	return validateObjectName(p, "Secret", name)
}

func validateConfigMapName(p *field.Path, name string) field.ErrorList {
	return validateObjectName(p, "ConfigMap", name)
}

// validateObjectName checks the name of an object of a kind that the pod reads.
func validateObjectName(p *field.Path, kind, name string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(p, "name a "+kind+" of the DittoServer's namespace")}
	}
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return field.ErrorList{field.Invalid(p, name, "must be the name of a "+kind+": a-z, 0-9, '-' and '.'. A namespace cannot be given: it is the DittoServer's")}
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

// validateDuration checks a duration in Go's notation, which CEL reads too.
func validateDuration(p *field.Path, value string, shortest, longest time.Duration) field.ErrorList {
	d, err := time.ParseDuration(value)
	switch {
	case err != nil || utf8.RuneCountInString(value) > maxDuration:
		return field.ErrorList{field.Invalid(p, value, "must be a number with a unit of ns, us, ms, s, m or h, such as 15m or 168h. There is no unit for days")}
	case d <= 0:
		return field.ErrorList{field.Invalid(p, value, "must be more than zero")}
	case d < shortest:
		return field.ErrorList{field.Invalid(p, value, "must be at least "+shortest.String())}
	case d > longest:
		return field.ErrorList{field.Invalid(p, value, "must be at most "+longest.String())}
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

// within says whether file is the path of a file below one of the directories. The server
// would treat blanks at its ends as part of the name.
func within(file string, dirs []string) bool {
	return path.Clean(file) == file && strings.TrimSpace(file) == file && !strings.ContainsFunc(file, unicode.IsControl) &&
		slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(file, dir+"/") })
}

// maxFileName leaves room for what is appended to file names: the date of an old log, and
// the suffix of SQLite's journal. File systems allow 255 bytes.
const maxFileName = 200

// validateFile finds what keeps the server from creating a file below a directory
// that it may write to.
func validateFile(p *field.Path, file string) field.ErrorList {
	for name := range strings.SplitSeq(file, "/") {
		switch {
		case len(name) > maxFileName:
			return field.ErrorList{field.Invalid(p, file, fmt.Sprintf("must not have a name of more than %d bytes in it", maxFileName))}
		case name == "lost+found":
			return field.ErrorList{field.Invalid(p, file, "must not be in lost+found, which is the file system's own. Choose another directory")}
		}
	}
	return validateLength(p, file, maxText)
}

// validateImageFile checks the path of a file that comes with the image. Volumes hide
// what the image has in their place.
func validateImageFile(p *field.Path, file string) field.ErrorList {
	switch {
	case file == "":
		return nil
	case !path.IsAbs(file) || path.Clean(file) != file || file == "/":
		return field.ErrorList{field.Invalid(p, file, "must be the absolute path of a file in the image")}
	case strings.HasPrefix(file, dittofs.TempDir+"/") || strings.HasPrefix(file, dittofs.ConfigDir+"/"):
		return field.ErrorList{field.Invalid(p, file, "must be a file of the image, and a volume hides what the image has in /tmp and /config. Choose another directory")}
	}
	return nil
}
