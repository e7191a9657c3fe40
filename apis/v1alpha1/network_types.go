package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// ServiceSpec configures how a Service is exposed.
type ServiceSpec struct {
	// Type of the Service. Defaults to the platform team's choice, or else to
	// ClusterIP.
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	// +optional
	Type corev1.ServiceType `json:"type,omitempty"`

	// Annotations of the Service, such as a cloud's load balancer settings.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Types of adapters.
const (
	AdapterNFS = "nfs"
	AdapterSMB = "smb"
)

// AdapterSpec describes a file protocol that the server speaks.
type AdapterSpec struct {
	// Type of the adapter.
	// +kubebuilder:validation:Enum=nfs;smb
	Type string `json:"type"`

	// Port that the adapter listens on. Defaults to the port of a new server:
	// 12049 for nfs, 1445 for smb.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`
}

// AdapterServicesSpec configures the Services of the file protocols.
type AdapterServicesSpec struct {
	// Enabled creates the Services.
	// +kubebuilder:default=true
	// +optional
	Enabled *bool `json:"enabled,omitempty"`

	// Type of the Services. Defaults to the platform team's choice, or else to
	// ClusterIP.
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	// +optional
	Type corev1.ServiceType `json:"type,omitempty"`

	// Annotations of the Services, such as a cloud's load balancer settings.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// MetricsSpec configures the server's Prometheus metrics.
//
// +kubebuilder:validation:XValidation:rule="!has(self.serviceMonitor) || !has(self.serviceMonitor.enabled) || !self.serviceMonitor.enabled || (has(self.enabled) && self.enabled)",message="serviceMonitor.enabled needs metrics.enabled"
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || !has(self.port) || !(self.port in [12049, 1445])",message="metrics.port is where a new server's adapters listen: choose another port"
type MetricsSpec struct {
	// Enabled serves metrics and creates a Service for them.
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// Port of the metrics.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:default=9090
	// +optional
	Port *int32 `json:"port,omitempty"`

	// Path of the metrics, such as /metrics.
	// +kubebuilder:validation:Pattern=`^/[^\s{}?#]*$`
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.contains('//') && !self.matches('/[.]{1,2}(/|$)')",message="must not have '//', '.' or '..' in it"
	// +kubebuilder:default="/metrics"
	// +optional
	Path string `json:"path,omitempty"`

	// BearerTokenSecret refers to the token that a scraper must send. If it is
	// not set, anybody may read the metrics.
	// +optional
	BearerTokenSecret *SecretKeyRef `json:"bearerTokenSecret,omitempty"`

	// ServiceMonitor tells the Prometheus operator to scrape the metrics.
	// +optional
	ServiceMonitor *ServiceMonitorSpec `json:"serviceMonitor,omitempty"`
}

// ServiceMonitorSpec tells the Prometheus operator to scrape the metrics.
type ServiceMonitorSpec struct {
	// Enabled creates the ServiceMonitor, if the cluster knows the kind.
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// Interval between two scrapes. It is a Prometheus duration, such as 30s.
	// +kubebuilder:validation:Pattern=`^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$`
	// +optional
	Interval string `json:"interval,omitempty"`

	// Labels are additional labels of the ServiceMonitor. A Prometheus selects
	// it by its labels.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
}

// NetworkPolicySpec limits who may connect to the server.
type NetworkPolicySpec struct {
	// Enabled creates a NetworkPolicy that opens the ports of the API, the adapters
	// and the metrics, and no others.
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// From lists who may connect. If it is empty, everybody may.
	// +optional
	From []networkingv1.NetworkPolicyPeer `json:"from,omitempty"`
}
