package v1alpha1

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// MaxPerconaNameLength leaves room for what Percona's operator appends to a cluster's
// name. StatefulSets with such names got a pod with 28 characters, but not with 29.
const MaxPerconaNameLength = 28

var databaseNamePattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func (s *DatabaseSpec) validate(p *field.Path, spec *DittoServerSpec) field.ErrorList {
	errs := validateEnum(p.Child("type"), s.Type, []string{DatabaseSQLite, DatabasePostgres})

	if r := s.PostgresSecretRef; r != nil {
		errs = append(errs, validateSecretName(p.Child("postgresSecretRef", "name"), r.Name)...)
	} else if s.Type == DatabasePostgres && !spec.Percona.Enabled {
		errs = append(errs, field.Required(p.Child("postgresSecretRef"),
			"type postgres needs the Secret with the keys host, database or dbname, user or username, and password. Name it, or set type sqlite"))
	}
	if dirs := spec.Storage.dirs(); s.Type == DatabaseSQLite && !within(s.SQLite.Path, dirs) {
		errs = append(errs, field.Invalid(p.Child("sqlite", "path"), s.SQLite.Path,
			"must be a file under "+strings.Join(dirs, ", ")+": anywhere else it is lost with the pod"))
	} else if s.Type == DatabaseSQLite {
		errs = append(errs, validateFile(p.Child("sqlite", "path"), s.SQLite.Path)...)
	}
	if s.Type == DatabaseSQLite && strings.Contains(s.SQLite.Path, "?") {
		errs = append(errs, field.Invalid(p.Child("sqlite", "path"), s.SQLite.Path, "must not have a question mark in it: the server ends the name there"))
	}
	if s.Type == DatabaseSQLite {
		errs = append(errs, s.SQLite.validateLog(p.Child("sqlite", "path"), spec.Logging.Output)...)
	}
	if r := s.SSLRootCertSecretRef; r != nil {
		errs = append(errs, r.validate(p.Child("sslRootCertSecretRef"))...)
		if s.Type == DatabaseSQLite {
			errs = append(errs, field.Forbidden(p.Child("sslRootCertSecretRef"), "the database is sqlite. Remove it, or name the PostgreSQL database's credentials in postgresSecretRef"))
		}
	}

	return errs
}

// validateLog refuses a log file that is also a file of the database.
func (s *SQLiteSpec) validateLog(p *field.Path, log string) field.ErrorList {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if file := s.Path + suffix; log == file || strings.HasPrefix(log, file+"/") || strings.HasPrefix(file, log+"/") {
			return field.ErrorList{field.Invalid(p, s.Path, fmt.Sprintf("must not be the file of spec.logging.output (%s), nor a file that SQLite creates next to its own. Choose another", log))}
		}
	}
	return nil
}

func (s *PerconaSpec) validate(p *field.Path, name string, spec *DittoServerSpec) field.ErrorList {
	if !s.Enabled {
		return nil
	}

	errs := validateRange(p.Child("replicas"), *s.Replicas, 1, 5, "more than five copies are of no use")
	if n := utf8.RuneCountInString(name); n > MaxPerconaNameLength {
		errs = append(errs, field.Invalid(p.Child("enabled"), true, fmt.Sprintf(
			"needs a metadata.name of at most %d characters, and %q has %d: Percona's operator makes names of it that would be too long. Create the DittoServer under a shorter name, or name another database in spec.database.postgresSecretRef",
			MaxPerconaNameLength, name, n)))
	}
	errs = append(errs, validateSize(p.Child("storageSize"), s.StorageSize)...)
	errs = append(errs, ValidateStorageClass(s.StorageClassName, p.Child("storageClassName"))...)
	if !s.DeleteWithServer {
		errs = append(errs, field.Invalid(p.Child("deleteWithServer"), false,
			"must be true: Crossplane deletes what it has composed with the DittoServer, the database included. "+
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
	texts := map[string]string{"bucket": s.Bucket, "endpoint": s.Endpoint, "region": s.Region}
	errs = append(errs, validateTexts(p, texts)...)
	for name, value := range texts {
		if strings.ContainsFunc(value, unicode.IsSpace) {
			errs = append(errs, field.Invalid(p.Child(name), value, "must not have blanks in it"))
		}
	}
	for name, value := range map[string]string{"fullSchedule": s.FullSchedule, "incrSchedule": s.IncrSchedule} {
		if !isSchedule(value) {
			errs = append(errs, field.Invalid(p.Child(name), value, "must be a cron schedule: minute, hour, day of the month, month and day of the week, such as 0 2 * * *"))
		}
	}
	return append(errs, validateRange(p.Child("retentionDays"), *s.RetentionDays, 1, maxRetentionDays, "pgBackRest accepts no other values")...)
}

// maxRetentionDays is pgBackRest's limit.
const maxRetentionDays = 9999999

var namedSchedule = regexp.MustCompile(`^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$`)

// isSchedule says whether Kubernetes accepts a text as the schedule of a CronJob.
func isSchedule(schedule string) bool {
	if namedSchedule.MatchString(schedule) {
		return true
	}
	fields := strings.Fields(schedule)
	bounds := []struct {
		first, last int
		names       string // Of the values, from first on.
	}{
		{0, 59, ""}, {0, 23, ""}, {1, 31, ""}, {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"}, {0, 6, "sunmontuewedthufrisat"},
	}
	if len(fields) != len(bounds) || utf8.RuneCountInString(schedule) > maxText {
		return false
	}
	for i, b := range bounds {
		number := func(s string) (int, bool) {
			if at := strings.Index(b.names, strings.ToLower(s)); len(s) == 3 && at >= 0 && at%3 == 0 {
				return b.first + at/3, true
			}
			n, err := strconv.ParseUint(s, 10, 8)
			return int(n), err == nil && int(n) >= b.first && int(n) <= b.last
		}
		for part := range strings.SplitSeq(fields[i], ",") {
			span, step, stepped := strings.Cut(part, "/")
			if n, err := strconv.ParseUint(step, 10, 8); stepped && (err != nil || n == 0) {
				return false
			}
			if span == "*" || span == "?" {
				continue
			}
			from, to, ranged := strings.Cut(span, "-")
			first, ok := number(from)
			last, lastOK := number(to)
			if !ok || ranged && (!lastOK || first > last) {
				return false
			}
		}
	}
	return true
}
