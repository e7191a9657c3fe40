package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// A directory is OpenLDAP on this machine.
type directory struct {
	dir, program string
	ldap, ldaps  int32 // The ports.
	password     string
	authority    *host.Authority
	process      *host.Process
}

// What pods know the directory and the server's account in it by.
const (
	directoryName    = "directory"
	directoryNameTLS = "directory-tls"
	directoryBase    = "dc=example,dc=org"
	directoryAccount = "cn=dittofs," + directoryBase
)

// A directoryUser is one, and the numbers that the directory has for the user.
type directoryUser struct {
	name     string
	uid, gid int
}

// startDirectory starts one with a few users. Its data is in a directory.
func startDirectory(ctx context.Context, dir string, users ...directoryUser) (*directory, error) {
	program, err := exec.LookPath("slapd")
	if err != nil {
		return nil, errors.New("slapd is not installed. On Debian, make cluster-packages installs it")
	}
	d := &directory{dir: dir, program: program, password: newKey()}
	for _, p := range []*int32{&d.ldap, &d.ldaps} {
		port, err := host.FreePort()
		if err != nil {
			return nil, err
		}
		*p = int32(port) //nolint:gosec // A port fits.
	}
	for name, content := range map[string]string{
		// Nobody but the server's account may read.
		"slapd.conf": fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include %[1]s/users.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/pid
TLSCertificateFile %[1]s/tls.crt
TLSCertificateKeyFile %[1]s/tls.key
database mdb
directory %[1]s
suffix %[2]q
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact=%[3]q read by * none
`, dir, directoryBase, directoryAccount),
		// The server looks for users as Active Directory has them. OpenLDAP's own msuser.schema
		// has attributes that cannot be searched for.
		"users.schema": `
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP organizationalPerson STRUCTURAL MAY ( sAMAccountName $ uidNumber $ gidNumber ) )
`,
		"users.ldif": d.ldif(users),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	if err := d.renew(); err != nil {
		return nil, err
	}
	add := host.Command{Path: program, Args: []string{"-T", "add", "-f", dir + "/slapd.conf", "-l", dir + "/users.ldif"}, Name: "slapadd", Log: dir + "/slapadd.log"}
	if err := add.Run(ctx); err != nil {
		return nil, err
	}
	err = d.start(ctx)
	return d, err
}

func (d *directory) ldif(users []directoryUser) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, `dn: %s
objectClass: domain
dc: example

dn: %s
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: %s
`, directoryBase, directoryAccount, d.password)
	for _, u := range users {
		_, _ = fmt.Fprintf(&b, `
dn: cn=%[1]s,%[2]s
objectClass: user
sn: %[1]s
sAMAccountName: %[1]s
uidNumber: %[3]d
gidNumber: %[4]d
`, u.name, directoryBase, u.uid, u.gid)
	}
	return b.String()
}

// start starts the directory, over LDAP and over LDAPS.
func (d *directory) start(ctx context.Context) error {
	ldap, ldaps := net.JoinHostPort(machine, strconv.Itoa(int(d.ldap))), net.JoinHostPort(machine, strconv.Itoa(int(d.ldaps)))
	var err error
	if d.process, err = (host.Command{
		Path: d.program, Args: []string{"-d", "none", "-f", d.dir + "/slapd.conf", "-h", "ldap://" + ldap + " ldaps://" + ldaps}, Log: d.dir + "/slapd.log",
	}).Start(); err != nil {
		return err
	}
	return d.process.AwaitListener(ctx, "tcp", ldaps)
}

// renew gives the directory a certificate of another authority, for when it starts next.
func (d *directory) renew() error {
	d.authority = host.NewAuthority()
	pair := d.authority.Issue(directoryName, directoryName, directoryNameTLS)
	for name, b := range map[string][]byte{"tls.crt": pair.Cert, "tls.key": pair.Key} {
		if err := os.WriteFile(filepath.Join(d.dir, name), b, 0o600); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	return nil
}

// ca is what clients have to trust.
func (d *directory) ca() string { return string(d.authority.Certificate()) }
