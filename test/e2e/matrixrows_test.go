package e2e

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// particular is what is looked at in some rows of the matrix beside what is looked at in
// all. Each check says what is not as it should be.
func particular() map[string][]func(*scenario, *server) string {
	return map[string][]func(*scenario, *server) string{
		"postgres":        {(*scenario).usesPostgres},
		"postgres-cnpg":   {(*scenario).usesPostgres},
		"postgres-tls":    {(*scenario).usesPostgres, (*scenario).usesTLSToPostgres},
		"percona":         {(*scenario).usesPostgres},
		"sqlite-path":     {hasFile("/data/store/metadata", "db/control.db"), hasNoFiles("/data/controlplane")},
		"log-file":        {hasFile("/data/controlplane", "log/dfs.log")},
		"logging":         {(*scenario).logsText},
		"tls":             {(*scenario).showsCertificate},
		"mtls":            {(*scenario).showsCertificate, (*scenario).wantsCertificate},
		"metrics":         {metricsAt("http", "/stats", "", http.StatusOK)},
		"metrics-token":   scraped("http"),
		"metrics-tls":     {(*scenario).metricsOverTLS},
		"network-policy":  {(*scenario).policyFits},
		"clients":         {(*scenario).policyFits},
		"service-monitor": scraped("http"),
		"pod":             {(*scenario).runsAsItsUser},
		"extras":          {(*scenario).hasExtras},
		"everything": append(scraped("https"), (*scenario).usesPostgres, (*scenario).usesTLSToPostgres, (*scenario).showsCertificate,
			(*scenario).wantsCertificate, (*scenario).policyFits),
	}
}

// scraped are the checks of metrics that take a token.
func scraped(scheme string) []func(*scenario, *server) string {
	return []func(*scenario, *server) string{
		metricsAt(scheme, "/metrics", "", http.StatusUnauthorized),
		metricsAt(scheme, "/metrics", "not the token", http.StatusUnauthorized),
		metricsAt(scheme, "/metrics", "scraper-token", http.StatusOK),
	}
}

// metricsAt compares the status of an answer to a scraper, who has a token or none.
func metricsAt(scheme, path, token string, want int) func(*scenario, *server) string {
	return func(s *scenario, srv *server) string {
		s.Helper()
		a, err := s.ask(scheme+"://"+s.address(srv, "metrics")+path, token, nil)
		if err != nil {
			return err.Error()
		}
		if a.status != want {
			return fmt.Sprintf("a scraper with the token %q gets the status %d, not %d", token, a.status, want)
		}
		return ""
	}
}

// metricsOverTLS asks for the metrics with and without a certificate.
func (s *scenario) metricsOverTLS(srv *server) string {
	s.Helper()
	url := "https://" + s.address(srv, "metrics") + "/metrics"
	a, err := s.ask(url, "", host.NamedAuthority(matrix.ClientAuthority))
	if err != nil {
		return err.Error()
	}
	if a.peer != "metrics" || a.status != http.StatusOK {
		return fmt.Sprintf("a scraper gets the status %d of %s", a.status, a.peer)
	}
	if _, err := s.ask(url, "", nil); err == nil || !strings.Contains(err.Error(), "remote error: tls:") {
		return fmt.Sprintf("a scraper without a certificate is not refused: %v", err)
	}
	return ""
}

// An answer is what a server says, and the name in the certificate that it shows, if it
// shows one.
type answer struct {
	status int
	peer   string
}

// ask asks over HTTP, with a bearer token if there is one, as a client with a certificate
// of the authority if there is one.
func (s *scenario) ask(url, token string, client *host.Authority) (a answer, err error) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, url, http.NoBody)
	must(s, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	// Its certificate is for what the sandbox calls it.
	cfg := &tls.Config{RootCAs: host.NamedAuthority(matrix.ServerAuthority).Pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	if client != nil {
		cfg.Certificates = []tls.Certificate{client.Issue("client").TLS()}
	}
	rsp, err := (&http.Client{Timeout: requestTimeout, Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return a, err
	}
	if a.status = rsp.StatusCode; rsp.TLS != nil {
		a.peer = rsp.TLS.PeerCertificates[0].Subject.CommonName
	}
	return a, rsp.Body.Close()
}

// showsCertificate asks the API who it is.
func (s *scenario) showsCertificate(srv *server) string {
	s.Helper()
	a, err := s.ask("https://"+s.address(srv, "api")+"/health", "", host.NamedAuthority(matrix.ClientAuthority))
	if err != nil {
		return err.Error()
	}
	if a.peer != "api" {
		return "its certificate is that of " + a.peer
	}
	return ""
}

// wantsCertificate asks the API as clients that it should not let in.
func (s *scenario) wantsCertificate(srv *server) string {
	s.Helper()
	for who, client := range map[string]*host.Authority{"without a certificate": nil, "of another authority": host.NamedAuthority("strangers")} {
		switch _, err := s.ask("https://"+s.address(srv, "api")+"/health", "", client); {
		case err == nil:
			return "it lets in a client " + who
		case !strings.Contains(err.Error(), "remote error: tls:"):
			return err.Error()
		}
	}
	return ""
}

// usesPostgres looks for the control plane's records in PostgreSQL, and for no database on
// the server's volume.
func (s *scenario) usesPostgres(srv *server) string {
	s.Helper()
	out, err := s.postgres.command(s.ctx, "psql", "-h", s.postgres.dir, "-p", postgresPort, "-U", "postgres", "-At",
		"-c", "SELECT username FROM users", roleOf(srv)).CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "admin" {
		return fmt.Sprintf("the users in its database are %q, %v", got, err)
	}
	return hasNoFiles("/data/controlplane")(s, srv)
}

// usesTLSToPostgres asks PostgreSQL how the server speaks to it.
func (s *scenario) usesTLSToPostgres(srv *server) string {
	s.Helper()
	if got, err := s.postgres.query(s.ctx, fmt.Sprintf("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = '%s'", roleOf(srv))); err != nil || got != "t" {
		return fmt.Sprintf("not all its connections to the database are with TLS: %q, %v", got, err)
	}
	return ""
}

// logsText looks at how the server logs.
func (s *scenario) logsText(srv *server) string {
	s.Helper()
	log, err := s.cluster.CoreV1().Pods(srv.Namespace).GetLogs(srv.Name+"-0", &corev1.PodLogOptions{}).DoRaw(s.ctx)
	must(s, err)
	if !strings.Contains(string(log), "[DEBUG]") || strings.Contains(string(log), `{"time"`) {
		return "its log has no text at level DEBUG"
	}
	return ""
}

// policyFits compares a NetworkPolicy with the pod that it is for, and with the ports that
// Services lead to. Nobody in this cluster keeps to it.
func (s *scenario) policyFits(srv *server) string {
	s.Helper()
	policies, err := s.cluster.NetworkingV1().NetworkPolicies(srv.Namespace).List(s.ctx, metav1.ListOptions{})
	must(s, err)
	if len(policies.Items) != 1 {
		return fmt.Sprintf("there are %d NetworkPolicies", len(policies.Items))
	}
	policy := policies.Items[0].Spec
	pod, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(s.ctx, srv.Name+"-0", metav1.GetOptions{})
	must(s, err)
	selector, err := metav1.LabelSelectorAsSelector(&policy.PodSelector)
	must(s, err)
	if !selector.Matches(labels.Set(pod.Labels)) {
		return "its NetworkPolicy is not for its pod"
	}
	services, err := s.cluster.CoreV1().Services(srv.Namespace).List(s.ctx, metav1.ListOptions{LabelSelector: serverLabel + "=" + srv.Name})
	must(s, err)
	var open, led []int32
	for _, rule := range policy.Ingress {
		for _, p := range rule.Ports {
			open = append(open, portOf(pod, *p.Port))
		}
	}
	for _, svc := range services.Items {
		for _, p := range svc.Spec.Ports {
			led = append(led, portOf(pod, p.TargetPort))
		}
	}
	slices.Sort(open)
	slices.Sort(led)
	if open, led = slices.Compact(open), slices.Compact(led); !slices.Equal(open, led) {
		return fmt.Sprintf("its NetworkPolicy opens %v, and Services lead to %v", open, led)
	}
	return ""
}

// portOf is the number of a port of a pod, or 0.
func portOf(pod *corev1.Pod, port intstr.IntOrString) int32 {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if port == intstr.FromString(p.Name) {
				return p.ContainerPort
			}
		}
	}
	return port.IntVal
}

// runsAsItsUser looks at whose the server's process and its volumes are.
func (s *scenario) runsAsItsUser(srv *server) string {
	s.Helper()
	const want = 1234
	dir := s.proc(srv)
	for path, id := range map[string]func(*syscall.Stat_t) uint32{
		dir:                               func(st *syscall.Stat_t) uint32 { return st.Uid },
		dir + "/root/data/controlplane":   func(st *syscall.Stat_t) uint32 { return st.Gid },
		dir + "/root/data/store/metadata": func(st *syscall.Stat_t) uint32 { return st.Gid },
	} {
		st := &syscall.Stat_t{}
		must(s, syscall.Stat(path, st))
		if got := id(st); got != want {
			return fmt.Sprintf("%s is that of %d, not %d", strings.TrimPrefix(path, dir), got, want)
		}
	}
	return ""
}

// hasFile looks for a file on a volume.
func hasFile(volume, name string) func(*scenario, *server) string {
	return func(s *scenario, srv *server) string {
		s.Helper()
		if got := s.files(srv, volume); !slices.Contains(got, name) {
			return fmt.Sprintf("%s is not in %s, only %v", name, volume, got)
		}
		return ""
	}
}

// hasNoFiles looks for files where there should be none.
func hasNoFiles(volume string) func(*scenario, *server) string {
	return func(s *scenario, srv *server) string {
		s.Helper()
		if got := s.files(srv, volume); len(got) > 0 {
			return fmt.Sprintf("%s has %v", volume, got)
		}
		return ""
	}
}

// files are the files of a server's volume.
func (s *scenario) files(srv *server, volume string) (names []string) {
	s.Helper()
	dir := s.proc(srv) + "/root" + volume
	must(s, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		names = append(names, rel)
		return err
	}))
	return names
}

// proc is the directory of the server's process in /proc.
func (s *scenario) proc(srv *server) string {
	s.Helper()
	pod, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(s.ctx, srv.Name+"-0", metav1.GetOptions{})
	must(s, err)
	pids, err := s.node.processes(string(pod.UID))
	must(s, err)
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d", pid)
		if exe, err := os.Readlink(dir + "/exe"); err == nil && filepath.Base(exe) == "dfs" {
			return dir
		}
	}
	s.Fatalf("%s: none of the processes %v is the server", srv, pids)
	return ""
}
