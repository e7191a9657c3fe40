package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// live is a certificate that clients see without a restart, once the kubelet has put it
// where the server reads it: it looks at Secrets every minute or so. What else is live is
// seen with those who see it (kerberos_test.go, ldap_test.go).
func live(s *scenario) {
	spec := basicSpec()
	spec["controlPlane"] = map[string]any{"certSecretName": "tls"}
	all := basicSecrets()
	all["tls"] = certificate()
	srv := s.running("live", spec, all)
	old := peer(s.ctx, s.address(srv, "api"))

	s.expect("API certificate changed", "seen by clients, "+noRestart, func() string {
		start := time.Now()
		must(s, srv.setSecret(s.ctx, "tls", certificate()))
		must(s, await(s.ctx, "clients to see it", func(ctx context.Context) error {
			if now := peer(ctx, s.address(srv, "api")); now == "" || now == old {
				return errors.New("they see the old one")
			}
			return nil
		}))
		s.measure("API certificate changed to seen by clients", fmt.Sprintf("%.0f s", time.Since(start).Seconds()), time.Since(start))
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
