package observed

import (
	"slices"

	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A StatefulSet is what the function looks at of the existing StatefulSet.
type StatefulSet struct {
	// Object is all of it.
	Object *structpb.Struct

	Generation      int64
	ResourceVersion string

	// Replicas that it is to have.
	Replicas int32

	// ConfigHash and RestartToken are annotations of its pod template.
	ConfigHash, RestartToken string

	Immutable manifests.Immutable
	Status    appsv1.StatefulSetStatus

	// ConfigMap is the name of the one that the template reads, and Config the
	// config.yaml that it holds, by the StatefulSet's own annotation.
	ConfigMap, Config string

	// Keytab says whether the pod has a keytab.
	Keytab bool

	secrets []string // That its variables are read from.
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
	template := structs.At(s, "spec", "template").GetStructValue()
	ss := &StatefulSet{
		Object:          s,
		Generation:      int64(structs.Number(s, "metadata", "generation")),
		ResourceVersion: structs.Text(s, "metadata", "resourceVersion"),
		Replicas:        1, // As Kubernetes has it.
		ConfigHash:      structs.Annotation(template, manifests.AnnotationConfigHash),
		RestartToken:    structs.Annotation(template, manifests.AnnotationRestartToken),
		Status:          statusOf(structs.At(s, "status").GetStructValue()),
		Config:          structs.Annotation(s, manifests.AnnotationConfig),
	}
	if r := structs.At(s, "spec", "replicas"); r != nil {
		ss.Replicas = int32(r.GetNumberValue())
	}
	for _, v := range structs.Objects(template, "spec", "volumes") {
		switch structs.Text(v, "name") {
		case manifests.KeytabVolume:
			ss.Keytab = true
		case manifests.ConfigVolume:
			ss.ConfigMap = structs.Text(v, "configMap", "name")
		}
	}
	for _, c := range structs.Objects(template, "spec", "containers") {
		for _, e := range structs.Objects(c, "env") {
			if name := structs.Text(e, "valueFrom", "secretKeyRef", "name"); name != "" {
				ss.secrets = append(ss.secrets, name)
			}
		}
	}

	var err error
	ss.Immutable, err = immutable(structs.Fields(s, "spec"))
	return ss, errors.Wrap(err, "spec")
}

// immutable reads what a StatefulSet cannot change of its spec.
func immutable(spec map[string]*structpb.Value) (manifests.Immutable, error) {
	fields := map[string]*structpb.Value{}
	for _, f := range []string{"serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates"} {
		if v, ok := spec[f]; ok {
			fields[f] = v
		}
	}
	typed := appsv1.StatefulSetSpec{}
	if err := structs.Into(structpb.NewStructValue(&structpb.Struct{Fields: fields}), &typed); err != nil {
		return manifests.Immutable{}, err
	}
	for i := range typed.VolumeClaimTemplates {
		forget(&typed.VolumeClaimTemplates[i])
	}
	return manifests.Immutable{
		ServiceName:          typed.ServiceName,
		PodManagementPolicy:  typed.PodManagementPolicy,
		Selector:             typed.Selector,
		VolumeClaimTemplates: typed.VolumeClaimTemplates,
	}, nil
}

// forget what Kubernetes has added to a claim template: to send it would be to
// own it.
func forget(c *corev1.PersistentVolumeClaim) {
	c.APIVersion, c.Kind = "", ""
	c.Status = corev1.PersistentVolumeClaimStatus{}
}

// statusOf reads what is looked at of a StatefulSet's status. It is read in each call,
// and a decoder of all of it takes longer than all else about the StatefulSet.
func statusOf(status *structpb.Struct) appsv1.StatefulSetStatus {
	n := func(name string) int32 { return int32(structs.Number(status, name)) }
	return appsv1.StatefulSetStatus{
		ObservedGeneration: int64(structs.Number(status, "observedGeneration")),
		Replicas:           n("replicas"),
		ReadyReplicas:      n("readyReplicas"),
		UpdatedReplicas:    n("updatedReplicas"),
		AvailableReplicas:  n("availableReplicas"),
		CurrentRevision:    structs.Text(status, "currentRevision"),
		UpdateRevision:     structs.Text(status, "updateRevision"),
	}
}
