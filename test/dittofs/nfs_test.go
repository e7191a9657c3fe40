package dittofs

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

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
	s.share(t, contract.ContentDir)

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

// TestNFSWithoutOptions writes and reads a file as clients do that are told nothing but the
// names of the server and the share. They go through the ports of the Service.
func TestNFSWithoutOptions(t *testing.T) {
	t.Parallel()
	nfsCP, nfsCat, nfsLS := needs(t, "nfs-cp", "libnfs-utils"), needs(t, "nfs-cat", "libnfs-utils"), needs(t, "nfs-ls", "libnfs-utils")
	s := start(t, "clients")
	s.mustLogin(t)
	turnPortmapperOn(t, s)
	s.share(t, contract.MetadataDir+"/blocks")
	s.lead(t, "files-nfs")

	file, want := filepath.Join(s.dir, "file"), "A file of somebody who knows no port.\n"
	if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
	s.command(t, nfsCP, file, "nfs://127.0.0.1/export/file?version=3")
	if got := s.command(t, nfsCat, "nfs://127.0.0.1/export/file?version=3"); got != want {
		t.Errorf("NFSv3: want %q, got %q", want, got)
	}
	// Over NFSv4 libnfs lists files, but opens none: the server tells it of rights that it
	// has not asked for, and it takes that for a refusal.
	if got := s.command(t, nfsLS, "nfs://127.0.0.1/export?version=4"); !strings.HasSuffix(strings.TrimSpace(got), " file") {
		t.Errorf("NFSv4: want the file to be listed, got %q", got)
	}
	s.stop(t)
}

// share makes a share that everybody may write to, with its blocks in a directory.
func (s *server) share(t *testing.T, blocks string) {
	t.Helper()
	s.administer(t, "store", "metadata", "add", "--name", "metadata", "--type", "badger", "--db-path", contract.MetadataDir+"/badger")
	s.administer(t, "store", "block", "local", "add", "--name", "blocks", "--type", "fs", "--config", fmt.Sprintf(`{"path":%q}`, blocks))
	s.administer(t, "share", "create", "--name", "/export", "--metadata", "metadata", "--local", "blocks", "--default-permission", "read-write", "--squash", "none")
}

// lead leads connections to a Service's ports to the server, as kube-proxy does. In the
// server's network, the Service has the same address as the server.
func (s *server) lead(t *testing.T, service string) {
	t.Helper()
	for _, svc := range s.services(t) {
		for _, p := range svc.Spec.Ports {
			if svc.Name != service || p.Protocol != corev1.ProtocolTCP || p.Port == p.TargetPort.IntVal {
				continue
			}
			l, err := s.network.Listen(t.Context(), int(p.Port))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			go func() {
				for {
					client, err := l.Accept()
					if err != nil {
						return
					}
					go s.relay(t.Context(), client, p.TargetPort.IntVal)
				}
			}()
		}
	}
}

// relay connects a client to a port of the server.
func (s *server) relay(ctx context.Context, client net.Conn, port int32) {
	up, err := s.network.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		_ = client.Close()
		return
	}
	go func() {
		_, _ = io.Copy(up, client)
		_ = up.Close()
	}()
	_, _ = io.Copy(client, up)
	_ = client.Close()
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
