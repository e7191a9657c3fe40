package compose

import (
	"maps"

	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// StatefulSet converts a wanted StatefulSet, with the annotations that replace the
// pod.
func StatefulSet(want *appsv1.StatefulSet, a rollout.Annotations) (*structpb.Struct, error) {
	ss := *want
	annotations := maps.Clone(ss.Spec.Template.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[manifests.AnnotationConfigHash] = a.ConfigHash
	if a.RestartToken != "" {
		annotations[manifests.AnnotationRestartToken] = a.RestartToken
	}
	ss.Spec.Template.Annotations = annotations
	return Resource(&ss)
}

// TemplateOf returns the pod template of a StatefulSet.
func TemplateOf(s *structpb.Struct) *structpb.Value {
	return s.GetFields()["spec"].GetStructValue().GetFields()["template"]
}

// statefulSet is the one that is sent: as it is wanted, or held. Of a server that is
// held all but the pod template moves on, and with the template stays the
// configuration that it names. It shares with the wanted one what it does not change.
func statefulSet(o *Objects) *structpb.Struct {
	have, d := o.Have.StatefulSet, o.Decision
	if !d.Pinned {
		return o.StatefulSet
	}

	s := clone(o.StatefulSet)
	meta := clone(s.GetFields()["metadata"].GetStructValue())
	s.Fields["metadata"] = structpb.NewStructValue(meta)
	if have.ResourceVersion != "" {
		meta.Fields["resourceVersion"] = structpb.NewStringValue(have.ResourceVersion)
	}
	if d.Action != rollout.Hold {
		return s
	}

	annotations := clone(meta.GetFields()["annotations"].GetStructValue())
	meta.Fields["annotations"] = structpb.NewStructValue(annotations)
	annotations.Fields[manifests.AnnotationConfig] = structpb.NewStringValue(have.Config)
	if have.Config == "" {
		delete(meta.GetFields(), "annotations")
	}

	spec := clone(s.GetFields()["spec"].GetStructValue())
	s.Fields["spec"] = structpb.NewStructValue(spec)
	spec.Fields["template"] = have.Template.Value()
	if spec.GetFields()["template"] == nil {
		delete(spec.GetFields(), "template")
	}
	return s
}

func clone(s *structpb.Struct) *structpb.Struct {
	return &structpb.Struct{Fields: maps.Clone(s.GetFields())}
}
