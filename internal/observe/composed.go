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
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// Composed is what exists of a DittoServer.
type Composed struct {
	// StatefulSet, or nil.
	StatefulSet *StatefulSet

	// Config is the config.yaml of the ConfigMap, or nil if there is no ConfigMap.
	Config *string

	// Services by the name of the composed resource.
	Services map[string]*corev1.Service
}

// A StatefulSet is what the function looks at of the existing StatefulSet.
type StatefulSet struct {
	Generation  int64
	Annotations rollout.Annotations
	Immutable   manifests.Immutable
	Status      appsv1.StatefulSetStatus
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
	c := &Composed{Services: map[string]*corev1.Service{}}

	if r, ok := resources[manifests.ConfigMapResource]; ok {
		config := r.GetResource().GetFields()["data"].GetStructValue().GetFields()[dittofs.ConfigFile].GetStringValue()
		c.Config = &config
	}

	for _, name := range []string{manifests.HeadlessServiceResource, manifests.APIServiceResource} {
		r, ok := resources[name]
		if !ok {
			continue
		}
		svc := &corev1.Service{}
		if err := decode(r.GetResource().GetFields()["status"], &svc.Status); err != nil {
			return nil, errors.Wrapf(err, "cannot read the status of the observed %s", name)
		}
		c.Services[name] = svc
	}

	if r, ok := resources[manifests.StatefulSetResource]; ok {
		ss, err := newStatefulSet(r.GetResource())
		if err != nil {
			return nil, errors.Wrap(err, "cannot read the observed StatefulSet")
		}
		c.StatefulSet = ss
	}

	return c, nil
}

func newStatefulSet(s *structpb.Struct) (*StatefulSet, error) {
	spec := s.GetFields()["spec"].GetStructValue().GetFields()
	annotations := spec["template"].GetStructValue().GetFields()["metadata"].GetStructValue().GetFields()["annotations"].GetStructValue().GetFields()

	ss := &StatefulSet{
		Generation: int64(s.GetFields()["metadata"].GetStructValue().GetFields()["generation"].GetNumberValue()),
		Annotations: rollout.Annotations{
			ConfigHash:   annotations[manifests.AnnotationConfigHash].GetStringValue(),
			RestartToken: annotations[manifests.AnnotationRestartToken].GetStringValue(),
		},
	}
	if err := decode(s.GetFields()["status"], &ss.Status); err != nil {
		return nil, errors.Wrap(err, "status")
	}

	immutable := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for _, f := range []string{"serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates"} {
		if v, ok := spec[f]; ok {
			immutable.Fields[f] = v
		}
	}
	typed := appsv1.StatefulSetSpec{}
	if err := decode(structpb.NewStructValue(immutable), &typed); err != nil {
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

func decode(v *structpb.Value, into any) error {
	if v.GetStructValue() == nil {
		return nil
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(v.GetStructValue().AsMap(), into)
}
