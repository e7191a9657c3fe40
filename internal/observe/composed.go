package observe

import (
	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// Composed is what exists of a DittoServer.
type Composed struct {
	// StatefulSet, or nil.
	StatefulSet *StatefulSet

	// Config is the config.yaml of the ConfigMap, or nil if there is no ConfigMap.
	Config *string

	// Exists says of each composed resource, by name, whether it does.
	Exists map[string]bool

	// Exposed are the Services that have got an address outside of the cluster.
	Exposed map[string]bool

	// Secrets that the function has made.
	Secrets map[string]*podinputs.Secret

	// PerconaReady is set once the PerconaPGCluster is, and PerconaOwner is the UID
	// of what it belongs to.
	PerconaReady bool
	PerconaOwner string
}

// A StatefulSet is what the function looks at of the existing StatefulSet.
type StatefulSet struct {
	Generation  int64
	Annotations rollout.Annotations
	Immutable   manifests.Immutable
	Status      appsv1.StatefulSetStatus

	// Keytab says whether the pod has a keytab.
	Keytab bool

	pod *structpb.Value
}

// PodSpec is that of the pod template. Only a server that is held needs it.
func (s *StatefulSet) PodSpec() (*corev1.PodSpec, error) {
	pod := &corev1.PodSpec{}
	return pod, errors.Wrap(fromStored(s.pod, pod), "cannot read the observed StatefulSet's pod template")
}

// Annotations of the existing pod template, or nil.
func (c *Composed) Annotations() *rollout.Annotations {
	if c.StatefulSet == nil {
		return nil
	}
	return &c.StatefulSet.Annotations
}

// Immutable is what the existing StatefulSet cannot change, or nil.
func (c *Composed) Immutable() *manifests.Immutable {
	if c.StatefulSet == nil {
		return nil
	}
	return &c.StatefulSet.Immutable
}

// NewComposed reads the composed resources that exist.
func NewComposed(resources map[string]*fnv1.Resource) (*Composed, error) {
	c := &Composed{Exists: map[string]bool{}, Exposed: map[string]bool{}, Secrets: map[string]*podinputs.Secret{}}

	for name, r := range resources {
		c.Exists[name] = true
		f := r.GetResource().GetFields()

		switch name {
		case manifests.ConfigMapResource:
			c.Config = new(f["data"].GetStructValue().GetFields()[dittofs.ConfigFile].GetStringValue())
		case manifests.StatefulSetResource:
			ss, err := newStatefulSet(r.GetResource())
			if err != nil {
				return nil, errors.Wrap(err, "cannot read the observed StatefulSet")
			}
			c.StatefulSet = ss
		case manifests.APIServiceResource, manifests.NFSServiceResource, manifests.SMBServiceResource:
			ingress := f["status"].GetStructValue().GetFields()["loadBalancer"].GetStructValue().GetFields()["ingress"]
			c.Exposed[name] = len(ingress.GetListValue().GetValues()) > 0
		case manifests.JWTSecretResource, manifests.AdminSecretResource:
			c.Secrets[name] = podinputs.NewSecret(r.GetResource())
		case manifests.PerconaResource:
			c.PerconaReady = f["status"].GetStructValue().GetFields()["state"].GetStringValue() == "ready"
			c.PerconaOwner = podinputs.Controller(r.GetResource())
		}
	}

	return c, nil
}

func newStatefulSet(s *structpb.Struct) (*StatefulSet, error) {
	spec := s.GetFields()["spec"].GetStructValue().GetFields()
	template := spec["template"].GetStructValue().GetFields()
	annotations := template["metadata"].GetStructValue().GetFields()["annotations"].GetStructValue().GetFields()

	ss := &StatefulSet{
		pod:        template["spec"],
		Generation: int64(s.GetFields()["metadata"].GetStructValue().GetFields()["generation"].GetNumberValue()),
		Annotations: rollout.Annotations{
			ConfigHash:   annotations[manifests.AnnotationConfigHash].GetStringValue(),
			RestartToken: annotations[manifests.AnnotationRestartToken].GetStringValue(),
		},
	}
	for _, v := range template["spec"].GetStructValue().GetFields()["volumes"].GetListValue().GetValues() {
		ss.Keytab = ss.Keytab || v.GetStructValue().GetFields()["name"].GetStringValue() == manifests.KeytabVolume
	}
	if err := fromStored(s.GetFields()["status"], &ss.Status); err != nil {
		return nil, errors.Wrap(err, "status")
	}

	immutable := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for _, f := range []string{"serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates"} {
		if v, ok := spec[f]; ok {
			immutable.Fields[f] = v
		}
	}
	typed := appsv1.StatefulSetSpec{}
	if err := fromStored(structpb.NewStructValue(immutable), &typed); err != nil {
		return nil, errors.Wrap(err, "spec")
	}
	ss.Immutable = manifests.Immutable{
		ServiceName:          typed.ServiceName,
		PodManagementPolicy:  typed.PodManagementPolicy,
		Selector:             typed.Selector,
		VolumeClaimTemplates: typed.VolumeClaimTemplates,
	}
	for i := range ss.Immutable.VolumeClaimTemplates {
		forget(&ss.Immutable.VolumeClaimTemplates[i])
	}

	return ss, nil
}

// forget what Kubernetes has added to a claim template: to send it would be to
// own it.
func forget(c *corev1.PersistentVolumeClaim) {
	c.APIVersion, c.Kind = "", ""
	c.Status = corev1.PersistentVolumeClaimStatus{}
}

// fromStored reads what Kubernetes has stored, which has the right types.
func fromStored(v *structpb.Value, into any) error {
	if v.GetStructValue() == nil {
		return nil
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(v.GetStructValue().AsMap(), into)
}
