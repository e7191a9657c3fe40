package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// The Active Directory domain of Samba's domain controller on this machine.
const (
	domainRealm = "EXAMPLE.ORG"
	domainName  = "EXAMPLE"

	machineAccount = "FILES$"
)

// A domain is a domain controller on this machine, with a user and the machine account
// of a DittoServer.
type domain struct {
	dir     string
	process *host.Process

	user, password, machinePassword string
}

// sambaConfig is what the domain controller is told beside what its provisioning writes.
const sambaConfig = `[global]
interfaces = ADDRESS
bind interfaces only = yes
pid directory = DIR/run
ncalrpc dir = DIR/run/ncalrpc
log file = DIR/samba.log
`

// startDomain provisions a domain and starts its controller, which also answers for its
// name. It keeps extended attributes in a file, as not every file system has them.
func startDomain(s *scenario) *domain {
	s.Helper()
	d := &domain{user: "alice", password: "A-passw0rd-of-hers", machinePassword: "A-passw0rd-of-the-machine"}
	var err error
	d.dir, err = os.MkdirTemp("", "samba") // Its sockets' paths may not be long.
	must(s, err)
	s.Cleanup(func() { _ = os.RemoveAll(d.dir) })
	must(s, os.Mkdir(filepath.Join(d.dir, "run"), 0o750))

	sambaTool(s, "domain", "provision", "--realm="+domainRealm, "--domain="+domainName, "--server-role=dc", "--dns-backend=SAMBA_INTERNAL",
		"--host-name=dc", "--host-ip="+machine, "--targetdir="+filepath.Join(d.dir, "dc"), "--option=posix:eadb="+filepath.Join(d.dir, "eadb.tdb"))
	config := d.config()
	b, err := os.ReadFile(config) //nolint:gosec // Just written.
	must(s, err)
	own := strings.NewReplacer("ADDRESS", machine, "DIR", d.dir).Replace(sambaConfig)
	must(s, os.WriteFile(config, []byte(strings.Replace(string(b), "[global]\n", own, 1)), 0o600)) //nolint:gosec // As above.
	d.tool(s, "user", "create", d.user, d.password)
	d.tool(s, "computer", "create", strings.ToLower(strings.TrimSuffix(machineAccount, "$")))
	d.setMachinePassword(s, d.machinePassword)

	// Its programs meet in a directory of the system's, which is one of their own here.
	d.process, err = host.Command{
		Path: "unshare", Dir: d.dir, Log: filepath.Join(d.dir, "controller.log"), Env: []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin"},
		Args: []string{
			"--mount", "--propagation=private", "--pid", "--fork", "--kill-child",
			"sh", "-c", "mkdir -p /run/samba && mount -t tmpfs none /run/samba && exec samba --interactive --model=single --configfile=" + config,
		},
	}.Start()
	must(s, err)
	s.Cleanup(d.process.Kill)
	must(s, await(s.ctx, "the domain controller to know the user", func(ctx context.Context) error {
		if err := d.process.Alive(); err != nil {
			return err
		}
		out, err := exec.CommandContext(ctx, "smbclient", "//"+machine+"/netlogon", "-U", domainName+`\`+d.user+"%"+d.password, "-c", "exit").CombinedOutput() //nolint:gosec // Our own.
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}))
	return d
}

// config is the controller's smb.conf.
func (d *domain) config() string { return filepath.Join(d.dir, "dc", "etc", "smb.conf") }

// tool runs samba-tool on the domain.
func (d *domain) tool(s *scenario, args ...string) {
	s.Helper()
	sambaTool(s, append(args, "-H", filepath.Join(d.dir, "dc", "private", "sam.ldb"), "-s", d.config())...)
}

func sambaTool(s *scenario, args ...string) {
	s.Helper()
	out, err := exec.CommandContext(s.ctx, "samba-tool", args...).CombinedOutput() //nolint:gosec // Constants, and paths of ours.
	if err != nil {
		s.Fatalf("samba-tool %s: %v: %s", args[0], err, out)
	}
}

// setMachinePassword gives the machine account another password.
func (d *domain) setMachinePassword(s *scenario, password string) {
	s.Helper()
	d.tool(s, "user", "setpassword", machineAccount, "--newpassword="+password)
	d.machinePassword = password
}

// krb5Conf is how a DittoServer finds the domain.
func (d *domain) krb5Conf() string {
	return fmt.Sprintf("[libdefaults]\n  default_realm = %[1]s\n  dns_lookup_kdc = false\n  dns_lookup_realm = false\n[realms]\n  %[1]s = {\n    kdc = %[2]s:88\n  }\n", domainRealm, machine)
}
