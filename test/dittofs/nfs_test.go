package dittofs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
)

// nfsPort is where the server serves NFS, and everything that belongs to it.
const nfsPort = 12049

// TestFileSurvivesRotation writes a file through NFS, rotates the key that signs
// tokens, and reads the file from the pod that the new hash brings.
func TestFileSurvivesRotation(t *testing.T) {
	t.Parallel()
	nfsCP, nfsCat := needs(t, "nfs-cp", "libnfs-utils"), needs(t, "nfs-cat", "libnfs-utils")
	s := start(t, "content")

	s.mustLogin(t)
	s.administer(t, "store", "metadata", "add", "--name", "metadata", "--type", "badger", "--db-path", contract.MetadataDir+"/badger")
	s.administer(t, "store", "block", "local", "add", "--name", "blocks", "--type", "fs", "--config", fmt.Sprintf(`{"path":%q}`, contract.ContentDir))
	s.administer(t, "share", "create", "--name", "/export", "--metadata", "metadata", "--local", "blocks", "--default-permission", "read-write", "--squash", "none")

	file := filepath.Join(s.dir, "file")
	want := strings.Repeat("A file that must survive.\n", 10_000)
	if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("nfs://127.0.0.1/export/file?nfsport=%d&mountport=%d", nfsPort, nfsPort)
	s.command(t, nfsCP, file, url)

	before := s.hash(t)
	s.change(t, contract.EnvJWTSecret, []byte("another-signing-key-of-more-than-32-bytes"))
	s.reconcile(t)
	if s.hash(t) == before {
		t.Fatal("a new signing key leaves the hash as it was")
	}
	s.replace(t)

	if got := s.command(t, nfsCat, url); got != want {
		t.Errorf("the file has %d bytes, and had %d before the restart", len(got), len(want))
	}
	s.stop(t)
}

// command runs a program of this machine in the server's network.
func (s *server) command(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), requestDeadline)
	defer cancel()
	out, err := s.network.Command(ctx, program, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", program, args, err)
	}
	return string(out)
}
