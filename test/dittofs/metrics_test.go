package dittofs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/golden"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// exposed is what test/monitoring compares alerts and the dashboard with.
const exposed = "../monitoring/testdata/server.txt"

// TestMetricsExposed keeps a list of the metrics of a server that serves files, and that
// has a remote store. Alerts and the dashboard are made of nothing else.
func TestMetricsExposed(t *testing.T) {
	t.Parallel()
	nfsCP := needs(t, "nfs-cp", "libnfs-utils")
	s := start(t, "metrics")

	s.mustLogin(t)
	s.administer(t, "store", "metadata", "add", "--name", "metadata", "--type", "badger", "--db-path", contract.MetadataDir+"/badger")
	s.administer(t, "store", "block", "local", "add", "--name", "blocks", "--type", "fs", "--config", fmt.Sprintf(`{"path":%q}`, contract.MetadataDir+"/blocks"))
	s.administer(t, "store", "block", "remote", "add", "--name", "remote", "--type", "memory")
	s.administer(t, "share", "create", "--name", "/export", "--metadata", "metadata", "--local", "blocks", "--remote", "remote", "--default-permission", "read-write", "--squash", "none")
	file := filepath.Join(s.dir, "file")
	if err := os.WriteFile(file, []byte("A file.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.command(t, nfsCP, file, fmt.Sprintf("nfs://127.0.0.1/export/file?nfsport=%d&mountport=%d", nfsPort, nfsPort))

	// A connection counts as closed a moment after the client is gone.
	got := ""
	for deadline := time.Now().Add(requestDeadline); !strings.Contains(got, "dittofs_adapter_connections_closed_total{") && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		got = host.Series(s.scrape(t))
	}
	golden.Compare(t, *update, exposed, got, "Alerts and the dashboard are compared with this list.")
	s.stop(t)
}

// scrape reads the metrics of a server that asks for no token.
func (s *server) scrape(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), requestDeadline)
	defer cancel()
	url := fmt.Sprintf("http://127.0.0.1:%d%s", s.port(t, "-metrics", "metrics"), s.config(t).Metrics.Path)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	rsp, err := s.network.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer rsp.Body.Close()
	b, err := io.ReadAll(rsp.Body)
	if err != nil || rsp.StatusCode != http.StatusOK {
		t.Fatalf("scraping %s: status %d, error %v", url, rsp.StatusCode, err)
	}
	return string(b)
}
