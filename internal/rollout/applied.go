package rollout

import (
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/structs"
)

// composedManager is the prefix of the field managers with which Crossplane applies
// composed resources. The rest is a digest of the composite resource.
const composedManager = "apiextensions.crossplane.io/composed"

// A Template is the pod template of an existing StatefulSet. It knows which of its fields
// Crossplane has applied.
type Template struct {
	// whole is the whole template. applied is the set of the fields that Crossplane has
	// applied, or nil if there are none.
	whole, applied *structpb.Value

	// unmanaged is set if the StatefulSet does not say who has applied what.
	unmanaged bool
}

// Value returns what a hold sends: the part of the template that Crossplane has
// applied. What Kubernetes has defaulted and what others have added is not in it, so
// they keep it. Value is nil if Crossplane has applied nothing: then no template may be
// sent.
func (t *Template) Value() *structpb.Value {
	switch {
	case t.unmanaged:
		return t.whole
	case t.applied == nil:
		return nil
	}
	return owned(t.whole, t.applied)
}

// is says whether the part of the template that Crossplane has applied equals a wanted
// template.
func (t *Template) is(wanted *structpb.Value) bool {
	if t.foreign() {
		return covers(t.whole, wanted)
	}
	return ownedEqual(t.whole, t.applied, wanted)
}

// foreign says whether it is unknown which part of the template Crossplane has applied.
func (t *Template) foreign() bool {
	return t.unmanaged || t.applied == nil || isAll(fieldsOf(t.applied))
}

// Applied finds the part of a StatefulSet's pod template that Crossplane has applied, by
// metadata.managedFields. Without managed fields, as in a fixture for crossplane
// render, it is the whole template.
func Applied(statefulSet *structpb.Struct) Template {
	whole := structs.At(statefulSet, "spec", "template")
	if structs.At(statefulSet, "metadata", "managedFields") == nil {
		return Template{whole: whole, unmanaged: true}
	}

	t := Template{whole: whole}
	for _, entry := range structs.Objects(statefulSet, "metadata", "managedFields") {
		if structs.Text(entry, "operation") != "Apply" || structs.Text(entry, "subresource") != "" ||
			!strings.HasPrefix(structs.Text(entry, "manager"), composedManager) {
			continue
		}
		if fields := structs.At(entry, "fieldsV1", "f:spec", "f:template"); fields != nil {
			t.applied = fields
		}
	}
	return t
}

// owned returns the part of a value that a set of fields names. Kubernetes calls the form
// of the set FieldsV1: "f:" is a field; "k:", "v:" and "i:" are items of a list by their
// keys, their value or their index. An entry without further entries names the whole
// value.
func owned(v, set *structpb.Value) *structpb.Value {
	fields := fieldsOf(set)
	if isAll(fields) {
		return v
	}

	switch kind := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		out := make(map[string]*structpb.Value, len(fields))
		for key, sub := range fields {
			name, isField := strings.CutPrefix(key, "f:")
			if child, exists := kind.StructValue.GetFields()[name]; isField && exists {
				out[name] = owned(child, sub)
			}
		}
		return structpb.NewStructValue(&structpb.Struct{Fields: out})
	case *structpb.Value_ListValue:
		out := &structpb.ListValue{}
		items := itemsOf(fields)
		for i, item := range kind.ListValue.GetValues() {
			if sub := find(items, i, item); sub != nil {
				out.Values = append(out.Values, owned(item, sub))
			}
		}
		return structpb.NewListValue(out)
	}
	return v
}

// ownedEqual is equal(owned(v, set), other). It does not build that part, because every
// call compares.
func ownedEqual(v, set, other *structpb.Value) bool {
	fields := fieldsOf(set)
	if isAll(fields) {
		return equal(v, other)
	}

	switch kind := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		n := 0
		for key, sub := range fields {
			name, isField := strings.CutPrefix(key, "f:")
			child, exists := kind.StructValue.GetFields()[name]
			if !isField || !exists {
				continue
			}
			n++
			if !ownedEqual(child, sub, field(other, name)) {
				return false
			}
		}
		return other.GetStructValue() != nil && n == len(fieldsOf(other))
	case *structpb.Value_ListValue:
		others := other.GetListValue().GetValues()
		items := itemsOf(fields)
		n := 0
		for i, item := range kind.ListValue.GetValues() {
			sub := find(items, i, item)
			if sub == nil {
				continue
			}
			n++
			if n > len(others) || !ownedEqual(item, sub, others[n-1]) {
				return false
			}
		}
		return other.GetListValue() != nil && n == len(others)
	}
	return equal(v, other)
}

// isAll says whether a set of fields names the whole value.
func isAll(fields map[string]*structpb.Value) bool {
	_, self := fields["."]
	return len(fields) == 0 || self && len(fields) == 1
}

// An item is an item of a list that a set of fields names.
type item struct {
	keys  map[string]any
	value any
	index int
	set   *structpb.Value
}

func itemsOf(fields map[string]*structpb.Value) []item {
	items := make([]item, 0, len(fields))
	for key, set := range fields {
		i := item{index: -1, set: set}
		kind, of, _ := strings.Cut(key, ":")
		var err error
		switch kind {
		case "k":
			if name, value, simple := keyOf(of); simple {
				i.keys = map[string]any{name: value}
				break
			}
			err = json.Unmarshal([]byte(of), &i.keys)
		case "v":
			err = json.Unmarshal([]byte(of), &i.value)
		case "i":
			err = json.Unmarshal([]byte(of), &i.index)
		default:
			continue
		}
		if err == nil {
			items = append(items, i)
		}
	}
	return items
}

// keyOf reads a JSON object with one string, which most keys are, without a decoder.
func keyOf(object string) (name, value string, simple bool) {
	parts := strings.Split(object, `"`)
	const oneText = 5 // {, name, :, value, }
	if len(parts) != oneText || parts[0] != "{" || parts[2] != ":" || parts[4] != "}" || strings.Contains(object, `\`) {
		return "", "", false
	}
	return parts[1], parts[3], true
}

func find(items []item, index int, v *structpb.Value) *structpb.Value {
	for _, i := range items {
		switch {
		case i.keys != nil && matches(v, i.keys), i.value != nil && v.AsInterface() == i.value, i.index == index:
			return i.set
		}
	}
	return nil
}

func matches(v *structpb.Value, keys map[string]any) bool {
	for k, want := range keys {
		f, ok := fieldsOf(v)[k]
		if !ok {
			return false
		}
		if s, isText := f.GetKind().(*structpb.Value_StringValue); isText {
			if s.StringValue != want {
				return false
			}
		} else if f.AsInterface() != want {
			return false
		}
	}
	return true
}
