package dittofs

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/test/dittofs/kubelet"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// postgresDeadline bounds the start of PostgreSQL, and each question to it.
const postgresDeadline = 2 * time.Minute

// A postgres is a PostgreSQL server in the network of a DittoFS server.
type postgres struct {
	run  func(ctx context.Context, argv ...string) *exec.Cmd
	psql string
	dir  string
	port string
}

// startPostgres starts the PostgreSQL that the server's Secret describes, with
// that database and user in it. It speaks TLS if the server wants it to.
func startPostgres(t *testing.T, s *server) *postgres {
	t.Helper()
	initdb, server := needs(t, "initdb", "postgresql"), needs(t, "postgres", "postgresql")

	pg := &postgres{psql: needs(t, "psql", "postgresql-client"), dir: filepath.Join(s.dir, "postgres"), port: cmp.Or(s.reads(t, contract.EnvPostgresPort), "5432")}
	user := kubelet.User{UID: contract.UserID, GID: contract.UserID}
	passwd := filepath.Join(s.dir, "passwd")
	hba := filepath.Join(s.dir, "pg_hba.conf")
	for path, text := range map[string]string{
		// PostgreSQL does not run as a user without a name.
		passwd: fmt.Sprintf("postgres:x:%d:%d::%s:/bin/false\n", user.UID, user.GID, pg.dir),
		// The administrator needs no password on the socket, nobody else gets in without.
		hba: "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n", //nolint:dupword // All databases, all users.
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(pg.dir, 0o700), user.Own(pg.dir)); err != nil {
		t.Fatal(err)
	}

	view := []string{"--dev-bind", "/", "/", "--ro-bind", passwd, "/etc/passwd", "--proc", "/proc", "--chdir", "/"}
	pg.run = func(ctx context.Context, argv ...string) *exec.Cmd {
		return s.network.Sandboxed(ctx, user, view, argv...)
	}

	data := filepath.Join(pg.dir, "data")
	pg.must(t, initdb, "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
	log, err := os.Create(filepath.Join(s.dir, "postgres.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	argv := []string{server, "-D", data, "-k", pg.dir, "-p", pg.port, "-c", "listen_addresses=127.0.0.1", "-c", "hba_file=" + hba, "-c", "fsync=off"}
	if s.config(t).Database.Postgres != nil {
		argv = append(argv, pg.secure(t, user)...)
	}
	cmd := pg.run(t.Context(), argv...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, postgresDeadline, "PostgreSQL answers", func(ctx context.Context) error {
		_, err := pg.query(ctx, "postgres", "SELECT 1")
		return err
	})

	pg.ask(t, "postgres", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", s.reads(t, contract.EnvPostgresUser), s.reads(t, contract.EnvPostgresPassword)))
	pg.ask(t, "postgres", fmt.Sprintf("CREATE DATABASE %s OWNER %s", s.reads(t, contract.EnvPostgresDatabase), s.reads(t, contract.EnvPostgresUser)))
	return pg
}

// secure gives PostgreSQL a certificate, and is the arguments to use it.
func (pg *postgres) secure(t *testing.T, user kubelet.User) []string {
	t.Helper()
	p := host.NamedAuthority(matrix.ServerAuthority).Issue("postgres")
	args := []string{"-c", "ssl=on"}
	for name, data := range map[string][]byte{"ssl_cert_file": p.Cert, "ssl_key_file": p.Key} {
		path := filepath.Join(pg.dir, name)
		if err := errors.Join(os.WriteFile(path, data, 0o600), user.Own(path)); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-c", name+"="+path)
	}
	return args
}

// ask runs a statement as the administrator, which has to work.
func (pg *postgres) ask(t *testing.T, database, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), postgresDeadline)
	defer cancel()
	out, err := pg.query(ctx, database, sql)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (pg *postgres) query(ctx context.Context, database, sql string) (string, error) {
	cmd := pg.run(ctx, pg.psql, "-h", pg.dir, "-p", pg.port, "-U", "postgres", "-At", "-c", sql, database)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), errors.Wrapf(err, "%s: %s", sql, out)
}

func (pg *postgres) must(t *testing.T, argv ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), postgresDeadline)
	defer cancel()
	if out, err := pg.run(ctx, argv...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", argv[0], err, out)
	}
}

// cut ends every connection of the servers.
func (pg *postgres) cut(t *testing.T) {
	t.Helper()
	pg.ask(t, "postgres", "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'postgres'")
}
