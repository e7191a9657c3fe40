package manifests

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// The kind of Percona's operator. It is optional in a cluster.
const (
	PerconaAPIVersion = "pgv2.percona.com/v2"
	PerconaKind       = "PerconaPGCluster"
	PerconaCRD        = "perconapgclusters.pgv2.percona.com"
)

const (
	perconaSuffix = "-postgres"

	// perconaUser is the account that Percona's operator creates for the server.
	perconaUser = "dittofs"
)

// What the operator runs. It has no images of its own, and does nothing for a cluster
// that leaves one out. These are the ones that its version was released with, for
// PostgreSQL 16.
const (
	perconaVersion         = "2.8.2"
	perconaPostgresVersion = 16
	perconaPostgresImage   = "docker.io/percona/percona-distribution-postgresql:16.11-2"
	perconaBouncerImage    = "docker.io/percona/percona-pgbouncer:1.25.0-1"
	perconaBackupImage     = "docker.io/percona/percona-pgbackrest:2.57.0-1"
)

// PerconaName returns the name of a server's PerconaPGCluster.
func PerconaName(ds *v1alpha1.DittoServer) string { return ds.GetName() + perconaSuffix }

// PerconaSecret returns the name of the Secret into which Percona's operator writes the
// account's credentials.
func PerconaSecret(ds *v1alpha1.DittoServer) string {
	return PerconaName(ds) + "-pguser-" + perconaUser
}

// perconaEnv returns a variable for each key of the account's credentials.
func perconaEnv(ds *v1alpha1.DittoServer) []corev1.EnvVar {
	e := []corev1.EnvVar{}
	for _, v := range []struct{ name, key string }{
		{dittofs.EnvPostgresHost, "host"},
		{dittofs.EnvPostgresPort, "port"},
		{dittofs.EnvPostgresDatabase, "dbname"},
		{dittofs.EnvPostgresUser, "user"},
		{dittofs.EnvPostgresPassword, "password"},
	} {
		e = append(e, secretEnv(v.name, &v1alpha1.SecretKeyRef{Name: PerconaSecret(ds), Key: v.key}))
	}
	return e
}

// perconaCluster renders a PostgreSQL cluster for Percona's operator. The operator's Go
// types would be the largest of the function's dependencies.
func perconaCluster(ds *v1alpha1.DittoServer) *unstructured.Unstructured {
	p := ds.Spec.Percona

	claim := map[string]any{
		"accessModes": []any{"ReadWriteOnce"},
		"resources":   map[string]any{"requests": map[string]any{"storage": p.StorageSize}},
	}
	if p.StorageClassName != nil {
		claim["storageClassName"] = *p.StorageClassName
	}

	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": PerconaAPIVersion,
		"kind":       PerconaKind,
		"spec": map[string]any{
			"crVersion":       perconaVersion,
			"image":           perconaPostgresImage,
			"postgresVersion": int64(perconaPostgresVersion),
			"instances":       []any{map[string]any{"name": "instance1", "replicas": int64(*p.Replicas), "dataVolumeClaimSpec": claim}},
			"users":           []any{map[string]any{"name": perconaUser, "databases": []any{p.DatabaseName}}},
			// The server does not use it. But 2.8 of the operator crashes without it.
			"proxy":   map[string]any{"pgBouncer": map[string]any{"image": perconaBouncerImage, "replicas": int64(0)}},
			"backups": perconaBackups(ds.GetName(), p.Backup),
		},
	}}
	named(u, ds, perconaSuffix)
	return u
}

// perconaBackups turns backups off explicitly, because the operator makes them by
// default. Version 3 asks for the image even then.
func perconaBackups(name string, b *v1alpha1.PerconaBackupSpec) map[string]any {
	if !b.Enabled {
		return map[string]any{"enabled": false, "pgbackrest": map[string]any{"image": perconaBackupImage}}
	}
	return map[string]any{
		"enabled": true,
		"pgbackrest": map[string]any{
			"image":         perconaBackupImage,
			"configuration": []any{map[string]any{"secret": map[string]any{"name": b.CredentialsSecretRef.Name}}},
			"global": map[string]any{
				"repo1-path":                "/pgbackrest/" + name + "/repo1",
				"repo1-s3-uri-style":        "path",
				"repo1-storage-verify-tls":  "y",
				"repo1-retention-full":      strconv.Itoa(int(*b.RetentionDays)),
				"repo1-retention-full-type": "time",
			},
			"repos": []any{map[string]any{
				"name":      "repo1",
				"s3":        map[string]any{"bucket": b.Bucket, "endpoint": b.Endpoint, "region": b.Region},
				"schedules": map[string]any{"full": b.FullSchedule, "incremental": b.IncrSchedule},
			}},
		},
	}
}
