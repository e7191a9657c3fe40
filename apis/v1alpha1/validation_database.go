package v1alpha1

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// MaxPerconaNameLength leaves room for what Percona's operator appends to the name of
// a cluster: StatefulSets named as its are got a pod with 28 characters, and none
// with 29.
const MaxPerconaNameLength = 28

var databaseNamePattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func (s *DatabaseSpec) validate(p *field.Path, spec *DittoServerSpec) field.ErrorList {
	errs := validateEnum(p.Child("type"), s.Type, []string{DatabaseSQLite, DatabasePostgres})

	if r := s.PostgresSecretRef; r != nil {
		errs = append(errs, validateSecretName(p.Child("postgresSecretRef", "name"), r.Name)...)
	} else if s.Type == DatabasePostgres && !spec.Percona.Enabled {
		errs = append(errs, field.Required(p.Child("postgresSecretRef"),
			"type postgres needs the Secret with the keys host, database, user and password. Name it, or set type sqlite"))
	}
	if dirs := spec.Storage.dirs(); s.Type == DatabaseSQLite && !within(s.SQLite.Path, dirs) {
		errs = append(errs, field.Invalid(p.Child("sqlite", "path"), s.SQLite.Path,
			"must be a file under "+strings.Join(dirs, ", ")+": anywhere else it is lost with the pod"))
	}
	if s.Type == DatabaseSQLite && strings.Contains(s.SQLite.Path, "?") {
		errs = append(errs, field.Invalid(p.Child("sqlite", "path"), s.SQLite.Path, "must not have a question mark in it: the server ends the name there"))
	}
	if s.Type == DatabaseSQLite && s.SQLite.Path == spec.Logging.Output {
		errs = append(errs, field.Invalid(p.Child("sqlite", "path"), s.SQLite.Path, "must not be the file of spec.logging.output"))
	}
	if r := s.SSLRootCertSecretRef; r != nil {
		errs = append(errs, r.validate(p.Child("sslRootCertSecretRef"))...)
		if s.Type == DatabaseSQLite {
			errs = append(errs, field.Forbidden(p.Child("sslRootCertSecretRef"), "the database is sqlite. Remove it, or name the PostgreSQL database's credentials in postgresSecretRef"))
		}
	}

	return errs
}

func (s *PerconaSpec) validate(p *field.Path, name string, spec *DittoServerSpec) field.ErrorList {
	if !s.Enabled {
		return nil
	}

	errs := validateRange(p.Child("replicas"), *s.Replicas, 1, 5, "more than five copies are of no use")
	if len(name) > MaxPerconaNameLength {
		errs = append(errs, field.Invalid(p.Child("enabled"), true, fmt.Sprintf(
			"needs a metadata.name of at most %d characters, and %q has %d: Percona's operator makes names of it that would be too long. Create the DittoServer under a shorter name, or name another database in spec.database.postgresSecretRef",
			MaxPerconaNameLength, name, len(name))))
	}
	errs = append(errs, validateSize(p.Child("storageSize"), s.StorageSize)...)
	if !s.DeleteWithServer {
		errs = append(errs, field.Invalid(p.Child("deleteWithServer"), false,
			"must be true: Crossplane deletes what it has composed with the DittoServer, the database and its data included. "+
				"Set it to true to accept that, or create the PerconaPGCluster by yourself and name its credentials in spec.database.postgresSecretRef"))
	}
	if spec.Database.PostgresSecretRef != nil {
		errs = append(errs, field.Forbidden(p.Child("enabled"), "spec.database.postgresSecretRef names another database. Remove one of the two"))
	}
	if !databaseNamePattern.MatchString(s.DatabaseName) {
		errs = append(errs, field.Invalid(p.Child("databaseName"), s.DatabaseName, "must consist of at most 63 of a-z, 0-9 and '_', and not start with a digit"))
	}
	return append(errs, s.Backup.validate(p.Child("backup"))...)
}

func (s *PerconaBackupSpec) validate(p *field.Path) field.ErrorList {
	if !s.Enabled {
		return nil
	}

	errs := field.ErrorList{}
	if s.Bucket == "" {
		errs = append(errs, field.Required(p.Child("bucket"), "name the bucket that backups go to, or set enabled to false"))
	}
	if s.Endpoint == "" {
		errs = append(errs, field.Required(p.Child("endpoint"), "name the S3 service that has the bucket, or set enabled to false"))
	}
	if s.CredentialsSecretRef == nil {
		errs = append(errs, field.Required(p.Child("credentialsSecretRef"), "name the Secret with pgBackRest's s3.conf, or set enabled to false"))
	} else {
		errs = append(errs, validateSecretName(p.Child("credentialsSecretRef", "name"), s.CredentialsSecretRef.Name)...)
	}
	if *s.RetentionDays < 1 {
		errs = append(errs, field.Invalid(p.Child("retentionDays"), *s.RetentionDays, "must be at least 1"))
	}
	return errs
}
