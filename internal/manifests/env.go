package manifests

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// env returns the variables that the server reads from Secrets.
func env(ds *v1alpha1.DittoServer) []corev1.EnvVar {
	id := ds.Spec.Identity
	e := []corev1.EnvVar{
		secretEnv(dittofs.EnvJWTSecret, cmp.Or(id.JWT.SecretRef, managedJWT(ds))),
		secretEnv(dittofs.EnvAdminPassword, cmp.Or(id.Admin.PasswordSecretRef, managedAdmin(ds))),
	}
	if r := ds.Spec.Database.PostgresSecretRef; r != nil {
		e = append(e, postgresEnv(r.Name)...)
	}
	if ds.Spec.Percona.Enabled {
		e = append(e, perconaEnv(ds)...)
	}
	if id.LDAP.IsEnabled() {
		e = append(e, secretEnv(dittofs.EnvLDAPBindPassword, id.LDAP.BindPasswordSecretRef))
	}
	if k := id.Kerberos; k.IsEnabled() && k.MachineAccount.IsEnabled() {
		e = append(e, secretEnv(dittofs.EnvMachineAccountSecret, k.MachineAccount.SecretRef))
	}
	return e
}

// postgresEnv returns one variable per key, because the server reads no connection
// string.
func postgresEnv(secret string) []corev1.EnvVar {
	e := []corev1.EnvVar{}
	for _, v := range []struct {
		name, key string
		optional  bool
	}{
		{dittofs.EnvPostgresHost, "host", false},
		{dittofs.EnvPostgresPort, "port", true},
		{dittofs.EnvPostgresDatabase, "database", false},
		{dittofs.EnvPostgresUser, "user", false},
		{dittofs.EnvPostgresPassword, "password", false},
		{dittofs.EnvPostgresSSLMode, "sslmode", true},
	} {
		ev := secretEnv(v.name, &v1alpha1.SecretKeyRef{Name: secret, Key: v.key})
		if v.optional {
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
