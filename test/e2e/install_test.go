package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

const functionName = "function-dittoserver"

// start pushes the packages to the cluster's registry, which stands for the public one.
func start(s *scenario) {
	s.shell(root, s.kubeconfig, strings.ReplaceAll(s.documented("README.md", "Install")[readmePush], publicRegistry, registry))
}

// The README's blocks of commands under "Install".
const (
	readmeRBAC = iota
	readmeConfiguration
	readmeParts
	readmePush
	readmeCreate
	readmeBlocks
)

// configuration installs everything with one command, and takes it away again.
func configuration(s *scenario) {
	const prefix = "dittofs-" // Crossplane names packages after their repositories.
	blocks := s.documented("README.md", "Install")
	if len(blocks) != readmeBlocks {
		s.Fatalf("the README has %d blocks of commands under Install, want %d", len(blocks), readmeBlocks)
	}

	s.expect("install the Configuration", "healthy, and so is the function", func() string {
		s.shell(root, s.kubeconfig, blocks[readmeRBAC])
		s.shell(root, s.kubeconfig, blocks[readmeConfiguration])
		awaitPackage(s, "Configuration", prefix+configurationName)
		awaitPackage(s, "Function", prefix+functionName)
		awaitXRD(s)
		return "healthy, and so is the function"
	})

	// As the example has it. It does not live to see the aftermath.
	srv := &server{NamespacedName: types.NamespacedName{Namespace: "team-a", Name: "files"}, cluster: s.cluster, restarts: s.restarts}
	start := time.Now()
	s.expect("a DittoServer of the Configuration", "ready, 1 revision, 1 pod", func() string {
		s.shell(root, s.kubeconfig, blocks[readmeCreate])
		must(s, srv.awaitReady(s.ctx))
		return "ready, " + s.restartsOf(srv)
	})
	s.expect("a share to mount, over NFS and SMB", "written over one, read over the other", func() string {
		for _, commands := range s.documented("README.md", "A share to mount") {
			s.shell(root, s.kubeconfig, commands)
		}
		return "written over one, read over the other"
	})
	s.measure("from nothing to a file that is read", fmt.Sprintf("%.1f s", time.Since(start).Seconds()), time.Since(start))
	s.expect("its pod deleted", "the file is there", func() string {
		s.replacePod(srv)
		want, err := os.ReadFile(filepath.Join(root, "README.md"))
		must(s, err)
		got, err := nfs(s.ctx, "nfs-cat", s.nfsURL(srv, 1000)("README.md")).Output()
		must(s, err)
		if !bytes.Equal(got, want) {
			return fmt.Sprintf("%d bytes are there, of %d", len(got), len(want))
		}
		return "the file is there"
	})

	s.expect("all of it deleted", "gone", func() string {
		s.deleted(dittoServers.GroupVersion().String(), "DittoServer", srv.Namespace, srv.Name)
		for _, o := range composed(srv) {
			s.gone(o.apiVersion, o.kind, srv.Namespace, o.name)
		}
		must(s, await(s.ctx, "the ConfigMap to be gone", func(context.Context) error {
			if left := s.configMaps(srv); len(left) > 0 {
				return fmt.Errorf("there is %v", left)
			}
			return nil
		}))
		must(s, s.cluster.CoreV1().PersistentVolumeClaims(srv.Namespace).DeleteCollection(s.ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
		s.deleted("pkg.crossplane.io/v1", "Configuration", "", prefix+configurationName)
		s.gone("apiextensions.crossplane.io/v2", "CompositeResourceDefinition", "", xrdName)
		s.deleted("pkg.crossplane.io/v1", "Function", "", prefix+functionName)
		s.deleted("apiextensions.crossplane.io/v1beta1", "EnvironmentConfig", "", functionName)
		s.deleted("rbac.authorization.k8s.io/v1", "ClusterRole", "", functionName)
		return "gone"
	})
}

// install installs the parts: the runtime config, the function's package, the XRD
// and the Composition of the example.
func install(s *scenario) {
	s.expect("install the parts", "healthy", func() string {
		s.shell(root, s.kubeconfig, s.documented("README.md", "Install")[readmeParts])
		awaitPackage(s, "Function", functionName)
		return "healthy"
	})
	s.expect("the probes of the runtime config", "2 pods ready, each probed, 0 restarts", func() string {
		s.awaitApp(appFunction, 2)
		pods, err := s.podsOf(s.ctx, appFunction)
		must(s, err)
		restarts := 0
		for _, p := range pods {
			for _, c := range p.Spec.Containers {
				if c.LivenessProbe == nil || c.ReadinessProbe == nil {
					return p.Name + " is not probed"
				}
			}
			restarts += restartsOfContainers(&p)
		}
		return plural(len(pods), "pod") + " ready, each probed, " + plural(restarts, "restart")
	})

	awaitXRD(s)
}

const (
	configurationName = "configuration-dittoserver"
	xrdName           = "dittoservers.dittofs.io"
)

// awaitXRD waits until DittoServers can be created.
func awaitXRD(s *scenario) {
	must(s, await(s.ctx, "the XRD to be served", func(ctx context.Context) error {
		xrd, err := s.cluster.get(ctx, "apiextensions.crossplane.io/v2", "CompositeResourceDefinition", "", xrdName)
		if err != nil {
			return err
		}
		return conditionTrue(xrd, "Established")
	}))
}

// deleted deletes an object, if it is there, and waits until it is gone.
func (s *scenario) deleted(apiVersion, kind, ns, name string) {
	s.Helper()
	r, err := s.cluster.kind(apiVersion, kind, ns)
	must(s, err)
	if err := r.Delete(s.ctx, name, metav1.DeleteOptions{}); err != nil && !kerrors.IsNotFound(err) {
		s.Fatal(err)
	}
	s.gone(apiVersion, kind, ns, name)
}

// gone waits until an object is gone.
func (s *scenario) gone(apiVersion, kind, ns, name string) {
	s.Helper()
	must(s, await(s.ctx, kind+" "+name+" to be gone", func(ctx context.Context) error {
		_, err := s.cluster.get(ctx, apiVersion, kind, ns, name)
		if err == nil {
			return errors.New("it is there")
		}
		if !kerrors.IsNotFound(err) {
			return err
		}
		return nil
	}))
}

// functionPackage returns the package of the example's Function, and its
// version.
func functionPackage(s *scenario) (repo, version string) {
	for _, o := range s.read("example/functions.yaml") {
		if o.GetName() == functionName {
			p, _, _ := unstructured.NestedString(o.Object, "spec", "package")
			repo, version, _ = strings.Cut(p, ":")
		}
	}
	return repo, version
}

// awaitPackage waits until a package is installed and does what it should.
func awaitPackage(s *scenario, kind, name string) {
	must(s, await(s.ctx, kind+" "+name+" to be healthy", func(ctx context.Context) error {
		o, err := s.cluster.get(ctx, "pkg.crossplane.io/v1", kind, "", name)
		if err != nil {
			return err
		}
		return conditionTrue(o, "Installed", "Healthy")
	}))
}

// What Crossplane says when it lacks the example's ClusterRole.
const forbidden = `cannot patch resource "statefulsets"`

// withoutRBAC is what a user sees who forgets the example's ClusterRole: an
// event. Crossplane has no chance to write a condition: its next reconcile
// waits for a watch that it may not have.
func withoutRBAC(s *scenario) {
	srv := s.server("without-rbac")
	must(s, srv.createSecrets(s.ctx, basicSecrets()))
	must(s, srv.create(s.ctx, basicSpec()))

	s.expect("no ClusterRole: an event of the DittoServer says", forbidden, func() string {
		must(s, await(s.ctx, "the event", func(ctx context.Context) error {
			l, err := s.cluster.CoreV1().Events(srv.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=DittoServer,type=Warning"})
			if err != nil {
				return fmt.Errorf("cannot list events: %w", err)
			}
			for _, e := range l.Items {
				if strings.Contains(e.Message, forbidden) {
					return nil
				}
			}
			return fmt.Errorf("there are %s", plural(len(l.Items), "warning"))
		}))
		return forbidden
	})
	s.expect("ClusterRole applied", "ready, 1 revision, 1 pod", func() string {
		s.apply("example/rbac.yaml")
		must(s, srv.awaitReady(s.ctx))
		return "ready, " + s.restartsOf(srv)
	})
}

// deleteServer deletes a server. Its data stays.
func deleteServer(s *scenario) {
	srv := s.running("delete", basicSpec(), basicSecrets())
	claims := func() (names []string) {
		l, err := s.cluster.CoreV1().PersistentVolumeClaims(srv.Namespace).List(s.ctx, metav1.ListOptions{})
		must(s, err)
		for _, c := range l.Items {
			names = append(names, string(c.UID))
		}
		return names
	}
	before := claims()

	s.expect("delete the DittoServer", "composed objects gone, 3 claims kept", func() string {
		must(s, srv.xrs().Delete(s.ctx, srv.Name, metav1.DeleteOptions{}))
		var left []string
		err := await(s.ctx, "the composed objects to be gone", func(ctx context.Context) error {
			left = left[:0]
			for _, k := range append(composed(srv), object{"dittofs.io/v1alpha1", "DittoServer", srv.Name}) {
				if _, err := s.cluster.get(ctx, k.apiVersion, k.kind, srv.Namespace, k.name); err == nil {
					left = append(left, k.kind+" "+k.name)
				}
			}
			if left = append(left, s.configMaps(srv)...); len(left) > 0 {
				return fmt.Errorf("left: %v", left)
			}
			return nil
		})
		must(s, err)
		after := claims()
		if fmt.Sprint(before) != fmt.Sprint(after) {
			return fmt.Sprintf("claims were %v, are %v", before, after)
		}
		return "composed objects gone, " + plural(len(after), "claim") + " kept"
	})
}

// An object that a server is made of.
type object struct{ apiVersion, kind, name string }

// composed are the objects that every server is made of, but for its ConfigMap
// (configMaps).
func composed(srv *server) []object {
	return []object{
		{"v1", "Service", srv.Name + "-api"},
		{"v1", "Service", srv.Name + "-headless"},
		{"apps/v1", "StatefulSet", srv.Name},
		{"v1", "Pod", srv.Name + "-0"},
	}
}

// upheaval is everything about Crossplane and the function that may change
// without any server noticing.
func upheaval(s *scenario) {
	srv := s.running("upheaval", basicSpec(), basicSecrets())
	quiet := func(what string, do func()) {
		s.expect(what, noRestart, func() string {
			do()
			return s.restartsOf(srv)
		})
	}

	quiet("new Composition revision", func() {
		before := s.revisions("apiextensions.crossplane.io/v1", "CompositionRevision")
		for _, o := range s.read("example/composition.yaml") {
			pipeline, _, err := unstructured.NestedSlice(o.Object, "spec", "pipeline")
			must(s, err)
			pipeline[0].(map[string]any)["step"] = "another-name"
			// Applied, it would be a step more: steps are merged by their names.
			must(s, s.cluster.patch(s.ctx, o.GetAPIVersion(), o.GetKind(), "", o.GetName(), map[string]any{"spec": map[string]any{"pipeline": pipeline}}))
		}
		must(s, await(s.ctx, "a new CompositionRevision", func(context.Context) error {
			if n := s.revisions("apiextensions.crossplane.io/v1", "CompositionRevision"); n != before+1 {
				return fmt.Errorf("there are %d, want %d", n, before+1)
			}
			return nil
		}))
	})
	quiet("upgrade the function", func() {
		repo, version := functionPackage(s)
		const next = "v99.0.0"
		must(s, rerelease(s.ctx, repo, version, next))
		must(s, s.cluster.patch(s.ctx, "pkg.crossplane.io/v1", "Function", "", functionName, map[string]any{"spec": map[string]any{"package": repo + ":" + next}}))
		must(s, await(s.ctx, "the new version to be the one that runs", func(ctx context.Context) error {
			l, err := s.cluster.AppsV1().Deployments(crossplaneNamespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return fmt.Errorf("cannot list Deployments: %w", err)
			}
			for _, d := range l.Items {
				if n := d.Spec.Template.Labels["pkg.crossplane.io/function"]; n == functionName && !strings.HasSuffix(d.Spec.Template.Spec.Containers[0].Image, ":"+next) {
					return fmt.Errorf("there is still %s", d.Spec.Template.Spec.Containers[0].Image)
				}
			}
			return nil
		}))
	})
}

// revisions returns how many revisions there are.
func (s *scenario) revisions(apiVersion, kind string) int {
	s.Helper()
	r, err := s.cluster.kind(apiVersion, kind, "")
	must(s, err)
	l, err := r.List(s.ctx, metav1.ListOptions{})
	must(s, err)
	return len(l.Items)
}

// read returns the objects in a file of the repository.
func (s *scenario) read(file string) []*unstructured.Unstructured {
	s.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	must(s, err)
	objs, err := parse(b)
	must(s, err)
	return objs
}

// apply applies a file of the repository, as kubectl apply does.
func (s *scenario) apply(file string) {
	s.Helper()
	must(s, s.cluster.apply(s.ctx, s.read(file)...))
}
