package dittofs

import (
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// envPrefix starts the variables of settings: every setting of config.yaml has one, which
// beats the file.
const envPrefix = "DITTOFS_"

// settingFields names the fields of the DittoServer that set what the function renders
// into config.yaml. A setting that is not here itself belongs to the field of what it is
// part of.
//
//nolint:gochecknoglobals // A table.
var settingFields = map[string]string{
	"blockstore":        "blockStore",
	"controlplane":      "controlPlane",
	"controlplane.jwt":  "identity.jwt",
	"controlplane.port": "controlPlane.port",
	"controlplane.require_initial_password_change": "controlPlane.requireInitialPasswordChange",
	"controlplane.tls":                "controlPlane.certSecretName",
	"controlplane.tls.client_ca":      "controlPlane.clientCASecretName",
	"database":                        "database",
	"database.postgres":               "database.postgresSecretRef",
	"database.postgres.ssl_root_cert": "database.sslRootCertSecretRef",
	"database.sqlite":                 "database.sqlite.path",
	"kerberos":                        "identity.kerberos",
	"ldap":                            "identity.ldap",
	"logging":                         "logging",
	"logging.format":                  "logging.format",
	"logging.level":                   "logging.level",
	"logging.output":                  "logging.output",
	"logging.rotation":                "logging.rotation",
	"metrics":                         "metrics",
	"metrics.enabled":                 "metrics.enabled",
	"metrics.path":                    "metrics.path",
	"metrics.port":                    "metrics.port",
	"shutdown_timeout":                "shutdownTimeout",
}

// otherNames are variables that the server reads for the same things under other names,
// with the fields that set those.
//
//nolint:gochecknoglobals // A table.
var otherNames = map[string]string{
	"DITTOFS_ADMIN_PASSWORD_HASH":     "identity.admin.passwordSecretRef",
	"DITTOFS_ADMIN_USERNAME":          "identity.admin.username",
	"DITTOFS_CONTROLPLANE_JWT_SECRET": "identity.jwt.secretRef",
	"DITTOFS_KERBEROS_KEYTAB":         "identity.kerberos.keytabSecretRef",
	"DITTOFS_KERBEROS_KRB5CONF":       "identity.kerberos.krb5ConfSecretRef",
	"DITTOFS_KERBEROS_PRINCIPAL":      "identity.kerberos.servicePrincipal",
}

// FieldOf returns the field of the DittoServer that sets what a variable would set: a
// Secret that the server reads, or a setting that the function renders. Such a variable
// would beat config.yaml, and Services, probes and volumes would not fit the server any
// more. All other variables are the user's to set.
func FieldOf(variable string) (specField string, taken bool) {
	specField, taken = takenFields()[variable]
	return specField, taken
}

//nolint:gochecknoglobals // A table that is derived from others, once.
var takenFields = sync.OnceValue(func() map[string]string {
	fields := maps.Clone(otherNames)
	for _, setting := range settings(reflect.TypeFor[Config](), "") {
		fields[envPrefix+strings.ToUpper(strings.ReplaceAll(setting, ".", "_"))] = fieldOfSetting(setting)
	}
	for i := range SecretValues {
		if v := &SecretValues[i]; !path.IsAbs(v.Name) {
			fields[v.Name] = v.Field
		}
	}
	return fields
})

// settings returns the settings of a part of the configuration, and that part itself: a
// variable such as DITTOFS_LOGGING sets nothing, but hides what config.yaml has there.
func settings(t reflect.Type, at string) []string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	all := []string{}
	if at != "" {
		all = append(all, at)
	}
	if t.Kind() == reflect.Struct {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			all = append(all, settings(f.Type, strings.TrimPrefix(at+"."+name, "."))...)
		}
	}
	return all
}

func fieldOfSetting(setting string) string {
	for {
		if f, ok := settingFields[setting]; ok {
			return f
		}
		i := strings.LastIndex(setting, ".")
		if i < 0 {
			return ""
		}
		setting = setting[:i]
	}
}

// Known says whether the server reads a variable or a file for something that the
// function knows of, so that it has to have a value.
func Known(input string) bool {
	return slices.ContainsFunc(SecretValues, func(v SecretValue) bool { return v.Name == input })
}

// Paths returns what must not be hidden in the server's container: the directories of its
// volumes and of the files that it reads from Secrets, its program, and what the container
// runtime and the kubelet put there.
func Paths() []string {
	paths := []string{
		ConfigDir, TempDir, MetadataDir, ContentDir, ControlPlaneDir, Program,
		"/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
	}
	for i := range SecretValues {
		if name := SecretValues[i].Name; path.IsAbs(name) {
			paths = append(paths, path.Dir(name))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
