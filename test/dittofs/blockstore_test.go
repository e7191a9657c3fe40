package dittofs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
)

// shareWithRemote creates a share whose blocks go to a remote store, with blocks on
// the volume for those.
func (s *server) shareWithRemote(t *testing.T, name, remoteConfig string) {
	t.Helper()
	s.mustLogin(t)
	s.administer(t, "store", "metadata", "add", "--name", "metadata", "--type", "badger", "--db-path", contract.MetadataDir+"/badger")
	s.administer(t, "store", "block", "local", "add", "--name", "blocks", "--type", "fs", "--config", fmt.Sprintf(`{"path":%q}`, contract.MetadataDir+"/blocks"))
	s.administer(t, "store", "block", "remote", "add", "--name", "remote", "--type", "memory", "--config", remoteConfig)
	s.administer(t, "share", "create", "--name", name, "--metadata", "metadata", "--local", "blocks", "--remote", "remote",
		"--default-permission", "read-write", "--squash", "none")
}

// checkRemoteCache looks at how much of a remote store the server keeps.
func checkRemoteCache(t *testing.T, s *server) {
	t.Helper()
	s.shareWithRemote(t, "/export", "{}")
	want := fmt.Sprintf(`"max_size":%d}`, s.config(t).BlockStore.Local.DefaultRemoteCacheSize)
	if log := s.Log(); !strings.Contains(log, want) {
		t.Errorf("the server does not keep %s of a share:\n%s", want, log)
	}
}

// TestRemoteCacheTooSmall shows why small caches are refused: the server frees nothing of
// what it has open for writing, and refuses writes although all of it is in the remote
// store.
func TestRemoteCacheTooSmall(t *testing.T) {
	t.Parallel()
	nfsCP := needs(t, "nfs-cp", "libnfs-utils")

	c := load(t, "content")
	c.set(t, "spec.blockStore.remoteCacheSize", "4352Mi")
	if refusal(c.render(t)) == "" {
		t.Error("the function does not refuse it")
	}

	s := prepare(t, "content")
	config := s.config(t)
	config.BlockStore.Local.DefaultRemoteCacheSize = 8 << 20
	text, err := config.Render()
	if err != nil {
		t.Fatal(err)
	}
	s.configMap(t).Data[contract.ConfigFile] = string(text)
	// The server would wait for a minute before it refuses a write.
	ss := s.statefulSet(t)
	env := &ss.Spec.Template.Spec.Containers[0].Env
	*env = append(*env, corev1.EnvVar{Name: "DITTOFS_BLOCKSTORE_LOCAL_BACKPRESSURE_MAX_WAIT", Value: "2s"})
	if err := s.Use(ss); err != nil {
		t.Fatal(err)
	}
	s.run(t)
	s.shareWithRemote(t, "/export", "{}")

	file := filepath.Join(s.dir, "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	eventually(t, requestDeadline, "the server refuses a file", func(ctx context.Context) error {
		n++
		url := fmt.Sprintf("nfs://127.0.0.1/export/file-%d?nfsport=%d&mountport=%d", n, nfsPort, nfsPort)
		if err := s.network.Command(ctx, nfsCP, file, url).Run(); err != nil {
			return nil //nolint:nilerr // It is what is wanted.
		}
		return errors.New("it takes it")
	})
	if log := s.Log(); !strings.Contains(log, "journal local store full") {
		t.Errorf("the server does not say that it is full:\n%s", log)
	}
	s.stop(t)
}
