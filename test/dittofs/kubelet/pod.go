// Package kubelet does to the pod of a StatefulSet what a kubelet does, as far
// as it matters to a server that reads files and variables and listens on ports:
// it gives the real process the rendered command, environment, volumes, user and
// file system, asks the rendered probes, swaps the files of a changed Secret
// under the running process, and stops the process as a kubelet would. What the
// function does not render it refuses, so that nothing goes by unnoticed.
//
// It needs bubblewrap, nsenter and setpriv. As root, the owners of all files are
// those that a kubelet gives them; another user is the only owner there can be.
package kubelet

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// A Store is the objects that pods refer to, by name. It may change while a pod
// runs.
type Store struct {
	ConfigMaps map[string]*corev1.ConfigMap
	Secrets    map[string]*corev1.Secret
}

// An Image is what a container image brings along.
type Image struct {
	// Files of the image, and where they are on this machine. There are no others:
	// a program must be linked statically.
	Files map[string]string

	// Env of the image.
	Env map[string]string

	// WorkingDir of the image.
	WorkingDir string
}

// A Pod is the one pod of a StatefulSet.
type Pod struct {
	network *Network
	store   *Store
	image   Image
	dir     string

	name      string
	spec      *corev1.PodSpec
	container *corev1.Container
	claims    []string
	user      User
	fsGroup   *int64

	runs    int
	pid     int
	exited  chan struct{}
	exitErr error
}

// NewPod returns the pod of a StatefulSet, not started yet. Its volumes and logs
// are kept in dir.
func NewPod(dir string, network *Network, store *Store, image Image, sts *appsv1.StatefulSet) (*Pod, error) {
	p := &Pod{network: network, store: store, image: image, dir: dir}
	if err := p.Use(sts); err != nil {
		return nil, err
	}
	return p, nil
}

// Use makes the pod that starts next one of this StatefulSet.
func (p *Pod) Use(sts *appsv1.StatefulSet) error {
	spec := sts.Spec.Template.Spec.DeepCopy()
	if len(spec.Containers) != 1 || len(spec.InitContainers) > 0 {
		return errors.Errorf("cannot run a pod of %d containers and %d init containers", len(spec.Containers), len(spec.InitContainers))
	}
	if ptr.Deref(spec.EnableServiceLinks, true) {
		return errors.New("cannot tell which Services' variables the pod gets: enableServiceLinks is not false")
	}
	p.name = sts.GetName() + "-0"
	p.spec, p.container = spec, &spec.Containers[0]
	p.claims = nil
	for _, c := range sts.Spec.VolumeClaimTemplates {
		p.claims = append(p.claims, c.GetName())
	}
	return p.identify()
}

// identify finds out who the container runs as.
func (p *Pod) identify() error {
	psc, sc := ptr.Deref(p.spec.SecurityContext, corev1.PodSecurityContext{}), p.securityContext()
	uid, gid := first(sc.RunAsUser, psc.RunAsUser), first(sc.RunAsGroup, psc.RunAsGroup)
	if uid == nil || gid == nil {
		return errors.New("the pod leaves its user or group to the image")
	}
	if *uid == 0 && ptr.Deref(first(sc.RunAsNonRoot, psc.RunAsNonRoot), false) {
		return errors.New("container has runAsNonRoot and would run as root")
	}
	p.user = User{UID: *uid, GID: *gid, Groups: slices.Clone(psc.SupplementalGroups)}
	p.fsGroup = psc.FSGroup
	if p.fsGroup != nil {
		p.user.Groups = append(p.user.Groups, *p.fsGroup)
	}
	return nil
}

func (p *Pod) securityContext() corev1.SecurityContext {
	return ptr.Deref(p.container.SecurityContext, corev1.SecurityContext{})
}

// Start starts the container. It returns as soon as the process runs; WaitReady
// waits for more.
func (p *Pod) Start(ctx context.Context) error {
	if p.Running() {
		return errors.Errorf("pod %s runs already", p.name)
	}
	if err := p.writeVolumes(true); err != nil {
		return err
	}
	env, err := p.environment()
	if err != nil {
		return err
	}
	view, err := p.view(env)
	if err != nil {
		return err
	}

	p.runs++
	log, err := os.Create(p.LogPath())
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // The process has its own handle.

	status, statusWriter, err := os.Pipe()
	if err != nil {
		return err
	}
	// The process must be the first of its namespace, as it is in a container:
	// a first process has no default handlers of signals.
	view = append(view, "--as-pid-1", "--json-status-fd", "3")
	cmd := p.network.Sandboxed(ctx, p.user, view, slices.Concat(p.container.Command, p.container.Args)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{statusWriter}
	err = cmd.Start()
	_ = statusWriter.Close()
	if err != nil {
		_ = status.Close()
		return err
	}
	p.exited, p.exitErr = make(chan struct{}), nil
	p.pid, err = childPID(status)
	go p.reap(cmd, status)
	return errors.Wrapf(err, "cannot start the container, see %s", p.LogPath())
}

// childPID reads who the process is, seen from outside its namespace.
func childPID(status *os.File) (int, error) {
	line, err := bufio.NewReader(status).ReadBytes('\n')
	if err != nil {
		return 0, err
	}
	s := struct {
		ChildPID int `json:"child-pid"`
	}{}
	return s.ChildPID, json.Unmarshal(line, &s)
}

// reap waits for the end of a process. Bubblewrap writes to the pipe until then.
func (p *Pod) reap(cmd *exec.Cmd, status *os.File) {
	p.exitErr = cmd.Wait()
	_ = status.Close()
	close(p.exited)
}

// Sync brings the files of changed ConfigMaps and Secrets to the running pod, as
// a kubelet does within a minute or two.
func (p *Pod) Sync() error { return p.writeVolumes(false) }

// Running says whether the process runs.
func (p *Pod) Running() bool {
	if p.exited == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Wait returns once the process has ended by itself, with what it ended with.
func (p *Pod) Wait(ctx context.Context) error {
	select {
	case <-p.exited:
		return p.exitErr
	case <-ctx.Done():
		return errors.New("the process has not ended")
	}
}

// Stop orders the process to stop, and kills it when its grace period is over,
// which is an error. The preStop sleep is taken off the grace period instead of
// being slept.
func (p *Pod) Stop() error {
	if !p.Running() {
		return errors.Errorf("the process of pod %s had ended before it was told to: %v", p.name, p.exitErr)
	}
	grace := time.Duration(ptr.Deref(p.spec.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)) * time.Second
	if l := p.container.Lifecycle; l != nil && l.PreStop != nil {
		if l.PreStop.Sleep == nil {
			return errors.New("this is no kind of preStop hook that the function renders")
		}
		grace -= time.Duration(l.PreStop.Sleep.Seconds) * time.Second
	}

	if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return errors.Wrap(p.exitErr, "the process did not stop cleanly")
	case <-time.After(grace):
		p.Kill()
		return errors.Errorf("the process had not stopped %s after it was told to, and was killed", grace)
	}
}

// Kill ends the process, if it runs.
func (p *Pod) Kill() {
	if p.Running() {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.exited
	}
}

// PID is the process, as this machine knows it.
func (p *Pod) PID() int { return p.pid }

// LogPath is where the output of the latest process goes.
func (p *Pod) LogPath() string {
	return filepath.Join(p.dir, "run-"+strconv.Itoa(p.runs)+".log")
}

// Log is the output of the latest process so far.
func (p *Pod) Log() string {
	b, err := os.ReadFile(p.LogPath())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// VolumePath is where the volume mounted at a path is on this machine.
func (p *Pod) VolumePath(mountPath string) (string, error) {
	for _, m := range p.container.VolumeMounts {
		if m.MountPath == mountPath {
			return p.volumeDir(m.Name), nil
		}
	}
	return "", errors.Errorf("nothing is mounted at %s", mountPath)
}

// view is what the container sees of this machine.
func (p *Pod) view(env map[string]string) ([]string, error) {
	view := []string{"--proc", "/proc", "--dev", "/dev", "--hostname", p.name, "--chdir", p.image.WorkingDir, "--clearenv"}
	for _, path := range slices.Sorted(maps.Keys(p.image.Files)) {
		view = append(view, "--ro-bind", p.image.Files[path], path)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		view = append(view, "--setenv", name, env[name])
	}
	mounts, err := p.mounts()
	if err != nil {
		return nil, err
	}
	view = append(view, mounts...)
	if ptr.Deref(p.securityContext().ReadOnlyRootFilesystem, false) {
		view = append(view, "--remount-ro", "/")
	}
	return view, nil
}

// environment is the image's, and over it the container's: first all keys of envFrom, then
// env.
func (p *Pod) environment() (map[string]string, error) {
	env := maps.Clone(p.image.Env)
	for _, f := range p.container.EnvFrom {
		if err := p.addAll(env, &f); err != nil {
			return nil, errors.Wrap(err, "cannot resolve envFrom")
		}
	}
	for _, e := range p.container.Env {
		value, ok, err := p.value(&e)
		if err != nil {
			return nil, errors.Wrapf(err, "cannot resolve variable %s", e.Name)
		}
		if ok {
			env[e.Name] = value
		}
	}
	return env, nil
}

// addAll adds all keys of an object that can be variables.
func (p *Pod) addAll(env map[string]string, f *corev1.EnvFromSource) error {
	switch {
	case f.SecretRef != nil:
		secret, found := p.store.Secrets[f.SecretRef.Name]
		if !found && !ptr.Deref(f.SecretRef.Optional, false) {
			return errors.Errorf("Secret %s not found", f.SecretRef.Name)
		}
		if found {
			for key, b := range secret.Data {
				env[f.Prefix+key] = string(b)
			}
		}
	case f.ConfigMapRef != nil:
		cm, found := p.store.ConfigMaps[f.ConfigMapRef.Name]
		if !found && !ptr.Deref(f.ConfigMapRef.Optional, false) {
			return errors.Errorf("ConfigMap %s not found", f.ConfigMapRef.Name)
		}
		if found { // Of binaryData there are no variables.
			for key, text := range cm.Data {
				env[f.Prefix+key] = text
			}
		}
	}
	return nil
}

// value is the value of a variable, if there is one.
func (p *Pod) value(e *corev1.EnvVar) (value string, ok bool, err error) {
	if e.ValueFrom == nil {
		if strings.Contains(e.Value, "$(") {
			return "", false, errors.New("cannot expand references to variables")
		}
		return e.Value, true, nil
	}
	var (
		from, key string
		optional  *bool
		found     bool
	)
	switch {
	case e.ValueFrom.SecretKeyRef != nil:
		r := e.ValueFrom.SecretKeyRef
		from, key, optional = "Secret "+r.Name, r.Key, r.Optional
		if secret, there := p.store.Secrets[r.Name]; there {
			var b []byte
			b, found = secret.Data[r.Key]
			value = string(b)
		}
	case e.ValueFrom.ConfigMapKeyRef != nil:
		r := e.ValueFrom.ConfigMapKeyRef
		from, key, optional = "ConfigMap "+r.Name, r.Key, r.Optional
		if cm, there := p.store.ConfigMaps[r.Name]; there {
			value, found = cm.Data[r.Key]
		}
	default:
		return "", false, errors.New("this is no kind of variable that the tests use")
	}
	if !found && !ptr.Deref(optional, false) {
		return "", false, errors.Errorf("%s has no key %q", from, key)
	}
	return value, found, nil
}

// first is the first pointer to something.
func first[T any](ps ...*T) *T {
	for _, p := range ps {
		if p != nil {
			return p
		}
	}
	return nil
}
