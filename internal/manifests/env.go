package manifests

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// env returns the variables that the server reads from Secrets.
func env(ds *v1alpha1.DittoServer, o *Options) []corev1.EnvVar {
	id := ds.Spec.Identity
	e := []corev1.EnvVar{
		secretEnv(dittofs.EnvJWTSecret, cmp.Or(id.JWT.SecretRef, managedJWT(ds))),
		secretEnv(dittofs.EnvAdminPassword, cmp.Or(id.Admin.PasswordSecretRef, managedAdmin(ds))),
	}
	if r := ds.Spec.Database.PostgresSecretRef; r != nil {
		e = append(e, postgresEnv(r.Name, o.PostgresKeys)...)
	}
	if ds.Spec.Percona.Enabled {
		e = append(e, perconaEnv(ds)...)
	}
	if id.LDAP.IsEnabled() {
		e = append(e, secretEnv(dittofs.EnvLDAPBindPassword, id.LDAP.BindPasswordSecretRef))
	}
	if s := ds.Spec.Encryption; len(s.Used()) > 0 {
		e = append(e, secretEnv(dittofs.EnvEncryptionPassphrase, &s.PassphraseSecretRef))
	}
	if k := id.Kerberos; k.IsEnabled() && k.MachineAccount.IsEnabled() {
		e = append(e, secretEnv(dittofs.EnvMachineAccountSecret, k.MachineAccount.SecretRef))
	}
	return e
}

// A PostgresInput is a part of the database's address that comes from a Secret.
type PostgresInput struct {
	// Env is the server's variable.
	Env string

	// Keys are the keys that the value may have, the function's own first. The others are
	// those that operators of PostgreSQL write.
	Keys []string

	// Optional inputs may be missing.
	Optional bool
}

// PostgresInputs are one variable per part, because the server reads no connection string.
func PostgresInputs() []PostgresInput {
	return []PostgresInput{
		{dittofs.EnvPostgresHost, []string{"host"}, false},
		{dittofs.EnvPostgresPort, []string{"port"}, true},
		{dittofs.EnvPostgresDatabase, []string{"database", "dbname"}, false},
		{dittofs.EnvPostgresUser, []string{"user", "username"}, false},
		{dittofs.EnvPostgresPassword, []string{"password"}, false},
		{dittofs.EnvPostgresSSLMode, []string{"sslmode"}, true},
	}
}

// postgresEnv returns the variables of a database. The keys are those of its Secret, by
// variable, where they are not the first ones.
func postgresEnv(secret string, keys map[string]string) []corev1.EnvVar {
	e := []corev1.EnvVar{}
	for _, in := range PostgresInputs() {
		ev := secretEnv(in.Env, &v1alpha1.SecretKeyRef{Name: secret, Key: cmp.Or(keys[in.Env], in.Keys[0])})
		if in.Optional {
			ev.ValueFrom.SecretKeyRef.Optional = new(true)
		}
		e = append(e, ev)
	}
	return e
}

func secretEnv(name string, r *v1alpha1.SecretKeyRef) corev1.EnvVar {
	return corev1.EnvVar{
		Name: name,
		ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: r.Name},
			Key:                  r.Key,
		}},
	}
}
