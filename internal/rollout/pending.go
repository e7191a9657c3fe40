package rollout

import (
	"encoding/json"
	"maps"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// Pending returns a digest of the wanted pod template and source while they wait for
// the user, and nothing otherwise.
func Pending(s Source, template *structpb.Value, d Decision) (string, error) {
	if d.Reason != ManualPolicy {
		return "", nil
	}
	b, err := json.Marshal(withoutToken(template).AsInterface()) // Keys of a map are written in order.
	if err != nil {
		return "", errors.Wrap(err, "cannot write the pod template in a canonical form")
	}
	return pendingHash(s, b), nil
}

// withoutToken returns a pod template without the annotations that depend on the
// restartToken.
func withoutToken(template *structpb.Value) *structpb.Value {
	t := &structpb.Struct{Fields: maps.Clone(fieldsOf(template))}
	meta := &structpb.Struct{Fields: maps.Clone(fieldsOf(t.GetFields()["metadata"]))}
	if a := without(meta.GetFields()["annotations"], manifests.AnnotationConfigHash, manifests.AnnotationRestartToken); a != nil {
		meta.Fields["annotations"] = a
	} else {
		delete(meta.GetFields(), "annotations")
	}
	t.Fields["metadata"] = structpb.NewStructValue(meta)
	return structpb.NewStructValue(t)
}
