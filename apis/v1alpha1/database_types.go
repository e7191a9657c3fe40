package v1alpha1

import corev1 "k8s.io/api/core/v1"

// Database types.
const (
	DatabaseSQLite   = "sqlite"
	DatabasePostgres = "postgres"
)

// DatabaseSpec describes the database in which the control plane keeps its
// records.
type DatabaseSpec struct {
	// Type of the database. With a postgresSecretRef or percona it is postgres,
	// regardless of this field.
	// +kubebuilder:validation:Enum=sqlite;postgres
	// +kubebuilder:default="sqlite"
	// +optional
	Type string `json:"type,omitempty"`

	// SQLite is used unless the type is postgres.
	// +optional
	SQLite *SQLiteSpec `json:"sqlite,omitempty"`

	// PostgresSecretRef names the Secret with the credentials: the keys host,
	// database (or dbname), user (or username) and password, and optionally port
	// and sslmode. That is what CloudNativePG, Crunchy's and Percona's operators
	// write. A uri is not read.
	// +optional
	PostgresSecretRef *PostgresSecretRef `json:"postgresSecretRef,omitempty"`

	// SSLRootCertSecretRef refers to the CA that PostgreSQL's certificate is
	// verified against. The sslmode is then verify-full, unless the Secret with
	// the credentials sets another.
	// +optional
	SSLRootCertSecretRef *SecretKeyRef `json:"sslRootCertSecretRef,omitempty"`
}

// SQLiteSpec describes the file of the SQLite database.
type SQLiteSpec struct {
	// Path of the file, on one of the server's volumes.
	// +kubebuilder:validation:Pattern=`^/data/(controlplane|store/metadata|store/block)/[^?]+$`
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:default="/data/controlplane/controlplane.db"
	// +optional
	Path string `json:"path,omitempty"`
}

// A PostgresSecretRef names a Secret in the DittoServer's namespace.
type PostgresSecretRef struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`

	// Key has no effect, because the server does not read a connection string.
	// It is accepted so that manifests written for the DittoFS operator work.
	// +optional
	Key string `json:"key,omitempty"`
}

// PerconaSpec describes a PostgreSQL cluster that Percona's operator runs. The
// function composes a PerconaPGCluster for it, and the server starts once that
// is ready.
//
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || (has(self.deleteWithServer) && self.deleteWithServer)",message="percona.enabled needs deleteWithServer: true, because Crossplane deletes what it has composed with the DittoServer"
type PerconaSpec struct {
	// Enabled creates the cluster.
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// DeleteWithServer must be true: Crossplane deletes composed resources with
	// their composite resource, so the cluster cannot outlive its DittoServer.
	// To keep a database for longer, create it yourself and name its
	// credentials in database.postgresSecretRef.
	// +optional
	DeleteWithServer bool `json:"deleteWithServer,omitempty"`

	// Replicas of the cluster.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// StorageSize is the size of each replica's volume.
	// +kubebuilder:default="10Gi"
	// +kubebuilder:validation:Pattern=`^[0-9]+(Gi|Mi|Ti)$`
	// +optional
	StorageSize string `json:"storageSize,omitempty"`

	// StorageClassName of the cluster's volumes.
	// +kubebuilder:validation:Pattern=`^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`

	// DatabaseName is the name of the database in the cluster.
	// +kubebuilder:default="dittofs"
	// +kubebuilder:validation:Pattern=`^[a-z_][a-z0-9_]*$`
	// +kubebuilder:validation:MaxLength=63
	// +optional
	DatabaseName string `json:"databaseName,omitempty"`

	// Backup of the cluster to an S3 bucket.
	// +optional
	Backup *PerconaBackupSpec `json:"backup,omitempty"`
}

// PerconaBackupSpec describes backups to an S3 bucket, by pgBackRest.
//
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || (has(self.bucket) && has(self.endpoint) && has(self.credentialsSecretRef))",message="backup.enabled needs bucket, endpoint and credentialsSecretRef"
type PerconaBackupSpec struct {
	// Enabled turns backups on.
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// CredentialsSecretRef names the Secret with pgBackRest's s3.conf.
	// +optional
	CredentialsSecretRef *corev1.LocalObjectReference `json:"credentialsSecretRef,omitempty"`

	// Bucket of the backups.
	// +kubebuilder:validation:Pattern=`^\S*$`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Bucket string `json:"bucket,omitempty"`

	// Endpoint of the S3 service.
	// +kubebuilder:validation:Pattern=`^\S*$`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// Region of the bucket.
	// +kubebuilder:default="eu-west-1"
	// +kubebuilder:validation:Pattern=`^\S*$`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Region string `json:"region,omitempty"`

	// FullSchedule is the cron schedule of full backups: five fields, or a name
	// such as @daily.
	// +kubebuilder:default="0 2 * * *"
	// +kubebuilder:validation:Pattern=`^\s*([0-9A-Za-z*/,?-]+\s+){4}[0-9A-Za-z*/,?-]+\s*$|^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	FullSchedule string `json:"fullSchedule,omitempty"`

	// IncrSchedule is the cron schedule of incremental backups: five fields, or
	// a name such as @daily.
	// +kubebuilder:default="0 * * * *"
	// +kubebuilder:validation:Pattern=`^\s*([0-9A-Za-z*/,?-]+\s+){4}[0-9A-Za-z*/,?-]+\s*$|^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	IncrSchedule string `json:"incrSchedule,omitempty"`

	// RetentionDays is the number of days that a full backup is kept.
	// +kubebuilder:default=7
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9999999
	// +optional
	RetentionDays *int32 `json:"retentionDays,omitempty"`
}
