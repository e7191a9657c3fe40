package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
)

// A Volume is a volume of the pod, beside those of the function. Only what the restricted
// Pod Security Standard allows can be one: nothing of the node, and nothing that needs a
// driver of its own.
//
// +kubebuilder:validation:XValidation:rule="(has(self.secret) ? 1 : 0) + (has(self.configMap) ? 1 : 0) + (has(self.projected) ? 1 : 0) + (has(self.emptyDir) ? 1 : 0) + (has(self.persistentVolumeClaim) ? 1 : 0) == 1",message="a volume must be exactly one of secret, configMap, projected, emptyDir and persistentVolumeClaim. Others, such as hostPath, are not supported"
type Volume struct {
	// Name of the volume, by which volumeMounts refer to it.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Secret has the keys of a Secret as files. A change of one restarts the server.
	// +optional
	Secret *corev1.SecretVolumeSource `json:"secret,omitempty"`

	// ConfigMap has the keys of a ConfigMap as files. A change of one restarts the
	// server.
	// +optional
	ConfigMap *corev1.ConfigMapVolumeSource `json:"configMap,omitempty"`

	// Projected has files from several sources in one directory.
	// +optional
	Projected *ProjectedVolume `json:"projected,omitempty"`

	// EmptyDir is an empty directory that ends with the pod.
	// +optional
	EmptyDir *corev1.EmptyDirVolumeSource `json:"emptyDir,omitempty"`

	// PersistentVolumeClaim is an existing claim of the namespace.
	// +optional
	PersistentVolumeClaim *corev1.PersistentVolumeClaimVolumeSource `json:"persistentVolumeClaim,omitempty"`
}

// A ProjectedVolume has files from several sources in one directory.
type ProjectedVolume struct {
	// Sources of the files.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Sources []ProjectedSource `json:"sources"`

	// DefaultMode has the permissions of files that do not set their own. Defaults to
	// 0644.
	// +optional
	DefaultMode *int32 `json:"defaultMode,omitempty"`
}

// A ProjectedSource is one source of a ProjectedVolume.
//
// +kubebuilder:validation:XValidation:rule="(has(self.secret) ? 1 : 0) + (has(self.configMap) ? 1 : 0) + (has(self.serviceAccountToken) ? 1 : 0) == 1",message="a source must be exactly one of secret, configMap and serviceAccountToken"
type ProjectedSource struct {
	// Secret has the keys of a Secret as files. A change of one restarts the server.
	// +optional
	Secret *corev1.SecretProjection `json:"secret,omitempty"`

	// ConfigMap has the keys of a ConfigMap as files. A change of one restarts the
	// server.
	// +optional
	ConfigMap *corev1.ConfigMapProjection `json:"configMap,omitempty"`

	// ServiceAccountToken is a token of the pod's service account, which the kubelet
	// renews in time. That restarts nothing.
	// +optional
	ServiceAccountToken *corev1.ServiceAccountTokenProjection `json:"serviceAccountToken,omitempty"`
}
