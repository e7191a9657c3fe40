package manifests

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// config returns the server's configuration. Nothing in it comes from a Secret.
func config(spec *v1alpha1.DittoServerSpec, im Immutable) *dittofs.Config {
	return &dittofs.Config{
		Logging:         loggingConfig(spec.Logging),
		ShutdownTimeout: spec.ShutdownTimeout,
		Database:        databaseConfig(spec),
		BlockStore:      blockStoreConfig(spec.BlockStore, im),
		ControlPlane:    controlPlaneConfig(spec),
		Metrics:         metricsConfig(spec.Metrics),
		LDAP:            ldapConfig(spec.Identity.LDAP),
		Kerberos:        kerberosConfig(spec.Identity.Kerberos),
	}
}

func loggingConfig(l *v1alpha1.LoggingSpec) dittofs.Logging {
	c := dittofs.Logging{Level: l.Level, Format: l.Format, Output: l.Output}
	if r := l.Rotation; r != nil {
		c.Rotation = &dittofs.LogRotation{MaxSize: r.MaxSize, MaxBackups: r.MaxBackups, MaxAge: r.MaxAge, Compress: r.Compress}
	}
	return c
}

// maxRemoteCache is the server's own default.
const maxRemoteCache int64 = 10 << 30

// blockStoreConfig says how much of a remote store a share keeps. The default fits the
// volume that the StatefulSet really has: a size in the spec that its volumes do not get
// must not restart the server. The volume for blocks leaves a fifth to snapshots and the
// garbage collector, as the server itself does where it is told no size. On the volume of
// the metadata, the metadata needs the other half.
func blockStoreConfig(s *v1alpha1.BlockStoreSpec, im Immutable) *dittofs.BlockStore {
	size := int64(0)
	if s.RemoteCacheSize != "" {
		q := resource.MustParse(s.RemoteCacheSize) // Validated: it parses.
		size = q.Value()
	} else if content := claimNamed(im, contentClaim); content != nil {
		size = min(storageOf(content).Value()/5*4, maxRemoteCache)
	} else if metadata := claimNamed(im, metadataClaim); metadata != nil {
		size = min(storageOf(metadata).Value()/2, maxRemoteCache)
	}
	if size == 0 {
		return nil
	}
	return &dittofs.BlockStore{Local: dittofs.LocalBlockStore{DefaultRemoteCacheSize: size}}
}

func databaseConfig(spec *v1alpha1.DittoServerSpec) dittofs.Database {
	c := dittofs.Database{Type: spec.Database.Type}
	switch {
	case spec.Database.Type == v1alpha1.DatabaseSQLite:
		c.SQLite = &dittofs.SQLite{Path: spec.Database.SQLite.Path}
	case spec.Database.SSLRootCertSecretRef != nil:
		c.Postgres = &dittofs.Postgres{SSLMode: "verify-full", SSLRootCert: dittofs.PostgresCAFile}
	case spec.Percona.Enabled:
		// Percona's clusters refuse connections without TLS.
		c.Postgres = &dittofs.Postgres{SSLMode: "require"}
	}
	return c
}

func controlPlaneConfig(spec *v1alpha1.DittoServerSpec) dittofs.ControlPlane {
	c := dittofs.ControlPlane{
		Host: "0.0.0.0",
		Port: *spec.ControlPlane.Port,
		JWT: dittofs.JWT{
			AccessTokenDuration:  spec.Identity.JWT.AccessTokenDuration,
			RefreshTokenDuration: spec.Identity.JWT.RefreshTokenDuration,
		},
		RequireInitialPasswordChange: *spec.ControlPlane.RequireInitialPasswordChange,
	}
	if spec.ControlPlane.CertSecretName != "" {
		c.TLS = &dittofs.TLS{CertFile: dittofs.TLSCertFile, KeyFile: dittofs.TLSKeyFile, MinVersion: spec.ControlPlane.MinTLSVersion}
		if spec.ControlPlane.ClientCASecretName != "" {
			c.TLS.ClientCA = dittofs.ClientCAFile
		}
	}
	return c
}

func metricsConfig(m *v1alpha1.MetricsSpec) *dittofs.Metrics {
	if !m.Enabled {
		return nil
	}
	c := &dittofs.Metrics{Enabled: true, Host: "0.0.0.0", Port: *m.Port, Path: m.Path, Auth: "none"}
	if m.BearerTokenSecret != nil {
		c.Auth, c.TokenFile = "token", dittofs.MetricsTokenFile
	}
	if t := m.TLS; t != nil {
		c.TLS = &dittofs.TLS{CertFile: dittofs.MetricsTLSCertFile, KeyFile: dittofs.MetricsTLSKeyFile, MinVersion: t.MinVersion}
		if t.ClientCASecretName != "" {
			c.TLS.ClientCA = dittofs.MetricsClientCAFile
		}
	}
	return c
}

func ldapConfig(l *v1alpha1.LDAPSpec) *dittofs.LDAP {
	if !l.IsEnabled() {
		return nil
	}
	c := &dittofs.LDAP{
		Enabled:        true,
		URL:            l.URL,
		StartTLS:       l.StartTLS,
		AllowPlaintext: l.AllowPlaintext,
		BaseDN:         l.BaseDN,
		BindDN:         l.BindDN,
		UserAttr:       l.UserAttr,
		Realm:          l.Realm,
		Idmap:          l.Idmap,
		NestedGroups:   l.NestedGroups,
	}
	ca := l.CACertFile
	if l.CASecretRef != nil {
		ca = dittofs.LDAPCAFile
	}
	if ca != "" || l.InsecureSkipVerify {
		c.TLS = &dittofs.LDAPTLS{CACertFile: ca, InsecureSkipVerify: l.InsecureSkipVerify}
	}
	return c
}

func kerberosConfig(k *v1alpha1.KerberosSpec) *dittofs.Kerberos {
	if !k.IsEnabled() {
		return nil
	}
	c := &dittofs.Kerberos{
		Enabled:          true,
		KeytabPath:       dittofs.KeytabFile,
		ServicePrincipal: k.ServicePrincipal,
		Krb5Conf:         k.Krb5Conf,
		Realm:            k.Realm,
		NetBIOSDomain:    k.NetBIOSDomain,
		DNSDomain:        k.DNSDomain,
	}
	if k.Krb5ConfSecretRef != nil {
		c.Krb5Conf = dittofs.Krb5ConfFile
	}
	if m := k.MachineAccount; m.IsEnabled() {
		c.MachineAccount = &dittofs.MachineAccount{Enabled: true, AccountName: m.AccountName, DCAddress: m.DCAddress}
	}
	return c
}
