package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// A postgres is a PostgreSQL server on this machine, with TLS, for all scenarios. Pods
// reach it by the names of Services in their own namespaces.
type postgres struct {
	start     sync.Once
	err       error
	dir, bin  string
	authority *host.Authority
	process   *host.Process
}

// The names under which pods reach the database, and the ports of each.
const (
	postgresName      = "postgres"
	postgresOtherName = "postgres-other"
	postgresPort      = "5432"
	postgresOtherPort = "5433"
)

// run starts the server, the first time.
func (p *postgres) run(ctx context.Context) error {
	p.start.Do(func() { p.err = p.launch(ctx) })
	return p.err
}

func (p *postgres) launch(ctx context.Context) error {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return errors.Join(err, errors.New("PostgreSQL is not installed. On Debian, make cluster-packages installs it"))
	}
	p.bin = found[len(found)-1]
	// PostgreSQL does not run as root.
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("cannot find PostgreSQL's user: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return fmt.Errorf("cannot parse UID: %w", err)
	}
	if p.dir, err = os.MkdirTemp("", "postgres"); err != nil {
		return fmt.Errorf("cannot make directory: %w", err)
	}
	p.authority = host.NewAuthority()
	pair := p.authority.Issue(postgresName, postgresName, postgresOtherName)
	for name, b := range map[string][]byte{
		"tls.crt": pair.Cert, "tls.key": pair.Key,
		// The administrator needs no password on the socket. Nobody else gets in without
		// one.
		"pg_hba.conf": []byte("local all postgres trust\nhost all all all scram-sha-256\n"), //nolint:dupword // All databases, all users, all addresses.
	} {
		path := filepath.Join(p.dir, name)
		if err := errors.Join(os.WriteFile(path, b, 0o600), os.Chown(path, uid, -1)); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	if err := os.Chown(p.dir, uid, -1); err != nil {
		return fmt.Errorf("cannot give directory away: %w", err)
	}
	data := filepath.Join(p.dir, "data")
	if out, err := p.command(ctx, "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	argv := p.argv("postgres", "-D", data, "-k", p.dir, "-p", postgresPort,
		"-c", "listen_addresses="+machine, "-c", "hba_file="+p.dir+"/pg_hba.conf", "-c", "fsync=off", "-c", "max_connections=500",
		"-c", "ssl=on", "-c", "ssl_cert_file="+p.dir+"/tls.crt", "-c", "ssl_key_file="+p.dir+"/tls.key")
	if p.process, err = (host.Command{Path: argv[0], Args: argv[1:], Dir: "/", Log: filepath.Join(p.dir, "postgres.log")}).Start(); err != nil {
		return err
	}
	return await(ctx, "PostgreSQL to answer", func(ctx context.Context) error {
		if err := p.process.Alive(); err != nil {
			return err
		}
		_, err := p.query(ctx, "SELECT 1")
		return err
	})
}

// stop stops the server, if it was started, and removes what it has written.
func (p *postgres) stop() error {
	if p.process != nil {
		p.process.Kill()
	}
	if p.dir == "" {
		return nil
	}
	return os.RemoveAll(p.dir)
}

// argv is how one of PostgreSQL's programs is started, as its user, and so that it ends
// with the tests.
func (p *postgres) argv(program string, args ...string) []string {
	return append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=KILL", filepath.Join(p.bin, program)}, args...)
}

func (p *postgres) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	argv := p.argv(program, args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // Tests say what is run.
	cmd.Dir = "/"
	return cmd
}

// query runs a statement as the administrator.
func (p *postgres) query(ctx context.Context, sql string) (string, error) {
	out, err := p.command(ctx, "psql", "-h", p.dir, "-p", postgresPort, "-U", "postgres", "-At", "-c", sql, "postgres").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", sql, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// databaseOf makes two databases and two roles for a server, of which one takes the
// other's place when that is rotated, and returns the Secret for the first.
func (s *scenario) databaseOf(srv *server) map[string]string {
	s.Helper()
	must(s, s.postgres.run(s.ctx))
	role, password := roleOf(srv), rand.Text()
	for _, sql := range []string{
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", role, password),
		fmt.Sprintf("CREATE ROLE %s_other LOGIN PASSWORD '%s' IN ROLE %s", role, password, role),
		fmt.Sprintf("CREATE DATABASE %s OWNER %s", role, role),
		fmt.Sprintf("CREATE DATABASE %s_other OWNER %s", role, role),
	} {
		_, err := s.postgres.query(s.ctx, sql)
		must(s, err)
	}
	for _, name := range []string{postgresName, postgresOtherName} {
		must(s, s.serviceOnMachine(srv.Namespace, name, 5432, 5432, 5433))
	}
	return map[string]string{
		"host": postgresName, "port": postgresPort, "database": role, "user": role, "password": password, "sslmode": "verify-full",
	}
}

// roleOf is the name of a server's role and database.
func roleOf(srv *server) string { return "server_" + strings.ReplaceAll(srv.Namespace, "-", "_") }

// setDatabasePassword gives both roles of a server another password.
func (s *scenario) setDatabasePassword(srv *server, password string) {
	s.Helper()
	for _, role := range []string{roleOf(srv), roleOf(srv) + "_other"} {
		_, err := s.postgres.query(s.ctx, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", role, password))
		must(s, err)
	}
}

// serviceOnMachine makes a Service for a process on this machine.
func (s *suite) serviceOnMachine(ns, name string, target int32, ports ...int32) error {
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{machine}}},
	}
	for _, port := range ports {
		portName := "p" + strconv.Itoa(int(port))
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: portName, Port: port})
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &portName, Port: &target})
	}
	if _, err := s.cluster.CoreV1().Services(ns).Create(s.ctx, svc, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("cannot create Service %s: %w", name, err)
	}
	if _, err := s.cluster.DiscoveryV1().EndpointSlices(ns).Create(s.ctx, slice, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("cannot create EndpointSlice %s: %w", name, err)
	}
	return nil
}
