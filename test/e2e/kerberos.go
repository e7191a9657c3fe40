package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// A kdc is MIT's Kerberos on this machine, for one realm.
type kdc struct {
	dir, realm, address string
	process             *host.Process
}

// startKDC starts one that listens on an address of this machine, but not on loopback, where
// FreePort holds the port for UDP. Its data is in a directory.
func startKDC(ctx context.Context, dir, realm, ip string) (*kdc, error) {
	for _, p := range []string{"krb5kdc:krb5-kdc", "kadmin.local:krb5-admin-server", "kinit:krb5-user"} {
		program, pkg, _ := strings.Cut(p, ":")
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%s is not installed. On Debian, make cluster-packages installs %s", program, pkg)
		}
	}
	port, err := host.FreePort()
	if err != nil {
		return nil, err
	}
	k := &kdc{dir: dir, realm: realm, address: net.JoinHostPort(ip, strconv.Itoa(port))}
	for name, content := range map[string]string{
		"krb5.conf": k.config(),
		"kdc.conf": fmt.Sprintf(`[kdcdefaults]
kdc_listen = %s
kdc_tcp_listen = %s
[realms]
%s = {
	database_name = %s/principal
	key_stash_file = %s/stash
	supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
}
[logging]
kdc = STDERR
`, k.address, k.address, realm, dir, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	// The master key is in the stash, and so nobody has to know the password.
	if err := k.run(ctx, "", "", "kdb5_util", "create", "-r", realm, "-s", "-P", newKey()); err != nil {
		return nil, err
	}
	path, err := exec.LookPath("krb5kdc")
	if err != nil {
		return nil, fmt.Errorf("cannot find KDC: %w", err)
	}
	if k.process, err = (host.Command{
		Path: path, Args: []string{"-n", "-r", realm, "-P", filepath.Join(dir, "pid")}, Env: k.env(), Log: filepath.Join(dir, "kdc.log"),
	}).Start(); err != nil {
		return nil, err
	}
	return k, k.process.AwaitListener(ctx, "tcp", k.address)
}

// config is a krb5.conf, for clients and for servers: what it does not say is not asked of
// DNS.
func (k *kdc) config() string {
	return fmt.Sprintf(`[libdefaults]
default_realm = %s
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
[realms]
%s = {
	kdc = %s
}
[domain_realm]
.%s = %s
`, k.realm, k.realm, k.address, strings.ToLower(k.realm), k.realm)
}

func (k *kdc) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + k.dir, "KRB5_CONFIG=" + k.dir + "/krb5.conf", "KRB5_KDC_PROFILE=" + k.dir + "/kdc.conf", "KRB5RCACHETYPE=none"}
}

// run runs a program of Kerberos', or one that has a ticket.
func (k *kdc) run(ctx context.Context, ticket, stdin, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // Tests say what is run.
	cmd.Env, cmd.Dir, cmd.Stdin = append(k.env(), "KRB5CCNAME="+ticket), k.dir, strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return nil
}

// admin administers the realm.
func (k *kdc) admin(ctx context.Context, args ...string) error {
	return k.run(ctx, "", "", "kadmin.local", append([]string{"-r", k.realm}, args...)...)
}

// addUser adds a user.
func (k *kdc) addUser(ctx context.Context, name, password string) error {
	return k.admin(ctx, "addprinc", "-pw", password, name)
}

// addService adds a service. Its keys are random.
func (k *kdc) addService(ctx context.Context, name string) error {
	return k.admin(ctx, "addprinc", "-randkey", name)
}

// smbclient runs commands on a share, "//server/name", of a server at an address. It gets the
// ticket for the server with the user's first.
func (k *kdc) smbclient(ctx context.Context, ticket, address, share, commands string) error {
	ip, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("cannot parse address: %w", err)
	}
	return k.run(ctx, ticket, "", "smbclient", share, "-I", ip, "-p", port, "--use-kerberos=required", "-c", commands)
}

// keytab gives services new keys, and returns a keytab with these and with those that it
// had before: of tickets that are out.
func (k *kdc) keytab(ctx context.Context, services ...string) (string, error) {
	path := filepath.Join(k.dir, "services.keytab")
	if err := k.admin(ctx, append([]string{"ktadd", "-k", path}, services...)...); err != nil {
		return "", err
	}
	b, err := os.ReadFile(path) //nolint:gosec // Of ours.
	if err != nil {
		return "", fmt.Errorf("cannot read keytab: %w", err)
	}
	return string(b), nil
}

// login gets a user's first ticket, and returns the file that it is in.
func (k *kdc) login(ctx context.Context, name, password string) (string, error) {
	f, err := os.CreateTemp(k.dir, name)
	if err != nil {
		return "", fmt.Errorf("cannot make file: %w", err)
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("cannot make file: %w", err)
	}
	return f.Name(), k.run(ctx, f.Name(), password+"\n", "kinit", name)
}
