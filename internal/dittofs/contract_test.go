package dittofs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestIsLive pins what the server was seen to read again. A file that is here by
// mistake leaves a revoked credential in use; one that is missing restarts the
// server for nothing.
func TestIsLive(t *testing.T) {
	want := map[string]bool{TLSCertFile: true, TLSKeyFile: true, LDAPCAFile: true, KeytabFile: true}

	for _, in := range SecretValues {
		if got := IsLive(in.Name); got != want[in.Name] {
			t.Errorf("IsLive(%q): want %t, got %t", in.Name, want[in.Name], got)
		}
		if in.Field == "" || in.Evidence == "" {
			t.Errorf("Input %q has no field, or no evidence for being read %s", in.Name, in.Reload)
		}
	}
	if IsLive("/etc/unknown") {
		t.Error("A file that nobody has looked into is read once, as far as we know")
	}
}

// TestInputsAreUnique keeps the table from saying two things about one input.
func TestInputsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, in := range SecretValues {
		if seen[in.Name] {
			t.Errorf("Inputs has %q twice", in.Name)
		}
		seen[in.Name] = true
	}
}

// TestRender writes a configuration with sorted keys, the same each time.
func TestRender(t *testing.T) {
	c := &Config{
		Logging:         Logging{Level: "INFO", Format: "json", Output: "stdout"},
		ShutdownTimeout: "30s",
		Database:        Database{Type: "sqlite", SQLite: &SQLite{Path: "/p"}},
		ControlPlane:    ControlPlane{Host: "0.0.0.0", Port: 8080, JWT: JWT{AccessTokenDuration: "15m", RefreshTokenDuration: "168h"}},
	}
	want := `controlplane:
  host: 0.0.0.0
  jwt:
    access_token_duration: 15m
    refresh_token_duration: 168h
  port: 8080
  require_initial_password_change: false
database:
  sqlite:
    path: /p
  type: sqlite
logging:
  format: json
  level: INFO
  output: stdout
shutdown_timeout: 30s
`

	for range 2 {
		got, err := c.Render()
		if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
			t.Errorf("Render(): -want, +got, %v:\n%s", err, diff)
		}
	}
}

// TestShutdownBudget adds up the stages of a shutdown.
func TestShutdownBudget(t *testing.T) {
	if diff := cmp.Diff(95*time.Second, ShutdownBudget(30*time.Second)); diff != "" {
		t.Errorf("ShutdownBudget(30s): -want, +got:\n%s", diff)
	}
}
