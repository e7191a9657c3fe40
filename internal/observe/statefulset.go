package observe

import (
	"slices"

	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/internal/lookups"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// A StatefulSet is what the function looks at of the existing StatefulSet.
type StatefulSet struct {
	Generation      int64
	ResourceVersion string

	// Replicas that it is to have.
	Replicas    int32
	Annotations rollout.Annotations
	Immutable   manifests.Immutable
	Status      appsv1.StatefulSetStatus

	// Template is its pod template, as far as Crossplane has applied it.
	Template rollout.Template

	// ConfigMap is the name of the one that the template reads, and Config the
	// config.yaml that it holds, by the StatefulSet's own annotation.
	ConfigMap, Config string

	// Keytab says whether the pod has a keytab.
	Keytab bool

	secrets []string // That its variables are read from.
}

// Observed is what a decision looks at of the StatefulSet, or nil.
func (s *StatefulSet) Observed() *rollout.Observed {
	if s == nil {
		return nil
	}
	return &rollout.Observed{Annotations: s.Annotations, Runs: s.Replicas > 0}
}

// Inputs are what the pod that there is reads from other objects, as far as
// Crossplane has applied the template. Those of its own ConfigMap are not among
// them.
func (s *StatefulSet) Inputs() ([]podinputs.Input, error) {
	t := &corev1.PodTemplateSpec{}
	if err := fromStored(s.Template.Value(), t); err != nil {
		return nil, errors.Wrap(err, "cannot read the observed StatefulSet's pod template")
	}
	return podinputs.Without(podinputs.From(t), podinputs.ConfigMap(s.ConfigMap)), nil
}

// Reads says whether the pod reads variables from a Secret.
func (s *StatefulSet) Reads(secret string) bool {
	return s != nil && slices.Contains(s.secrets, secret)
}

// Settled says whether its controller has seen the newest template, and no pod is of
// an older one. It does not ask whether the pod is ready.
func (s *StatefulSet) Settled() bool {
	return s.Status.ObservedGeneration >= s.Generation && s.Status.Replicas == s.Replicas && s.Status.UpdatedReplicas == s.Replicas
}

func newStatefulSet(s *structpb.Struct) (*StatefulSet, error) {
	meta := s.GetFields()["metadata"].GetStructValue().GetFields()
	spec := s.GetFields()["spec"].GetStructValue().GetFields()
	template := spec["template"].GetStructValue().GetFields()
	annotations := template["metadata"].GetStructValue().GetFields()["annotations"].GetStructValue().GetFields()

	ss := &StatefulSet{
		Generation:      int64(meta["generation"].GetNumberValue()),
		ResourceVersion: meta["resourceVersion"].GetStringValue(),
		Replicas:        1, // As Kubernetes has it.
		Annotations: rollout.Annotations{
			ConfigHash:   annotations[manifests.AnnotationConfigHash].GetStringValue(),
			RestartToken: annotations[manifests.AnnotationRestartToken].GetStringValue(),
		},
		Template: rollout.Applied(s),
		Config:   lookups.Annotations(s)[manifests.AnnotationConfig].GetStringValue(),
	}
	if r, ok := spec["replicas"]; ok {
		ss.Replicas = int32(r.GetNumberValue())
	}
	for _, v := range template["spec"].GetStructValue().GetFields()["volumes"].GetListValue().GetValues() {
		volume := v.GetStructValue().GetFields()
		switch volume["name"].GetStringValue() {
		case manifests.KeytabVolume:
			ss.Keytab = true
		case manifests.ConfigVolume:
			ss.ConfigMap = volume["configMap"].GetStructValue().GetFields()["name"].GetStringValue()
		}
	}
	for _, c := range template["spec"].GetStructValue().GetFields()["containers"].GetListValue().GetValues() {
		for _, e := range c.GetStructValue().GetFields()["env"].GetListValue().GetValues() {
			if ref := at(e.GetStructValue(), "valueFrom", "secretKeyRef", "name").GetStringValue(); ref != "" {
				ss.secrets = append(ss.secrets, ref)
			}
		}
	}
	ss.Status = statusOf(s.GetFields()["status"].GetStructValue().GetFields())

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

// statusOf reads what is looked at of a StatefulSet's status. It is read in each call,
// and a decoder of all of it takes longer than all else about the StatefulSet.
func statusOf(f map[string]*structpb.Value) appsv1.StatefulSetStatus {
	n := func(name string) int32 { return int32(f[name].GetNumberValue()) }
	return appsv1.StatefulSetStatus{
		ObservedGeneration: int64(f["observedGeneration"].GetNumberValue()),
		Replicas:           n("replicas"),
		ReadyReplicas:      n("readyReplicas"),
		UpdatedReplicas:    n("updatedReplicas"),
		AvailableReplicas:  n("availableReplicas"),
		CurrentRevision:    f["currentRevision"].GetStringValue(),
		UpdateRevision:     f["updateRevision"].GetStringValue(),
	}
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
