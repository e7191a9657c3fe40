package e2e

import (
	"context"
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// How long anything may take that ought to happen at once, on a machine that
// has much else to do.
const awaitTimeout = 3 * time.Minute

// The annotation of the pod template that the hash is in.
const hashAnnotation = "dittofs.io/config-hash"

var dittoServers = schema.GroupVersionResource{Group: "dittofs.io", Version: "v1alpha1", Resource: "dittoservers"} //nolint:gochecknoglobals // A constant.

// A server is one DittoServer, the Secrets it refers to and what becomes of it.
type server struct {
	types.NamespacedName

	cluster  *cluster
	restarts *restarts
	markers  int
	last     count // At the last look.
}

// Secrets are the data of Secrets by their names.
type secrets map[string]map[string]string

// The label of the namespaces that the tests have created, and may delete.
const namespaceLabel = "e2e/function-dittoserver"

// createNamespace sees to it that there is a namespace, and that only pods may run in it
// that keep to the restricted Pod Security Standard. One that is somebody else's is left
// alone.
func (s *suite) createNamespace(name string) error {
	if s.node == nil {
		ns, err := s.cluster.CoreV1().Namespaces().Get(s.ctx, name, metav1.GetOptions{})
		if _, ours := ns.Labels[namespaceLabel]; err == nil && !ours {
			return fmt.Errorf("the cluster has a namespace %s that is not of the tests", name)
		}
	}
	return s.cluster.apply(s.ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1",
		"kind":       "Namespace",
		"metadata": map[string]any{"name": name, "labels": map[string]any{
			namespaceLabel: "", "pod-security.kubernetes.io/enforce": "restricted",
		}},
	}})
}

func (s *server) xrs() dynamic.ResourceInterface {
	return s.cluster.dynamic.Resource(dittoServers).Namespace(s.Namespace)
}

// create creates the DittoServer.
func (s *server) create(ctx context.Context, spec map[string]any) error {
	xr := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": dittoServers.GroupVersion().String(),
		"kind":       "DittoServer",
		"metadata":   map[string]any{"name": s.Name},
		"spec":       spec,
	}}
	if _, err := s.xrs().Create(ctx, xr, metav1.CreateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("cannot create DittoServer %s: %w", s, err)
	}
	return nil
}

// patchSpec changes the DittoServer's spec, as a JSON merge patch.
func (s *server) patchSpec(ctx context.Context, spec map[string]any) error {
	return s.cluster.patch(ctx, dittoServers.GroupVersion().String(), "DittoServer", s.Namespace, s.Name, map[string]any{"spec": spec})
}

// pause has Crossplane leave the DittoServer alone, or no longer.
func (s *server) pause(ctx context.Context, paused string) error {
	return s.cluster.patch(ctx, dittoServers.GroupVersion().String(), "DittoServer", s.Namespace, s.Name, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"crossplane.io/paused": paused}},
	})
}

// createSecret creates a Secret.
func (s *server) createSecret(ctx context.Context, name string, data map[string]string) error {
	sec := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{}}
	for k, v := range data {
		sec.Data[k] = []byte(v)
	}
	if _, err := s.cluster.CoreV1().Secrets(s.Namespace).Create(ctx, sec, metav1.CreateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("cannot create Secret %s: %w", name, err)
	}
	return nil
}

// createSecrets creates Secrets.
func (s *server) createSecrets(ctx context.Context, all secrets) error {
	for name, data := range all {
		if err := s.createSecret(ctx, name, data); err != nil {
			return err
		}
	}
	return nil
}

// deleteJWT deletes the Secret with the JWT key.
func (s *server) deleteJWT(ctx context.Context) error {
	if err := s.cluster.CoreV1().Secrets(s.Namespace).Delete(ctx, "jwt", metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("cannot delete Secret: %w", err)
	}
	return nil
}

// setSecret sets keys of a Secret.
func (s *server) setSecret(ctx context.Context, name string, data map[string]string) error {
	sec, err := s.cluster.CoreV1().Secrets(s.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("cannot get Secret %s: %w", name, err)
	}
	for k, v := range data {
		sec.Data[k] = []byte(v)
	}
	if _, err := s.cluster.CoreV1().Secrets(s.Namespace).Update(ctx, sec, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("cannot update Secret %s: %w", name, err)
	}
	return nil
}

// hash returns the hash in the StatefulSet's pod template.
func (s *server) hash(ctx context.Context) (string, error) {
	sts, err := s.cluster.AppsV1().StatefulSets(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("cannot get StatefulSet %s: %w", s, err)
	}
	return sts.Spec.Template.Annotations[hashAnnotation], nil
}

// xr returns the DittoServer.
func (s *server) xr(ctx context.Context) (*unstructured.Unstructured, error) {
	xr, err := s.xrs().Get(ctx, s.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot get DittoServer %s: %w", s, err)
	}
	return xr, nil
}

// A composite resource has to be seen so for this long. Crossplane first writes the
// conditions that it has read, which may be old, and then the new ones.
const transient = 150 * time.Millisecond

// awaitXR waits until a condition of the DittoServer holds.
func (s *server) awaitXR(ctx context.Context, what string, cond func(*unstructured.Unstructured) error) error {
	look := func(ctx context.Context) error {
		xr, err := s.xr(ctx)
		if err != nil {
			return err
		}
		if err := cond(xr); err != nil {
			return fmt.Errorf("%w, condition Responsive is %v", err, condition(xr, "Responsive"))
		}
		return nil
	}
	return await(ctx, s.String()+" to "+what, func(ctx context.Context) error {
		if err := look(ctx); err != nil {
			return err
		}
		time.Sleep(transient)
		return look(ctx)
	})
}

// awaitCondition waits until the DittoServer has a condition with a status.
func (s *server) awaitCondition(ctx context.Context, typ, status string) error {
	return s.awaitXR(ctx, fmt.Sprintf("have the condition %s=%s", typ, status), func(xr *unstructured.Unstructured) error {
		if c := condition(xr, typ); c["status"] != status {
			return fmt.Errorf("condition %s is %v", typ, c)
		}
		return nil
	})
}

// awaitReady waits until the DittoServer and all it is composed of is ready.
func (s *server) awaitReady(ctx context.Context) error {
	return s.awaitXR(ctx, "be ready", func(xr *unstructured.Unstructured) error {
		return conditionTrue(xr, "Synced", "Ready")
	})
}

// awaitPaused waits until Crossplane leaves the DittoServer alone.
func (s *server) awaitPaused(ctx context.Context) error {
	return s.awaitXR(ctx, "be paused", func(xr *unstructured.Unstructured) error {
		if c := condition(xr, "Synced"); c["reason"] != "ReconcilePaused" {
			return fmt.Errorf("condition Synced is %v", c)
		}
		return nil
	})
}

// awaitRollout waits until the StatefulSet controller has done what it was
// told.
func (s *server) awaitRollout(ctx context.Context) error {
	return await(ctx, "the StatefulSet "+s.String()+" to roll out", func(ctx context.Context) error {
		sts, err := s.cluster.AppsV1().StatefulSets(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("cannot get StatefulSet: %w", err)
		}
		return rolledOut(sts)
	})
}

// rolledOut returns an error unless the StatefulSet controller has done what it was told.
func rolledOut(sts *appsv1.StatefulSet) error {
	st := sts.Status
	if st.ObservedGeneration < sts.Generation || st.ReadyReplicas != *sts.Spec.Replicas || st.UpdatedReplicas != *sts.Spec.Replicas || st.CurrentRevision != st.UpdateRevision {
		return fmt.Errorf("generation %d: status is %+v", sts.Generation, st)
	}
	return nil
}

// reconcile makes Crossplane reconcile the DittoServer, and waits until the
// effect is there: an annotation of the Service of the API. Where an object is refused, it
// waits until Crossplane has tried: that stops there, and has come to the Service before or
// not.
func (s *server) reconcile(ctx context.Context) error {
	s.markers++
	m := strconv.Itoa(s.markers)
	if err := s.patchSpec(ctx, map[string]any{"service": map[string]any{"annotations": map[string]any{"e2e": m}}}); err != nil {
		return err
	}
	return await(ctx, s.String()+" to be reconciled", func(ctx context.Context) error {
		svc, err := s.cluster.CoreV1().Services(s.Namespace).Get(ctx, s.Name+"-api", metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("cannot get Service: %w", err)
		}
		if got := svc.Annotations["e2e"]; got != m {
			xr, err := s.xr(ctx)
			if err != nil {
				return err
			}
			if c := condition(xr, "Synced"); c["status"] == "False" && c["observedGeneration"] == xr.GetGeneration() {
				return nil
			}
			return fmt.Errorf("annotation e2e of the Service is %q, want %q: %v, %v", got, m, condition(xr, "Synced"), condition(xr, "Responsive"))
		}
		return nil
	})
}

// settle waits until everything that was changed so far has had its effect.
func (s *server) settle(ctx context.Context) error {
	// The first reconcile may be made of what a cache has not yet seen change, and
	// its conditions may be of the reconcile before. The second comes after.
	for range 2 {
		if err := s.reconcile(ctx); err != nil {
			return err
		}
	}
	// The function may want another one, to write the StatefulSet after the
	// ConfigMap, and says that the server is not ready until then.
	if err := s.awaitXR(ctx, "be ready again", func(xr *unstructured.Unstructured) error {
		if c := condition(xr, "Ready"); c["status"] != "True" || c["observedGeneration"] != xr.GetGeneration() {
			return fmt.Errorf("generation %d: condition Ready is %v", xr.GetGeneration(), c)
		}
		return nil
	}); err != nil {
		return err
	}
	return s.awaitRollout(ctx)
}

// The label of all objects of a server.
const serverLabel = "dittofs.io/server"

// configMaps are the names of the ConfigMaps of a server.
func (s *scenario) configMaps(srv *server) []string {
	s.Helper()
	l, err := s.cluster.CoreV1().ConfigMaps(srv.Namespace).List(s.ctx, metav1.ListOptions{LabelSelector: serverLabel + "=" + srv.Name})
	must(s, err)
	names := []string{}
	for _, cm := range l.Items {
		if cm.DeletionTimestamp == nil { // Crossplane deletes in the foreground, which takes a moment.
			names = append(names, cm.Name)
		}
	}
	return names
}

// configMapOf is the name of the ConfigMap that a pod reads.
func configMapOf(pod *corev1.PodSpec) string {
	for _, v := range pod.Volumes {
		if v.Name == "config" && v.ConfigMap != nil {
			return v.ConfigMap.Name
		}
	}
	return ""
}

// config is the config.yaml that the server's template names.
func (s *scenario) config(srv *server) string {
	s.Helper()
	sts, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Get(s.ctx, srv.Name, metav1.GetOptions{})
	must(s, err)
	cm, err := s.cluster.CoreV1().ConfigMaps(srv.Namespace).Get(s.ctx, configMapOf(&sts.Spec.Template.Spec), metav1.GetOptions{})
	must(s, err)
	return cm.Data["config.yaml"]
}
