package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The realm of the tests, and the name that clients know a server by there.
const (
	realm      = "EXAMPLE.ORG"
	serverName = "files.example.org"
)

// startKDC starts one for a scenario. It knows the server.
func (s *scenario) startKDC() *kdc {
	s.Helper()
	k, err := startKDC(s.ctx, s.TempDir(), realm, machine)
	must(s, err)
	s.Cleanup(k.process.Kill)
	must(s, k.addService(s.ctx, "nfs/"+serverName))
	must(s, k.addService(s.ctx, "cifs/"+serverName))
	return k
}

// keytab is the KDC's, with new keys.
func (s *scenario) keytab(k *kdc) string {
	s.Helper()
	b, err := k.keytab(s.ctx, "nfs/"+serverName, "cifs/"+serverName)
	must(s, err)
	return b
}

// withKerberos is basicSpec with a KDC, and what it reads.
func withKerberos(k *kdc, keytab string) (map[string]any, secrets) {
	spec, all := basicSpec(), basicSecrets()
	all["kerberos"] = map[string]string{"keytab": keytab, "krb5.conf": k.config()}
	spec["identity"].(map[string]any)["kerberos"] = map[string]any{
		"enabled": true, "servicePrincipal": "nfs/" + serverName + "@" + realm,
		"keytabSecretRef":   map[string]any{"name": "kerberos", "key": "keytab"},
		"krb5ConfSecretRef": map[string]any{"name": "kerberos", "key": "krb5.conf"},
	}
	return spec, all
}

// ticket is a user's first, and none of any service's.
func (s *scenario) ticket(k *kdc, user, password string) string {
	s.Helper()
	f, err := k.login(s.ctx, user, password)
	must(s, err)
	return f
}

// writes is whether a user can write a file over SMB with a ticket, and read it again.
func (s *scenario) writes(k *kdc, srv *server, ticket, file string) error {
	s.Helper()
	written := filepath.Join(k.dir, file)
	read, content := written+".read", []byte(newKey())
	must(s, os.WriteFile(written, content, 0o600))
	if err := k.smbclient(s.ctx, ticket, s.address(srv, "smb"), "//"+serverName+"/export", fmt.Sprintf("put %s %s; get %s %s", written, file, file, read)); err != nil {
		return err
	}
	got, err := os.ReadFile(read)
	if err == nil && !bytes.Equal(got, content) {
		err = fmt.Errorf("%s has other contents", file)
	}
	return err
}

// What becomes of a user who comes with a ticket.
const (
	letIn  = "let in"
	turned = "turned away"
)

// comes is what becomes of one.
func (s *scenario) comes(k *kdc, srv *server, ticket, file string) string {
	s.Helper()
	err := s.writes(k, srv, ticket, file)
	switch {
	case err == nil:
		return letIn
	case strings.Contains(err.Error(), "NT_STATUS_LOGON_FAILURE"):
		return turned
	}
	return err.Error()
}

// letInAtLast waits until a user is let in, and measures how long that takes. The kubelet
// looks at Secrets every minute or so, and so does the server at its keytab.
func (s *scenario) letInAtLast(what string, k *kdc, srv *server, ticket string) {
	s.Helper()
	start := time.Now()
	for s.comes(k, srv, ticket, "at-last") != letIn {
		if time.Since(start) > 2*awaitTimeout {
			s.Fatalf("%s: not within %s: %s", what, 2*awaitTimeout, s.comes(k, srv, ticket, "at-last"))
		}
		time.Sleep(time.Second)
	}
	s.measure(what, fmt.Sprintf("%.0f s", time.Since(start).Seconds()), time.Since(start))
}

// kerberos is a user with a ticket, before and after the server's keys change. It is over SMB:
// of NFS' clients, Debian's libnfs knows no Kerberos, and the others are in kernels.
func kerberos(s *scenario) {
	k := s.startKDC()
	const password = "a password of theirs"
	must(s, k.addUser(s.ctx, "alice", password))
	must(s, k.addUser(s.ctx, "mallory", password))
	spec, all := withKerberos(k, s.keytab(k))
	srv := s.running("kerberos", spec, all)
	_ = s.share(srv)
	s.dfsctl(s.admin(srv), "user", "create", "--username", "alice", "--password", newKey(), "--uid", "1000", "--gid", "1000")

	s.expect("a user of the KDC whom the server knows, over SMB, and one whom it does not", letIn+", "+turned, func() string {
		return s.comes(k, srv, s.ticket(k, "alice", password), "first") + ", " + s.comes(k, srv, s.ticket(k, "mallory", password), "mallory")
	})

	old := s.ticket(k, "alice", password)
	if got := s.comes(k, srv, old, "old"); got != letIn {
		s.Fatal(got) // From here on it has a ticket of the server's old key.
	}
	renewed := s.keytab(k)
	fresh := s.ticket(k, "alice", password)
	s.expect("the KDC has new keys for the server, and the Secret does not: tickets of the old, of the new", letIn+", "+turned, func() string {
		return s.comes(k, srv, old, "between") + ", " + s.comes(k, srv, fresh, "early")
	})
	s.expect("the keytab in the Secret has both: tickets of the old, of the new", letIn+", "+letIn+", "+noRestart, func() string {
		must(s, srv.setSecret(s.ctx, "kerberos", map[string]string{"keytab": renewed}))
		s.letInAtLast("keytab changed to tickets of the new key served", k, srv, fresh)
		return s.comes(k, srv, old, "after") + ", " + s.comes(k, srv, fresh, "late") + ", " + s.restartsOf(srv)
	})
}
