package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a DittoServer is to Kubernetes.
const (
	APIVersion = "dittofs.io/v1alpha1"
	Kind       = "DittoServer"
)

// A DittoServer is one DittoFS file server: a StatefulSet of one pod with its
// own volumes, its configuration and its Services.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas
// +kubebuilder:resource:scope=Namespaced,categories=crossplane,shortName=ditto;dittofs
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.spec.replicas`
// +kubebuilder:printcolumn:name="Ready-Replicas",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Available",type=integer,JSONPath=`.status.availableReplicas`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="NFS",type=string,priority=1,JSONPath=`.status.endpoints.nfs.host`
// +kubebuilder:printcolumn:name="NFS-Load-Balancer",type=string,priority=1,JSONPath=`.status.endpoints.nfs.loadBalancer`
// +kubebuilder:printcolumn:name="SMB",type=string,priority=1,JSONPath=`.status.endpoints.smb.host`
// +kubebuilder:printcolumn:name="SMB-Load-Balancer",type=string,priority=1,JSONPath=`.status.endpoints.smb.loadBalancer`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 52 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be at most 52 characters of a-z, 0-9 and '-', start with a letter and end with a letter or digit"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.percona) || !has(self.spec.percona.enabled) || !self.spec.percona.enabled || size(self.metadata.name) <= 28",message="percona.enabled needs a metadata.name of at most 28 characters: Percona's operator makes names of it"
type DittoServer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   DittoServerSpec   `json:"spec"`
	Status DittoServerStatus `json:"status,omitempty"`
}

// DittoServerSpec describes the server that a user wants. It has no stores,
// shares, adapters and users: you manage those through the server's own REST
// API.
//
// +kubebuilder:validation:XValidation:rule="!has(self.database) || !has(self.database.type) || self.database.type != 'postgres' || has(self.database.postgresSecretRef) || (has(self.percona) && has(self.percona.enabled) && self.percona.enabled)",message="database.type postgres needs database.postgresSecretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.percona) || !has(self.percona.enabled) || !self.percona.enabled || !has(self.database) || !has(self.database.postgresSecretRef)",message="percona.enabled and database.postgresSecretRef are two databases: remove one"
// +kubebuilder:validation:XValidation:rule="!has(self.metrics) || !has(self.metrics.enabled) || !self.metrics.enabled || !has(self.metrics.port) || self.metrics.port != (has(self.controlPlane) && has(self.controlPlane.port) ? self.controlPlane.port : 8080)",message="metrics.port must not be the port of controlPlane.port"
// +kubebuilder:validation:XValidation:rule="!has(self.blockStore) || !has(self.blockStore.remoteCacheSize) || !quantity(self.blockStore.remoteCacheSize).isGreaterThan(quantity(has(self.storage.contentSize) ? self.storage.contentSize : self.storage.metadataSize))",message="blockStore.remoteCacheSize must fit the volume that it is on: storage.contentSize or, without one, storage.metadataSize"
type DittoServerSpec struct {
	// Image of the server. Defaults to the platform team's choice (the image of
	// the function's Input), or else to the DittoFS release that the function
	// was tested with.
	// +kubebuilder:validation:Pattern=`^$|^(([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(:[0-9]+)?/)?[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}))?$`
	// +optional
	Image string `json:"image,omitempty"`

	// Replicas is 1, or 0 to stop the server and keep its volumes. More than one
	// would put two servers on the same data.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// Storage describes the server's volumes.
	Storage StorageSpec `json:"storage"`

	// BlockStore configures what the server keeps of remote block stores.
	// +optional
	BlockStore *BlockStoreSpec `json:"blockStore,omitempty"`

	// Encryption gives the server the keys of encrypted remote block stores.
	// +optional
	Encryption *EncryptionSpec `json:"encryption,omitempty"`

	// Database holds the control plane's records: stores, shares and users.
	// +optional
	Database *DatabaseSpec `json:"database,omitempty"`

	// ControlPlane configures the server's REST API.
	// +optional
	ControlPlane *ControlPlaneSpec `json:"controlPlane,omitempty"`

	// Identity configures how users and API clients prove who they are.
	// +optional
	Identity *IdentitySpec `json:"identity,omitempty"`

	// Logging configures the server's log. A change restarts the server.
	// +optional
	Logging *LoggingSpec `json:"logging,omitempty"`

	// Service exposes the REST API.
	// +optional
	Service *ServiceSpec `json:"service,omitempty"`

	// Adapters tell the Services and the NetworkPolicy which file protocols the
	// server speaks, and on which ports. They do not configure the server: you
	// manage its adapters through its own API. A new server listens on the default
	// ports.
	// +kubebuilder:default={{type: "nfs", port: 12049, servicePort: 2049}, {type: "smb", port: 1445, servicePort: 445}}
	// +kubebuilder:validation:MaxItems=2
	// +listType=map
	// +listMapKey=type
	// +optional
	Adapters []AdapterSpec `json:"adapters,omitempty"`

	// AdapterServices expose the file protocols, each with a Service.
	// +optional
	AdapterServices *AdapterServicesSpec `json:"adapterServices,omitempty"`

	// Metrics configures the server's Prometheus metrics.
	// +optional
	Metrics *MetricsSpec `json:"metrics,omitempty"`

	// NetworkPolicy limits who may connect to the server.
	// +optional
	NetworkPolicy *NetworkPolicySpec `json:"networkPolicy,omitempty"`

	// PodDisruptionBudget keeps the pod from being evicted.
	// +optional
	PodDisruptionBudget *PodDisruptionBudgetSpec `json:"podDisruptionBudget,omitempty"`

	// Percona runs a PostgreSQL cluster for the server, with Percona's operator.
	// +optional
	Percona *PerconaSpec `json:"percona,omitempty"`

	// DeletionProtection has Crossplane refuse to delete the DittoServer until it is
	// false again. The condition DeletionProtectionReady says whether it does. Deleting
	// the namespace still deletes the DittoServer.
	// +optional
	DeletionProtection bool `json:"deletionProtection,omitempty"`

	// ShutdownTimeout limits each stage of the server's shutdown. It is a Go
	// duration, such as 30s. The default of terminationGracePeriodSeconds
	// depends on it.
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s') && duration(self) <= duration('1h')",message="must be more than zero and at most 1h"
	// +optional
	ShutdownTimeout string `json:"shutdownTimeout,omitempty"`

	// Resources of the server's container. The server sizes its caches by the memory
	// limit, which must be at least 16Mi.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// SecurityContext of the server's container. Fields that you do not set keep the
	// restricted defaults. If you add capabilities, all others are still dropped,
	// unless you add ALL.
	// +optional
	SecurityContext *corev1.SecurityContext `json:"securityContext,omitempty"`

	// PodSecurityContext of the pod. Fields that you do not set keep the restricted
	// defaults. The fsGroup defaults to the runAsUser, which defaults to 65532: a new
	// user then gets access to the files of the old one at the next start. If you set
	// fsGroup, change it together with runAsUser, or set fsGroupChangePolicy to
	// Always. Only the sysctls that every kubelet allows are accepted.
	// +optional
	PodSecurityContext *corev1.PodSecurityContext `json:"podSecurityContext,omitempty"`

	// TerminationGracePeriodSeconds is how long, in seconds, the server may
	// take to stop before Kubernetes kills it. Defaults to three times the
	// shutdownTimeout plus 10 seconds, which is enough for the server's own
	// shutdown.
	// +kubebuilder:validation:Minimum=36
	// +kubebuilder:validation:Maximum=86400
	// +optional
	TerminationGracePeriodSeconds *int64 `json:"terminationGracePeriodSeconds,omitempty"`

	// Rollout says when a change may replace the server's pod.
	// +optional
	Rollout *RolloutSpec `json:"rollout,omitempty"`

	// ImagePullPolicy of the image.
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// ImagePullSecrets for the image.
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// NodeSelector of the pod.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// Tolerations of the pod.
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// Affinity of the pod.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// TopologySpreadConstraints of the pod.
	// +optional
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`

	// PriorityClassName of the pod.
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// PodLabels are additional labels of the pod. A change restarts the server.
	// +optional
	PodLabels map[string]string `json:"podLabels,omitempty"`

	// PodAnnotations are additional annotations of the pod. A change restarts
	// the server.
	// +optional
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`

	// ServiceAccountName of the pod, which has no token of it unless a projected volume
	// asks for one: the server does not talk to Kubernetes.
	// +kubebuilder:validation:Pattern=`^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// Env are additional variables of the server: values, keys of Secrets and ConfigMaps
	// of the namespace, and fields of the pod. Each setting of DittoFS has a variable
	// (DITTOFS_GC_AUTO_INTERVAL is gc.auto_interval). Those that another field of this
	// spec sets are refused. A change restarts the server.
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:XValidation:rule="self.all(e, !has(e.valueFrom) || !has(e.value) || e.value == '')",message="a variable has a value or a valueFrom, not both"
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []corev1.EnvVar `json:"env,omitempty"`

	// EnvFrom are Secrets and ConfigMaps of the namespace whose keys are all variables of
	// the server. The variables of env take precedence. A change restarts the server.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(e, has(e.secretRef) != has(e.configMapRef))",message="must be exactly one of secretRef and configMapRef"
	// +listType=atomic
	// +optional
	EnvFrom []corev1.EnvFromSource `json:"envFrom,omitempty"`

	// Volumes are additional volumes of the pod.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Volumes []Volume `json:"volumes,omitempty"`

	// VolumeMounts say where the additional volumes are in the server's container. None
	// may hide what the server has or writes. subPathExpr, mountPropagation and
	// recursiveReadOnly are not supported.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(m, m.mountPath.startsWith('/'))",message="mountPath must be an absolute path"
	// +listType=map
	// +listMapKey=mountPath
	// +optional
	VolumeMounts []corev1.VolumeMount `json:"volumeMounts,omitempty"`
}

// StorageSpec describes the server's volumes. Kubernetes cannot change the
// volume claims of an existing StatefulSet. A later change of sizes or class
// has no effect on the volumes by itself, and the condition StorageInSync says
// what to do.
//
// +kubebuilder:validation:XValidation:rule="!has(self.contentStorageClassName) || has(self.contentSize)",message="contentStorageClassName needs contentSize"
type StorageSpec struct {
	// MetadataSize is the size of the volume at /data/store/metadata.
	// +kubebuilder:validation:Pattern=`^[0-9]+(Gi|Mi|Ti)$`
	// +kubebuilder:example="10Gi"
	MetadataSize string `json:"metadataSize"`

	// ContentSize is the size of the volume at /data/store/block, which holds
	// the local blocks and the journal. If it is not set, there is no such
	// volume.
	// +kubebuilder:validation:Pattern=`^[0-9]+(Gi|Mi|Ti)$`
	// +kubebuilder:example="50Gi"
	// +optional
	ContentSize string `json:"contentSize,omitempty"`

	// ControlPlaneSize is the size of the volume at /data/controlplane, which
	// holds the SQLite database.
	// +kubebuilder:validation:Pattern=`^[0-9]+(Gi|Mi|Ti)$`
	// +kubebuilder:default="1Gi"
	// +optional
	ControlPlaneSize string `json:"controlPlaneSize,omitempty"`

	// StorageClassName of all volumes that have none of their own. Defaults to the
	// platform team's choice, or else to the cluster's default class.
	// +kubebuilder:validation:Pattern=`^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`

	// MetadataStorageClassName of the volume at /data/store/metadata. Defaults to
	// storageClassName.
	// +kubebuilder:validation:Pattern=`^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	// +optional
	MetadataStorageClassName *string `json:"metadataStorageClassName,omitempty"`

	// ContentStorageClassName of the volume at /data/store/block. Defaults to
	// storageClassName. It requires a contentSize.
	// +kubebuilder:validation:Pattern=`^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ContentStorageClassName *string `json:"contentStorageClassName,omitempty"`

	// ControlPlaneStorageClassName of the volume at /data/controlplane. Defaults to
	// storageClassName.
	// +kubebuilder:validation:Pattern=`^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ControlPlaneStorageClassName *string `json:"controlPlaneStorageClassName,omitempty"`
}

// A SecretKeyRef names one key of a Secret in the DittoServer's namespace.
type SecretKeyRef struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`

	// Key in the Secret's data.
	// +kubebuilder:validation:MinLength=1
	Key string `json:"key"`
}

// ControlPlaneSpec configures the server's REST API.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || !self.tls || has(self.certSecretName)",message="tls needs certSecretName"
// +kubebuilder:validation:XValidation:rule="!has(self.clientCASecretName) || has(self.certSecretName)",message="clientCASecretName needs certSecretName"
// +kubebuilder:validation:XValidation:rule="!has(self.minTLSVersion) || has(self.certSecretName)",message="minTLSVersion needs certSecretName"
type ControlPlaneSpec struct {
	// Port of the API.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:default=8080
	// +kubebuilder:validation:XValidation:rule="!(self in [12049, 1445])",message="is where a new server's adapters listen: choose another port"
	// +optional
	Port *int32 `json:"port,omitempty"`

	// TLS requires a certSecretName if it is true. It has no other effect: the
	// certSecretName turns TLS on.
	// +optional
	TLS bool `json:"tls,omitempty"`

	// CertSecretName names the Secret with the API's certificate and key, under
	// the keys tls.crt and tls.key. If it is set, the API accepts only HTTPS.
	// The server uses a renewed certificate without a restart.
	// +optional
	CertSecretName string `json:"certSecretName,omitempty"`

	// ClientCASecretName names the Secret with the CAs of the API's clients,
	// under the key ca.crt. If it is set, the API refuses clients without a
	// certificate from one of these CAs.
	// +optional
	ClientCASecretName string `json:"clientCASecretName,omitempty"`

	// MinTLSVersion is the lowest version of TLS that the API accepts: 1.2, which is the
	// server's default, or 1.3.
	// +kubebuilder:validation:Enum="1.2";"1.3"
	// +optional
	MinTLSVersion string `json:"minTLSVersion,omitempty"`

	// RequireInitialPasswordChange makes an account that was created with a
	// generated password change it at the first login.
	// +kubebuilder:default=true
	// +optional
	RequireInitialPasswordChange *bool `json:"requireInitialPasswordChange,omitempty"`
}

// LoggingSpec configures the server's log.
//
// +kubebuilder:validation:XValidation:rule="!has(self.rotation) || !has(self.output) || !(self.output in ['stdout', 'stderr'])",message="rotation needs an output that is a file"
type LoggingSpec struct {
	// Level is the lowest level that is logged.
	// +kubebuilder:validation:Enum=DEBUG;INFO;WARN;ERROR
	// +kubebuilder:default="INFO"
	// +optional
	Level string `json:"level,omitempty"`

	// Format of a log line.
	// +kubebuilder:validation:Enum=text;json
	// +kubebuilder:default="json"
	// +optional
	Format string `json:"format,omitempty"`

	// Output is stdout, stderr, or a file on one of the server's volumes or in
	// /tmp.
	// +kubebuilder:default="stdout"
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^(stdout|stderr|/(data/(controlplane|store/metadata|store/block)|tmp)/[^\pC]+)$`
	// +optional
	Output string `json:"output,omitempty"`

	// Rotation of the log file, if the output is a file.
	// +optional
	Rotation *LogRotationSpec `json:"rotation,omitempty"`
}

// LogRotationSpec says when the server starts a new log file.
type LogRotationSpec struct {
	// MaxSize is the largest size of a file, in MB. Defaults to 100.
	// +kubebuilder:validation:Minimum=0
	// +optional
	MaxSize int32 `json:"maxSize,omitempty"`

	// MaxBackups is the number of old files that are kept. 0 keeps all.
	// +kubebuilder:validation:Minimum=0
	// +optional
	MaxBackups int32 `json:"maxBackups,omitempty"`

	// MaxAge is the number of days that an old file is kept. 0 is no limit.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=36500
	// +optional
	MaxAge int32 `json:"maxAge,omitempty"`

	// Compress old files.
	// +optional
	Compress bool `json:"compress,omitempty"`
}

// Rollout policies.
const (
	RolloutAutomatic = "Automatic"
	RolloutManual    = "Manual"
)

// RolloutSpec says when a change may replace the server's pod.
type RolloutSpec struct {
	// Policy Automatic replaces the pod as soon as a change needs a new pod to take
	// effect. Manual holds all such changes until there is a new restartToken; the
	// condition RestartPending says what waits. Defaults to the platform team's
	// choice, or else to Automatic.
	// +kubebuilder:validation:Enum=Automatic;Manual
	// +optional
	Policy string `json:"policy,omitempty"`

	// RestartToken is any text. A new value restarts the server once, with either
	// policy. Removing it restarts nothing.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	RestartToken string `json:"restartToken,omitempty"`
}

// PodDisruptionBudgetSpec says whether the pod may be evicted.
type PodDisruptionBudgetSpec struct {
	// Enabled creates a PodDisruptionBudget that refuses to evict the pod while it is
	// ready. kubectl drain then waits until somebody deletes the pod.
	// +optional
	Enabled bool `json:"enabled,omitempty"`
}

// Phases of a server.
const (
	PhasePending = "Pending"
	PhaseRunning = "Running"
	PhaseStopped = "Stopped"
)

// DittoServerStatus is what the function reports about the server. Crossplane
// adds its own fields and the conditions.
type DittoServerStatus struct {
	// ObservedGeneration is the metadata.generation that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Replicas is the number of pods that the StatefulSet asks for.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`

	// ReadyReplicas is the number of pods that answer their readiness probe.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas,omitempty"`

	// AvailableReplicas is the number of pods that Kubernetes counts as available.
	// +optional
	AvailableReplicas int32 `json:"availableReplicas,omitempty"`

	// Phase is Pending, Running or Stopped.
	// +kubebuilder:validation:Enum=Pending;Running;Stopped
	// +optional
	Phase string `json:"phase,omitempty"`

	// ConfigHash is the pod template's annotation dittofs.io/config-hash: a
	// hash of what the server reads at its start.
	// +optional
	ConfigHash string `json:"configHash,omitempty"`

	// PendingHash is a digest of what the server will run with after the
	// restart that waits for you (see the condition RestartPending). It makes a
	// good restartToken: it is never the present one.
	// +optional
	PendingHash string `json:"pendingHash,omitempty"`

	// Certificates say how long the server's certificates are valid, as they are
	// in their Secrets.
	// +optional
	Certificates *CertificatesStatus `json:"certificates,omitempty"`

	// PerconaClusterName is the name of the PerconaPGCluster, if there is one.
	// +optional
	PerconaClusterName string `json:"perconaClusterName,omitempty"`

	// Endpoints are where clients reach the server. One without a Service has none.
	// +optional
	Endpoints *EndpointsStatus `json:"endpoints,omitempty"`
}

// EndpointsStatus says where clients reach the server.
type EndpointsStatus struct {
	// API is where the REST API is.
	// +optional
	API *EndpointStatus `json:"api,omitempty"`

	// NFS is where NFS is.
	// +optional
	NFS *EndpointStatus `json:"nfs,omitempty"`

	// SMB is where SMB is.
	// +optional
	SMB *EndpointStatus `json:"smb,omitempty"`

	// Metrics is where the metrics are.
	// +optional
	Metrics *EndpointStatus `json:"metrics,omitempty"`
}

// EndpointStatus says where a Service is.
type EndpointStatus struct {
	// Host is the Service's name in the cluster: NAME.NAMESPACE.svc.
	Host string `json:"host"`

	// Port of the Service, and of its load balancer.
	Port int32 `json:"port"`

	// LoadBalancer is the address of the Service's load balancer, an IP address or
	// a host name, if the Service has one.
	// +optional
	LoadBalancer string `json:"loadBalancer,omitempty"`
}

// CertificatesStatus says how long the server's certificates are valid. One that
// cannot be read is left out.
type CertificatesStatus struct {
	// API is the certificate of controlPlane.certSecretName. The server has it
	// within two minutes.
	// +optional
	API *CertificateStatus `json:"api,omitempty"`

	// Metrics is the certificate of metrics.tls.certSecretName. The server has
	// it once it was restarted for it (see the condition RestartPending).
	// +optional
	Metrics *CertificateStatus `json:"metrics,omitempty"`
}

// CertificateStatus says how long a certificate is valid.
type CertificateStatus struct {
	// NotBefore is when it becomes valid.
	NotBefore metav1.Time `json:"notBefore"`

	// NotAfter is when it expires.
	NotAfter metav1.Time `json:"notAfter"`
}
