package e2e

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/functest/keytab"
)

// breaker rotates all Secrets of a server in a row, as a secrets operator does,
// under a Crossplane that has its default settings. It must not take that for a loop.
func breaker(s *scenario) {
	if !hasBreaker(*crossplane) {
		s.Skip("this Crossplane has no circuit breaker")
	}
	ca := func() map[string]string {
		return map[string]string{"ca.crt": string(host.NewAuthority().Certificate())}
	}
	rotated := []struct {
		name  string
		value func() map[string]string
	}{
		{"jwt", func() map[string]string { return map[string]string{"key": newKey()} }},
		{"admin", func() map[string]string { return map[string]string{"password": rand.Text()} }},
		{"tls", certificate},
		{"client-ca", ca},
		{"metrics", func() map[string]string { return map[string]string{"token": rand.Text()} }},
		{"ldap", func() map[string]string { return map[string]string{"password": rand.Text()} }},
		{"ldap-ca", ca},
		{"keytab", func() map[string]string {
			return map[string]string{"keytab": string(keytab.New("nfs/files.example.com", "EXAMPLE.COM", rand.Text(), 1))}
		}},
	}
	ref := func(name, key string) map[string]any { return map[string]any{"name": name, "key": key} }
	spec := basicSpec()
	spec["controlPlane"] = map[string]any{"certSecretName": "tls", "clientCASecretName": "client-ca"}
	spec["metrics"] = map[string]any{"enabled": true, "bearerTokenSecret": ref("metrics", "token")}
	identity := spec["identity"].(map[string]any)
	identity["ldap"] = map[string]any{
		"enabled": true, "url": "ldaps://dc.example", "baseDN": "dc=example", "bindDN": "cn=dittofs,dc=example",
		"bindPasswordSecretRef": ref("ldap", "password"), "caSecretRef": ref("ldap-ca", "ca.crt"),
	}
	identity["kerberos"] = map[string]any{
		"enabled": true, "servicePrincipal": "nfs/files.example.com@EXAMPLE.COM", "realm": "EXAMPLE.COM",
		"keytabSecretRef": ref("keytab", "keytab"), "krb5ConfSecretRef": ref("krb5", "krb5.conf"),
	}
	all := basicSecrets()
	all["krb5"] = map[string]string{"krb5.conf": "[libdefaults]\n default_realm = EXAMPLE.COM\n"}
	for _, r := range rotated {
		all[r.name] = r.value()
	}

	srv := s.running("breaker", spec, all)
	// A new one has not counted what it took to create the server.
	s.restartCrossplane(func(c *corev1.Container) {
		c.Args = slices.DeleteFunc(c.Args, func(a string) bool { return a == manyChanges })
	})
	restore := sync.OnceFunc(func() {
		s.restartCrossplane(func(c *corev1.Container) { c.Args = append(c.Args, manyChanges) })
	})
	defer restore()

	s.expect("rotate the 8 Secrets of a server, two a second, with Crossplane's default settings", "the circuit breaker stays closed, at most 5 restarts, "+startedWell, func() string {
		before, _ := s.watchEvents(s)
		for _, r := range rotated {
			must(s, srv.setSecret(s.ctx, r.name, r.value()))
			time.Sleep(time.Second / 2)
		}
		must(s, srv.awaitRollout(s.ctx))
		must(s, srv.awaitCondition(s.ctx, "Responsive", "True"))
		after, _ := s.watchEvents(s)
		s.measure("watch events of that", fmt.Sprint(after-before), 0)
		if opened, told := s.crossplaneMetric(s, "circuit_breaker_opens_total"); opened > 0 || !told {
			return fmt.Sprintf("the circuit breaker opened %d times", opened)
		}
		// What follows changes the server as often as tests do.
		restore()
		restarts := s.restartedAtMost(srv, 5) // Three of the eight are live.
		return "the circuit breaker stays closed, " + restarts + ", " + s.startsOf(srv.Namespace)
	})
}
