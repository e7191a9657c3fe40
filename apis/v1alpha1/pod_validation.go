package v1alpha1

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Labels and annotations of the pod that are the function's own.
const (
	LabelName              = "app.kubernetes.io/name"
	LabelServer            = "dittofs.io/server"
	AnnotationConfigHash   = "dittofs.io/config-hash"
	AnnotationRestartToken = "dittofs.io/restart-token"

	// AnnotationEncryptionKeys names the master keys that the pod has.
	AnnotationEncryptionKeys = "dittofs.io/encryption-keys"
)

// validatePod refuses what the API server would refuse in the pod, because no change
// would reach the server until that is corrected. It also refuses labels and annotations
// on which the Services and the rollout depend.
func (s *DittoServerSpec) validatePod(spec *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	for _, reserved := range []string{LabelName, LabelServer} {
		if v, ok := s.PodLabels[reserved]; ok {
			errs = append(errs, field.Invalid(spec.Child("podLabels").Key(reserved), v, "is reserved: the Services find the pod by this label. Remove it"))
		}
	}
	for _, reserved := range []string{AnnotationConfigHash, AnnotationRestartToken, AnnotationEncryptionKeys} {
		if v, ok := s.PodAnnotations[reserved]; ok {
			errs = append(errs, field.Invalid(spec.Child("podAnnotations").Key(reserved), v, "is reserved for the function. Remove it. To restart the server, set spec.rollout.restartToken"))
		}
	}
	errs = append(errs, metav1validation.ValidateLabels(s.PodLabels, spec.Child("podLabels"))...)
	errs = append(errs, apivalidation.ValidateAnnotations(s.PodAnnotations, spec.Child("podAnnotations"))...)
	errs = append(errs, metav1validation.ValidateLabels(s.NodeSelector, spec.Child("nodeSelector"))...)
	errs = append(errs, validatePodAnnotations(s.PodAnnotations, spec.Child("podAnnotations"))...)
	errs = append(errs, metav1validation.ValidateLabels(s.Metrics.ServiceMonitor.Labels, spec.Child("metrics", "serviceMonitor", "labels"))...)
	errs = append(errs, metav1validation.ValidateLabels(s.Metrics.PrometheusRule.Labels, spec.Child("metrics", "prometheusRule", "labels"))...)

	errs = append(errs, ValidateImage(s.Image, spec.Child("image"))...)
	if s.ImagePullPolicy != "" {
		errs = append(errs, validateEnum(spec.Child("imagePullPolicy"), s.ImagePullPolicy, []corev1.PullPolicy{corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever})...)
	}
	pullSecrets := map[string]bool{}
	for i, r := range s.ImagePullSecrets {
		at := spec.Child("imagePullSecrets").Index(i).Child("name")
		errs = append(errs, validateSecretName(at, r.Name)...)
		if pullSecrets[r.Name] {
			errs = append(errs, field.Duplicate(at, r.Name))
		}
		pullSecrets[r.Name] = true
	}
	if c := s.PriorityClassName; c != "" && len(validation.IsDNS1123Subdomain(c)) > 0 {
		errs = append(errs, field.Invalid(spec.Child("priorityClassName"), c, "must be the name of a PriorityClass"))
	}
	if a := s.ServiceAccountName; a != "" && len(validation.IsDNS1123Subdomain(a)) > 0 {
		errs = append(errs, field.Invalid(spec.Child("serviceAccountName"), a, "must be the name of a ServiceAccount of the DittoServer's namespace"))
	}
	errs = append(errs, validateEnv(s.Env, spec.Child("env"))...)
	errs = append(errs, validateEnvFrom(s.EnvFrom, spec.Child("envFrom"))...)
	errs = append(errs, s.validateVolumes(spec.Child("volumes"))...)
	errs = append(errs, s.validateVolumeMounts(spec.Child("volumeMounts"))...)
	errs = append(errs, ValidateResources(s.Resources, spec.Child("resources"))...)
	errs = append(errs, validateTolerations(s.Tolerations, spec.Child("tolerations"))...)
	errs = append(errs, validateSpread(s.TopologySpreadConstraints, spec.Child("topologySpreadConstraints"))...)
	errs = append(errs, validateAffinity(s.Affinity, spec.Child("affinity"))...)
	return append(errs, s.validateSecurity(spec)...)
}

// validatePodAnnotations refuses annotations that Kubernetes interprets, and with which
// it would not create the pod.
func validatePodAnnotations(annotations map[string]string, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	for name, value := range annotations {
		at := p.Key(name)
		switch {
		case name == corev1.MirrorPodAnnotationKey, name == corev1.TolerationsAnnotationKey:
			errs = append(errs, field.Forbidden(at, "is reserved for Kubernetes, which would not create the pod. Remove it"))
		case strings.HasPrefix(name, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix):
			errs = append(errs, field.Forbidden(at, "is an old form of spec.securityContext.appArmorProfile. Set that instead"))
		case name == corev1.SeccompPodAnnotationKey, strings.HasPrefix(name, corev1.SeccompContainerAnnotationKeyPrefix):
			errs = append(errs, field.Forbidden(at, "is an old form of spec.securityContext.seccompProfile. Set that instead"))
		case name == corev1.PodDeletionCost:
			if _, err := strconv.ParseInt(value, 10, 32); err != nil {
				errs = append(errs, field.Invalid(at, value, "must be a whole number"))
			}
		}
	}
	return errs
}
