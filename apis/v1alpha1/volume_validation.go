package v1alpha1

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// Anything more is a mistake.
const (
	maxVolumes      = 64
	maxVolumeMounts = 64
	maxSources      = 32
)

// A token's validity, in seconds, as Kubernetes limits it.
const (
	minTokenSeconds = 10 * 60
	maxTokenSeconds = 1 << 32
)

// ReservedVolume says whether the function, or a claim of the StatefulSet, has a volume of
// the name. Volumes are named after their directories.
func ReservedVolume(name string) bool {
	return slices.Contains([]string{"config", "tmp", "metadata", "content", "controlplane"}, name) ||
		slices.Contains(dittofs.Paths(), "/"+name)
}

func (s *DittoServerSpec) validateVolumes(p *field.Path) field.ErrorList {
	if len(s.Volumes) > maxVolumes {
		return field.ErrorList{field.TooMany(p, len(s.Volumes), maxVolumes)}
	}
	errs := field.ErrorList{}
	seen := map[string]bool{}
	for i := range s.Volumes {
		v, at := &s.Volumes[i], p.Index(i)
		switch {
		case v.Name == "":
			errs = append(errs, field.Required(at.Child("name"), "name the volume, so that volumeMounts can refer to it"))
		case len(validation.IsDNS1123Label(v.Name)) > 0:
			errs = append(errs, field.Invalid(at.Child("name"), v.Name, "must be at most 63 characters of a-z, 0-9 and '-', and start and end with a letter or digit"))
		case ReservedVolume(v.Name):
			errs = append(errs, field.Invalid(at.Child("name"), v.Name, "is the name of a volume of the function. Choose another name"))
		case seen[v.Name]:
			errs = append(errs, field.Duplicate(at.Child("name"), v.Name))
		}
		seen[v.Name] = true
		errs = append(errs, v.validate(at)...)
	}
	return errs
}

func (v *Volume) validate(p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	sources := 0
	if s := v.Secret; s != nil {
		sources++
		at := p.Child("secret")
		errs = append(errs, validateSecretName(at.Child("secretName"), s.SecretName)...)
		errs = append(errs, validateFiles(s.SecretName, s.Items, s.DefaultMode, at)...)
	}
	if s := v.ConfigMap; s != nil {
		sources++
		at := p.Child("configMap")
		errs = append(errs, validateConfigMapName(at.Child("name"), s.Name)...)
		errs = append(errs, validateFiles(s.Name, s.Items, s.DefaultMode, at)...)
	}
	if s := v.Projected; s != nil {
		sources++
		errs = append(errs, s.validate(p.Child("projected"))...)
	}
	if s := v.EmptyDir; s != nil {
		sources++
		at := p.Child("emptyDir")
		errs = append(errs, validateEnum(at.Child("medium"), s.Medium, []corev1.StorageMedium{corev1.StorageMediumDefault, corev1.StorageMediumMemory})...)
		if q := s.SizeLimit; q != nil && (q.Sign() < 0 || isFraction(*q)) {
			errs = append(errs, field.Invalid(at.Child("sizeLimit"), q.String(), "must be a size, such as 1Gi"))
		}
	}
	if s := v.PersistentVolumeClaim; s != nil {
		sources++
		if len(validation.IsDNS1123Subdomain(s.ClaimName)) > 0 {
			errs = append(errs, field.Invalid(p.Child("persistentVolumeClaim", "claimName"), s.ClaimName, "must be the name of a PersistentVolumeClaim of the DittoServer's namespace"))
		}
	}
	if sources != 1 {
		errs = append(errs, field.Required(p, "must be exactly one of secret, configMap, projected, emptyDir and persistentVolumeClaim. "+
			"Others are not supported: the restricted Pod Security Standard refuses those that open the node, such as hostPath"))
	}
	return errs
}

func (v *ProjectedVolume) validate(p *field.Path) field.ErrorList {
	errs := validateMode(v.DefaultMode, p.Child("defaultMode"))
	switch n := len(v.Sources); {
	case n == 0:
		errs = append(errs, field.Required(p.Child("sources"), "name at least one source"))
	case n > maxSources:
		return append(errs, field.TooMany(p.Child("sources"), n, maxSources))
	}
	paths := map[string]bool{}
	taken := func(file string, at *field.Path) {
		if file != "" && paths[file] {
			errs = append(errs, field.Duplicate(at, file))
		}
		paths[file] = true
	}
	for i := range v.Sources {
		s, at := &v.Sources[i], p.Child("sources").Index(i)
		sources := 0
		if r := s.Secret; r != nil {
			sources++
			errs = append(errs, validateSecretName(at.Child("secret", "name"), r.Name)...)
			errs = append(errs, validateFiles(r.Name, r.Items, nil, at.Child("secret"))...)
			for j, item := range r.Items {
				taken(item.Path, at.Child("secret", "items").Index(j).Child("path"))
			}
		}
		if r := s.ConfigMap; r != nil {
			sources++
			errs = append(errs, validateConfigMapName(at.Child("configMap", "name"), r.Name)...)
			errs = append(errs, validateFiles(r.Name, r.Items, nil, at.Child("configMap"))...)
			for j, item := range r.Items {
				taken(item.Path, at.Child("configMap", "items").Index(j).Child("path"))
			}
		}
		if r := s.ServiceAccountToken; r != nil {
			sources++
			token := at.Child("serviceAccountToken")
			errs = append(errs, validateFilePath(r.Path, token.Child("path"))...)
			if n := r.ExpirationSeconds; n != nil && (*n < minTokenSeconds || *n > maxTokenSeconds) {
				errs = append(errs, field.Invalid(token.Child("expirationSeconds"), *n, fmt.Sprintf("must be from %d to %d", minTokenSeconds, int64(maxTokenSeconds))))
			}
			taken(r.Path, token.Child("path"))
		}
		if sources != 1 {
			errs = append(errs, field.Required(at, "must be exactly one of secret, configMap and serviceAccountToken"))
		}
	}
	return errs
}

// validateFiles checks which keys of a Secret or ConfigMap become which files.
func validateFiles(source string, items []corev1.KeyToPath, mode *int32, p *field.Path) field.ErrorList {
	errs := validateMode(mode, p.Child("defaultMode"))
	for i, item := range items {
		at := p.Child("items").Index(i)
		errs = append(errs, validateKey(at.Child("key"), item.Key, source)...)
		errs = append(errs, validateFilePath(item.Path, at.Child("path"))...)
		errs = append(errs, validateMode(item.Mode, at.Child("mode"))...)
	}
	return errs
}

func validateMode(mode *int32, p *field.Path) field.ErrorList {
	const all = 0o777
	if mode != nil && (*mode < 0 || *mode > all) {
		return field.ErrorList{field.Invalid(p, *mode, "must be permissions from 0 to 0777 (511)")}
	}
	return nil
}

// validateFilePath checks the path of a file in a volume.
func validateFilePath(file string, p *field.Path) field.ErrorList {
	if file == "" {
		return field.ErrorList{field.Required(p, "name the file in the volume")}
	}
	if path.Clean(file) != file || path.IsAbs(file) || strings.HasPrefix(file, "..") || file == "." || strings.ContainsFunc(file, unicode.IsControl) {
		return field.ErrorList{field.Invalid(p, file, "must be a path in the volume, such as dir/file, without '..'")}
	}
	return validateNames(file, p)
}

// maxPathName is the longest name that a file system has, in bytes.
const maxPathName = 255

func validateNames(file string, p *field.Path) field.ErrorList {
	for name := range strings.SplitSeq(file, "/") {
		if len(name) > maxPathName {
			return field.ErrorList{field.Invalid(p, file, fmt.Sprintf("must not have a name of more than %d bytes in it", maxPathName))}
		}
	}
	return validateLength(p, file, maxText)
}

// validateVolumeMounts refuses mounts that would hide what the server has or writes, and
// those with which the container would not start.
func (s *DittoServerSpec) validateVolumeMounts(p *field.Path) field.ErrorList {
	if len(s.VolumeMounts) > maxVolumeMounts {
		return field.ErrorList{field.TooMany(p, len(s.VolumeMounts), maxVolumeMounts)}
	}
	errs := field.ErrorList{}
	for i := range s.VolumeMounts {
		m, at := &s.VolumeMounts[i], p.Index(i)
		if !slices.ContainsFunc(s.Volumes, func(v Volume) bool { return v.Name == m.Name }) {
			errs = append(errs, field.Invalid(at.Child("name"), m.Name, "must be the name of one of spec.volumes"))
		}
		errs = append(errs, validateMountPath(m.MountPath, at.Child("mountPath"))...)
		above := func(other corev1.VolumeMount) bool { return overlap(m.MountPath, other.MountPath) }
		if j := slices.IndexFunc(s.VolumeMounts[:i], above); j >= 0 {
			errs = append(errs, field.Invalid(at.Child("mountPath"), m.MountPath, fmt.Sprintf("must not be, contain or be below that of spec.volumeMounts[%d]", j)))
		}
		if m.SubPath != "" {
			errs = append(errs, validateFilePath(m.SubPath, at.Child("subPath"))...)
		}
		if m.SubPathExpr != "" {
			errs = append(errs, field.Forbidden(at.Child("subPathExpr"), "is not supported. Use subPath"))
		}
		if mp := m.MountPropagation; mp != nil && *mp != corev1.MountPropagationNone {
			errs = append(errs, field.Forbidden(at.Child("mountPropagation"), "is not supported: the server mounts nothing. Remove it"))
		}
		if r := m.RecursiveReadOnly; r != nil && *r != corev1.RecursiveReadOnlyDisabled {
			errs = append(errs, field.Forbidden(at.Child("recursiveReadOnly"), "is not supported: the volumes have no mounts in them. Use readOnly"))
		}
	}
	return errs
}

func validateMountPath(dir string, p *field.Path) field.ErrorList {
	if dir == "" {
		return field.ErrorList{field.Required(p, "say where the volume is to be in the container")}
	}
	if !path.IsAbs(dir) || path.Clean(dir) != dir || strings.Contains(dir, ":") || strings.ContainsFunc(dir, unicode.IsControl) {
		return field.ErrorList{field.Invalid(p, dir, "must be an absolute path, such as /extra, without ':' and '..' and without a '/' at its end")}
	}
	for _, own := range dittofs.Paths() {
		if overlap(dir, own) {
			return field.ErrorList{field.Invalid(p, dir, fmt.Sprintf("must not be, contain or be below %s, which the server needs as it is. Choose another path, such as /extra", own))}
		}
	}
	return validateNames(dir, p)
}

// overlap says whether two absolute paths are the same, or one is below the other.
func overlap(a, b string) bool {
	if !path.IsAbs(a) || !path.IsAbs(b) {
		return false
	}
	a, b = strings.TrimSuffix(a, "/")+"/", strings.TrimSuffix(b, "/")+"/"
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}
