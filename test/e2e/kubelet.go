package e2e

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// A kubelet runs the pods of Crossplane's namespace as processes: Crossplane,
// its RBAC manager and its functions, each with the files, the environment and
// the ServiceAccount token that its pod asks for. kwok reports them Ready.
type kubelet struct {
	cluster *cluster
	dir     string
	core    string // Crossplane's binary, in place of its image.

	mu   sync.Mutex
	pods map[types.UID]*pod
	held map[string]bool
	wg   sync.WaitGroup
}

// A pod is one that the kubelet runs.
type pod struct {
	*corev1.Pod

	cancel context.CancelFunc
	addr   string        // Where the gRPC server of a function listens,
	health string        // and where it answers probes.
	proc   *host.Process // Nil while none runs.
}

// app is what a pod runs, for example crossplane or function-dittoserver.
func (p *pod) app() string {
	if f := p.Labels["pkg.crossplane.io/function"]; f != "" {
		return f
	}
	return p.Labels["app"]
}

func startKubelet(ctx context.Context, c *cluster, core, dir string) (*kubelet, error) {
	k := &kubelet{cluster: c, dir: dir, core: core, pods: map[types.UID]*pod{}, held: map[string]bool{}}

	f := informers.NewSharedInformerFactoryWithOptions(c, 0, informers.WithNamespace(crossplaneNamespace))
	i := f.Core().V1().Pods().Informer()
	if err := each(i, func(p *corev1.Pod) { k.sync(ctx, p) }); err != nil {
		return nil, err
	}
	if _, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: func(o any) {
		if t, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = t.Obj
		}
		if p, ok := o.(*corev1.Pod); ok {
			k.delete(p.UID)
		}
	}}); err != nil {
		return nil, fmt.Errorf("cannot watch pods: %w", err)
	}
	f.Start(ctx.Done())
	return k, nil
}

// stop stops all pods.
func (k *kubelet) stop() {
	k.mu.Lock()
	for _, p := range k.pods {
		p.cancel()
	}
	k.mu.Unlock()
	k.wg.Wait()
}

func (k *kubelet) sync(ctx context.Context, p *corev1.Pod) {
	if p.DeletionTimestamp != nil {
		k.delete(p.UID)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.pods[p.UID]; ok || p.Spec.NodeName == "" {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &pod{Pod: p, cancel: cancel}
	k.pods[p.UID] = r
	k.wg.Go(func() { k.run(ctx, r) })
}

func (k *kubelet) delete(uid types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p, ok := k.pods[uid]; ok {
		p.cancel()
		delete(k.pods, uid)
	}
}

// hold kills every process of an app, and starts none until released.
func (k *kubelet) hold(app string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held[app] = true
	for _, p := range k.pods {
		if p.app() == app && p.proc != nil {
			p.proc.Kill()
		}
	}
}

func (k *kubelet) release(app string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.held, app)
}

// processes returns what runs of an app.
func (k *kubelet) processes(app string) []*host.Process {
	k.mu.Lock()
	defer k.mu.Unlock()
	var ps []*host.Process
	for _, p := range k.pods {
		if p.app() == app && p.proc != nil {
			ps = append(ps, p.proc)
		}
	}
	return ps
}

// addr returns where the function in a pod listens, or nothing.
func (k *kubelet) addr(uid types.UID) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p, ok := k.pods[uid]; ok && p.proc != nil {
		return p.addr
	}
	return ""
}

// probe asks each pod of an app as its container's probe does, and returns what
// they answer.
func (k *kubelet) probe(ctx context.Context, app string, probe func(*corev1.Container) *corev1.Probe) (answers []string, err error) {
	k.mu.Lock()
	var at []string
	for _, p := range k.pods {
		c := &p.Spec.Containers[0]
		if pr := probe(c); p.app() == app && p.proc != nil && pr != nil && pr.GRPC != nil && pr.GRPC.Port == healthPort {
			at = append(at, p.health)
		}
	}
	k.mu.Unlock()

	for _, a := range at {
		conn, err := grpc.NewClient(a, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, fmt.Errorf("cannot connect to %s: %w", a, err)
		}
		rsp, err := healthgrpc.NewHealthClient(conn).Check(ctx, &healthgrpc.HealthCheckRequest{}, grpc.WaitForReady(true))
		_ = conn.Close()
		if err != nil {
			return nil, fmt.Errorf("cannot probe %s: %w", a, err)
		}
		answers = append(answers, rsp.GetStatus().String())
	}
	return answers, nil
}

// Where a function answers probes, if it has a network of its own.
const healthPort = 8081

// run runs a pod until the context is done. What fails is tried again: the
// Secrets a pod mounts may come after it, and a pod's process may be killed.
func (k *kubelet) run(ctx context.Context, p *pod) {
	dir := filepath.Join(k.dir, p.Name)
	for _, c := range p.Spec.InitContainers {
		retry(ctx, func() error {
			cmd, err := k.command(ctx, p, c, dir)
			if err != nil {
				return k.report(ctx, dir, err)
			}
			return k.report(ctx, dir, cmd.run(ctx))
		})
	}
	for ctx.Err() == nil {
		retry(ctx, func() error { return k.report(ctx, dir, k.runContainer(ctx, p, p.Spec.Containers[0], dir)) })
	}
}

// report keeps an error for who reads the logs.
func (k *kubelet) report(ctx context.Context, dir string, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, errHeld) {
		return err
	}
	f, ferr := os.OpenFile(filepath.Join(dir, "kubelet.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // In the tests' own directory.
	if ferr != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // Nothing to be done about it.
	_, _ = fmt.Fprintln(f, time.Now().Format(time.RFC3339Nano), err)
	return err
}

var errHeld = errors.New("held")

// runContainer runs a container's process until it exits or the context is
// done.
func (k *kubelet) runContainer(ctx context.Context, p *pod, c corev1.Container, dir string) error {
	cmd, err := k.command(ctx, p, c, dir)
	if err != nil {
		return err
	}

	k.mu.Lock()
	if k.held[p.app()] {
		k.mu.Unlock()
		return errHeld
	}
	proc, err := cmd.start()
	p.proc = proc
	k.mu.Unlock()
	if err != nil {
		return err
	}

	select {
	case <-proc.Exited():
	case <-ctx.Done():
		proc.Stop()
	}
	k.mu.Lock()
	p.proc = nil
	k.mu.Unlock()
	return proc.Wait()
}

// command returns the process that stands for a container.
func (k *kubelet) command(ctx context.Context, p *pod, c corev1.Container, dir string) (command, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return command{}, fmt.Errorf("cannot create directory of pod: %w", err)
	}
	kubeconfig, err := k.kubeconfig(ctx, p, dir)
	if err != nil {
		return command{}, err
	}
	if err := k.mount(ctx, p, c, dir); err != nil {
		return command{}, err
	}

	cmd := command{name: c.Name, path: k.core, args: c.Args, env: []string{"KUBECONFIG=" + kubeconfig}, dir: dir}
	for _, e := range c.Env {
		v, err := value(p, c, e)
		if err != nil {
			return command{}, err
		}
		for _, m := range c.VolumeMounts {
			if strings.HasPrefix(v, m.MountPath) {
				v = filepath.Join(dir, v) // The process has no root directory of its own.
			}
		}
		cmd.env = append(cmd.env, e.Name+"="+v)
	}

	if c.Name == functionContainer {
		if cmd.path, err = unpack(ctx, c.Image, dir); err != nil {
			return command{}, err
		}
		// Nor has it a network of its own, so its ports are any that are free.
		port, err := host.FreePort()
		if err != nil {
			return command{}, err
		}
		health, err := host.FreePort()
		if err != nil {
			return command{}, err
		}
		k.mu.Lock()
		p.addr = host.Loopback(port)
		p.health = host.Loopback(health)
		k.mu.Unlock()
		cmd.args = append(cmd.args, "--address="+p.addr, "--health="+p.health, "--metrics-address=127.0.0.1:0")
	}
	return cmd, nil
}

// The container of a package's pod that runs the package.
const functionContainer = "package-runtime"

// kubeconfig writes a kubeconfig with a token of the pod's ServiceAccount.
func (k *kubelet) kubeconfig(ctx context.Context, p *pod, dir string) (string, error) {
	sa := p.Spec.ServiceAccountName
	t, err := k.cluster.CoreV1().ServiceAccounts(p.Namespace).CreateToken(ctx, sa, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("cannot get token of ServiceAccount %s: %w", sa, err)
	}
	return writeKubeconfig(k.cluster.config, t.Status.Token, filepath.Join(dir, "kubeconfig"))
}

// mount writes the files of the Secrets that a container mounts.
func (k *kubelet) mount(ctx context.Context, p *pod, c corev1.Container, dir string) error {
	secrets := map[string]string{}
	for _, v := range p.Spec.Volumes {
		if v.Secret != nil {
			secrets[v.Name] = v.Secret.SecretName
		}
	}
	for _, m := range c.VolumeMounts {
		to := filepath.Join(dir, m.MountPath)
		if err := os.MkdirAll(to, 0o700); err != nil {
			return fmt.Errorf("cannot create directory of volume %s: %w", m.Name, err)
		}
		n, ok := secrets[m.Name]
		if !ok {
			continue
		}
		s, err := k.cluster.CoreV1().Secrets(p.Namespace).Get(ctx, n, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("cannot get Secret %s: %w", n, err)
		}
		for key, b := range s.Data {
			if err := os.WriteFile(filepath.Join(to, key), b, 0o600); err != nil {
				return fmt.Errorf("cannot write key %s of Secret %s: %w", key, n, err)
			}
		}
	}
	return nil
}

// value returns the value of a container's environment variable, for the few
// sources that Crossplane's pods use.
func value(p *pod, c corev1.Container, e corev1.EnvVar) (string, error) {
	switch {
	case e.ValueFrom == nil:
		return e.Value, nil
	case e.ValueFrom.ResourceFieldRef != nil:
		r := e.ValueFrom.ResourceFieldRef
		q := c.Resources.Limits[corev1.ResourceName(strings.TrimPrefix(r.Resource, "limits."))]
		divisor := cmp.Or(r.Divisor.AsApproximateFloat64(), 1)
		return strconv.FormatInt(int64(math.Ceil(q.AsApproximateFloat64()/divisor)), 10), nil
	case e.ValueFrom.FieldRef != nil:
		f := e.ValueFrom.FieldRef.FieldPath
		if l, ok := strings.CutPrefix(f, "metadata.labels['"); ok {
			return p.Labels[strings.TrimSuffix(l, "']")], nil
		}
		switch f {
		case "metadata.namespace":
			return p.Namespace, nil
		case "spec.serviceAccountName":
			return p.Spec.ServiceAccountName, nil
		}
	}
	return "", fmt.Errorf("cannot tell the value of environment variable %s", e.Name)
}

// unpack pulls an image and returns its entrypoint, as a file.
func unpack(ctx context.Context, image, dir string) (string, error) {
	file := filepath.Join(dir, "entrypoint")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	ref, err := name.ParseReference(image)
	if err != nil {
		return "", fmt.Errorf("cannot parse image %s: %w", image, err)
	}
	img, err := remote.Image(ref, remote.WithContext(ctx), remote.WithPlatform(platform))
	if err != nil {
		return "", fmt.Errorf("cannot pull image %s: %w", image, err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return "", fmt.Errorf("cannot read config of image %s: %w", image, err)
	}
	if len(cfg.Config.Entrypoint) != 1 {
		return "", fmt.Errorf("image %s has entrypoint %q, want one file", image, cfg.Config.Entrypoint)
	}

	fs := mutate.Extract(img)
	defer fs.Close() //nolint:errcheck // Only read from.
	for t := tar.NewReader(fs); ; {
		h, err := t.Next()
		if err != nil {
			return "", fmt.Errorf("cannot find %s in image %s: %w", cfg.Config.Entrypoint[0], image, err)
		}
		if path.Join("/", h.Name) != cfg.Config.Entrypoint[0] { //nolint:gosec // Compared, not written to.
			continue
		}
		b, err := io.ReadAll(t)
		if err != nil {
			return "", fmt.Errorf("cannot read image %s: %w", image, err)
		}
		if err := os.WriteFile(file, b, 0o700); err != nil { //nolint:gosec // It is to be run.
			return "", fmt.Errorf("cannot write entrypoint of image %s: %w", image, err)
		}
		return file, nil
	}
}
