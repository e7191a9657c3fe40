package dittofs

import "sigs.k8s.io/yaml"

// Config is the part of the server's config.yaml that the function renders. A
// key that is not here keeps the server's own default, and what comes out of
// Secrets is given in the environment.
type Config struct {
	Logging         Logging      `json:"logging"`
	ShutdownTimeout string       `json:"shutdown_timeout"`
	Database        Database     `json:"database"`
	ControlPlane    ControlPlane `json:"controlplane"`
}

// Logging is where and how the server logs. Left to itself it logs into a file
// in its home directory.
type Logging struct {
	Level  string `json:"level"`
	Format string `json:"format"`
	Output string `json:"output"`
}

// Database is the control plane's database.
type Database struct {
	Type   string  `json:"type"`
	SQLite *SQLite `json:"sqlite,omitempty"`
}

// SQLite is the file of the SQLite database.
type SQLite struct {
	Path string `json:"path"`
}

// ControlPlane is the REST API. Left to itself it listens on 127.0.0.1.
type ControlPlane struct {
	Host string `json:"host"`
	Port int32  `json:"port"`
	JWT  JWT    `json:"jwt"`
}

// JWT is the API's tokens. Durations are strings with a unit: the server takes a
// bare number for nanoseconds.
type JWT struct {
	AccessTokenDuration  string `json:"access_token_duration"`
	RefreshTokenDuration string `json:"refresh_token_duration"`
}

// Render returns the bytes of config.yaml, with sorted keys. The same
// configuration gives the same bytes.
func (c *Config) Render() ([]byte, error) {
	return yaml.Marshal(c)
}
