package rollout

import (
	"maps"

	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// Want converts a wanted StatefulSet into the form in which it is sent, with the
// annotations that replace the pod. Fields of an existing StatefulSet that cannot
// change stay as they are: otherwise Kubernetes would refuse all of it, including a
// rotated credential.
func Want(want *appsv1.StatefulSet, a Annotations, have *observed.StatefulSet) (*structpb.Struct, error) {
	ss := *want
	if have != nil {
		ss.Spec.VolumeClaimTemplates = nil
	}
	annotations := maps.Clone(ss.Spec.Template.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[manifests.AnnotationConfigHash] = a.ConfigHash
	if a.RestartToken != "" {
		annotations[manifests.AnnotationRestartToken] = a.RestartToken
	}
	if a.EncryptionKeys != "" {
		annotations[manifests.AnnotationEncryptionKeys] = a.EncryptionKeys
	}
	ss.Spec.Template.Annotations = annotations
	s, err := structs.FromObject(&ss)
	if have != nil && err == nil {
		maps.Copy(structs.Fields(s, "spec"), have.Kept)
	}
	return s, err
}

// TemplateOf returns the pod template of a StatefulSet.
func TemplateOf(s *structpb.Struct) *structpb.Value { return structs.At(s, "spec", "template") }

// Send returns the StatefulSet to send: as it is wanted, or held. If it is held, the pod
// template and the configuration that it names stay, and everything else advances. The
// result shares unchanged parts with the wanted StatefulSet.
func Send(wanted *structpb.Struct, have *observed.StatefulSet, d Decision) *structpb.Struct {
	if !d.Pinned {
		return wanted
	}

	s := structs.Clone(wanted)
	meta := cloneField(s, "metadata")
	if have.ResourceVersion != "" {
		meta.Fields["resourceVersion"] = structpb.NewStringValue(have.ResourceVersion)
	}
	if d.Action != Hold {
		return s
	}

	if have.Config != "" {
		cloneField(meta, "annotations").Fields[manifests.AnnotationConfig] = structpb.NewStringValue(have.Config)
	} else {
		delete(meta.GetFields(), "annotations")
	}
	spec := cloneField(s, "spec")
	applied := Applied(have.Object)
	if template := applied.Value(); template != nil {
		spec.Fields["template"] = template
	} else {
		delete(spec.GetFields(), "template")
	}
	return s
}

// cloneField replaces a field that is an object with a copy.
func cloneField(o *structpb.Struct, name string) *structpb.Struct {
	field := structs.Clone(o.GetFields()[name].GetStructValue())
	o.Fields[name] = structpb.NewStructValue(field)
	return field
}
