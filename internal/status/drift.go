package status

import (
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// Drift describes how the volumes of a server differ from its spec, one line for each
// difference. If a claim template has another size, Drift looks up the claim itself: the
// template cannot change, but somebody may have resized the claim by hand.
func Drift(around *observed.Surroundings, xr *observed.Composite, ss *observed.StatefulSet) []string {
	if ss == nil {
		return nil
	}
	lines := []string{}
	for _, d := range manifests.StorageDrift(xr.DittoServer, &ss.Immutable) {
		if d.Claim == "" {
			lines = append(lines, d.Text)
			continue
		}
		switch c := around.Claim(d.Claim); {
		case !c.MayRead:
			lines = append(lines, d.Text)
		case hasSize(c.Object, d.Size):
		case c.Object != nil:
			lines = append(lines, d.Text+", and its claim "+sizes(c.Object))
		default:
			lines = append(lines, d.Text)
		}
	}
	return lines
}

// hasSize says whether a claim asks for a size and has it.
func hasSize(claim *structpb.Struct, size *resource.Quantity) bool {
	want, err := resource.ParseQuantity(requested(claim))
	if err != nil || want.Cmp(*size) != 0 {
		return false
	}
	got, err := resource.ParseQuantity(capacity(claim))
	return err == nil && got.Cmp(*size) >= 0
}

// sizes says which size a claim has. It may be growing, which can take until a pod uses
// it.
func sizes(claim *structpb.Struct) string {
	asked, has := requested(claim), capacity(claim)
	if has != "" && has != asked {
		return fmt.Sprintf("asks for %s, and has %s so far", asked, has)
	}
	return "has " + asked
}

func capacity(claim *structpb.Struct) string {
	return structs.Text(claim, "status", "capacity", "storage")
}

func requested(claim *structpb.Struct) string {
	return structs.Text(claim, "spec", "resources", "requests", "storage")
}
