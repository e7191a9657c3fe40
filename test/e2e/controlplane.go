package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// A controlPlane is etcd, the API server, the controllers that matter to
// StatefulSets, and kwok, which makes the pods of its nodes Ready.
type controlPlane struct {
	dir    string
	config *rest.Config // Of a member of system:masters. Crossplane has its own.

	apiServer command
	running   map[string]*host.Process
	order     []*host.Process
}

// The controllers that Crossplane and StatefulSets need. More would only take
// time.
const controllers = "resourcequota-controller,clusterrole-aggregation-controller,deployment-controller,garbage-collector-controller," +
	"namespace-controller,replicaset-controller,serviceaccount-controller,statefulset-controller"

func startControlPlane(ctx context.Context, bin, dir string) (cp *controlPlane, err error) {
	cp = &controlPlane{dir: dir, running: map[string]*host.Process{}}
	defer func() {
		if err != nil {
			cp.stop()
		}
	}()

	ports := make([]int, 5)
	for i := range ports {
		if ports[i], err = host.FreePort(); err != nil {
			return nil, err
		}
	}
	url := func(scheme string, port int) string { return scheme + "://127.0.0.1:" + strconv.Itoa(port) }
	etcd, peers, api := url("http", ports[0]), url("http", ports[1]), url("https", ports[2])

	key, token := filepath.Join(dir, "service-accounts.key"), rand.Text()
	if err := writeKey(key); err != nil {
		return nil, err
	}
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(token+",e2e,e2e,system:masters\n"), 0o600); err != nil {
		return nil, fmt.Errorf("cannot write tokens: %w", err)
	}

	if err := cp.start(command{
		name: "etcd", path: filepath.Join(bin, "etcd"),
		args: []string{
			"--data-dir=" + filepath.Join(dir, "etcd"),
			"--unsafe-no-fsync",
			"--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
			"--listen-peer-urls=" + peers, "--initial-advertise-peer-urls=" + peers, "--initial-cluster=default=" + peers,
		},
	}); err != nil {
		return nil, err
	}

	certs := filepath.Join(dir, "apiserver")
	cp.config = &rest.Config{
		Host:            api,
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(certs, "apiserver.crt")}, // It signs its own certificate.
		QPS:             -1,                                                                  // The API server's own fairness is enough.
	}
	cp.apiServer = command{
		name: "kube-apiserver", path: filepath.Join(bin, "kube-apiserver"),
		args: []string{
			"--etcd-servers=" + etcd,
			"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + strconv.Itoa(ports[2]),
			"--endpoint-reconciler-type=none",
			"--cert-dir=" + certs,
			"--token-auth-file=" + tokens,
			"--authorization-mode=RBAC",
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + key, "--service-account-signing-key-file=" + key,
			"--service-cluster-ip-range=10.96.0.0/16",
		},
	}
	if err := cp.start(cp.apiServer); err != nil {
		return nil, err
	}
	if err := cp.ready(ctx); err != nil {
		return nil, err
	}

	kubeconfig, err := writeKubeconfig(cp.config, token, filepath.Join(dir, "kubeconfig"))
	if err != nil {
		return nil, err
	}
	if err := cp.start(command{
		name: "kube-controller-manager", path: filepath.Join(bin, "kube-controller-manager"),
		args: []string{
			"--kubeconfig=" + kubeconfig,
			"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(ports[3]),
			"--leader-elect=false",
			"--use-service-account-credentials", "--service-account-private-key-file=" + key,
			"--controllers=" + controllers,
			"--concurrent-statefulset-syncs=20",
			"--kube-api-qps=500", "--kube-api-burst=1000",
		},
	}); err != nil {
		return nil, err
	}

	stages, err := kwokStages(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := cp.start(command{
		name: "kwok", path: filepath.Join(bin, "kwok"),
		args: []string{
			"--kubeconfig=" + kubeconfig,
			"--config=" + stages,
			"--manage-all-nodes",
			"--server-address=127.0.0.1:" + strconv.Itoa(ports[4]),
		},
	}); err != nil {
		return nil, err
	}
	return cp, nil
}

func (cp *controlPlane) start(c command) error {
	c.dir = cp.dir
	c.env = []string{"GOGC=400"} // Memory is there; time is not.
	p, err := c.start()
	if err != nil {
		return err
	}
	cp.running[c.name] = p
	cp.order = append(cp.order, p)
	return nil
}

// ready waits until the API server is.
func (cp *controlPlane) ready(ctx context.Context) error {
	return await(ctx, 30*time.Second, "the API server to be ready", func(ctx context.Context) error {
		if err := cp.running["kube-apiserver"].Alive(); err != nil {
			return err
		}
		// The client is new each time: its CA file is only there once the API
		// server has started.
		c, err := kubernetes.NewForConfig(cp.config)
		if err != nil {
			return fmt.Errorf("cannot create client: %w", err)
		}
		return c.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// restartAPIServer kills the API server and starts it again.
func (cp *controlPlane) restartAPIServer(ctx context.Context) error {
	cp.running["kube-apiserver"].Kill()
	if err := cp.start(cp.apiServer); err != nil {
		return err
	}
	return cp.ready(ctx)
}

// stop stops everything, the last started first.
func (cp *controlPlane) stop() {
	for _, p := range slices.Backward(cp.order) {
		p.Stop()
	}
}

// writeKey writes a new private key for service account tokens.
func writeKey(file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot generate key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("cannot marshal key: %w", err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("cannot write key: %w", err)
	}
	return nil
}

// writeKubeconfig writes a kubeconfig for the bearer of a token.
func writeKubeconfig(cfg *rest.Config, token, file string) (string, error) {
	k := clientcmdapi.NewConfig()
	k.Clusters["e2e"] = &clientcmdapi.Cluster{Server: cfg.Host, CertificateAuthority: cfg.CAFile}
	k.AuthInfos["e2e"] = &clientcmdapi.AuthInfo{Token: token}
	k.Contexts["e2e"] = &clientcmdapi.Context{Cluster: "e2e", AuthInfo: "e2e"}
	k.CurrentContext = "e2e"
	if err := clientcmd.WriteToFile(*k, file); err != nil {
		return "", fmt.Errorf("cannot write kubeconfig: %w", err)
	}
	return file, nil
}

// kwokStages writes one file of the stages that come with kwok, by which nodes
// and pods are Ready at once.
func kwokStages(ctx context.Context, dir string) (string, error) {
	mod, err := moduleDir(ctx, "kwok", "sigs.k8s.io/kwok")
	if err != nil {
		return "", err
	}
	var stages []byte
	for _, f := range []string{"node/fast/node-initialize.yaml", "pod/fast/pod-ready.yaml"} {
		b, err := os.ReadFile(filepath.Join(mod, "kustomize", "stage", f)) //nolint:gosec // A file of a pinned module.
		if err != nil {
			return "", fmt.Errorf("cannot read kwok stage: %w", err)
		}
		stages = append(append(stages, "---\n"...), b...)
	}
	file := filepath.Join(dir, "stages.yaml")
	if err := os.WriteFile(file, stages, 0o600); err != nil { //nolint:gosec // In the tests' own directory.
		return "", fmt.Errorf("cannot write kwok stages: %w", err)
	}
	return file, nil
}

// moduleDir returns the directory of a module that one of the modules in tools
// requires, in the version that it requires.
func moduleDir(ctx context.Context, tool, module string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "-C", filepath.Join(root, "tools", tool), "list", "-m", "-f", "{{.Dir}}", module) //nolint:gosec // Both are constants.
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot find module %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}
