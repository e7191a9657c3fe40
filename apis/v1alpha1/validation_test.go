package v1alpha1

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestValidate goes through what the schema cannot say, or says in CEL: rules
// about more than one field. Those about one field are tested with the schema, and
// what the messages say with the whole function.
func TestValidate(t *testing.T) {
	validateAll(t, map[string]validateCase{
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
		"PrometheusRuleAlone":  {reason: "Its alerts know the metrics by the labels of the ServiceMonitor.", edit: fields{"metrics": fields{"enabled": true, "prometheusRule": fields{"enabled": true}}}, want: []string{"spec.metrics.serviceMonitor.enabled"}},
		"PrometheusRule":       {reason: "With both, the server is watched.", edit: fields{"metrics": fields{"enabled": true, "serviceMonitor": fields{"enabled": true}, "prometheusRule": fields{"enabled": true, "labels": fields{"release": "prometheus"}}}}},
		"MetricsPath":          {reason: "A path starts with a slash.", edit: fields{"metrics.path": "metrics"}, want: []string{"spec.metrics.path"}},
		"RotationOfStdout":     {reason: "Only files are rotated.", edit: fields{"logging.output": "stdout"}, want: []string{"spec.logging.rotation"}},
		"GraceWithinTimeout":   {reason: "The kill must not come before the first stage is over.", edit: fields{"shutdownTimeout": "60s", "terminationGracePeriodSeconds": 60}, want: []string{"spec.terminationGracePeriodSeconds"}},
		"ReservedLabel":        {reason: "The Services find the pod by it.", edit: fields{"podLabels": fields{"app.kubernetes.io/name": "x"}}, want: []string{"spec.podLabels[app.kubernetes.io/name]"}},
		"ReservedAnnotations":  {reason: "The function restarts the pod by them.", edit: fields{"podAnnotations": fields{"dittofs.io/config-hash": "x", "dittofs.io/restart-token": "x"}}, want: []string{"spec.podAnnotations[dittofs.io/config-hash]", "spec.podAnnotations[dittofs.io/restart-token]"}},
		"ImagePullSecretNoRef": {reason: "A Secret has a name.", edit: fields{"imagePullSecrets": []any{fields{}}}, want: []string{"spec.imagePullSecrets[0].name"}},

		"RestartTokenInCharacters": {reason: "The schema counts characters, and so does the function.", edit: fields{"rollout": fields{"restartToken": strings.Repeat("é", 256)}}},
		"RestartTokenTooLong":      {reason: "What is longer is no token.", edit: fields{"rollout": fields{"restartToken": strings.Repeat("é", 257)}}, want: []string{"spec.rollout.restartToken"}},

		"RootOfContainer":       {reason: "What nobody has forbidden is allowed.", edit: fields{"securityContext": fields{"runAsUser": 0}}},
		"RootThatMustNot":       {reason: "A container that is root and must not be is never created.", edit: fields{"securityContext": fields{"runAsUser": 0, "runAsNonRoot": true}}, want: []string{"spec.securityContext.runAsNonRoot"}},
		"RootAcrossLevels":      {reason: "The container's user and the pod's rule are one setting.", edit: fields{"securityContext": fields{"runAsUser": 0}, "podSecurityContext": fields{"runAsNonRoot": true}}, want: []string{"spec.podSecurityContext.runAsNonRoot"}},
		"RootOfPodOverruled":    {reason: "Where both say something the container's counts.", edit: fields{"securityContext": fields{"runAsUser": 1000}, "podSecurityContext": fields{"runAsUser": 0, "runAsNonRoot": true}}},
		"EscalationOfPrivilege": {reason: "What is privileged can escalate.", edit: fields{"securityContext": fields{"privileged": true, "allowPrivilegeEscalation": false}}, want: []string{"spec.securityContext.allowPrivilegeEscalation"}},
		"EscalationOfAdmin":     {reason: "An administrator of the system can escalate.", edit: fields{"securityContext": fields{"capabilities": fields{"add": []any{"SYS_ADMIN"}}, "allowPrivilegeEscalation": false}}, want: []string{"spec.securityContext.allowPrivilegeEscalation"}},
		"NegativeIDs":           {reason: "Users and groups are numbers from 0 on.", edit: fields{"securityContext": fields{"runAsUser": -1}, "podSecurityContext": fields{"fsGroup": -1, "supplementalGroups": []any{-1}}}, want: []string{"spec.podSecurityContext.fsGroup", "spec.podSecurityContext.supplementalGroups[0]", "spec.securityContext.runAsUser"}},
		"ProfileWithoutFile":    {reason: "A profile of the node is a file.", edit: fields{"securityContext": fields{"seccompProfile": fields{"type": "Localhost"}}, "podSecurityContext": fields{"appArmorProfile": fields{"type": "Localhost"}}}, want: []string{"spec.podSecurityContext.appArmorProfile.localhostProfile", "spec.securityContext.seccompProfile.localhostProfile"}},
		"ProfileWithFile":       {reason: "Other profiles are no files.", edit: fields{"securityContext": fields{"seccompProfile": fields{"type": "RuntimeDefault", "localhostProfile": "x.json"}}}, want: []string{"spec.securityContext.seccompProfile.localhostProfile"}},
		"ProfileUnknown":        {reason: "There are three types.", edit: fields{"podSecurityContext": fields{"seccompProfile": fields{"type": "Strict"}}}, want: []string{"spec.podSecurityContext.seccompProfile.type"}},
		"Windows":               {reason: "The server runs on Linux.", edit: fields{"podSecurityContext": fields{"windowsOptions": fields{}}}, want: []string{"spec.podSecurityContext.windowsOptions"}},

		"LowPort":                 {reason: "A process that is not root may not open it.", edit: fields{"controlPlane.port": 443}, want: []string{"spec.controlPlane.port"}},
		"LowPortOfMetrics":        {reason: "The metrics are opened by the same process.", edit: fields{"metrics.port": 90}, want: []string{"spec.metrics.port"}},
		"LowPortOff":              {reason: "What is off opens nothing.", edit: fields{"metrics": fields{"port": 90}}},
		"LowPortCapability":       {reason: "A capability of the container is none of a process that is not root.", edit: fields{"controlPlane.port": 443, "securityContext": fields{"capabilities": fields{"add": []any{"NET_BIND_SERVICE"}}}}, want: []string{"spec.controlPlane.port"}},
		"LowPortRoot":             {reason: "Root with the capability may open it.", edit: fields{"controlPlane.port": 443, "securityContext": fields{"runAsUser": 0, "capabilities": fields{"add": []any{"NET_BIND_SERVICE"}}}}},
		"LowPortRootCAP":          {reason: "Container runtimes put CAP_ before it, and know no CAP_CAP_NET_BIND_SERVICE.", edit: fields{"controlPlane.port": 443, "securityContext": fields{"runAsUser": 0, "capabilities": fields{"add": []any{"CAP_NET_BIND_SERVICE"}}}}, want: []string{"spec.controlPlane.port", "spec.securityContext.capabilities.add[0]"}},
		"MetricsPathBraces":       {reason: "The server takes braces for a pattern.", edit: fields{"metrics.path": "/m{x"}, want: []string{"spec.metrics.path"}},
		"SQLiteQuestion":          {reason: "The server ends the name there.", edit: fields{"database": fields{"type": "sqlite", "sqlite": fields{"path": "/data/controlplane/a?b.db"}}}, want: []string{"spec.database.sqlite.path"}},
		"SQLiteIsLog":             {reason: "A log is no database.", edit: fields{"database": fields{"type": "sqlite", "sqlite": fields{"path": "/data/controlplane/a"}}, "logging.output": "/data/controlplane/a"}, want: []string{"spec.database.sqlite.path"}},
		"LDAPBlankDN":             {reason: "The server does not start without it, and blanks are nothing.", edit: fields{"identity.ldap.baseDN": " "}, want: []string{"spec.identity.ldap.baseDN"}},
		"PortOfMetricsNewAdapter": {reason: "A new server opens it, whatever the Services lead to.", edit: fields{"metrics.port": 1445, "adapters": []any{fields{"type": "smb", "port": 445}}}, want: []string{"spec.metrics.port"}},
		"PortOfMetricsDefaults":   {reason: "The adapters of the default have ports too, and one mistake is reported once.", edit: fields{"metrics.port": 12049, "adapters": []any{fields{"type": "nfs"}}}, want: []string{"spec.metrics.port"}},
		"MetricsPathTwoSlashes":   {reason: "The server answers such a request with another path.", edit: fields{"metrics.path": "//metrics"}, want: []string{"spec.metrics.path"}},
		"MetricsPathClimbs":       {reason: "The server answers such a request with another path.", edit: fields{"metrics.path": "/a/../metrics"}, want: []string{"spec.metrics.path"}},
		"MetricsPathDirectory":    {reason: "A path may end in a slash.", edit: fields{"metrics.path": "/metrics/"}},
		"MetricsPathRoot":         {reason: "A path may be the shortest.", edit: fields{"metrics.path": "/"}},
		"IntervalBackwards":       {reason: "Prometheus wants the largest unit first.", edit: fields{"metrics.serviceMonitor.interval": "30s1m"}, want: []string{"spec.metrics.serviceMonitor.interval"}},
		"IntervalOfTwoUnits":      {reason: "Prometheus reads more than one unit.", edit: fields{"metrics.serviceMonitor.interval": "1m30s"}},
		"SQLiteIsInLog":           {reason: "A file is no directory.", edit: fields{"database": fields{"type": "sqlite", "sqlite": fields{"path": "/data/controlplane/a/b"}}, "logging.output": "/data/controlplane/a"}, want: []string{"spec.database.sqlite.path"}},
		"SQLiteJournalIsLog":      {reason: "SQLite writes files beside its own.", edit: fields{"logging.output": "/data/controlplane/controlplane.db-wal"}, want: []string{"spec.database.sqlite.path"}},
		"SQLiteLongName":          {reason: "File systems have no longer names, and SQLite appends to it.", edit: fields{"database": fields{"type": "sqlite", "sqlite": fields{"path": "/data/controlplane/" + strings.Repeat("é", 101)}}}, want: []string{"spec.database.sqlite.path"}},
		"SQLiteLostAndFound":      {reason: "The directory is root's.", edit: fields{"database": fields{"type": "sqlite", "sqlite": fields{"path": "/data/controlplane/lost+found/a"}}}, want: []string{"spec.database.sqlite.path"}},
		"OutputLongName":          {reason: "File systems have no longer names, and old logs are given a date.", edit: fields{"logging.output": "/tmp/" + strings.Repeat("a", 201)}, want: []string{"spec.logging.output"}},
		"OutputWithControl":       {reason: "A file with such a name is hard to remove.", edit: fields{"logging.output": "/tmp/a\x07b"}, want: []string{"spec.logging.output"}},
		"OldLogs":                 {reason: "The server counts in nanoseconds.", edit: fields{"logging.rotation": fields{"maxAge": 106752}}, want: []string{"spec.logging.rotation.maxAge"}},
		"TokensOfNoTime":          {reason: "The tokens would not be good when they arrive.", edit: fields{"identity.jwt.accessTokenDuration": "1ms", "identity.jwt.refreshTokenDuration": "999ms"}, want: []string{"spec.identity.jwt.accessTokenDuration", "spec.identity.jwt.refreshTokenDuration"}},
		"TokensOfOneSecond":       {reason: "The shortest that is of use.", edit: fields{"identity.jwt.accessTokenDuration": "1s"}},
		"LongShutdown":            {reason: "A server that takes hours to stop is stuck.", edit: fields{"shutdownTimeout": "61m"}, want: []string{"spec.shutdownTimeout"}},
		"LDAPPortAlone":           {reason: "A directory is somewhere.", edit: fields{"identity.ldap.url": "ldaps://:636"}, want: []string{"spec.identity.ldap.url"}},
		"LDAPHighPort":            {reason: "Ports end at 65535.", edit: fields{"identity.ldap.url": "ldaps://dc:65536"}, want: []string{"spec.identity.ldap.url"}},
		"LDAPNoPort":              {reason: "Ports start at 1.", edit: fields{"identity.ldap.url": "ldaps://dc:0"}, want: []string{"spec.identity.ldap.url"}},
		"LDAPCapitals":            {reason: "The server reads the scheme in any case.", edit: fields{"identity.ldap.url": "LDAPS://dc:636"}},
		"LDAPControl":             {reason: "A name is of one line.", edit: fields{"identity.ldap.baseDN": "dc=a\ndc=b"}, want: []string{"spec.identity.ldap.baseDN"}},
		"LDAPCAIsRoot":            {reason: "A directory is no file.", edit: fields{"identity.ldap.caSecretRef": nil, "identity.ldap.caCertFile": "/"}, want: []string{"spec.identity.ldap.caCertFile"}},
		"KerberosConfIsRoot":      {reason: "A directory is no file.", edit: fields{"identity.kerberos.krb5ConfSecretRef": nil, "identity.kerberos.krb5Conf": "/"}, want: []string{"spec.identity.kerberos.krb5Conf"}},
		"KerberosConfInTmp":       {reason: "An empty volume hides it.", edit: fields{"identity.kerberos.krb5ConfSecretRef": nil, "identity.kerberos.krb5Conf": "/tmp/krb5.conf"}, want: []string{"spec.identity.kerberos.krb5Conf"}},
		"KerberosConfOfImage":     {reason: "A file of the image is as good.", edit: fields{"identity.kerberos.krb5ConfSecretRef": nil, "identity.kerberos.krb5Conf": "/etc/krb5.conf"}},
		"KerberosTab":             {reason: "A realm is a bare name.", edit: fields{"identity.kerberos.dnsDomain": "a\u00a0b"}, want: []string{"spec.identity.kerberos.dnsDomain"}},
		"Controllers":             {reason: "A controller has an address.", edit: fields{"identity.kerberos.machineAccount.dcAddress": []any{"dc:135", "", "d c"}}, want: []string{"spec.identity.kerberos.machineAccount.dcAddress[1]", "spec.identity.kerberos.machineAccount.dcAddress[2]"}},
		"PerconaStorageClass":     {reason: "A class has a name.", edit: fields{"percona": fields{"enabled": true, "deleteWithServer": true, "storageClassName": "Fast!"}}, want: []string{"spec.percona.storageClassName"}},
		"StorageClasses":          {reason: "Each volume may have a class of its own, or none.", edit: fields{"storage": fields{"metadataSize": "1Gi", "contentSize": "10Gi", "storageClassName": "slow", "metadataStorageClassName": "fast", "contentStorageClassName": "", "controlPlaneStorageClassName": "fast.example"}}},
		"StorageClassesBad":       {reason: "A class has a name.", edit: fields{"storage": fields{"metadataSize": "1Gi", "contentSize": "10Gi", "metadataStorageClassName": "Fast!", "contentStorageClassName": "Fast!", "controlPlaneStorageClassName": "Fast!"}}, want: []string{"spec.storage.contentStorageClassName", "spec.storage.controlPlaneStorageClassName", "spec.storage.metadataStorageClassName"}},
		"ContentClassWithoutSize": {reason: "A volume that does not exist has no class.", edit: fields{"storage.contentStorageClassName": "fast"}, want: []string{"spec.storage.contentSize"}},
		"PerconaBackupTexts":      {reason: "What an S3 service is asked for has no blanks.", edit: fields{"percona": fields{"enabled": true, "deleteWithServer": true, "backup": fields{"enabled": true, "bucket": "a b", "endpoint": "e", "region": "r\n", "credentialsSecretRef": fields{"name": "s"}}}}, want: []string{"spec.percona.backup.bucket", "spec.percona.backup.region", "spec.percona.backup.region"}},
		"PortOfNewAdapter":        {reason: "A new server opens it, whatever the Services lead to.", edit: fields{"controlPlane.port": 12049, "adapters": []any{}}, want: []string{"spec.controlPlane.port"}},
		"LowPortRootDrops":        {reason: "Root without the capability may not.", edit: fields{"controlPlane.port": 443, "securityContext": fields{"runAsUser": 0}}, want: []string{"spec.controlPlane.port"}},
		"LowPortSysctl":           {reason: "The kernel can let everybody open it.", edit: fields{"controlPlane.port": 443, "podSecurityContext": fields{"sysctls": []any{fields{"name": "net.ipv4.ip_unprivileged_port_start", "value": "443"}}}}},
		"LowPortSysctlHigh":       {reason: "The kernel lets nobody open what is below.", edit: fields{"controlPlane.port": 80, "podSecurityContext": fields{"sysctls": []any{fields{"name": "net.ipv4.ip_unprivileged_port_start", "value": "443"}}}}, want: []string{"spec.controlPlane.port"}},

		"Labels":             {reason: "Labels have a form.", edit: fields{"podLabels": fields{"team": "not a label"}, "nodeSelector": fields{"disk type": "ssd"}, "metrics.serviceMonitor.labels": fields{"a": "-"}, "metrics.prometheusRule.labels": fields{"a": "-"}}, want: []string{"spec.metrics.prometheusRule.labels", "spec.metrics.serviceMonitor.labels", "spec.nodeSelector", "spec.podLabels"}},
		"Annotations":        {reason: "Names of annotations have a form.", edit: fields{"podAnnotations": fields{"a b": "x"}, "service.annotations": fields{"a b": "x"}, "adapterServices.annotations": fields{"a b": "x"}}, want: []string{"spec.adapterServices.annotations", "spec.podAnnotations", "spec.service.annotations"}},
		"ReservedServer":     {reason: "The Services find the pod by it.", edit: fields{"podLabels": fields{"dittofs.io/server": "x"}}, want: []string{"spec.podLabels[dittofs.io/server]"}},
		"PriorityClass":      {reason: "A class has a name.", edit: fields{"priorityClassName": "Very High"}, want: []string{"spec.priorityClassName"}},
		"RequestOverLimit":   {reason: "Nobody is given more than the limit.", edit: fields{"resources": fields{"requests": fields{"memory": "2Gi"}, "limits": fields{"memory": "1Gi"}}}, want: []string{"spec.resources.requests[memory]"}},
		"NegativeResource":   {reason: "Nobody is given less than nothing.", edit: fields{"resources": fields{"limits": fields{"cpu": "-1"}}}, want: []string{"spec.resources.limits[cpu]"}},
		"UnknownResource":    {reason: "A resource of a device has a domain.", edit: fields{"resources": fields{"limits": fields{"gpu": "1", "example.com/gpu": "1", "hugepages-2Mi": "2Mi", "memory": "1Gi"}}}, want: []string{"spec.resources.limits[gpu]"}},
		"TolerationValue":    {reason: "What exists is not compared.", edit: fields{"tolerations": []any{fields{"key": "k", "operator": "Exists", "value": "v"}}}, want: []string{"spec.tolerations[0].value"}},
		"TolerationNoKey":    {reason: "Without a key all is tolerated, and nothing compared.", edit: fields{"tolerations": []any{fields{"operator": "Equal"}}}, want: []string{"spec.tolerations[0].operator"}},
		"TolerationSeconds":  {reason: "Only an eviction can wait.", edit: fields{"tolerations": []any{fields{"key": "k", "effect": "NoSchedule", "tolerationSeconds": 5}}}, want: []string{"spec.tolerations[0].effect"}},
		"Spread":             {reason: "A constraint says how much, over what, and how strictly.", edit: fields{"topologySpreadConstraints": []any{fields{}}}, want: []string{"spec.topologySpreadConstraints[0].maxSkew", "spec.topologySpreadConstraints[0].topologyKey", "spec.topologySpreadConstraints[0].whenUnsatisfiable"}},
		"NodeAffinity":       {reason: "Operators compare with as many values as they can.", edit: fields{"affinity": fields{"nodeAffinity": fields{"requiredDuringSchedulingIgnoredDuringExecution": fields{"nodeSelectorTerms": []any{fields{"matchExpressions": []any{fields{"key": "a", "operator": "In"}, fields{"key": "b", "operator": "Exists", "values": []any{"x"}}, fields{"key": "c", "operator": "Is"}}}}}}}}, want: []string{"spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values", "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values", "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[2].operator"}},
		"PodAffinity":        {reason: "A term names the label that domains are told by, and a weight is from 1 to 100.", edit: fields{"affinity": fields{"podAntiAffinity": fields{"preferredDuringSchedulingIgnoredDuringExecution": []any{fields{"weight": 0, "podAffinityTerm": fields{}}}}}}, want: []string{"spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey", "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight"}},
		"PeerOfTwoKinds":     {reason: "A peer is addresses or pods.", edit: fields{"networkPolicy.from": []any{fields{"ipBlock": fields{"cidr": "10.0.0.0/8"}, "podSelector": fields{}}}}, want: []string{"spec.networkPolicy.from[0].ipBlock"}},
		"PeerOfNone":         {reason: "A peer is somebody.", edit: fields{"networkPolicy.from": []any{fields{}}}, want: []string{"spec.networkPolicy.from[0]"}},
		"PeerCIDR":           {reason: "Addresses have a form.", edit: fields{"networkPolicy.from": []any{fields{"ipBlock": fields{"cidr": "10.0.0.0"}}}}, want: []string{"spec.networkPolicy.from[0].ipBlock.cidr"}},
		"OutputWithNewline":  {reason: "A newline would be a part of the name.", edit: fields{"logging.output": "/tmp/log\n"}, want: []string{"spec.logging.output"}},
		"OutputIsADirectory": {reason: "A directory is no file.", edit: fields{"logging.output": "/tmp/"}, want: []string{"spec.logging.output"}},
	})
}

// fields are what a test changes, by their paths below spec.
type fields map[string]any

type validateCase struct {
	reason string
	edit   fields
	want   []string // The fields that there should be an error for.
}

func validateAll(t *testing.T, cases map[string]validateCase) {
	t.Helper()
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

// TestIsSchedule goes through what Kubernetes takes for a schedule.
func TestIsSchedule(t *testing.T) {
	for schedule, tc := range map[string]struct {
		reason string
		want   bool
	}{
		"0 2 * * *":              {reason: "All numbers or any.", want: true},
		"*/5 0-6,22 ? JAN-mar 1": {reason: "Steps, ranges, lists and names.", want: true},
		"@daily":                 {reason: "Some have a name.", want: true},
		"":                       {reason: "A schedule says when."},
		"0 2 * *":                {reason: "There are five fields."},
		"0 0 2 * * *":            {reason: "There are no seconds."},
		"60 2 * * *":             {reason: "An hour has 60 minutes."},
		"0 2 0 * *":              {reason: "Days are counted from 1."},
		"0 2 * * 7":              {reason: "Sunday is 0."},
		"0 2 * feb-jan *":        {reason: "A range goes upward."},
		"*/0 2 * * *":            {reason: "A step leads somewhere."},
		"0 2 * * sunday":         {reason: "Names have three letters."},
		"0 2 * anf *":            {reason: "A part of two names is none."},
		"TZ=UTC 0 2 * * *":       {reason: "Kubernetes takes no time zone here."},
		"@reboot":                {reason: "A cluster is not started again."},
	} {
		if got := isSchedule(schedule); got != tc.want {
			t.Errorf("%s\nisSchedule(%q): want %t, got %t", tc.reason, schedule, tc.want, got)
		}
	}
}

// TestValidatePerconaName leaves room for the names that Percona's operator makes.
func TestValidatePerconaName(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		length int
		want   int
	}{
		"Fits":    {reason: "StatefulSets named as Percona's are got a pod.", length: 28, want: 0},
		"TooLong": {reason: "StatefulSets named as Percona's are got none.", length: 29, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			ds := &DittoServer{}
			ds.Name, ds.Namespace = strings.Repeat("a", tc.length), "team-a"
			ds.Spec.Storage.MetadataSize = "1Gi"
			ds.Spec.Percona = &PerconaSpec{Enabled: true, DeleteWithServer: true}
			ds.Default(Defaults{})
			errs := ds.Validate()
			if len(errs) != tc.want || tc.want > 0 && errs[0].Field != "spec.percona.enabled" {
				t.Errorf("%s\nValidate(): want %d errors, got %v", tc.reason, tc.want, errs)
			}
		})
	}
}
