package functest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"

	"github.com/crossplane/crossplane-runtime/v2/pkg/fieldpath"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// Object returns the object that a YAML document is.
func Object(tb testing.TB, text string) *structpb.Struct {
	tb.Helper()
	j, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	s := &structpb.Struct{}
	if err := protojson.Unmarshal(j, s); err != nil {
		tb.Fatal(err)
	}
	return s
}

// With returns an object with a field set. The path is one of Crossplane's.
func With(tb testing.TB, s *structpb.Struct, path string, value any) *structpb.Struct {
	tb.Helper()
	return WithAll(tb, s, map[string]any{path: value})
}

// WithAll returns an object with fields set.
func WithAll(tb testing.TB, s *structpb.Struct, fields map[string]any) *structpb.Struct {
	tb.Helper()
	p := fieldpath.Pave(s.AsMap())
	for path, value := range fields {
		if err := p.SetValue(path, value); err != nil {
			tb.Fatal(err)
		}
	}
	out, err := structpb.NewStruct(p.UnstructuredContent())
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Without returns an object without a field.
func Without(tb testing.TB, s *structpb.Struct, path string) *structpb.Struct {
	tb.Helper()
	p := fieldpath.Pave(s.AsMap())
	if err := p.DeleteField(path); err != nil {
		tb.Fatal(err)
	}
	out, err := structpb.NewStruct(p.UnstructuredContent())
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func withConditions(tb testing.TB, xr *structpb.Struct, conditions []*fnv1.Condition) *structpb.Struct {
	tb.Helper()
	byType := map[string]any{}
	for _, v := range ValueAt(xr, "status", "conditions").GetListValue().GetValues() {
		byType[v.GetStructValue().GetFields()["type"].GetStringValue()] = v.AsInterface()
	}
	for _, c := range conditions {
		status := map[fnv1.Status]string{fnv1.Status_STATUS_CONDITION_TRUE: "True", fnv1.Status_STATUS_CONDITION_FALSE: "False", fnv1.Status_STATUS_CONDITION_UNKNOWN: "Unknown"}[c.GetStatus()]
		byType[c.GetType()] = map[string]any{"type": c.GetType(), "status": status, "reason": c.GetReason(), "message": c.GetMessage(), "lastTransitionTime": "2025-01-01T00:00:00Z"}
	}
	list := []any{}
	for _, typ := range slices.Sorted(maps.Keys(byType)) {
		list = append(list, byType[typ])
	}
	return With(tb, xr, "status.conditions", list)
}

// ValueAt returns a field of an object, or nil.
func ValueAt(s *structpb.Struct, fields ...string) *structpb.Value {
	v := structpb.NewStructValue(s)
	for _, f := range fields {
		v = v.GetStructValue().GetFields()[f]
	}
	return v
}

// StringOf returns a field of an object that is a string, or nothing.
func StringOf(s *structpb.Struct, fields ...string) string {
	return ValueAt(s, fields...).GetStringValue()
}

// SetAt returns an object with a field set. It shares with the other one what is the
// same: objects are never changed in place.
func SetAt(s *structpb.Struct, value any, fields ...string) *structpb.Struct {
	out := &structpb.Struct{Fields: maps.Clone(s.GetFields())}
	if out.GetFields() == nil {
		out.Fields = map[string]*structpb.Value{}
	}
	name, rest := fields[0], fields[1:]
	v, ok := value.(*structpb.Value)
	switch {
	case len(rest) > 0:
		v = structpb.NewStructValue(SetAt(s.GetFields()[name].GetStructValue(), value, rest...))
	case !ok:
		v, _ = structpb.NewValue(value)
	}
	out.Fields[name] = v
	return out
}

// Same says whether two objects are equal. It is proto.Equal, for objects that have
// most of what is in them in common.
func Same(x, y *structpb.Struct) bool {
	return x == y || len(x.GetFields()) == len(y.GetFields()) && (x == nil) == (y == nil) && maps.EqualFunc(x.GetFields(), y.GetFields(), SameValue)
}

// SameValue says whether two values are equal, as Same does.
func SameValue(x, y *structpb.Value) bool {
	if x == y {
		return true
	}
	switch k := x.GetKind().(type) {
	case *structpb.Value_StructValue:
		other, ok := y.GetKind().(*structpb.Value_StructValue)
		return ok && Same(k.StructValue, other.StructValue)
	case *structpb.Value_ListValue:
		other, ok := y.GetKind().(*structpb.Value_ListValue)
		return ok && slices.EqualFunc(k.ListValue.GetValues(), other.ListValue.GetValues(), SameValue)
	case *structpb.Value_StringValue:
		other, ok := y.GetKind().(*structpb.Value_StringValue)
		return ok && k.StringValue == other.StringValue
	default:
		return proto.Equal(x, y)
	}
}

// StringAt returns a field of an object as a string, or nothing. The path is one
// of Crossplane's.
func StringAt(tb testing.TB, s *structpb.Struct, path string) string {
	tb.Helper()
	v, err := fieldpath.Pave(s.AsMap()).GetValue(path)
	if fieldpath.IsNotFound(err) {
		return ""
	}
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprint(v)
}

// Diff is cmp.Diff for messages that are mostly equal, which it finds out faster.
func Diff(x, y proto.Message) string {
	if proto.Equal(x, y) {
		return ""
	}
	return cmp.Diff(x, y, protocmp.Transform())
}

// AsYAML returns a message in a form that people can read and compare.
func AsYAML(tb testing.TB, m proto.Message) string {
	tb.Helper()
	j, err := protojson.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	y, err := yaml.JSONToYAML(j)
	if err != nil {
		tb.Fatal(err)
	}
	return string(y)
}

// HashOf is the config hash of a StatefulSet.
func HashOf(s *structpb.Struct) string {
	return ValueAt(s, "spec", "template", "metadata", "annotations", manifests.AnnotationConfigHash).GetStringValue()
}

// Container is the server's container of a StatefulSet.
func Container(ss *structpb.Struct) *structpb.Struct {
	for _, c := range ValueAt(ss, "spec", "template", "spec", "containers").GetListValue().GetValues() {
		return c.GetStructValue()
	}
	return nil
}

// TemplateOf is the pod template of a StatefulSet.
func TemplateOf(ss *structpb.Struct) *structpb.Value { return ValueAt(ss, "spec", "template") }

// ConditionOf returns a condition of the composite resource in short: its status and
// reason.
func ConditionOf(xr *structpb.Struct, typ string) string {
	for _, v := range ValueAt(xr, "status", "conditions").GetListValue().GetValues() {
		if f := v.GetStructValue().GetFields(); f["type"].GetStringValue() == typ {
			return f["status"].GetStringValue() + " " + f["reason"].GetStringValue()
		}
	}
	return ""
}
