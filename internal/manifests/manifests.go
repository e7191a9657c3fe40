// Package manifests renders a DittoServer into the Kubernetes objects that run
// it. It is pure: a spec goes in, typed objects come out.
package manifests

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// Names of the composed resources. Crossplane knows a composed resource by its
// name: renaming one deletes the object and creates another.
const (
	ConfigMapResource       = "config"
	HeadlessServiceResource = "headless-service"
	APIServiceResource      = "api-service"
	StatefulSetResource     = "statefulset"
)

// Annotations of the pod template. A new value of one replaces the pod.
const (
	// AnnotationConfigHash is the hash of what the server read at its start.
	AnnotationConfigHash = "dittofs.io/config-hash"

	// AnnotationRestartToken is the spec.rollout.restartToken that the hash was
	// made with.
	AnnotationRestartToken = "dittofs.io/restart-token"
)

// Objects are the Kubernetes objects of one DittoServer.
type Objects struct {
	ConfigMap       *corev1.ConfigMap
	HeadlessService *corev1.Service
	APIService      *corev1.Service
	StatefulSet     *appsv1.StatefulSet
}

// Build renders a DittoServer that has its defaults and is valid. What a running
// StatefulSet can no longer change is taken from existing; nil means that there
// is no StatefulSet yet.
func Build(ds *v1alpha1.DittoServer, existing *Immutable) (Objects, error) {
	cm, err := configMap(ds)
	if err != nil {
		return Objects{}, errors.Wrap(err, "cannot render the server's configuration")
	}

	im := Wanted(ds)
	if existing != nil {
		im = *existing
	}

	return Objects{
		ConfigMap:       cm,
		HeadlessService: headlessService(ds),
		APIService:      apiService(ds),
		StatefulSet:     statefulSet(ds, im),
	}, nil
}

func meta(ds *v1alpha1.DittoServer, suffix string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:      ds.GetName() + suffix,
		Namespace: ds.GetNamespace(),
		Labels:    labels(ds),
	}
}

// labels are those of every object. They make up the selectors too, which can
// never change, so no label may ever be added here.
func labels(ds *v1alpha1.DittoServer) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":     "dittofs",
		"app.kubernetes.io/instance": ds.GetName(),
	}
}

// Config is the config.yaml that the server is to read.
func (o *Objects) Config() string { return o.ConfigMap.Data[dittofs.ConfigFile] }
