package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// ServiceSpec configures how a Service is exposed.
//
// +kubebuilder:validation:XValidation:rule="!has(self.loadBalancerClass) || (has(self.type) && self.type == 'LoadBalancer')",message="loadBalancerClass needs type: LoadBalancer beside it"
// +kubebuilder:validation:XValidation:rule="!has(self.loadBalancerSourceRanges) || size(self.loadBalancerSourceRanges) == 0 || (has(self.type) && self.type == 'LoadBalancer')",message="loadBalancerSourceRanges needs type: LoadBalancer beside it"
// +kubebuilder:validation:XValidation:rule="!has(self.annotations) || !('service.beta.kubernetes.io/load-balancer-source-ranges' in self.annotations) || (has(self.type) && self.type == 'LoadBalancer')",message="the annotation service.beta.kubernetes.io/load-balancer-source-ranges needs type: LoadBalancer beside it"
// +kubebuilder:validation:XValidation:rule="!has(self.externalTrafficPolicy) || (has(self.type) && self.type != 'ClusterIP')",message="externalTrafficPolicy needs type: NodePort or type: LoadBalancer beside it"
// +kubebuilder:validation:XValidation:rule="!has(self.ipFamilies) || size(self.ipFamilies) < 2 || (has(self.ipFamilyPolicy) && self.ipFamilyPolicy != 'SingleStack')",message="two ipFamilies need the ipFamilyPolicy PreferDualStack or RequireDualStack"
type ServiceSpec struct {
	// Type of the Service. Defaults to the platform team's choice, or else to
	// ClusterIP. What only some types have, such as loadBalancerClass, needs the
	// type beside it: the platform team's choice may change.
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	// +optional
	Type corev1.ServiceType `json:"type,omitempty"`

	// Annotations of the Service, such as a cloud's load balancer settings.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// LoadBalancerClass names the load balancer's implementation, if the type is
	// LoadBalancer. Kubernetes cannot change it while the Service has that type:
	// the condition ServicesInSync reports a change, and what to do.
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	// +kubebuilder:validation:MaxLength=317
	// +optional
	LoadBalancerClass string `json:"loadBalancerClass,omitempty"`

	// LoadBalancerSourceRanges are the addresses that may connect through the load
	// balancer, such as 10.0.0.0/8, if the type is LoadBalancer. If there are none,
	// all may.
	// +listType=atomic
	// +optional
	LoadBalancerSourceRanges []string `json:"loadBalancerSourceRanges,omitempty"`

	// ExternalTrafficPolicy says where connections from outside of the cluster are
	// led, if the type is NodePort or LoadBalancer. With Local, only the node that
	// the pod runs on leads them, and the server sees the addresses of its clients.
	// Defaults to Cluster.
	// +kubebuilder:validation:Enum=Cluster;Local
	// +optional
	ExternalTrafficPolicy corev1.ServiceExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`

	// IPFamilyPolicy says whether the Service has addresses of one family or of
	// both. Defaults to SingleStack. Removing it changes nothing.
	// +kubebuilder:validation:Enum=SingleStack;PreferDualStack;RequireDualStack
	// +optional
	IPFamilyPolicy corev1.IPFamilyPolicy `json:"ipFamilyPolicy,omitempty"`

	// IPFamilies of the Service's addresses. Defaults to the cluster's first, and
	// both with an ipFamilyPolicy for both. Kubernetes cannot change the first: the
	// condition ServicesInSync reports that, and what to do.
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:Enum=IPv4;IPv6
	// +kubebuilder:validation:XValidation:rule="size(self) < 2 || self[0] != self[1]",message="must not name a family twice"
	// +listType=atomic
	// +optional
	IPFamilies []corev1.IPFamily `json:"ipFamilies,omitempty"`
}

// Types of adapters.
const (
	AdapterNFS = "nfs"
	AdapterSMB = "smb"
)

// Ports at which clients look for a server that they are not told the port of.
const (
	NFSServicePort        int32 = 2049
	SMBServicePort        int32 = 445
	PortmapperServicePort int32 = 111
)

// AdapterSpec describes a file protocol that the server speaks.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'nfs' || !has(self.portmapper) || !has(self.portmapper.enabled) || !self.portmapper.enabled",message="portmapper is for the type nfs"
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

	// ServicePort is the port of the adapter's Service. Defaults to the port that
	// clients use without options: 2049 for nfs, 445 for smb.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	ServicePort int32 `json:"servicePort,omitempty"`

	// Portmapper leads NFSv3 clients to the server's portmapper, which tells them the
	// adapter's port. Without it they need options to mount.
	// +optional
	Portmapper *PortmapperSpec `json:"portmapper,omitempty"`
}

// PortmapperSpec tells the Service and the NetworkPolicy of the server's portmapper. It
// does not configure the server: you turn its portmapper on through its own API.
type PortmapperSpec struct {
	// Enabled adds ports to the Service: 111 for the portmapper, over TCP and UDP,
	// and the adapter's own port, which is what the portmapper tells.
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// Port that the portmapper listens on. Defaults to 10111.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`
}

// AdapterServicesSpec configures the Services of the file protocols.
type AdapterServicesSpec struct {
	ServiceSpec `json:",inline"`

	// Enabled creates the Services.
	// +kubebuilder:default=true
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
}

// MetricsSpec configures the server's Prometheus metrics.
//
// +kubebuilder:validation:XValidation:rule="!has(self.serviceMonitor) || !has(self.serviceMonitor.enabled) || !self.serviceMonitor.enabled || (has(self.enabled) && self.enabled)",message="serviceMonitor.enabled needs metrics.enabled"
// +kubebuilder:validation:XValidation:rule="!has(self.serviceMonitor) || !has(self.serviceMonitor.enabled) || !self.serviceMonitor.enabled || !has(self.serviceMonitor.tls) || has(self.tls)",message="serviceMonitor.tls needs metrics.tls"
// +kubebuilder:validation:XValidation:rule="!has(self.serviceMonitor) || !has(self.serviceMonitor.enabled) || !self.serviceMonitor.enabled || !has(self.tls) || !has(self.tls.clientCASecretName) || (has(self.serviceMonitor.tls) && has(self.serviceMonitor.tls.clientCertSecretName))",message="with tls.clientCASecretName, serviceMonitor.enabled needs serviceMonitor.tls.clientCertSecretName"
// +kubebuilder:validation:XValidation:rule="!has(self.prometheusRule) || !has(self.prometheusRule.enabled) || !self.prometheusRule.enabled || (has(self.serviceMonitor) && has(self.serviceMonitor.enabled) && self.serviceMonitor.enabled)",message="prometheusRule.enabled needs serviceMonitor.enabled"
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

	// TLS serves the metrics over HTTPS, and refuses HTTP.
	// +optional
	TLS *MetricsTLSSpec `json:"tls,omitempty"`

	// ServiceMonitor tells the Prometheus operator to scrape the metrics.
	// +optional
	ServiceMonitor *ServiceMonitorSpec `json:"serviceMonitor,omitempty"`

	// PrometheusRule alerts of this server.
	// +optional
	PrometheusRule *PrometheusRuleSpec `json:"prometheusRule,omitempty"`
}

// MetricsTLSSpec describes the certificate of the metrics. The server reads it only at
// its start: each renewal restarts the server, so give it a long life.
type MetricsTLSSpec struct {
	// CertSecretName names the Secret with the certificate and its key, under the keys
	// tls.crt and tls.key.
	// +kubebuilder:validation:MinLength=1
	CertSecretName string `json:"certSecretName"`

	// ClientCASecretName names the Secret with the CAs of scrapers, under the key ca.crt.
	// If it is set, the metrics refuse clients without a certificate from one of these
	// CAs.
	// +optional
	ClientCASecretName string `json:"clientCASecretName,omitempty"`

	// MinVersion is the lowest version of TLS that is accepted: 1.2, which is the
	// server's default, or 1.3.
	// +kubebuilder:validation:Enum="1.2";"1.3"
	// +optional
	MinVersion string `json:"minVersion,omitempty"`
}

// ServiceMonitorTLSSpec says how Prometheus and the server verify each other. The
// Secrets are in the DittoServer's namespace, and the Prometheus operator reads them.
type ServiceMonitorTLSSpec struct {
	// CASecretRef refers to the CA that the server's certificate is verified against.
	// Defaults to the key ca.crt of metrics.tls.certSecretName, where cert-manager puts
	// it.
	// +optional
	CASecretRef *SecretKeyRef `json:"caSecretRef,omitempty"`

	// ServerName is the name that the server's certificate must be for. Defaults to
	// NAME-metrics.NAMESPACE.svc, the name of the Service.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ServerName string `json:"serverName,omitempty"`

	// ClientCertSecretName names the Secret with the certificate that Prometheus shows,
	// and its key, under the keys tls.crt and tls.key. It is for a server with
	// metrics.tls.clientCASecretName.
	// +optional
	ClientCertSecretName string `json:"clientCertSecretName,omitempty"`
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

	// TLS says how Prometheus and the server verify each other, with metrics.tls.
	// +optional
	TLS *ServiceMonitorTLSSpec `json:"tls,omitempty"`

	// Labels are additional labels of the ServiceMonitor. A Prometheus selects
	// it by its labels.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
}

// PrometheusRuleSpec has Prometheus alert of what somebody has to look at: the server is
// down, a change waits, a volume is nearly full, and the like.
type PrometheusRuleSpec struct {
	// Enabled creates the PrometheusRule, if the cluster knows the kind. It needs
	// serviceMonitor.enabled: the alerts know the server's metrics by the labels that
	// they get by it.
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// Labels are additional labels of the PrometheusRule. A Prometheus selects it by
	// its labels.
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
