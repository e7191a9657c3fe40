package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// A credential is one that is revoked by a change of a Secret.
type credential struct {
	what    string
	spec    map[string]any
	secrets func(*scenario, *server) secrets

	// use returns a client that uses the credential that is valid now, and what it sees
	// for as long as that is accepted.
	use func(*scenario, *server) (client func(context.Context) string, accepted string)

	revoke func(*scenario, *server)
}

func credentials() []credential {
	renew := func(secret, key string, value func() string) func(*scenario, *server) {
		return func(s *scenario, srv *server) { must(s, srv.setSecret(s.ctx, secret, map[string]string{key: value()})) }
	}
	plain := func(*scenario, *server) secrets { return basicSecrets() }
	const answered, connected = "200 OK", "connected"
	clients := host.NewAuthority() // Those that are let in now.
	return []credential{
		{
			what: "token of the old JWT key", secrets: plain, revoke: renew("jwt", "key", newKey),
			use: func(s *scenario, srv *server) (func(context.Context) string, string) {
				token, err := srv.login(s.ctx, s.adminPassword(srv))
				must(s, err)
				api, err := srv.api(s.ctx)
				must(s, err)
				return func(ctx context.Context) string { return get(ctx, api+"/users", token) }, answered
			},
		},
		{
			what: "old metrics token",
			spec: map[string]any{"metrics": map[string]any{"enabled": true, "bearerTokenSecret": map[string]any{"name": "metrics", "key": "token"}}},
			secrets: func(*scenario, *server) secrets {
				all := basicSecrets()
				all["metrics"] = map[string]string{"token": rand.Text()}
				return all
			},
			revoke: renew("metrics", "token", rand.Text),
			use: func(s *scenario, srv *server) (func(context.Context) string, string) {
				sec, err := s.cluster.CoreV1().Secrets(srv.Namespace).Get(s.ctx, "metrics", metav1.GetOptions{})
				must(s, err)
				url := "http://" + s.address(srv, "metrics") + "/metrics"
				return func(ctx context.Context) string { return get(ctx, url, string(sec.Data["token"])) }, answered
			},
		},
		{
			what: "client of the old CA",
			spec: map[string]any{"controlPlane": map[string]any{"certSecretName": "tls", "clientCASecretName": "client-ca"}},
			secrets: func(*scenario, *server) secrets {
				all := basicSecrets()
				all["tls"] = certificate()
				all["client-ca"] = map[string]string{"ca.crt": string(clients.Certificate())}
				return all
			},
			revoke: renew("client-ca", "ca.crt", func() string {
				clients = host.NewAuthority()
				return string(clients.Certificate())
			}),
			use: func(s *scenario, srv *server) (func(context.Context) string, string) {
				cfg := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{clients.Issue("client").TLS()}}
				address := s.address(srv, "api")
				return func(ctx context.Context) string {
					client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
					req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/health", http.NoBody)
					if err != nil {
						return ""
					}
					rsp, err := client.Do(req)
					if err != nil {
						return ""
					}
					_ = rsp.Body.Close()
					return rsp.Status
				}, answered
			},
		},
		{
			what: "connection with the old database password",
			spec: map[string]any{"database": map[string]any{"type": "postgres", "postgresSecretRef": map[string]any{"name": "postgres"}}},
			secrets: func(s *scenario, srv *server) secrets {
				all := basicSecrets()
				all["postgres"] = s.databaseOf(srv)
				all["postgres"]["sslmode"] = "require"
				return all
			},
			revoke: func(s *scenario, srv *server) {
				password := rand.Text()
				s.setDatabasePassword(srv, password)
				must(s, srv.setSecret(s.ctx, "postgres", map[string]string{"password": password}))
			},
			use: func(s *scenario, srv *server) (func(context.Context) string, string) {
				before := fmt.Sprintf("%.6f", float64(time.Now().UnixMicro())/1e6)
				return func(ctx context.Context) string {
					n, err := s.postgres.query(ctx, "SELECT count(*) FROM pg_stat_activity WHERE usename = '"+roleOf(srv)+"' AND backend_start < to_timestamp("+before+")")
					if err != nil || n == "0" {
						return ""
					}
					return connected
				}, connected
			},
		},
	}
}

// revoked is how long what is revoked is good for.
func revoked(s *scenario) {
	all := credentials()
	s.each(len(all), func(s *scenario, i int) string {
		c := all[i]
		spec := basicSpec()
		maps.Copy(spec, c.spec)
		srv := s.server("revoked-" + strconv.Itoa(i))
		must(s, srv.createSecrets(s.ctx, c.secrets(s, srv)))
		must(s, srv.create(s.ctx, spec))
		must(s, srv.awaitReady(s.ctx))
		s.restartsOf(srv)

		var good []time.Duration
		s.expect(fmt.Sprintf("revoke the %s %d times", c.what, *times), "accepted before, and never after the restart; "+count{revisions: *times, pods: *times}.String(), func() string {
			for range *times {
				client, accepted := c.use(s, srv)
				ctx, cancel := context.WithCancel(s.ctx)
				seen := keepTrying(ctx, client)
				time.Sleep(5 * tryInterval)
				start := time.Now()
				c.revoke(s, srv)
				must(s, srv.settle(s.ctx))
				back := time.Now()
				time.Sleep(5 * tryInterval)
				cancel()

				first, last := time.Time{}, time.Time{}
				for _, t := range seen.since(time.Time{}) {
					if t.seen != accepted {
						continue
					}
					if last = t.at; first.IsZero() {
						first = t.at
					}
				}
				switch {
				case first.IsZero() || first.After(start):
					return "it was not accepted before"
				case last.After(back):
					return "it is accepted after the restart"
				}
				good = append(good, last.Sub(start))
			}
			return "accepted before, and never after the restart; " + s.restartsSince(srv)
		})
		if len(good) > 0 {
			s.measure("Secret written to the "+c.what+" accepted for the last time", spread(good), 0)
		}
		return ""
	})
}

// adminPassword is the one that the Secret of basicSpec has.
func (s *scenario) adminPassword(srv *server) string {
	s.Helper()
	sec, err := s.cluster.CoreV1().Secrets(srv.Namespace).Get(s.ctx, "admin", metav1.GetOptions{})
	must(s, err)
	return string(sec.Data["password"])
}

// address is where one of a server's Services is.
func (s *scenario) address(srv *server, service string) string {
	s.Helper()
	svc, err := s.cluster.CoreV1().Services(srv.Namespace).Get(s.ctx, srv.Name+"-"+service, metav1.GetOptions{})
	must(s, err)
	return net.JoinHostPort(svc.Spec.ClusterIP, strconv.Itoa(int(svc.Spec.Ports[0].Port)))
}
