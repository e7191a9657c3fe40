package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// domainAccount is a server with a machine account in an Active Directory domain, whose
// users log in over SMB with their passwords: it asks the domain controller.
func domainAccount(s *scenario) {
	d := startDomain(s)
	srv := s.server("domain")
	all := basicSecrets()
	all["kerberos"] = map[string]string{"keytab": newKeytab(), "krb5.conf": d.krb5Conf(), "machine": d.machinePassword}
	must(s, srv.createSecrets(s.ctx, all))
	ref := func(key string) map[string]any { return map[string]any{"name": "kerberos", "key": key} }
	spec := basicSpec()
	spec["identity"].(map[string]any)["kerberos"] = map[string]any{
		"enabled": true, "servicePrincipal": "nfs/files.example.org@" + domainRealm, "realm": domainRealm, "netbiosDomain": domainName,
		"keytabSecretRef": ref("keytab"), "krb5ConfSecretRef": ref("krb5.conf"),
		"machineAccount": map[string]any{"enabled": true, "accountName": machineAccount, "secretRef": ref("machine"), "dcAddress": []any{machine}},
	}
	must(s, srv.create(s.ctx, spec))
	must(s, srv.awaitReady(s.ctx))
	s.restartsOf(srv)
	s.share(srv)

	// use writes and reads a file as a user of the domain.
	use := func(ctx context.Context, password, file string) error {
		ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout) // The server asks the controller for as long.
		defer cancel()
		host, port, _ := strings.Cut(s.address(srv, "smb"), ":")
		out, err := exec.CommandContext(ctx, "smbclient", "//"+host+"/export", "-p", port, "-U", domainName+`\`+d.user+"%"+password,
			"--option=client use kerberos=off", "-c", "put "+root+"/LICENSE "+file+"; ls").CombinedOutput()
		if err == nil && !strings.Contains(string(out), file) {
			err = errors.New("the file is not there")
		}
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	s.expect("a user of the domain, over SMB", "writes a file, and not with another password", func() string {
		must(s, await(s.ctx, "the user to be let in", func(ctx context.Context) error { return use(ctx, d.password, "first") }))
		if err := use(s.ctx, "not the password", "second"); err == nil {
			return "any password does"
		}
		return "writes a file, and not with another password"
	})
	s.expect("the machine account's password changed, in the domain and the Secret", oneRestart+", the server asks with the old one", func() string {
		d.setMachinePassword(s, "Another-passw0rd-of-the-machine")
		must(s, srv.setSecret(s.ctx, "kerberos", map[string]string{"machine": d.machinePassword}))
		got := s.restartsOf(srv)
		if err := use(s.ctx, d.password, "second"); err != nil {
			return got + ", the server asks with the old one"
		}
		return got + ", the user is let in"
	})
	s.expect("and through the server's API", "the user is let in", func() string {
		s.dfsctl(s.admin(srv), "identity-provider", "configure", "kerberos", "--machine-secret", d.machinePassword)
		s.replacePod(srv)
		must(s, await(s.ctx, "the user to be let in", func(ctx context.Context) error { return use(ctx, d.password, "third") }))
		s.restartsOf(srv)
		return "the user is let in"
	})
}
