package dittofs

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// extrasRow is the row of the matrix with variables and files of the user's own.
const extrasRow = "extras"

// TestExtras changes a setting that the server has from a ConfigMap of the user's: it acts
// on it at its start, and on a change only after a restart, which it gets.
func TestExtras(t *testing.T) {
	t.Parallel()
	s := start(t, extrasRow)
	checkExtras(t, s)

	before := s.hash(t)
	s.store.ConfigMaps["settings"].Data["CONTROLPLANE_PPROF"] = "false"
	s.crossplane.SetConfigMap("settings", "CONTROLPLANE_PPROF", "false")
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	s.reconcile(t)
	if s.hash(t) == before {
		t.Error("the hash does not change with a ConfigMap of the user's")
	}
	if got := s.profile(t); got != http.StatusUnauthorized {
		t.Errorf("the running server already acts on the change: profiles are answered with %d", got)
	}
	s.replace(t)
	if got := s.profile(t); got != http.StatusNotFound {
		t.Errorf("the restarted server does not act on the change: profiles are answered with %d", got)
	}
}

// checkExtras looks at the variables and files that the process has, and at what it makes
// of a setting.
func checkExtras(t *testing.T, s *server) {
	t.Helper()
	if got := s.profile(t); got != http.StatusUnauthorized {
		t.Errorf("profiles, which a variable turns on for who logs in: want %d, got %d", http.StatusUnauthorized, got)
	}

	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]string{}
	for e := range strings.SplitSeq(string(b), "\x00") {
		name, value, _ := strings.Cut(e, "=")
		has[name] = value
	}
	for name, want := range map[string]string{
		"DITTOFS_GC_AUTO_INTERVAL": "5m", "DITTOFS_CONTROLPLANE_PPROF": "true", "AWS_SECRET_ACCESS_KEY": "battery-staple",
		"AWS_REGION": "eu-west-1", "AWS_PROFILE": "", "S3_secret": "battery-staple",
	} {
		if has[name] != want {
			t.Errorf("variable %s of the process: want %q, got %q", name, want, has[name])
		}
	}

	files := map[string]string{}
	for _, file := range []string{"/extra/extra.conf", "/extra/binary", "/etc/extra.conf", "/both/s3/secret", "/both/CONTROLPLANE_PPROF"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/root%s", s.PID(), file))
		if err != nil {
			t.Errorf("the process does not see %s: %v", file, err)
		}
		files[file] = string(b)
	}
	if diff := cmp.Diff(map[string]string{
		"/extra/extra.conf": "a: 1\n", "/extra/binary": "\x00\x01\x02", "/etc/extra.conf": "a: 1\n",
		"/both/s3/secret": "battery-staple", "/both/CONTROLPLANE_PPROF": "true",
	}, files); diff != "" {
		t.Errorf("files that the process sees: -want, +got:\n%s", diff)
	}
}

// profile is the status of the answer to somebody who asks for a profile of the server and
// does not log in. Without the setting there is nothing to log in for.
func (s *server) profile(t *testing.T) int {
	t.Helper()
	status := 0
	eventually(t, requestDeadline, "the server answers", func(context.Context) error {
		a, err := s.ask(t, s.url(t)+"/debug/pprof/", "", nil)
		status = a.status
		return err
	})
	return status
}
