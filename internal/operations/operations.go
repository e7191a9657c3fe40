// Package operations works on many DittoServers at once, as steps of Crossplane's
// Operations. It looks at the DittoServers as they are in the cluster, and returns a few
// fields of some objects, which Crossplane applies by force and does not own.
package operations

import (
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/decode"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A Result is what an Operation does.
type Result struct {
	// Desired are the objects to apply, with only the fields that change.
	Desired map[string]*structpb.Struct

	// Output says what is done and what is left, and why.
	Output map[string]any

	// Message says it in short. Warning is set if somebody has to look.
	Message string
	Warning bool
}

// Is says whether a kind of Input is that of an Operation.
func Is(kind string) bool { return kind == v1beta1.KindRestart || kind == v1beta1.KindResize }

// Run returns what an Operation does, or nothing as long as Crossplane has not looked up
// all that it takes to tell. The time is for those of conditions.
func Run(input *structpb.Struct, look *observed.Lookups, now time.Time) (*Result, field.ErrorList, error) {
	if structs.Text(input, "kind") == v1beta1.KindResize {
		in, errs := read[v1beta1.Resize](input)
		if len(errs) > 0 {
			return nil, errs, nil
		}
		r, err := resize(in, look)
		return r, nil, err
	}
	in, errs := read[v1beta1.Restart](input)
	if len(errs) > 0 {
		return nil, errs, nil
	}
	return restart(in, look, now), nil, nil
}

// read returns an Input with its defaults, if it is valid.
func read[T any, P interface {
	*T
	Default()
	Validate() field.ErrorList
}](input *structpb.Struct) (*T, field.ErrorList) {
	in, errs := decode.Strict[T](field.NewPath("input"), input.AsMap())
	if len(errs) > 0 {
		return nil, errs
	}
	P(in).Default()
	return in, P(in).Validate()
}
