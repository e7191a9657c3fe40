package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// live is what clients see of a change without a restart, once the kubelet has put it
// where the server reads it. The kubelet looks at Secrets every minute or so.
func live(s *scenario) {
	// The directory: the server asks for no more than its certificate here.
	authority := host.NewAuthority()
	l, err := tls.Listen("tcp", machine+":0", &tls.Config{Certificates: []tls.Certificate{authority.Issue("directory", machine).TLS()}, MinVersion: tls.VersionTLS12})
	must(s, err)
	s.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = c.(*tls.Conn).HandshakeContext(s.ctx)
				_ = c.Close()
			}()
		}
	}()

	srv := s.server("live")
	all := s.fullSecrets(srv)
	all["ldap"]["ca.crt"] = string(authority.Certificate())
	must(s, srv.createSecrets(s.ctx, all))
	spec := s.fullSpec()
	delete(spec["controlPlane"].(map[string]any), "clientCASecretName")
	ldap := spec["identity"].(map[string]any)["ldap"].(map[string]any)
	ldap["url"] = "ldaps://" + l.Addr().String()
	must(s, srv.create(s.ctx, spec))
	must(s, srv.awaitReady(s.ctx))
	s.restartsOf(srv)

	home := s.TempDir()
	url := "https://" + s.address(srv, "api")
	s.dfsctl(home, "login", "--tls-skip-verify", "--server", url, "--username", "admin", "--password", s.adminPassword(srv))
	changes := []struct {
		what, secret string
		value        map[string]string
		seen         func(context.Context) error
	}{
		{"API certificate", "tls", certificate(), nil},
		{"keytab", "kerberos", map[string]string{"keytab": newKeytab()}, func(ctx context.Context) error {
			log, err := s.cluster.CoreV1().Pods(srv.Namespace).GetLogs(srv.Name+"-0", &corev1.PodLogOptions{}).DoRaw(ctx)
			if err == nil && !strings.Contains(string(log), "Keytab reloaded successfully") {
				err = errors.New("the server's log does not say so")
			}
			return err
		}},
		{"LDAP CA", "ldap", map[string]string{"ca.crt": certificate()["tls.crt"]}, func(context.Context) error {
			out, err := s.tryDfsctl(home, "identity-provider", "test", "ldap", "--tls-skip-verify", "--config", s.dfsctl(home, "identity-provider", "get", "ldap", "--tls-skip-verify", "--output", "json"))
			if err != nil && strings.Contains(out, "certificate signed by unknown authority") {
				return nil
			}
			return fmt.Errorf("the server trusts it: %s", out)
		}},
	}
	old := peer(s.ctx, s.address(srv, "api"))
	changes[0].seen = func(ctx context.Context) error {
		if now := peer(ctx, s.address(srv, "api")); now == "" || now == old {
			return errors.New("it is the old one")
		}
		return nil
	}

	for _, c := range changes {
		if c.seen(s.ctx) == nil {
			s.Fatalf("%s: it is seen before it was changed", c.what)
		}
	}
	start := time.Now()
	for _, c := range changes {
		must(s, srv.setSecret(s.ctx, c.secret, c.value))
	}
	s.expect("API certificate, keytab and LDAP CA changed", "seen by clients, "+noRestart, func() string {
		for len(changes) > 0 {
			left := changes[:0:0]
			for _, c := range changes {
				if c.seen(s.ctx) == nil {
					s.measure(c.what+" changed to seen by clients", fmt.Sprintf("%.0f s", time.Since(start).Seconds()), time.Since(start))
				} else {
					left = append(left, c)
				}
			}
			changes = left
			if time.Since(start) > 2*awaitTimeout {
				return fmt.Sprintf("%s: %v", changes[0].what, changes[0].seen(s.ctx))
			}
			time.Sleep(time.Second)
		}
		return "seen by clients, " + s.restartsOf(srv)
	})
}

// peer tells the certificates apart that a server shows. It is nothing without one.
func peer(ctx context.Context, address string) string {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	c, err := (&tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", address)
	if err != nil {
		return ""
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0].Issuer.String()
}
