package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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

// What is in responses.

func isFatal(rsp *fnv1.RunFunctionResponse) bool {
	return slices.ContainsFunc(rsp.GetResults(), func(r *fnv1.Result) bool { return r.GetSeverity() == fnv1.Severity_SEVERITY_FATAL })
}

func desired(rsp *fnv1.RunFunctionResponse, name string) *structpb.Struct {
	return rsp.GetDesired().GetResources()[name].GetResource()
}

// hashOf is the config hash of a StatefulSet.
func hashOf(s *structpb.Struct) string {
	return valueAt(s, "spec", "template", "metadata", "annotations", manifests.AnnotationConfigHash).GetStringValue()
}

// container is the server's container of a StatefulSet.
func container(ss *structpb.Struct) *structpb.Struct {
	for _, c := range valueAt(ss, "spec", "template", "spec", "containers").GetListValue().GetValues() {
		return c.GetStructValue()
	}
	return nil
}

// condition returns a condition in short: its status and reason.
func condition(rsp *fnv1.RunFunctionResponse, typ string) string {
	c := fullCondition(rsp, typ)
	return strings.TrimPrefix(c.GetStatus().String(), "STATUS_CONDITION_") + " " + c.GetReason()
}

func fullCondition(rsp *fnv1.RunFunctionResponse, typ string) *fnv1.Condition {
	for _, c := range rsp.GetConditions() {
		if c.GetType() == typ {
			return c
		}
	}
	return nil
}

// results returns the results in short: their severities and reasons.
func results(rsp *fnv1.RunFunctionResponse) []string {
	rs := []string{}
	for _, r := range rsp.GetResults() {
		rs = append(rs, r.GetSeverity().String()+" "+r.GetReason())
	}
	return rs
}

// What objects are made with.

func object(tb testing.TB, text string) *structpb.Struct {
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

// with returns an object with a field set. The path is one of Crossplane's.
func with(tb testing.TB, s *structpb.Struct, path string, value any) *structpb.Struct {
	tb.Helper()
	return withAll(tb, s, map[string]any{path: value})
}

// withAll returns an object with fields set.
func withAll(tb testing.TB, s *structpb.Struct, fields map[string]any) *structpb.Struct {
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

// without returns an object without a field.
func without(tb testing.TB, s *structpb.Struct, path string) *structpb.Struct {
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
	for _, v := range valueAt(xr, "status", "conditions").GetListValue().GetValues() {
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
	return with(tb, xr, "status.conditions", list)
}

// valueAt returns a field of an object, or nil.
func valueAt(s *structpb.Struct, fields ...string) *structpb.Value {
	v := structpb.NewStructValue(s)
	for _, f := range fields {
		v = v.GetStructValue().GetFields()[f]
	}
	return v
}

// stringOf returns a field of an object that is a string, or nothing.
func stringOf(s *structpb.Struct, fields ...string) string {
	return valueAt(s, fields...).GetStringValue()
}

// setAt returns an object with a field set. It shares with the other one what is the
// same: objects are never changed in place.
func setAt(s *structpb.Struct, value any, fields ...string) *structpb.Struct {
	out := &structpb.Struct{Fields: maps.Clone(s.GetFields())}
	if out.GetFields() == nil {
		out.Fields = map[string]*structpb.Value{}
	}
	name, rest := fields[0], fields[1:]
	v, ok := value.(*structpb.Value)
	switch {
	case len(rest) > 0:
		v = structpb.NewStructValue(setAt(s.GetFields()[name].GetStructValue(), value, rest...))
	case !ok:
		v, _ = structpb.NewValue(value)
	}
	out.Fields[name] = v
	return out
}

// same says whether two objects are equal. It is proto.Equal, for objects that have
// most of what is in them in common.
func same(x, y *structpb.Struct) bool {
	return x == y || len(x.GetFields()) == len(y.GetFields()) && (x == nil) == (y == nil) && maps.EqualFunc(x.GetFields(), y.GetFields(), sameValue)
}

func sameValue(x, y *structpb.Value) bool {
	if x == y {
		return true
	}
	switch k := x.GetKind().(type) {
	case *structpb.Value_StructValue:
		other, ok := y.GetKind().(*structpb.Value_StructValue)
		return ok && same(k.StructValue, other.StructValue)
	case *structpb.Value_ListValue:
		other, ok := y.GetKind().(*structpb.Value_ListValue)
		return ok && slices.EqualFunc(k.ListValue.GetValues(), other.ListValue.GetValues(), sameValue)
	case *structpb.Value_StringValue:
		other, ok := y.GetKind().(*structpb.Value_StringValue)
		return ok && k.StringValue == other.StringValue
	default:
		return proto.Equal(x, y)
	}
}

// stringAt returns a field of an object as a string, or nothing. The path is one
// of Crossplane's.
func stringAt(tb testing.TB, s *structpb.Struct, path string) string {
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

// diff is cmp.Diff for messages that are mostly equal, which it finds out faster.
func diff(x, y proto.Message) string {
	if proto.Equal(x, y) {
		return ""
	}
	return cmp.Diff(x, y, protocmp.Transform())
}

// asYAML returns a message in a form that people can read and compare.
func asYAML(tb testing.TB, m proto.Message) string {
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
