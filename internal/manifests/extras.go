package manifests

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// extraEnv returns the variables that the user adds. What refers to a field is one value
// to server-side apply, with what Kubernetes defaults in it. So it has the defaults, or it
// would never be what Kubernetes stores.
func extraEnv(spec *v1alpha1.DittoServerSpec) []corev1.EnvVar {
	env := slices.Clone(spec.Env)
	for i := range env {
		s := env[i].ValueFrom
		if s == nil || s.FieldRef == nil {
			continue
		}
		s = s.DeepCopy()
		s.FieldRef.APIVersion = "v1"
		env[i].ValueFrom = s
	}
	return env
}

// extraVolumes returns the volumes that the user adds. Where Kubernetes has a default for
// the permissions of files, or for how long a token is valid, they have it.
func extraVolumes(spec *v1alpha1.DittoServerSpec) []corev1.Volume {
	vs := make([]corev1.Volume, 0, len(spec.Volumes))
	for i := range spec.Volumes {
		v := spec.Volumes[i].DeepCopy()
		out := corev1.Volume{Name: v.Name, VolumeSource: corev1.VolumeSource{
			Secret: v.Secret, ConfigMap: v.ConfigMap, EmptyDir: v.EmptyDir, PersistentVolumeClaim: v.PersistentVolumeClaim,
		}}
		switch {
		case v.Secret != nil:
			v.Secret.DefaultMode = cmp.Or(v.Secret.DefaultMode, new(corev1.SecretVolumeSourceDefaultMode))
		case v.ConfigMap != nil:
			v.ConfigMap.DefaultMode = cmp.Or(v.ConfigMap.DefaultMode, new(corev1.ConfigMapVolumeSourceDefaultMode))
		case v.Projected != nil:
			v.Projected.DefaultMode = cmp.Or(v.Projected.DefaultMode, new(corev1.ProjectedVolumeSourceDefaultMode))
			out.Projected = &corev1.ProjectedVolumeSource{DefaultMode: v.Projected.DefaultMode}
			for _, s := range v.Projected.Sources {
				if s.ServiceAccountToken != nil {
					s.ServiceAccountToken.ExpirationSeconds = cmp.Or(s.ServiceAccountToken.ExpirationSeconds, new(tokenSeconds))
				}
				out.Projected.Sources = append(out.Projected.Sources, corev1.VolumeProjection{
					Secret: s.Secret, ConfigMap: s.ConfigMap, ServiceAccountToken: s.ServiceAccountToken,
				})
			}
		}
		vs = append(vs, out)
	}
	return vs
}

// tokenSeconds is how long a token of a service account is valid by default.
const tokenSeconds int64 = 60 * 60
