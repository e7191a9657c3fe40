package observed

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A StatefulSet has the parts of the existing StatefulSet that the function looks at.
type StatefulSet struct {
	// Object is the StatefulSet as it was observed.
	Object *structpb.Struct

	Generation      int64
	ResourceVersion string

	// Replicas is the number of pods that it asks for.
	Replicas int32

	// ConfigHash, RestartToken and EncryptionKeys are annotations of its pod template.
	ConfigHash, RestartToken, EncryptionKeys string

	// Kept has the fields of its spec that cannot change, in the form in which they are
	// sent. Immutable has those on which the wanted objects depend.
	Kept      map[string]*structpb.Value
	Immutable manifests.Immutable

	Status appsv1.StatefulSetStatus

	// ConfigMap is the name of the ConfigMap that the template reads. Config is the
	// config.yaml in it, as the StatefulSet's own annotation has it.
	ConfigMap, Config string

	// MasterKeys of encrypted stores that the pod has, by the names of their files.
	MasterKeys map[string]string

	// Keytab says whether the pod has a keytab.
	Keytab bool

	variables []variable
}

// A variable comes from a key of a Secret.
type variable struct{ name, secret, key string }

// Reads says whether the pod reads variables from a Secret.
func (s *StatefulSet) Reads(secret string) bool {
	return s != nil && slices.ContainsFunc(s.variables, func(v variable) bool { return v.secret == secret })
}

// KeyOf returns the key of a Secret that the pod reads as a variable, or nothing.
func (s *StatefulSet) KeyOf(name, secret string) string {
	if s == nil {
		return ""
	}
	for _, v := range s.variables {
		if v.name == name && v.secret == secret {
			return v.key
		}
	}
	return ""
}

// Runs says whether there may be a pod. A StatefulSet that was just scaled to zero has
// its pod until the controller sees that, and somebody may scale it back before then.
func (s *StatefulSet) Runs() bool { return s.Replicas > 0 || !s.Settled() }

// Settled says whether the controller has seen the newest template and no pod is of an
// older one. The pod need not be ready.
func (s *StatefulSet) Settled() bool {
	return s.Status.ObservedGeneration >= s.Generation && s.Status.Replicas == s.Replicas && s.Status.UpdatedReplicas == s.Replicas
}

// Replacing says whether the controller replaces pods of an older template.
func (s *StatefulSet) Replacing() bool {
	return s.Replicas > 0 && s.Status.CurrentRevision != s.Status.UpdateRevision
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
		EncryptionKeys:  structs.Annotation(template, manifests.AnnotationEncryptionKeys),
		Status:          statusOf(structs.At(s, "status").GetStructValue()),
		Config:          structs.Annotation(s, manifests.AnnotationConfig),
	}
	ss.MasterKeys = masterKeys(ss.EncryptionKeys)
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
			if secret := structs.Text(e, "valueFrom", "secretKeyRef", "name"); secret != "" {
				ss.variables = append(ss.variables, variable{structs.Text(e, "name"), secret, structs.Text(e, "valueFrom", "secretKeyRef", "key")})
			}
		}
	}

	ss.Kept = kept(structs.At(s, "spec").GetStructValue())
	var err error
	ss.Immutable, err = immutable(structs.At(s, "spec").GetStructValue())
	return ss, errors.Wrap(err, "spec")
}

// masterKeys reads an annotation such as main=ID,other=ID.
func masterKeys(annotation string) map[string]string {
	if annotation == "" {
		return nil
	}
	keys := map[string]string{}
	for pair := range strings.SplitSeq(annotation, ",") {
		name, id, _ := strings.Cut(pair, "=")
		keys[name] = id
	}
	return keys
}

// kept returns the fields of a StatefulSet's spec that cannot change. It leaves out what
// Kubernetes has added to the claim templates: whoever sends a field owns it.
func kept(spec *structpb.Struct) map[string]*structpb.Value {
	fields := map[string]*structpb.Value{}
	for _, name := range []string{"serviceName", "podManagementPolicy", "selector"} {
		if v := structs.At(spec, name); v != nil {
			fields[name] = v
		}
	}
	claims := &structpb.ListValue{}
	for _, o := range structs.Objects(spec, "volumeClaimTemplates") {
		claim, meta := structs.Clone(o), structs.Clone(structs.At(o, "metadata").GetStructValue())
		for _, added := range []string{"apiVersion", "kind", "status"} {
			delete(claim.GetFields(), added)
		}
		delete(meta.GetFields(), "creationTimestamp")
		claim.Fields["metadata"] = structpb.NewStructValue(meta)
		claims.Values = append(claims.Values, structpb.NewStructValue(claim))
	}
	if len(claims.GetValues()) > 0 {
		fields["volumeClaimTemplates"] = structpb.NewListValue(claims)
	}
	return fields
}

// immutable reads the unchangeable fields on which the wanted objects depend.
func immutable(spec *structpb.Struct) (manifests.Immutable, error) {
	im := manifests.Immutable{
		ServiceName:         structs.Text(spec, "serviceName"),
		PodManagementPolicy: appsv1.PodManagementPolicyType(structs.Text(spec, "podManagementPolicy")),
	}
	if structs.At(spec, "selector") != nil {
		im.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{}}
		for name, v := range structs.Fields(spec, "selector", "matchLabels") {
			im.Selector.MatchLabels[name] = v.GetStringValue()
		}
	}
	if v := structs.At(spec, "volumeClaimTemplates"); v != nil && v.GetListValue() == nil {
		return im, errors.New("volumeClaimTemplates: not a list")
	}
	for _, o := range structs.Objects(spec, "volumeClaimTemplates") {
		claim := corev1.PersistentVolumeClaim{}
		claim.Name = structs.Name(o)
		if class := structs.At(o, "spec", "storageClassName"); class != nil {
			claim.Spec.StorageClassName = new(class.GetStringValue())
		}
		if size := structs.Text(o, "spec", "resources", "requests", "storage"); size != "" {
			q, err := resource.ParseQuantity(size)
			if err != nil {
				return im, errors.Wrapf(err, "volumeClaimTemplates: the size of %q", claim.Name)
			}
			claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: q}
		}
		im.VolumeClaimTemplates = append(im.VolumeClaimTemplates, claim)
	}
	return im, nil
}

// statusOf reads the fields of a StatefulSet's status that the function looks at.
// Decoding all of it in each call would take longer than everything else about the
// StatefulSet.
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
