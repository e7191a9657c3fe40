package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// dfsctl runs the server's own client. It keeps its tokens in a directory.
func (s *scenario) dfsctl(home string, args ...string) string {
	s.Helper()
	out, err := s.tryDfsctl(home, args...)
	if err != nil {
		s.Fatalf("dfsctl %s: %v: %s", args[0], err, out)
	}
	return out
}

// tryDfsctl runs it, and returns also what it says when it fails.
func (s *scenario) tryDfsctl(home string, args ...string) (string, error) {
	s.Helper()
	bin, err := filepath.Abs(*binDir)
	must(s, err)
	cmd := exec.CommandContext(s.ctx, filepath.Join(bin, "dfsctl"), append([]string{"--no-color"}, args...)...) //nolint:gosec // Tests say what is run.
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	var said, warned strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &warned
	if err := cmd.Run(); err != nil {
		return said.String() + warned.String(), err
	}
	return said.String(), nil
}

// nfs is a client's program. It runs as a user who has all ports for itself: of the few
// that are root's alone, each would be used again too soon.
func nfs(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // Tests say what is run.
	if os.Geteuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

// nfsURL returns where files of a server's share are for an NFS client, who says which user
// it is.
func (s *scenario) nfsURL(srv *server, uid int) func(file string) string {
	s.Helper()
	host, port, _ := strings.Cut(s.address(srv, "nfs"), ":")
	return func(file string) string {
		return fmt.Sprintf("nfs://%s/export/%s?nfsport=%s&mountport=%s&uid=%d&gid=%d", host, file, port, port, uid, uid)
	}
}

// admin logs the admin in, and returns the directory in which dfsctl keeps that.
func (s *scenario) admin(srv *server) (home string) {
	s.Helper()
	home, password := s.TempDir(), s.adminPassword(srv)
	s.login(srv, password)
	s.dfsctl(home, "login", "--server", "http://"+s.address(srv, "api"), "--username", "admin", "--password", password)
	return home
}

// share makes a share of a server that everybody may write to, and returns where its
// files are for an NFS client.
func (s *scenario) share(srv *server) func(file string) string {
	s.Helper()
	home := s.admin(srv)
	for _, args := range [][]string{
		{"store", "metadata", "add", "--name", "metadata", "--type", "badger", "--db-path", "/data/store/metadata/badger"},
		{"store", "block", "local", "add", "--name", "blocks", "--type", "fs", "--config", `{"path":"/data/store/block"}`},
		{"share", "create", "--name", "/export", "--metadata", "metadata", "--local", "blocks", "--default-permission", "read-write", "--squash", "none"},
	} {
		s.dfsctl(home, args...)
	}
	return s.nfsURL(srv, 0)
}
