package dittofs

import (
	"go.yaml.in/yaml/v2"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// Config is the part of the server's config.yaml that the function renders. Other keys
// keep the server's own defaults. What comes from Secrets is in the environment.
type Config struct {
	BlockStore      *BlockStore  `yaml:"blockstore,omitempty"`
	ControlPlane    ControlPlane `yaml:"controlplane"`
	Database        Database     `yaml:"database"`
	Kerberos        *Kerberos    `yaml:"kerberos,omitempty"`
	LDAP            *LDAP        `yaml:"ldap,omitempty"`
	Logging         Logging      `yaml:"logging"`
	Metrics         *Metrics     `yaml:"metrics,omitempty"`
	ShutdownTimeout string       `yaml:"shutdown_timeout"`
}

// Logging says where and how the server logs. By default it logs into a file in its home
// directory.
type Logging struct {
	Format   string       `yaml:"format"`
	Level    string       `yaml:"level"`
	Output   string       `yaml:"output"`
	Rotation *LogRotation `yaml:"rotation,omitempty"`
}

// LogRotation says how a log file is rotated, with sizes in MB and ages in days.
type LogRotation struct {
	Compress   bool  `yaml:"compress,omitempty"`
	MaxAge     int32 `yaml:"max_age,omitempty"`
	MaxBackups int32 `yaml:"max_backups,omitempty"`
	MaxSize    int32 `yaml:"max_size,omitempty"`
}

// Database is the control plane's database.
type Database struct {
	Postgres *Postgres `yaml:"postgres,omitempty"`
	SQLite   *SQLite   `yaml:"sqlite,omitempty"`
	Type     string    `yaml:"type"`
}

// SQLite is the file of the SQLite database.
type SQLite struct {
	Path string `yaml:"path"`
}

// Postgres is the part of the PostgreSQL connection that does not come from a Secret.
type Postgres struct {
	SSLRootCert string `yaml:"ssl_root_cert,omitempty"`
	SSLMode     string `yaml:"sslmode,omitempty"`
}

// BlockStore is what all shares have in common of their local block stores.
type BlockStore struct {
	Local LocalBlockStore `yaml:"local"`
}

// LocalBlockStore is the local part of a share's blocks. Sizes are in bytes: the server
// reads no units.
type LocalBlockStore struct {
	DefaultRemoteCacheSize int64 `yaml:"default_remote_cache_size"`
}

// ControlPlane is the REST API. By default it listens on 127.0.0.1.
type ControlPlane struct {
	Host                         string `yaml:"host"`
	JWT                          JWT    `yaml:"jwt"`
	Port                         int32  `yaml:"port"`
	RequireInitialPasswordChange bool   `yaml:"require_initial_password_change"`
	TLS                          *TLS   `yaml:"tls,omitempty"`
}

// TLS is the certificate of a listener, and the CAs of its clients.
type TLS struct {
	CertFile string `yaml:"cert_file"`
	ClientCA string `yaml:"client_ca,omitempty"`
	KeyFile  string `yaml:"key_file"`

	// MinVersion is 1.2, which is the server's default, or 1.3.
	MinVersion string `yaml:"min_version,omitempty"`
}

// JWT configures the API's tokens. Durations are strings with a unit: the server reads a
// bare number as nanoseconds.
type JWT struct {
	AccessTokenDuration  string `yaml:"access_token_duration"`
	RefreshTokenDuration string `yaml:"refresh_token_duration"`
}

// Metrics is the listener for Prometheus.
type Metrics struct {
	Auth      string `yaml:"auth"`
	Enabled   bool   `yaml:"enabled"`
	Host      string `yaml:"host"`
	Path      string `yaml:"path"`
	Port      int32  `yaml:"port"`
	TLS       *TLS   `yaml:"tls,omitempty"`
	TokenFile string `yaml:"token_file,omitempty"`
}

// LDAP is the directory in which users are looked up.
type LDAP struct {
	AllowPlaintext bool     `yaml:"allow_plaintext,omitempty"`
	BaseDN         string   `yaml:"base_dn"`
	BindDN         string   `yaml:"bind_dn"`
	Enabled        bool     `yaml:"enabled"`
	Idmap          string   `yaml:"idmap,omitempty"`
	NestedGroups   bool     `yaml:"nested_groups,omitempty"`
	Realm          string   `yaml:"realm,omitempty"`
	StartTLS       bool     `yaml:"start_tls,omitempty"`
	TLS            *LDAPTLS `yaml:"tls,omitempty"`
	URL            string   `yaml:"url"`
	UserAttr       string   `yaml:"user_attr,omitempty"`
}

// LDAPTLS says how the directory's certificate is verified.
type LDAPTLS struct {
	CACertFile         string `yaml:"ca_cert_file,omitempty"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify,omitempty"`
}

// Kerberos is the realm and the server's place in it.
type Kerberos struct {
	DNSDomain        string          `yaml:"dns_domain,omitempty"`
	Enabled          bool            `yaml:"enabled"`
	KeytabPath       string          `yaml:"keytab_path"`
	Krb5Conf         string          `yaml:"krb5_conf"`
	MachineAccount   *MachineAccount `yaml:"machine_account,omitempty"`
	NetBIOSDomain    string          `yaml:"netbios_domain,omitempty"`
	Realm            string          `yaml:"realm,omitempty"`
	ServicePrincipal string          `yaml:"service_principal"`
}

// MachineAccount is the server's own account in the domain.
type MachineAccount struct {
	AccountName string   `yaml:"account_name"`
	DCAddress   []string `yaml:"dc_address,omitempty"`
	Enabled     bool     `yaml:"enabled"`
}

// Render returns the bytes of config.yaml. The same configuration gives the same bytes,
// with keys in the order of the fields, which is that of the alphabet.
func (c *Config) Render() ([]byte, error) {
	b, err := yaml.Marshal(c)
	return b, errors.Wrap(err, "cannot write config")
}
