// Package dittofs is the contract of the DittoFS server (dfs): what it reads, at
// which names and paths, on which ports it listens, and which of its inputs it
// reads again while it runs. Everything here was seen on DittoFS v0.29.0.
package dittofs

import "time"

// DefaultImage is the release that the function is tested with.
const DefaultImage = "marmos91c/dittofs:v0.29.0"

// UserID is the user and group that the image runs as.
const UserID int64 = 65532

// Ports on which a new server's adapters listen, and the defaults of the API and the
// metrics.
const (
	NFSPort     int32 = 12049
	SMBPort     int32 = 1445
	APIPort     int32 = 8080
	MetricsPort int32 = 9090
)

// PortmapperPort is where the NFS adapter's portmapper listens, over TCP and UDP, if it is
// turned on in the adapter's settings. By default it is off.
const PortmapperPort int32 = 10111

// Program is the server in its image.
const Program = "/app/dfs"

// Command starts the server in the foreground, with the configuration at
// ConfigDir/ConfigFile.
func Command() (command, args []string) {
	return []string{Program}, []string{"start", "--foreground", "--config", ConfigDir + "/" + ConfigFile}
}

// Paths in the server's container.
const (
	ConfigDir  = "/config"
	ConfigFile = "config.yaml"

	// MetadataDir, ContentDir and ControlPlaneDir hold what must not be lost.
	MetadataDir     = "/data/store/metadata"
	ContentDir      = "/data/store/block"
	ControlPlaneDir = "/data/controlplane"

	// TempDir is used by the block store's garbage collector.
	TempDir = "/tmp"
)

// Files that the server reads from Secrets. The function mounts them there.
const (
	TLSCertFile      = "/tls/tls.crt"
	TLSKeyFile       = "/tls/tls.key"
	ClientCAFile     = "/tls-client-ca/ca.crt"
	MetricsTokenFile = "/metrics-token/token"

	MetricsTLSCertFile  = "/metrics-tls/tls.crt"
	MetricsTLSKeyFile   = "/metrics-tls/tls.key"
	MetricsClientCAFile = "/metrics-client-ca/ca.crt"

	KeytabFile     = "/kerberos/dittofs.keytab"
	Krb5ConfFile   = "/kerberos-krb5/krb5.conf"
	LDAPCAFile     = "/ldap-ca/ca.crt"
	PostgresCAFile = "/postgres-ca/ca.crt"
)

// EncryptionDir has the key files of encrypted stores. A store's configuration, which is in
// the server's database, names its file.
const EncryptionDir = "/encryption"

// EncryptionKeyFile returns the path of a key file.
func EncryptionKeyFile(name string) string { return EncryptionDir + "/" + name + ".key" }

// Environment variables that the server reads from Secrets, all at its start.
const (
	EnvJWTSecret            = "DITTOFS_CONTROLPLANE_SECRET"
	EnvAdminPassword        = "DITTOFS_ADMIN_INITIAL_PASSWORD"
	EnvLDAPBindPassword     = "DITTOFS_LDAP_BIND_PASSWORD"
	EnvMachineAccountSecret = "DITTOFS_KERBEROS_MACHINE_ACCOUNT_SECRET"
	EnvEncryptionPassphrase = "DITTOFS_ENCRYPTION_PASSPHRASE"

	EnvPostgresHost     = "DITTOFS_DATABASE_POSTGRES_HOST"
	EnvPostgresPort     = "DITTOFS_DATABASE_POSTGRES_PORT"
	EnvPostgresDatabase = "DITTOFS_DATABASE_POSTGRES_DATABASE"
	EnvPostgresUser     = "DITTOFS_DATABASE_POSTGRES_USER"
	EnvPostgresPassword = "DITTOFS_DATABASE_POSTGRES_PASSWORD"
	EnvPostgresSSLMode  = "DITTOFS_DATABASE_POSTGRES_SSLMODE"
)

// Health endpoints of the REST API.
const (
	// LivenessPath answers 200 as long as the server serves.
	LivenessPath = "/health"
	// ReadinessPath answers 200 once stores, shares and adapters are up. The API
	// opens last.
	ReadinessPath = "/health/ready"
)

// ShutdownBudget returns the longest time that a shutdown takes before the server ends
// itself, given the timeout of each stage.
func ShutdownBudget(timeout time.Duration) time.Duration {
	return 3*timeout + 5*time.Second
}
