package e2e

import (
	"maps"
	"slices"
	"strings"
)

// ldap are users whom only a directory knows. They come with tickets of a KDC: passwords of
// the directory are nothing that the server takes.
func ldap(s *scenario) {
	k := s.startKDC()
	d, err := startDirectory(s.ctx, s.TempDir(), directoryUser{"bob", 20001, 30001}, directoryUser{"carol", 20002, 30002})
	must(s, err)
	s.Cleanup(func() { d.process.Kill() }) // It is another one by then.
	tickets := map[string]string{}
	for _, user := range []string{"bob", "carol", "mallory"} {
		password := newKey()
		must(s, k.addUser(s.ctx, user, password))
		tickets[user] = s.ticket(k, user, password)
	}

	ca := map[string]any{"name": "ldap", "key": "ca.crt"}
	hows := map[string]map[string]any{
		"ldap":     {"url": "ldap://" + directoryName, "allowPlaintext": true},
		"starttls": {"url": "ldap://" + directoryName, "startTLS": true, "caSecretRef": ca},
		"ldaps":    {"url": "ldaps://" + directoryNameTLS, "caSecretRef": ca},
	}
	keytab, servers := s.keytab(k), map[string]*server{}
	for how, spec := range hows {
		servers[how] = s.withDirectory("directory-"+how, k, keytab, d, spec)
	}
	for _, how := range slices.Sorted(maps.Keys(servers)) {
		srv := servers[how]
		must(s, srv.awaitReady(s.ctx))
		s.restartsOf(srv)
		share := s.share(srv)
		s.expect("a user of the directory, over "+how+", and one whom it does not know", "let in as 20001:30001, "+turned, func() string {
			return s.comes(k, srv, tickets["bob"], "bob") + " as " + s.owner(share, "bob") + ", " + s.comes(k, srv, tickets["mallory"], "mallory")
		})
	}

	srv := servers["ldaps"]
	d.process.Stop()
	must(s, d.renew())
	must(s, d.start(s.ctx))
	s.expect("the directory has a certificate of another CA, and the Secret does not: a user who is new", turned, func() string {
		return s.comes(k, srv, tickets["carol"], "carol")
	})
	s.expect("the Secret has the CA: the user", letIn+", "+noRestart, func() string {
		must(s, srv.setSecret(s.ctx, "ldap", map[string]string{"ca.crt": d.ca()}))
		s.letInAtLast("LDAP CA changed to users let in", k, srv, tickets["carol"])
		return s.comes(k, srv, tickets["carol"], "carol") + ", " + s.restartsOf(srv)
	})
}

// owner is the user and the group of a file, as NFS has them: in numbers.
func (s *scenario) owner(share func(string) string, file string) string {
	s.Helper()
	out, err := nfs(s.ctx, "nfs-ls", strings.Replace(share(""), "/?", "?", 1)).CombinedOutput()
	if err != nil {
		s.Fatalf("nfs-ls: %v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 6 && f[5] == file {
			return f[2] + ":" + f[3]
		}
	}
	return "nobody"
}

// withDirectory creates a server that knows a directory, in one of the ways in which it can.
func (s *scenario) withDirectory(name string, k *kdc, keytab string, d *directory, how map[string]any) *server {
	s.Helper()
	spec, all := withKerberos(k, keytab)
	maps.Copy(how, map[string]any{
		"enabled": true, "baseDN": directoryBase, "bindDN": directoryAccount, "realm": realm,
		"bindPasswordSecretRef": map[string]any{"name": "ldap", "key": "password"},
	})
	spec["identity"].(map[string]any)["ldap"] = how
	all["ldap"] = map[string]string{"password": d.password, "ca.crt": d.ca()}
	srv := s.server(name)
	must(s, s.serviceOnMachine(srv.Namespace, directoryName, d.ldap, 389))
	must(s, s.serviceOnMachine(srv.Namespace, directoryNameTLS, d.ldaps, 636))
	must(s, srv.createSecrets(s.ctx, all))
	must(s, srv.create(s.ctx, spec))
	return srv
}
