package v1alpha1

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestValidate goes through what the schema cannot say, or says in CEL: rules
// about more than one field. Those about one field are tested with the schema, and
// what the messages say with the whole function.
func TestValidate(t *testing.T) {
	type fields map[string]any

	cases := map[string]struct {
		reason string
		edit   fields
		want   []string
	}{
		"Valid":                 {reason: "All blocks beside each other are fine."},
		"TLSWithoutSecret":      {reason: "TLS takes a certificate.", edit: fields{"controlPlane": fields{"tls": true}}, want: []string{"spec.controlPlane.certSecretName"}},
		"ClientCAWithoutTLS":    {reason: "Clients show certificates only over TLS.", edit: fields{"controlPlane": fields{"clientCASecretName": "ca"}}, want: []string{"spec.controlPlane.certSecretName"}},
		"SSLRootCertWithSQLite": {reason: "A file needs no CA.", edit: fields{"database.sslRootCertSecretRef": fields{"name": "s", "key": "k"}}, want: []string{"spec.database.sslRootCertSecretRef"}},

		"LDAPEmpty":             {reason: "The server does not start without these.", edit: fields{"identity.ldap": fields{"enabled": true}}, want: []string{"spec.identity.ldap.baseDN", "spec.identity.ldap.bindDN", "spec.identity.ldap.bindPasswordSecretRef", "spec.identity.ldap.url"}},
		"LDAPOff":               {reason: "What is off may be unfinished.", edit: fields{"identity.ldap": fields{"enabled": false, "url": "http://dc"}}},
		"LDAPPlaintext":         {reason: "A password must not go over the wire as it is.", edit: fields{"identity.ldap.url": "ldap://dc"}, want: []string{"spec.identity.ldap.url"}},
		"LDAPPlaintextAllowed":  {reason: "Whoever says so has thought about it.", edit: fields{"identity.ldap.url": "ldap://dc", "identity.ldap.allowPlaintext": true}},
		"LDAPStartTLS":          {reason: "StartTLS encrypts.", edit: fields{"identity.ldap.url": "ldap://dc", "identity.ldap.startTLS": true}},
		"LDAPOtherScheme":       {reason: "A directory speaks LDAP.", edit: fields{"identity.ldap.url": "https://dc"}, want: []string{"spec.identity.ldap.url"}},
		"LDAPWithoutHost":       {reason: "A directory is somewhere.", edit: fields{"identity.ldap.url": "ldaps://"}, want: []string{"spec.identity.ldap.url"}},
		"LDAPTwoCAs":            {reason: "One CA is meant.", edit: fields{"identity.ldap.caCertFile": "/ca.crt"}, want: []string{"spec.identity.ldap.caCertFile"}},
		"LDAPRelativeCA":        {reason: "A relative path is below nobody knows what.", edit: fields{"identity.ldap.caSecretRef": nil, "identity.ldap.caCertFile": "ca.crt"}, want: []string{"spec.identity.ldap.caCertFile"}},
		"KerberosEmpty":         {reason: "The server does not start without these.", edit: fields{"identity.kerberos": fields{"enabled": true}}, want: []string{"spec.identity.kerberos.keytabSecretRef", "spec.identity.kerberos.krb5ConfSecretRef", "spec.identity.kerberos.servicePrincipal"}},
		"KerberosOff":           {reason: "What is off may be unfinished.", edit: fields{"identity.kerberos": fields{"enabled": false}}},
		"KerberosOffBadRef":     {reason: "What is off is mounted all the same.", edit: fields{"identity.kerberos": fields{"enabled": false, "keytabSecretRef": fields{"name": "s"}}}, want: []string{"spec.identity.kerberos.keytabSecretRef.key"}},
		"KerberosTwoConfs":      {reason: "One krb5.conf is meant.", edit: fields{"identity.kerberos.krb5Conf": "/etc/krb5.conf"}, want: []string{"spec.identity.kerberos.krb5Conf"}},
		"KerberosPrincipal":     {reason: "A principal has three parts.", edit: fields{"identity.kerberos.servicePrincipal": "nfs"}, want: []string{"spec.identity.kerberos.servicePrincipal"}},
		"KerberosNetBIOS":       {reason: "A NetBIOS name has no dots.", edit: fields{"identity.kerberos.netbiosDomain": "example.com"}, want: []string{"spec.identity.kerberos.netbiosDomain"}},
		"MachineAccountEmpty":   {reason: "The server would leave the account unused.", edit: fields{"identity.kerberos.machineAccount": fields{"enabled": true}}, want: []string{"spec.identity.kerberos.machineAccount.accountName", "spec.identity.kerberos.machineAccount.secretRef"}},
		"MachineAccountKeytab":  {reason: "The server reads no keytab of a machine account.", edit: fields{"identity.kerberos.machineAccount.keytabSecretRef": fields{"name": "s", "key": "k"}}, want: []string{"spec.identity.kerberos.machineAccount.keytabSecretRef"}},
		"MachineAccountNoRealm": {reason: "The server would leave the account unused.", edit: fields{"identity.kerberos.netbiosDomain": ""}, want: []string{"spec.identity.kerberos.netbiosDomain"}},

		"PostgresTwice":        {reason: "One database is meant.", edit: fields{"percona": fields{"enabled": true, "deleteWithServer": true}, "database.postgresSecretRef": fields{"name": "s"}}, want: []string{"spec.percona.enabled"}},
		"PerconaKept":          {reason: "Crossplane deletes what it has composed, so nobody may believe otherwise.", edit: fields{"percona": fields{"enabled": true}}, want: []string{"spec.percona.deleteWithServer"}},
		"PerconaDatabaseName":  {reason: "A name has the form of a name.", edit: fields{"percona": fields{"enabled": true, "deleteWithServer": true, "databaseName": "1-a"}}, want: []string{"spec.percona.databaseName"}},
		"PerconaBackupEmpty":   {reason: "A backup goes somewhere.", edit: fields{"percona": fields{"enabled": true, "deleteWithServer": true, "backup": fields{"enabled": true}}}, want: []string{"spec.percona.backup.bucket", "spec.percona.backup.credentialsSecretRef", "spec.percona.backup.endpoint"}},
		"PerconaOff":           {reason: "What is off may be unfinished.", edit: fields{"percona": fields{"databaseName": "1-a", "backup": fields{"enabled": true}}}},
		"PortOfMetricsTaken":   {reason: "Two listeners cannot have one port.", edit: fields{"metrics.port": 8080}, want: []string{"spec.metrics.port"}},
		"PortOfMetricsOff":     {reason: "What is off does not listen.", edit: fields{"metrics": fields{"port": 8080}}},
		"PortOfAdapterTaken":   {reason: "Two listeners cannot have one port.", edit: fields{"adapters": []any{fields{"type": "nfs", "port": 9090}, fields{"type": "smb", "port": 8080}}}, want: []string{"spec.adapters[0].port", "spec.adapters[1].port"}},
		"AdapterTwice":         {reason: "There is one adapter of a type.", edit: fields{"adapters": []any{fields{"type": "nfs", "port": 2049}, fields{"type": "nfs", "port": 2050}}}, want: []string{"spec.adapters[1].type"}},
		"NoAdapters":           {reason: "A server may have none.", edit: fields{"adapters": []any{}}},
		"ServiceMonitorAlone":  {reason: "Without metrics there is nothing to scrape.", edit: fields{"metrics": fields{"serviceMonitor": fields{"enabled": true}}}, want: []string{"spec.metrics.enabled"}},
		"MetricsPath":          {reason: "A path starts with a slash.", edit: fields{"metrics.path": "metrics"}, want: []string{"spec.metrics.path"}},
		"RotationOfStdout":     {reason: "Only files are rotated.", edit: fields{"logging.output": "stdout"}, want: []string{"spec.logging.rotation"}},
		"GraceWithinTimeout":   {reason: "The kill must not come before the first stage is over.", edit: fields{"shutdownTimeout": "60s", "terminationGracePeriodSeconds": 60}, want: []string{"spec.terminationGracePeriodSeconds"}},
		"ReservedLabel":        {reason: "The Services find the pod by it.", edit: fields{"podLabels": fields{"app.kubernetes.io/name": "x"}}, want: []string{"spec.podLabels[app.kubernetes.io/name]"}},
		"ReservedAnnotations":  {reason: "The function restarts the pod by them.", edit: fields{"podAnnotations": fields{"dittofs.io/config-hash": "x", "dittofs.io/restart-token": "x"}}, want: []string{"spec.podAnnotations[dittofs.io/config-hash]", "spec.podAnnotations[dittofs.io/restart-token]"}},
		"ImagePullSecretNoRef": {reason: "A Secret has a name.", edit: fields{"imagePullSecrets": []any{fields{}}}, want: []string{"spec.imagePullSecrets[0].name"}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			errs := allBlocksWith(t, func(spec map[string]any) {
				for path, v := range tc.edit {
					put(spec, path, v)
				}
			}).Validate()

			var got []string
			for _, err := range errs {
				got = append(got, err.Field)
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nValidate(): -want fields, +got fields:\n%s\n%v", tc.reason, diff, errs)
			}
		})
	}
}

// TestDefaultsAreStable applies the defaults twice.
func TestDefaultsAreStable(t *testing.T) {
	once := allBlocksWith(t, func(map[string]any) {})
	twice := once.DeepCopy()
	twice.Default(Defaults{Image: "another", ServiceType: "NodePort"})
	if diff := cmp.Diff(once, twice); diff != "" {
		t.Errorf("Defaults should not change what is set: -once, +twice:\n%s", diff)
	}
}
