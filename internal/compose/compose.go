// Package compose turns typed Kubernetes objects into desired composed resources
// that say no more than was meant. Crossplane applies what it is given by force,
// and owns every field of it.
package compose

import (
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// Resource converts an object. Zero numbers, empty strings and the like do not
// come along unless the type has them behind a pointer, where they are meant:
// replicas 0 does.
func Resource(o runtime.Object) (*structpb.Struct, error) {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, errors.Wrapf(err, "cannot convert %T", o)
	}

	prune(u)

	s, ok := value(u)
	if !ok {
		return nil, errors.Errorf("cannot convert %T", o)
	}
	return s.GetStructValue(), nil
}

// value is structpb.NewValue for what unstructured objects hold, which is UTF-8 and
// has few types. It takes half the time.
func value(v any) (*structpb.Value, bool) {
	switch v := v.(type) {
	case string:
		return &structpb.Value{Kind: &structpb.Value_StringValue{StringValue: v}}, utf8.ValidString(v)
	case bool:
		return &structpb.Value{Kind: &structpb.Value_BoolValue{BoolValue: v}}, true
	case int64:
		return &structpb.Value{Kind: &structpb.Value_NumberValue{NumberValue: float64(v)}}, true
	case map[string]any:
		fields := make(map[string]*structpb.Value, len(v))
		for name, field := range v {
			f, ok := value(field)
			if !ok {
				return nil, false
			}
			fields[name] = f
		}
		return &structpb.Value{Kind: &structpb.Value_StructValue{StructValue: &structpb.Struct{Fields: fields}}}, true
	case []any:
		values := make([]*structpb.Value, len(v))
		for i := range v {
			item, ok := value(v[i])
			if !ok {
				return nil, false
			}
			values[i] = item
		}
		return &structpb.Value{Kind: &structpb.Value_ListValue{ListValue: &structpb.ListValue{Values: values}}}, true
	}
	other, err := structpb.NewValue(v)
	return other, err == nil
}

// prune removes what Go's omitempty leaves of structs that are not behind a
// pointer. It goes by name and not by emptiness, because an empty object can be
// meant: a label selector that is empty selects everything.
func prune(object map[string]any) {
	delete(object, "status")
	removeEmpty(object, "metadata")

	spec := child(object, "spec")
	removeEmpty(spec, "updateStrategy")
	if spec["serviceName"] == "" {
		delete(spec, "serviceName")
	}

	template := child(spec, "template")
	removeEmpty(template, "metadata")
	for _, list := range []string{"containers", "initContainers"} {
		for _, c := range children(child(template, "spec"), list) {
			removeEmpty(c, "resources")
		}
	}

	for _, c := range children(spec, "volumeClaimTemplates") {
		prune(c)
	}
}

func removeEmpty(object map[string]any, field string) {
	if m, ok := object[field].(map[string]any); ok && len(m) == 0 {
		delete(object, field)
	}
}

// child returns an object's field that is an object, or an empty one.
func child(object map[string]any, field string) map[string]any {
	m, _ := object[field].(map[string]any)
	return m
}

// children returns the objects of an object's field that is a list.
func children(object map[string]any, field string) []map[string]any {
	l, _ := object[field].([]any)
	ms := make([]map[string]any, 0, len(l))
	for _, v := range l {
		if m, ok := v.(map[string]any); ok {
			ms = append(ms, m)
		}
	}
	return ms
}
