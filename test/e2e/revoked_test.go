package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// A credential is one that is revoked by a change of a Secret.
type credential struct {
	what    string
	spec    map[string]any
	secrets func(*scenario, *server) secrets

	// use returns a client that uses the credential that is valid now. It sees one of these,
	// or nothing.
	use               func(*scenario, *server) (client func(context.Context) string)
	accepted, refused string

	revoke func(*scenario, *server)
}

func credentials() []credential {
	renew := func(secret, key string, value func() string) func(*scenario, *server) {
		return func(s *scenario, srv *server) { must(s, srv.setSecret(s.ctx, secret, map[string]string{key: value()})) }
	}
	plain := func(*scenario, *server) secrets { return basicSecrets() }
	const answered, unauthorized = "200 OK", "401 Unauthorized"
	clients := host.NewAuthority() // Those that are let in now.
	return []credential{
		{
			what: "token of the old JWT key", secrets: plain, revoke: renew("jwt", "key", newKey), accepted: answered, refused: unauthorized,
			use: func(s *scenario, srv *server) func(context.Context) string {
				token, api := s.login(srv, s.adminPassword(srv)), s.api(srv)
				return func(ctx context.Context) string { return get(ctx, api+"/users", token) }
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
			revoke: renew("metrics", "token", rand.Text), accepted: answered, refused: unauthorized,
			use: func(s *scenario, srv *server) func(context.Context) string {
				sec, err := s.cluster.CoreV1().Secrets(srv.Namespace).Get(s.ctx, "metrics", metav1.GetOptions{})
				must(s, err)
				url := "http://" + s.address(srv, "metrics") + "/metrics"
				return func(ctx context.Context) string { return get(ctx, url, string(sec.Data["token"])) }
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
			accepted: answered, refused: "a TLS alert",
			use: func(s *scenario, srv *server) func(context.Context) string {
				cfg := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{clients.Issue("client").TLS()}}
				address := s.address(srv, "api")
				return func(ctx context.Context) string {
					client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
					req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/health", http.NoBody)
					if err != nil {
						return ""
					}
					rsp, err := client.Do(req)
					switch {
					case err == nil:
						_ = rsp.Body.Close()
						return rsp.Status
					case strings.Contains(err.Error(), "remote error: tls:"):
						return "a TLS alert"
					}
					return ""
				}
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
			accepted: "connected", refused: "gone",
			use: func(s *scenario, srv *server) func(context.Context) string {
				before := fmt.Sprintf("%.6f", float64(time.Now().UnixMicro())/1e6)
				return func(ctx context.Context) string {
					n, err := s.postgres.query(ctx, "SELECT count(*) FROM pg_stat_activity WHERE usename = '"+roleOf(srv)+"' AND backend_start < to_timestamp("+before+")")
					switch {
					case err != nil:
						return ""
					case n == "0":
						return "gone"
					}
					return "connected"
				}
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
		s.expect(fmt.Sprintf("revoke the %s %d times", c.what, *times), "accepted before, refused after the restart; "+count{revisions: *times, pods: *times}.String(), func() string {
			for range *times {
				ctx, cancel := context.WithCancel(s.ctx)
				seen := keepTrying(ctx, c.use(s, srv))
				time.Sleep(settled) // Also so that it is seen to be accepted before.
				start := time.Now()
				c.revoke(s, srv)
				must(s, srv.settle(s.ctx))
				back := time.Now()
				must(s, await(s.ctx, "the server to answer again", func(context.Context) error {
					if !served(seen.since(back)) {
						return fmt.Errorf("it answers %q", story(seen.since(back)))
					}
					return nil
				}))
				cancel()

				all := slices.DeleteFunc(seen.since(time.Time{}), func(t try) bool { return t.seen == "" })
				last := slices.IndexFunc(all, func(t try) bool { return t.seen != c.accepted }) - 1
				if last < 0 || slices.ContainsFunc(all[last+1:], func(t try) bool { return t.seen != c.refused }) {
					return "it was first " + c.accepted + ", and then " + story(all)
				}
				good = append(good, all[last].at.Sub(start))
			}
			return "accepted before, refused after the restart; " + s.restartsSince(srv)
		})
		if len(good) > 0 {
			s.measure("Secret written to the "+c.what+" accepted for the last time", spread(good), 0)
		}
		return ""
	})
}
