package dittofs

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/test/dittofs/kubelet"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// requestDeadline bounds one request to a server, or one run of its client.
const requestDeadline = time.Minute

// A server is a DittoServer that runs.
type server struct {
	*cluster
	*kubelet.Pod

	network *kubelet.Network
	dir     string

	// What the server talks to, if it does.
	postgres  *postgres
	directory *directory
}

// prepare composes a row of the matrix and starts what its server talks to. The
// server itself is not started.
func prepare(t *testing.T, row string) *server {
	t.Helper()
	s := &server{
		cluster: load(t, row),
		network: network(t),
		dir:     workDir(t),
	}
	s.reconcile(t)

	image := kubelet.Image{
		Files:      map[string]string{"/app/dfs": tool(t, "dfs")},
		Env:        map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/app"},
		WorkingDir: "/app",
	}
	p, err := kubelet.NewPod(s.dir, s.network, s.store, image, s.statefulSet(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Pod = p
	t.Cleanup(p.Kill)

	if s.uses(t, contract.EnvPostgresHost) {
		s.postgres = startPostgres(t, s)
	}
	if ldap := s.config(t).LDAP; ldap != nil {
		s.directory = startDirectory(t, s.network, ldap.URL)
	}
	return s
}

// start runs a row of the matrix until it is ready.
func start(t *testing.T, row string) *server {
	t.Helper()
	s := prepare(t, row)
	s.run(t)
	return s
}

// run starts the process and waits until it is ready.
func (s *server) run(t *testing.T) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitReady(t.Context()); err != nil {
		t.Fatalf("the server does not become ready: %v\n%s", err, s.Log())
	}
}

// stop stops the process, within its grace period. It waits for the sweep that a server
// makes at its first start with a share: told to stop meanwhile, it may close the stores
// under the sweep, and panics (DB Closed).
func (s *server) stop(t *testing.T) {
	t.Helper()
	const begins, done, failed = "reconcile-once: running", "RunBlockGCReconcile: complete", "reconcile-once: reconcile failed"
	eventually(t, requestDeadline, "the first sweep ends", func(context.Context) error {
		log := s.Log()
		if strings.Contains(log, begins) && !strings.Contains(log, done) && !strings.Contains(log, failed) {
			return errors.New(log)
		}
		return nil
	})
	if err := s.Stop(); err != nil {
		t.Fatalf("%v\n%s", err, s.Log())
	}
}

// replace puts a pod of the current StatefulSet in the place of the running one.
func (s *server) replace(t *testing.T) {
	t.Helper()
	s.stop(t)
	if err := s.Use(s.statefulSet(t)); err != nil {
		t.Fatal(err)
	}
	s.run(t)
}

// inputs are what the pod reads from Secrets.
func (s *server) inputs(t *testing.T) []podinputs.Input {
	t.Helper()
	return podinputs.Without(podinputs.From(&s.statefulSet(t).Spec.Template), podinputs.ConfigMap(s.configMap(t).GetName()))
}

// sees is the name under which the server sees an input.
func sees(in *podinputs.Input) string { return in.Env + in.File }

// input is an input of the server, by the name under which it sees it.
func (s *server) input(t *testing.T, name string) *podinputs.Input {
	t.Helper()
	for _, in := range s.inputs(t) {
		if sees(&in) == name {
			return &in
		}
	}
	t.Fatalf("the server does not read %s", name)
	return nil
}

// reads is the value of an input, which is empty if there is none.
func (s *server) reads(t *testing.T, name string) string {
	t.Helper()
	in := s.input(t, name)
	return string(s.secrets[in.Source.Name].Data[in.Key])
}

// change gives an input another value, and the pod the time to get it.
func (s *server) change(t *testing.T, name string, value []byte) {
	t.Helper()
	in := s.input(t, name)
	s.secrets[in.Source.Name].Data[in.Key] = value
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
}

// config is what the server was told about itself.
func (s *server) config(t *testing.T) *contract.Config {
	t.Helper()
	c := &contract.Config{}
	text := s.configMap(t).Data[contract.ConfigFile]
	if err := yaml.UnmarshalStrict([]byte(text), c); err != nil {
		t.Fatal(err)
	}
	return c
}

// configMap is the one that the server reads.
func (s *server) configMap(t *testing.T) *corev1.ConfigMap {
	t.Helper()
	for _, v := range s.statefulSet(t).Spec.Template.Spec.Volumes {
		if v.ConfigMap != nil {
			return s.store.ConfigMaps[v.ConfigMap.Name]
		}
	}
	t.Fatal("the pod has no ConfigMap")
	return nil
}

func (s *server) xrName() string {
	return functest.StringOf(s.crossplane.XR, "metadata", "name")
}

// port is the port of the server that a port of a Service points at.
func (s *server) port(t *testing.T, service, port string) int32 {
	t.Helper()
	for _, svc := range s.services(t) {
		for _, p := range svc.Spec.Ports {
			if svc.GetName() == s.xrName()+service && p.Name == port {
				n, err := s.Port(p.TargetPort)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	t.Fatalf("there is no Service %s%s with a port %s", s.xrName(), service, port)
	return 0
}

// url is where the API is.
func (s *server) url(t *testing.T) string {
	t.Helper()
	scheme := "http"
	if s.config(t).ControlPlane.TLS != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, s.port(t, "-api", "api"))
}

// dfsctl runs the server's own client.
func (s *server) dfsctl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), requestDeadline)
	defer cancel()

	if strings.HasPrefix(s.url(t), "https:") {
		args = append(args, s.clientFiles(t)...)
	}
	cmd := s.network.Command(ctx, tool(t, "dfsctl"), append([]string{"--no-color"}, args...)...)
	// It keeps its tokens below its home directory.
	cmd.Env = []string{"HOME=" + s.dir}
	out, err := cmd.CombinedOutput()
	return string(out), errors.Wrapf(err, "dfsctl %s: %s", strings.Join(args, " "), strings.TrimSpace(string(out)))
}

// clientFiles are the arguments that make dfsctl trust the server, and the server
// trust dfsctl.
func (s *server) clientFiles(t *testing.T) []string {
	t.Helper()
	p := host.NamedAuthority(matrix.ClientAuthority).Issue("client")
	args := []string{}
	for _, f := range []struct {
		flag, name string
		data       []byte
	}{
		{"--cacert", "ca.pem", host.NamedAuthority(matrix.ServerAuthority).Certificate()},
		{"--client-cert", "client.pem", p.Cert},
		{"--client-key", "client.key", p.Key},
	} {
		path := filepath.Join(s.dir, f.name)
		if err := os.WriteFile(path, f.data, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, f.flag, path)
	}
	return args
}

// login logs in with a password, as an administrator does.
func (s *server) login(t *testing.T, password string) error {
	t.Helper()
	_, err := s.dfsctl(t, "login", "--server", s.url(t), "--username", "admin", "--password", password)
	return err
}

// mustLogin logs in with the password that the Secret holds.
func (s *server) mustLogin(t *testing.T) {
	t.Helper()
	if err := s.login(t, s.reads(t, contract.EnvAdminPassword)); err != nil {
		t.Fatal(err)
	}
}

// administer runs a command that has to work.
func (s *server) administer(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.dfsctl(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A port is one of TCP or UDP.
type port struct {
	Protocol corev1.Protocol
	Port     int32
}

// sorted are ports in order, each once.
func sorted(ports []port) []port {
	slices.SortFunc(ports, func(a, b port) int { return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port)) })
	return slices.Compact(ports)
}

// listens are the ports that the server listens on, and nobody else in its network.
func (s *server) listens(t *testing.T) []port {
	t.Helper()
	ports := []port{}
	for table, listening := range map[string]string{"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", s.PID(), table))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			const address, state, inode = 1, 3, 9
			if f[state] != listening || !s.holds(t, "socket:["+f[inode]+"]") {
				continue
			}
			_, hex, _ := strings.Cut(f[address], ":")
			n, err := strconv.ParseInt(hex, 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, port{corev1.Protocol(strings.ToUpper(strings.TrimSuffix(table, "6"))), int32(n)})
		}
	}
	return sorted(ports)
}

// holds says whether the server has a file open.
func (s *server) holds(t *testing.T, file string) bool {
	t.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(fds, func(fd string) bool {
		target, err := os.Readlink(fd)
		return err == nil && target == file
	})
}

// exposed are the ports of the server that Services point at.
func (s *server) exposed(t *testing.T) []port {
	t.Helper()
	ports := []port{}
	for _, svc := range s.services(t) {
		for _, p := range svc.Spec.Ports {
			n, err := s.Port(p.TargetPort)
			if err != nil {
				t.Fatalf("Service %s: %v", svc.GetName(), err)
			}
			ports = append(ports, port{p.Protocol, n})
		}
	}
	return sorted(ports)
}

// uses says whether the server reads an input.
func (s *server) uses(t *testing.T, name string) bool {
	t.Helper()
	return slices.ContainsFunc(s.inputs(t), func(in podinputs.Input) bool { return sees(&in) == name })
}
