package structs

import (
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// FromObject converts a typed Kubernetes object. Crossplane applies the result by force
// and then owns every field of it. So the result has no zero numbers, empty strings and
// the like, unless the type has them behind a pointer: replicas 0 is intended.
func FromObject(o runtime.Object) (*structpb.Struct, error) {
	v, err := value.NewValueReflect(o)
	if err != nil {
		return nil, errors.Wrapf(err, "cannot convert %T", o)
	}
	s, err := convert(v, value.NewFreelistAllocator())
	if err != nil {
		return nil, errors.Wrapf(err, "cannot convert %T", o)
	}
	prune(s.GetStructValue().GetFields())
	return s.GetStructValue(), nil
}

// convert does what structpb.NewValue does, for a field of a Kubernetes type. It reads
// the type directly, because an unstructured object in between would take twice as long.
func convert(v value.Value, a value.Allocator) (out *structpb.Value, err error) {
	switch {
	case v.IsMap():
		m := v.AsMapUsing(a)
		defer a.Free(m)
		fields := make(map[string]*structpb.Value)
		m.IterateUsing(a, func(name string, field value.Value) bool {
			fields[name], err = convert(field, a)
			return err == nil
		})
		return structpb.NewStructValue(&structpb.Struct{Fields: fields}), err
	case v.IsList():
		l := v.AsListUsing(a)
		defer a.Free(l)
		values := make([]*structpb.Value, l.Length())
		for i := range values {
			item := l.AtUsing(a, i)
			values[i], err = convert(item, a)
			a.Free(item)
			if err != nil {
				return nil, err
			}
		}
		return structpb.NewListValue(&structpb.ListValue{Values: values}), nil
	case v.IsInt():
		return structpb.NewNumberValue(float64(v.AsInt())), nil
	case v.IsString():
		s := v.AsString()
		if !utf8.ValidString(s) {
			return nil, errors.New("a string is not UTF-8")
		}
		return structpb.NewStringValue(s), nil
	}
	return structpb.NewValue(v.Unstructured())
}

// prune removes the empty objects that Go's omitempty leaves for structs without a
// pointer. It removes them by name, because an empty object can be intended: an empty
// label selector selects everything.
func prune(object map[string]*structpb.Value) {
	delete(object, "status")
	removeEmpty(object, "metadata")

	spec := child(object, "spec")
	removeEmpty(spec, "updateStrategy")
	if name, ok := spec["serviceName"]; ok && name.GetStringValue() == "" {
		delete(spec, "serviceName")
	}

	template := child(spec, "template")
	removeEmpty(template, "metadata")
	pod := child(template, "spec")
	for _, list := range []string{"containers", "initContainers"} {
		for _, c := range pod[list].GetListValue().GetValues() {
			removeEmpty(c.GetStructValue().GetFields(), "resources")
		}
	}

	for _, c := range spec["volumeClaimTemplates"].GetListValue().GetValues() {
		prune(c.GetStructValue().GetFields())
	}
}

func removeEmpty(object map[string]*structpb.Value, field string) {
	if s, ok := object[field].GetKind().(*structpb.Value_StructValue); ok && len(s.StructValue.GetFields()) == 0 {
		delete(object, field)
	}
}

func child(object map[string]*structpb.Value, field string) map[string]*structpb.Value {
	return object[field].GetStructValue().GetFields()
}

// Into reads a value into a Go type. The value has the right types if Kubernetes has
// stored it. If it is not an object, Into does nothing.
func Into(v *structpb.Value, into any) error {
	if v.GetStructValue() == nil {
		return nil
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(v.GetStructValue().AsMap(), into)
}
