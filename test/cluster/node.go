package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

const (
	nodeName  = "node"
	apiServer = "https://" + nodeAddress + ":6443"
	stepLimit = 5 * time.Minute // On a machine that has much else to do.

	restartDelay = 100 * time.Millisecond // systemd's.
)

// A node is what runs in the namespaces.
type node struct {
	paths
	options

	tokens   map[string]string // By the name of a user.
	programs []*program
	client   *kubernetes.Clientset
}

// A program is one of the cluster's that runs.
type program struct {
	host.Command
	*host.Process
}

// run brings the cluster up, step by step, and then watches over it.
func run(ctx context.Context, p paths, o options) error {
	progress := os.NewFile(progressFD, "progress")
	n := &node{paths: p, options: o, tokens: map[string]string{}}
	type step struct {
		what string
		do   func(context.Context) error
	}
	steps := []step{
		{"etcd and the API server", n.startAPIServer},
		{"controllers and scheduler", n.startControllers},
		{"registry, with the images", n.startRegistry},
		{"containerd", n.startContainerd},
		{"kubelet and kube-proxy", n.startKubelet},
		{"DNS and storage", n.installBasics},
		{"Crossplane", n.installCrossplane},
	}
	if !n.bare {
		steps = append(steps, step{"the function and its API", n.installFunction})
	}
	for _, s := range steps {
		start := time.Now()
		if err := s.do(ctx); err != nil {
			_, _ = fmt.Fprintf(progress, "%s%s: %s\n", failedPrefix, s.what, strings.ReplaceAll(err.Error(), "\n", " "))
			return err
		}
		// Nobody listens any more if the user has given up: then it ends.
		if _, err := fmt.Fprintf(progress, "%s: %.1f s\n", s.what, time.Since(start).Seconds()); err != nil {
			return fmt.Errorf("cannot tell about progress: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(home, filepath.Base(p.ready())), nil, 0o600); err != nil {
		return fmt.Errorf("cannot write file: %w", err)
	}
	_, _ = fmt.Fprintln(progress, readyLine)
	_ = progress.Close()

	for _, p := range n.programs {
		go p.keep()
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// keep starts a program again whenever it has ended, as the service manager of a node
// does.
func (p *program) keep() {
	for ; ; time.Sleep(restartDelay) {
		<-p.Exited()
		log.Print(p.Alive())
		next, err := p.Start()
		if err != nil {
			log.Print(err)
			continue
		}
		p.Process = next
	}
}

// start starts a program of the cluster's.
func (n *node) start(name string, args ...string) error {
	path := filepath.Join(n.bin, name)
	if name == "containerd" {
		var err error
		if path, err = exec.LookPath(name); err != nil {
			return fmt.Errorf("cannot find containerd: %w", err)
		}
	}
	c := host.Command{
		Path: path, Args: args, Dir: home,
		Env: []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + home, "GOGC=400"}, // Memory is there; time is not.
		Log: filepath.Join(home, name+".log"),
	}
	p, err := c.Start()
	if err != nil {
		return err
	}
	n.programs = append(n.programs, &program{Command: c, Process: p})
	return nil
}

// await waits for what a step has started. The condition returns an error that says
// what is missing.
func (n *node) await(condition func() error) error {
	for deadline := time.Now().Add(stepLimit); ; time.Sleep(100 * time.Millisecond) {
		if err := n.alive(); err != nil {
			return err
		}
		if err := condition(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// alive returns an error if a program of the cluster's has ended.
func (n *node) alive() error {
	var errs []error
	for _, p := range n.programs {
		errs = append(errs, p.Alive())
	}
	return errors.Join(errs...)
}

// write writes a file into the cluster's directory.
func (n *node) write(name, content string) (string, error) {
	path := filepath.Join(home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("cannot make directory: %w", err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil { //nolint:gosec // In our own directory.
		return "", fmt.Errorf("cannot write %s: %w", name, err)
	}
	return path, nil
}

func (n *node) startAPIServer(ctx context.Context) error {
	var tokens strings.Builder
	for user, group := range map[string]string{
		"admin": "system:masters", "system:node:" + nodeName: "system:nodes",
		"system:kube-controller-manager": "", "system:kube-scheduler": "", "system:kube-proxy": "",
	} {
		n.tokens[user] = rand.Text()
		fmt.Fprintf(&tokens, "%s,%s,%s,%s\n", n.tokens[user], user, user, group)
	}
	tokenFile, err := n.write("tokens.csv", tokens.String())
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot generate key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("cannot marshal key: %w", err)
	}
	keyFile, err := n.write("service-accounts.key", string(host.PEM("EC PRIVATE KEY", der)))
	if err != nil {
		return err
	}
	// The kubelet knows the API server by this.
	authority := host.NewAuthority()
	pair := authority.Issue("kube-apiserver")
	for name, b := range map[string][]byte{"kubelet-ca.crt": authority.Certificate(), "kubelet-client.crt": pair.Cert, "kubelet-client.key": pair.Key} {
		if _, err := n.write(name, string(b)); err != nil {
			return err
		}
	}

	if err := n.start("etcd", "--data-dir="+home+"/etcd", "--unsafe-no-fsync"); err != nil {
		return err
	}
	if err := n.start("kube-apiserver",
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=0.0.0.0", "--advertise-address="+nodeAddress, "--secure-port=6443",
		"--cert-dir="+home+"/apiserver",
		"--token-auth-file="+tokenFile, "--authorization-mode=Node,RBAC", "--allow-privileged",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+keyFile, "--service-account-signing-key-file="+keyFile,
		"--service-cluster-ip-range="+serviceCIDR,
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate="+home+"/kubelet-client.crt", "--kubelet-client-key="+home+"/kubelet-client.key",
	); err != nil {
		return err
	}
	return n.await(func() error {
		// The API server signs its own certificate, which is there once it has started.
		ca, err := os.ReadFile(home + "/apiserver/apiserver.crt")
		if err != nil {
			return fmt.Errorf("cannot read the API server's certificate: %w", err)
		}
		for user := range n.tokens {
			if _, err := n.write(kubeconfig(user), fmt.Sprintf(kubeconfigFormat, apiServer, base64.StdEncoding.EncodeToString(ca), n.tokens[user])); err != nil {
				return err
			}
		}
		cfg, err := clientcmd.BuildConfigFromFlags("", filepath.Join(home, "kubeconfig"))
		if err != nil {
			return fmt.Errorf("cannot read kubeconfig: %w", err)
		}
		if n.client, err = kubernetes.NewForConfig(cfg); err != nil {
			return fmt.Errorf("cannot create client: %w", err)
		}
		return n.client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// kubeconfig is the name of a user's file.
func kubeconfig(user string) string {
	if user == "admin" {
		return "kubeconfig"
	}
	return strings.ReplaceAll(user, ":", "-") + ".kubeconfig"
}

// A user has a token; the cluster has a certificate that it has signed itself.
const kubeconfigFormat = `apiVersion: v1
kind: Config
current-context: cluster
contexts: [{name: cluster, context: {cluster: cluster, user: user}}]
clusters: [{name: cluster, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: user, user: {token: %q}}]
`

func (n *node) startControllers(context.Context) error {
	if err := n.start("kube-controller-manager",
		"--kubeconfig="+home+"/"+kubeconfig("system:kube-controller-manager"),
		"--leader-elect=false", "--bind-address=127.0.0.1", "--use-service-account-credentials",
		"--service-account-private-key-file="+home+"/service-accounts.key",
		"--root-ca-file="+home+"/apiserver/apiserver.crt",
		"--flex-volume-plugin-dir="+home+"/flexvolumes",
	); err != nil {
		return err
	}
	cfg, err := n.write("scheduler.yaml", `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: `+home+"/"+kubeconfig("system:kube-scheduler")+`}
`)
	if err != nil {
		return err
	}
	return n.start("kube-scheduler", "--config="+cfg, "--bind-address=127.0.0.1",
		"--authentication-kubeconfig="+home+"/kubeconfig", "--authorization-kubeconfig="+home+"/kubeconfig")
}

// pause is the program that holds the namespaces of a pod.
func pause() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	os.Exit(0)
}
