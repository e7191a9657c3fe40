package dittofs

import (
	"reflect"
	"slices"
	"testing"
)

// TestFieldOf says which variables are the user's to set.
func TestFieldOf(t *testing.T) {
	cases := map[string]struct {
		reason string
		want   string
	}{
		"DITTOFS_LOGGING_LEVEL":                      {reason: "A setting of config.yaml would be beaten.", want: "logging.level"},
		"DITTOFS_LOGGING_ROTATION_MAX_SIZE":          {reason: "A setting that is part of a field belongs to it.", want: "logging.rotation"},
		"DITTOFS_LOGGING":                            {reason: "A variable of a whole block hides what config.yaml has in it.", want: "logging"},
		"DITTOFS_METRICS_PORT":                       {reason: "The Service would lead nowhere.", want: "metrics.port"},
		"DITTOFS_CONTROLPLANE_HOST":                  {reason: "The probes would get no answer.", want: "controlPlane"},
		"DITTOFS_CONTROLPLANE_SECRET":                {reason: "A Secret has one name.", want: "identity.jwt.secretRef"},
		"DITTOFS_CONTROLPLANE_JWT_SECRET":            {reason: "The signing key has a second name, which the first one beats: it would do nothing.", want: "identity.jwt.secretRef"},
		"DITTOFS_DATABASE_POSTGRES_PASSWORD":         {reason: "A Secret has one name.", want: "database.postgresSecretRef"},
		"DITTOFS_DATABASE_POSTGRES_SSL_ROOT_CERT":    {reason: "The function mounts the file.", want: "database.sslRootCertSecretRef"},
		"DITTOFS_KERBEROS_KEYTAB":                    {reason: "The server asks for this name first.", want: "identity.kerberos.keytabSecretRef"},
		"DITTOFS_KERBEROS_MACHINE_ACCOUNT_SECRET":    {reason: "A Secret has one name.", want: "identity.kerberos.machineAccount.secretRef"},
		"DITTOFS_DATABASE_POSTGRES_MAX_OPEN_CONNS":   {reason: "The function does not render it."},
		"DITTOFS_GC_AUTO_INTERVAL":                   {reason: "The function does not render it."},
		"DITTOFS_LDAP_TIMEOUT":                       {reason: "The function does not render it."},
		"dittofs_logging_level":                      {reason: "The server tells upper case from lower case."},
		"GOMEMLIMIT":                                 {reason: "What is none of the server's settings is the user's."},
		"DITTOFS_KERBEROS_MACHINE_ACCOUNT_ONLINE_OU": {reason: "A name that only starts like another is none of the function's."},
	}
	for name, tc := range cases {
		if got, taken := FieldOf(name); got != tc.want || taken != (tc.want != "") {
			t.Errorf("%s\nFieldOf(%q): want %q, got %q, %t", tc.reason, name, tc.want, got, taken)
		}
	}
}

// TestEverySettingHasAField keeps messages from naming no field.
func TestEverySettingHasAField(t *testing.T) {
	for name, specField := range takenFields() {
		if specField == "" {
			t.Errorf("settingFields does not say which field of the spec sets %s", name)
		}
	}
	for setting, specField := range settingFields {
		if !slices.Contains(settings(reflect.TypeFor[Config](), ""), setting) {
			t.Errorf("settingFields has %s for %s, which the function does not render", specField, setting)
		}
	}
}
