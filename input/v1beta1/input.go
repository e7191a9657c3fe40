// Package v1beta1 is the function's Input: what a platform team decides for all
// DittoServers of a Composition.
//
// +kubebuilder:object:generate=true
// +groupName=dittoserver.fn.crossplane.io
// +versionName=v1beta1
package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An Input is what a platform team decides for all DittoServers of a
// Composition. It is optional, and so is each of its fields.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=crossplane
type Input struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Image of servers whose spec.image is empty.
	// +kubebuilder:validation:Pattern=`^$|^(([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(:[0-9]+)?/)?[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}))?$`
	// +optional
	Image string `json:"image,omitempty"`

	// StorageClassName of servers whose spec.storage.storageClassName is not set.
	// +kubebuilder:validation:Pattern=`^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`

	// Resources of servers whose spec.resources is not set.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// Service has the defaults for the Service of the REST API.
	// +optional
	Service *ServiceDefaults `json:"service,omitempty"`

	// AdapterServices has the defaults for the Services of the file protocols.
	// +optional
	AdapterServices *ServiceDefaults `json:"adapterServices,omitempty"`

	// Rollout has the defaults that say when pods are replaced.
	// +optional
	Rollout *RolloutDefaults `json:"rollout,omitempty"`

	// TTL is how long Crossplane may wait before it runs the function again
	// when nothing has changed. It is a Go duration, such as 60s. Before
	// Crossplane 2.4, it is also the longest time until a changed Secret is
	// noticed. Crossplane uses the shortest TTL of a pipeline's steps. Defaults
	// to the function's flag --ttl, which is 60s unless set.
	// +optional
	TTL string `json:"ttl,omitempty"`

	// PendingTTL replaces TTL while the server waits for a Secret, its
	// ConfigMap or its database.
	// +kubebuilder:default="10s"
	// +optional
	PendingTTL string `json:"pendingTTL,omitempty"`

	// MissingSecrets says what happens when a Secret or a ConfigMap that a
	// server reads, or one of their keys, is missing or invalid. Hold neither
	// restarts a running server nor creates a new one. Proceed creates and
	// restarts servers anyway, with the values that exist, but never without a
	// valid signing key, without the passphrase and the key files that open
	// encrypted stores, or with a key in envFrom that would beat a field of the
	// spec.
	// +kubebuilder:validation:Enum=Hold;Proceed
	// +kubebuilder:default="Hold"
	// +optional
	MissingSecrets string `json:"missingSecrets,omitempty"`

	// IncludeGeneration makes every change of a DittoServer's spec restart its
	// server, not only the changes that need a restart to take effect.
	// +optional
	IncludeGeneration bool `json:"includeGeneration,omitempty"`
}

// What happens when a Secret, a ConfigMap or one of their keys is missing or invalid.
const (
	MissingSecretsHold    = "Hold"
	MissingSecretsProceed = "Proceed"
)

// ServiceDefaults has the defaults for a Service.
type ServiceDefaults struct {
	// Type of the Services of servers that do not set one.
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	// +optional
	Type corev1.ServiceType `json:"type,omitempty"`
}

// RolloutDefaults has the defaults that say when pods are replaced.
type RolloutDefaults struct {
	// Policy of servers whose spec.rollout.policy is not set. Defaults to Automatic.
	// +kubebuilder:validation:Enum=Automatic;Manual
	// +optional
	Policy string `json:"policy,omitempty"`
}
