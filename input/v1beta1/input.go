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

	// Service is about the Service of the REST API.
	// +optional
	Service *ServiceDefaults `json:"service,omitempty"`

	// AdapterServices is about the Services of the file protocols.
	// +optional
	AdapterServices *ServiceDefaults `json:"adapterServices,omitempty"`

	// Rollout is about when pods are replaced.
	// +optional
	Rollout *RolloutDefaults `json:"rollout,omitempty"`

	// TTL is how long Crossplane may wait before it runs the function again when
	// nothing has changed, in Go's notation. Before Crossplane 2.4 it is also the
	// longest time until a changed Secret is noticed. The shortest TTL of a
	// pipeline's steps counts. By default it is that of the function's flag --ttl,
	// 60s.
	// +optional
	TTL string `json:"ttl,omitempty"`

	// PendingTTL stands in for TTL while the server waits for a Secret, for its
	// ConfigMap or for its database.
	// +kubebuilder:default="10s"
	// +optional
	PendingTTL string `json:"pendingTTL,omitempty"`

	// MissingSecrets says what happens when a Secret or one of its keys is not
	// there. Hold does not restart a running server and creates no new one. Proceed
	// creates and restarts servers all the same, with what there is, but not without
	// the key that signs tokens.
	// +kubebuilder:validation:Enum=Hold;Proceed
	// +kubebuilder:default="Hold"
	// +optional
	MissingSecrets string `json:"missingSecrets,omitempty"`

	// IncludeGeneration makes every change of a DittoServer's spec restart its
	// server, and not only the changes that a server has to be restarted for.
	// +optional
	IncludeGeneration bool `json:"includeGeneration,omitempty"`
}

// What happens when a Secret or one of its keys is not there.
const (
	MissingSecretsHold    = "Hold"
	MissingSecretsProceed = "Proceed"
)

// ServiceDefaults is about a Service.
type ServiceDefaults struct {
	// Type of the Services of servers that set none.
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	// +optional
	Type corev1.ServiceType `json:"type,omitempty"`
}

// RolloutDefaults is about when pods are replaced.
type RolloutDefaults struct {
	// Policy of servers whose spec.rollout.policy is not set. Defaults to Automatic.
	// +kubebuilder:validation:Enum=Automatic;Manual
	// +optional
	Policy string `json:"policy,omitempty"`
}
