package dittofs

import (
	"go.yaml.in/yaml/v2"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// Config is the part of the server's config.yaml that the function renders. Other keys
// keep the server's own defaults. What comes from Secrets is in the environment.
type Config struct {
	Logging         Logging      `json:"logging"`
	ShutdownTimeout string       `json:"shutdown_timeout"`
	Database        Database     `json:"database"`
	ControlPlane    ControlPlane `json:"controlplane"`
	BlockStore      *BlockStore  `json:"blockstore,omitempty"`
	Metrics         *Metrics     `json:"metrics,omitempty"`
	LDAP            *LDAP        `json:"ldap,omitempty"`
	Kerberos        *Kerberos    `json:"kerberos,omitempty"`
}

// Logging says where and how the server logs. By default it logs into a file in its home
// directory.
type Logging struct {
	Level  string `json:"level"`
	Format string `json:"format"`
	Output string `json:"output"`

	Rotation *LogRotation `json:"rotation,omitempty"`
}

// LogRotation says how a log file is rotated, with sizes in MB and ages in days.
type LogRotation struct {
	MaxSize    int32 `json:"max_size,omitempty"`
	MaxBackups int32 `json:"max_backups,omitempty"`
	MaxAge     int32 `json:"max_age,omitempty"`
	Compress   bool  `json:"compress,omitempty"`
}

// Database is the control plane's database.
type Database struct {
	Type   string  `json:"type"`
	SQLite *SQLite `json:"sqlite,omitempty"`

	Postgres *Postgres `json:"postgres,omitempty"`
}

// SQLite is the file of the SQLite database.
type SQLite struct {
	Path string `json:"path"`
}

// Postgres is the part of the PostgreSQL connection that does not come from a Secret.
type Postgres struct {
	SSLMode     string `json:"sslmode,omitempty"`
	SSLRootCert string `json:"ssl_root_cert,omitempty"`
}

// BlockStore is what all shares have in common of their local block stores.
type BlockStore struct {
	Local LocalBlockStore `json:"local"`
}

// LocalBlockStore is the local part of a share's blocks. Sizes are in bytes: the server
// reads no units.
type LocalBlockStore struct {
	DefaultRemoteCacheSize int64 `json:"default_remote_cache_size"`
}

// ControlPlane is the REST API. By default it listens on 127.0.0.1.
type ControlPlane struct {
	Host string `json:"host"`
	Port int32  `json:"port"`
	JWT  JWT    `json:"jwt"`
	TLS  *TLS   `json:"tls,omitempty"`

	RequireInitialPasswordChange bool `json:"require_initial_password_change"`
}

// TLS is the certificate of a listener, and the CAs of its clients.
type TLS struct {
	CertFile string `json:"cert_file"`
	KeyFile  string `json:"key_file"`
	ClientCA string `json:"client_ca,omitempty"`

	// MinVersion is 1.2, which is the server's default, or 1.3.
	MinVersion string `json:"min_version,omitempty"`
}

// JWT configures the API's tokens. Durations are strings with a unit: the server reads a
// bare number as nanoseconds.
type JWT struct {
	AccessTokenDuration  string `json:"access_token_duration"`
	RefreshTokenDuration string `json:"refresh_token_duration"`
}

// Metrics is the listener for Prometheus.
type Metrics struct {
	Enabled   bool   `json:"enabled"`
	Host      string `json:"host"`
	Port      int32  `json:"port"`
	Path      string `json:"path"`
	Auth      string `json:"auth"`
	TokenFile string `json:"token_file,omitempty"`
	TLS       *TLS   `json:"tls,omitempty"`
}

// LDAP is the directory in which users are looked up.
type LDAP struct {
	Enabled        bool     `json:"enabled"`
	URL            string   `json:"url"`
	StartTLS       bool     `json:"start_tls,omitempty"`
	AllowPlaintext bool     `json:"allow_plaintext,omitempty"`
	BaseDN         string   `json:"base_dn"`
	BindDN         string   `json:"bind_dn"`
	UserAttr       string   `json:"user_attr,omitempty"`
	Realm          string   `json:"realm,omitempty"`
	Idmap          string   `json:"idmap,omitempty"`
	NestedGroups   bool     `json:"nested_groups,omitempty"`
	TLS            *LDAPTLS `json:"tls,omitempty"`
}

// LDAPTLS says how the directory's certificate is verified.
type LDAPTLS struct {
	CACertFile         string `json:"ca_cert_file,omitempty"`
	InsecureSkipVerify bool   `json:"insecure_skip_verify,omitempty"`
}

// Kerberos is the realm and the server's place in it.
type Kerberos struct {
	Enabled          bool            `json:"enabled"`
	KeytabPath       string          `json:"keytab_path"`
	ServicePrincipal string          `json:"service_principal"`
	Krb5Conf         string          `json:"krb5_conf"`
	Realm            string          `json:"realm,omitempty"`
	NetBIOSDomain    string          `json:"netbios_domain,omitempty"`
	DNSDomain        string          `json:"dns_domain,omitempty"`
	MachineAccount   *MachineAccount `json:"machine_account,omitempty"`
}

// MachineAccount is the server's own account in the domain.
type MachineAccount struct {
	Enabled     bool     `json:"enabled"`
	AccountName string   `json:"account_name"`
	DCAddress   []string `json:"dc_address,omitempty"`
}

// Render returns the bytes of config.yaml, with sorted keys. The same
// configuration gives the same bytes.
func (c *Config) Render() ([]byte, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c)
	if err != nil {
		return nil, errors.Wrap(err, "cannot convert config")
	}
	b, err := yaml.Marshal(m)
	return b, errors.Wrap(err, "cannot write config")
}
