package dittofs

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// TestServer starts the real server on what the function renders for each row of
// the matrix.
func TestServer(t *testing.T) {
	// What is particular to a row.
	particular := map[string]func(t *testing.T, s *server){
		"postgres":       checkPostgres,
		"postgres-cnpg":  checkPostgres,
		"postgres-tls":   checkPostgres,
		"percona":        checkPostgres,
		"content":        checkRemoteCache,
		"encryption":     checkEncryption,
		"sqlite-path":    checkSQLitePath,
		"logging":        checkLogging,
		"log-file":       checkLogFile,
		"tls":            checkTLS,
		"mtls":           checkMTLS13,
		"metrics":        checkMetrics,
		"metrics-token":  checkMetricsToken,
		"metrics-tls":    checkMetricsTLS,
		"network-policy": checkNetworkPolicy,
		"clients": func(t *testing.T, s *server) {
			t.Helper()
			checkNetworkPolicy(t, s)
			checkPortmapper(t, s)
		},
		extrasRow: checkExtras,
		"everything": func(t *testing.T, s *server) {
			t.Helper()
			checkPostgres(t, s)
			checkMTLS(t, s)
			checkMetricsToken(t, s)
			checkNetworkPolicy(t, s)
		},
	}
	// What the server is told by its own API, to be as its DittoServer says.
	told := map[string]func(t *testing.T, s *server){"adapter-ports": moveNFS, "clients": turnPortmapperOn}
	for _, row := range rows(t) {
		t.Run(row, func(t *testing.T) {
			t.Parallel()
			s := start(t, row)

			if log := s.Log(); strings.Contains(log, "unknown keys") {
				t.Errorf("the server does not know all keys of its configuration:\n%s", log)
			}
			s.mustLogin(t)
			if err := s.login(t, "not the password"); err == nil {
				t.Error("the server takes any password")
			}
			if tell := told[row]; tell != nil {
				tell(t, s)
			}
			checkPorts(t, s)
			if check := particular[row]; check != nil {
				check(t, s)
			}
			if err := s.Alive(t.Context()); err != nil {
				t.Error(err)
			}
			s.stop(t)
		})
	}
	for row := range particular {
		if !slices.Contains(rows(t), row) {
			t.Errorf("testdata has no row %s", row)
		}
	}
}

// checkPorts compares the ports that Services point at with those that the
// server listens on. All of them have a Service, in every row.
func checkPorts(t *testing.T, s *server) {
	t.Helper()
	// The adapters open theirs a moment after the API, which the probes ask.
	eventually(t, requestDeadline, "the server listens where Services point at, and nowhere else", func(context.Context) error {
		if diff := cmp.Diff(s.exposed(t), s.listens(t)); diff != "" {
			return errors.Errorf("-Services, +server:\n%s", diff)
		}
		return nil
	})
}

// checkNetworkPolicy compares the ports that are let through with those that
// Services point at.
func checkNetworkPolicy(t *testing.T, s *server) {
	t.Helper()
	open := []port{}
	for _, rule := range as[networkingv1.NetworkPolicy](t, s.crossplane.Composed[manifests.NetworkPolicyResource]).Spec.Ingress {
		for _, p := range rule.Ports {
			n, err := s.Port(*p.Port)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, port{*p.Protocol, n})
		}
	}
	if diff := cmp.Diff(s.exposed(t), sorted(open)); diff != "" {
		t.Errorf("ports: -Services point at, +the NetworkPolicy lets through:\n%s", diff)
	}
}

// moveNFS does to the server's adapters what the DittoServer says of them.
func moveNFS(t *testing.T, s *server) {
	t.Helper()
	s.administer(t, "adapter", "edit", "nfs", "--port", "20490")
	s.administer(t, "adapter", "disable", "smb")
}

// turnPortmapperOn does so as the README says. The adapter reads its settings when it
// starts.
func turnPortmapperOn(t *testing.T, s *server) {
	t.Helper()
	commands := regexp.MustCompile("(?m)^dfsctl (.*)$").FindAllStringSubmatch(functest.Section(t, "../..", "README.md", "NFSv3 without options"), -1)
	if len(commands) == 0 {
		t.Fatal("the README does not say how to turn the portmapper on")
	}
	for _, c := range commands {
		s.administer(t, strings.Fields(c[1])...)
	}
}

// checkPortmapper asks the portmapper where NFS and mounts are. It tells the port that the
// adapter listens on, so that has to be one of the Service, too.
func checkPortmapper(t *testing.T, s *server) {
	t.Helper()
	const nfs, mount, version, tcp = 100003, 100005, 3, 6
	for _, program := range []uint32{nfs, mount} {
		if got := s.portOf(t, program, version, tcp); got != uint32(contract.NFSPort) {
			t.Errorf("where the portmapper sends clients that look for program %d: want %d, got %d", program, contract.NFSPort, got)
		}
	}
}

// portOf asks the portmapper for the port of a version of an RPC program (RFC 1833,
// PMAPPROC_GETPORT).
func (s *server) portOf(t *testing.T, program, version, protocol uint32) uint32 {
	t.Helper()
	const call, rpcVersion, portmapper, portmapperVersion, getPort, last = 0, 2, 100000, 2, 3, 1 << 31
	words := []uint32{1, call, rpcVersion, portmapper, portmapperVersion, getPort, 0, 0, 0, 0, program, version, protocol, 0}
	msg := binary.BigEndian.AppendUint32(nil, last|uint32(4*len(words)))
	for _, w := range words {
		msg = binary.BigEndian.AppendUint32(msg, w)
	}
	c, err := s.network.DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(contract.PortmapperPort))))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The answer is its length, six words that say that all is well, and the port.
	answer := make([]byte, 4*8)
	if _, err = c.Write(msg); err == nil {
		_, err = io.ReadFull(c, answer)
	}
	if err != nil {
		t.Fatal(err)
	}
	return binary.BigEndian.Uint32(answer[len(answer)-4:])
}

// checkPostgres looks for the control plane's records in PostgreSQL, and for
// none in a SQLite file.
func checkPostgres(t *testing.T, s *server) {
	t.Helper()
	if got := s.postgres.ask(t, s.reads(t, contract.EnvPostgresDatabase), "SELECT username FROM users"); got != "admin" {
		t.Errorf("users in PostgreSQL: want admin, got %q", got)
	}
	if diff := cmp.Diff([]string{}, filesBelow(t, s, contract.ControlPlaneDir)); diff != "" {
		t.Errorf("files of a database beside PostgreSQL: -want, +got:\n%s", diff)
	}
}

// checkSQLitePath looks for the database where the DittoServer wants it.
func checkSQLitePath(t *testing.T, s *server) {
	t.Helper()
	if got := filesBelow(t, s, contract.MetadataDir); !slices.Contains(got, "db/control.db") {
		t.Errorf("db/control.db is not in %s, only %v", contract.MetadataDir, got)
	}
	if diff := cmp.Diff([]string{}, filesBelow(t, s, contract.ControlPlaneDir)); diff != "" {
		t.Errorf("files where the database is by default: -want, +got:\n%s", diff)
	}
}

// checkLogging looks at how the server logs.
func checkLogging(t *testing.T, s *server) {
	t.Helper()
	if log := s.Log(); !strings.Contains(log, "[DEBUG]") || strings.Contains(log, `{"time"`) {
		t.Errorf("the log has no text at level DEBUG:\n%s", log)
	}
}

// checkLogFile looks for the log on the volume.
func checkLogFile(t *testing.T, s *server) {
	t.Helper()
	if got := filesBelow(t, s, contract.ControlPlaneDir); !slices.Contains(got, "log/dfs.log") {
		t.Errorf("log/dfs.log is not in %s, only %v", contract.ControlPlaneDir, got)
	}
}

// checkTLS asks the server who it is, and wants it to take TLS 1.2 unless told otherwise.
func checkTLS(t *testing.T, s *server) {
	t.Helper()
	if got := s.peer(t); got != "api" {
		t.Errorf("the API's certificate: want that of api, got that of %s", got)
	}
	if !s.takes(t, s.url(t), tls.VersionTLS12) {
		t.Error("the API does not take TLS 1.2")
	}
}

// checkTLS13 wants the server to take TLS 1.3 at a URL, and nothing lower.
func checkTLS13(t *testing.T, s *server, url string) {
	t.Helper()
	if s.takes(t, url, tls.VersionTLS12) {
		t.Errorf("%s takes TLS 1.2", url)
	}
	if !s.takes(t, url, tls.VersionTLS13) {
		t.Errorf("%s does not take TLS 1.3", url)
	}
}

// checkMTLS asks the server as clients that it should and should not let in.
func checkMTLS(t *testing.T, s *server) {
	t.Helper()
	if s.lets(t, nil) {
		t.Error("the API lets a client without a certificate in")
	}
	if s.lets(t, host.NamedAuthority("strangers")) {
		t.Error("the API lets a client of another CA in")
	}
	if !s.lets(t, host.NamedAuthority(matrix.ClientAuthority)) {
		t.Error("the API does not let a client of the mounted CA in")
	}
}

// checkMTLS13 does the same with an API that takes nothing lower than TLS 1.3.
func checkMTLS13(t *testing.T, s *server) {
	t.Helper()
	checkMTLS(t, s)
	checkTLS13(t, s, s.url(t))
}

// checkMetrics scrapes what anybody may scrape.
func checkMetrics(t *testing.T, s *server) {
	t.Helper()
	if got := s.metrics(t, ""); got != http.StatusOK {
		t.Errorf("metrics: want %d, got %d", http.StatusOK, got)
	}
}

// checkMetricsToken scrapes with and without the token.
func checkMetricsToken(t *testing.T, s *server) {
	t.Helper()
	for token, want := range map[string]int{
		"":                                    http.StatusUnauthorized,
		"not the token":                       http.StatusUnauthorized,
		s.reads(t, contract.MetricsTokenFile): http.StatusOK,
	} {
		if got := s.metrics(t, token); got != want {
			t.Errorf("metrics with token %q: want %d, got %d", token, want, got)
		}
	}
}

// checkMetricsTLS scrapes as clients that the server should and should not let in.
func checkMetricsTLS(t *testing.T, s *server) {
	t.Helper()
	if got := s.metricsPeer(t); got != "metrics" {
		t.Errorf("the metrics' certificate: want that of metrics, got that of %s", got)
	}
	url := s.metricsURL(t)
	if s.letsTo(t, url, nil) || s.letsTo(t, url, host.NamedAuthority("strangers")) {
		t.Error("the metrics let a client without a certificate of their CA in")
	}
	a, err := s.ask(t, strings.Replace(url, "https:", "http:", 1), "", nil)
	if err == nil && a.status != http.StatusBadRequest {
		t.Errorf("the metrics over HTTP: want none, got %d", a.status)
	}
	checkTLS13(t, s, url)
}

// filesBelow are the files of a volume.
func filesBelow(t *testing.T, s *server, mountPath string) []string {
	t.Helper()
	dir, err := s.VolumePath(mountPath)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		files = append(files, rel)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}
