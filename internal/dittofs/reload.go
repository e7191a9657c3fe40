package dittofs

// A Reload says when the server notices a change of something that it reads from a
// Secret.
type Reload string

const (
	// AtStart values are read once, at the start: only a restart makes a change take
	// effect.
	AtStart Reload = "AtStart"

	// Live values are read again while the server runs.
	Live Reload = "Live"

	// AtFirstStart values are copied into the server's database if it has no record of
	// their kind, and never read again. The function cannot see whether it has one, so
	// it treats them like AtStart.
	AtFirstStart Reload = "AtFirstStart"
)

// A SecretValue is something that the server reads from a Secret.
type SecretValue struct {
	// Name of an environment variable, or path of a file.
	Name string

	// Field of the DittoServer that names the Secret.
	Field string

	Reload Reload

	// Evidence is what the server was seen to do when the Secret changed.
	Evidence string
}

// SecretValues lists everything that the server reads from Secrets. Tests change each of
// these under the real server, and see what is written here.
//
//nolint:gochecknoglobals // A table.
var SecretValues = []SecretValue{
	{EnvJWTSecret, "identity.jwt.secretRef", AtStart, "tokens signed with the old key are refused only after a restart"},
	{EnvAdminPassword, "identity.admin.passwordSecretRef", AtFirstStart, "the old password still logs in after a restart: change it through the API"},
	{EnvPostgresHost, "database.postgresSecretRef", AtStart, "connections are made to the address read at the start"},
	{EnvPostgresPort, "database.postgresSecretRef", AtStart, "connections are made to the address read at the start"},
	{EnvPostgresDatabase, "database.postgresSecretRef", AtStart, "connections are made to the database read at the start"},
	{EnvPostgresUser, "database.postgresSecretRef", AtStart, "connections are made with the credentials read at the start"},
	{EnvPostgresPassword, "database.postgresSecretRef", AtStart, "connections are made with the credentials read at the start"},
	{EnvPostgresSSLMode, "database.postgresSecretRef", AtStart, "connections are made in the mode read at the start"},
	{PostgresCAFile, "database.sslRootCertSecretRef", AtStart, "the file is read when the database is opened"},
	{TLSCertFile, "controlPlane.certSecretName", Live, "the next handshake has the new certificate"},
	{TLSKeyFile, "controlPlane.certSecretName", Live, "the next handshake has the new certificate"},
	{ClientCAFile, "controlPlane.clientCASecretName", AtStart, "clients of the old CA are let in until a restart"},
	{MetricsTokenFile, "metrics.bearerTokenSecret", AtStart, "the old token is taken until a restart"},
	{MetricsTLSCertFile, "metrics.tls.certSecretName", AtStart, "the old certificate is shown until a restart"},
	{MetricsTLSKeyFile, "metrics.tls.certSecretName", AtStart, "the old certificate is shown until a restart"},
	{MetricsClientCAFile, "metrics.tls.clientCASecretName", AtStart, "scrapers of the old CA are let in until a restart"},
	{EnvLDAPBindPassword, "identity.ldap.bindPasswordSecretRef", AtFirstStart, "the server binds with the first password even after a restart: change it through the API"},
	{LDAPCAFile, "identity.ldap.caSecretRef", Live, "each connection to the directory reads the file"},
	{KeytabFile, "identity.kerberos.keytabSecretRef", Live, "the server looks for a new keytab every 60 seconds"},
	{Krb5ConfFile, "identity.kerberos.krb5ConfSecretRef", AtStart, "the file is read when Kerberos is set up"},
	{EnvEncryptionPassphrase, "encryption.passphraseSecretRef", AtStart, "stores are opened with the passphrase of the start"},
	{EncryptionKeyFile("main"), "encryption.keys", AtStart, "a store reads its key file when it is opened"},
	{EnvMachineAccountSecret, "identity.kerberos.machineAccount.secretRef", AtFirstStart, "the server's database keeps the first one: change it through the API"},
}

// IsLive says whether the server picks up a change of the file by itself.
func IsLive(path string) bool {
	for i := range SecretValues {
		if SecretValues[i].Name == path {
			return SecretValues[i].Reload == Live
		}
	}
	return false
}
