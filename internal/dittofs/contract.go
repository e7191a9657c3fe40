// Package dittofs is the contract of the DittoFS server (dfs): what it reads, at
// which names and paths, on which ports it listens, and which of its inputs it
// reads again while it runs. Everything here was seen on DittoFS v0.29.0.
package dittofs

import (
	"fmt"
	"time"
)

// DefaultImage is the release that the function is tested with.
const DefaultImage = "marmos91c/dittofs:v0.29.0"

// UserID is the user and group that the image runs as.
const UserID int64 = 65532

// Command starts the server in the foreground, with the configuration at
// ConfigDir/ConfigFile.
func Command() (command, args []string) {
	return []string{"/app/dfs"}, []string{"start", "--foreground", "--config", ConfigDir + "/" + ConfigFile}
}

// Paths in the server's container.
const (
	ConfigDir  = "/config"
	ConfigFile = "config.yaml"

	// MetadataDir, ContentDir and ControlPlaneDir hold what must not be lost.
	MetadataDir     = "/data/store/metadata"
	ContentDir      = "/data/store/block"
	ControlPlaneDir = "/data/controlplane"

	// TempDir is used by the block store's garbage collector.
	TempDir = "/tmp"
)

// Environment variables that the server reads from Secrets, all at its start.
const (
	EnvJWTSecret = "DITTOFS_CONTROLPLANE_SECRET"

	// EnvAdminPassword counts only while there is no admin account.
	EnvAdminPassword = "DITTOFS_ADMIN_INITIAL_PASSWORD"

	EnvPostgresHost     = "DITTOFS_DATABASE_POSTGRES_HOST"
	EnvPostgresPort     = "DITTOFS_DATABASE_POSTGRES_PORT"
	EnvPostgresDatabase = "DITTOFS_DATABASE_POSTGRES_DATABASE"
	EnvPostgresUser     = "DITTOFS_DATABASE_POSTGRES_USER"
	EnvPostgresPassword = "DITTOFS_DATABASE_POSTGRES_PASSWORD"
	EnvPostgresSSLMode  = "DITTOFS_DATABASE_POSTGRES_SSLMODE"
)

// Health endpoints of the REST API.
const (
	// LivenessPath answers 200 as long as the server serves.
	LivenessPath = "/health"
	// ReadinessPath answers 200 once stores, shares and adapters are up. The API
	// opens last.
	ReadinessPath = "/health/ready"
)

// ShutdownTimeout bounds each stage of the server's shutdown.
const ShutdownTimeout = 30 * time.Second

// ShutdownBudget is the longest that a shutdown takes before the server ends
// itself, for the given bound of each stage.
func ShutdownBudget(timeout time.Duration) time.Duration {
	return 3*timeout + 5*time.Second
}

// hot is the Secret files that the server reads again while it runs. Whatever is
// not here is read once, at the start.
//
//nolint:gochecknoglobals // A table.
var hot = map[string]string{}

// Hot says whether the server picks up a change of the file by itself.
func Hot(path string) bool {
	_, ok := hot[path]
	return ok
}

// CheckValue says what the server would refuse about a value that it reads from
// the given environment variable, or nothing. It never repeats the value.
func CheckValue(env string, value []byte) string {
	switch {
	case env == EnvJWTSecret && len(value) < MinJWTSecretBytes:
		return fmt.Sprintf("the key that signs tokens must have at least %d bytes, and has %d", MinJWTSecretBytes, len(value))
	case env == EnvAdminPassword && (len(value) < minAdminPasswordBytes || len(value) > maxAdminPasswordBytes):
		return fmt.Sprintf("the admin's password must have from %d to %d bytes, and has %d", minAdminPasswordBytes, maxAdminPasswordBytes, len(value))
	}
	return ""
}

// Limits of what the server accepts, in bytes. Nothing is trimmed: a newline at
// the end counts.
const (
	MinJWTSecretBytes = 32

	minAdminPasswordBytes = 8
	maxAdminPasswordBytes = 72
)
