package rollout

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// composedManager is how the names of the field managers start that Crossplane
// applies composed resources with. The rest is a digest of the composite resource.
const composedManager = "apiextensions.crossplane.io/composed"

// A Template is the pod template of an existing StatefulSet, as far as it is ours.
type Template struct {
	// whole is the template with all that is in it, and applied the fields of it that
	// Crossplane has applied: nil if there are none.
	whole, applied *structpb.Value

	// unmanaged is set if it is not known who has applied what.
	unmanaged bool
}

// Value returns what a hold sends: what Crossplane has applied of the template, and
// nothing that Kubernetes has defaulted or that others have added. They keep what
// they own, and lose nothing. It is nil if Crossplane has applied nothing of it: then
// no template is to be sent.
func (t *Template) Value() *structpb.Value {
	switch {
	case t.unmanaged:
		return t.whole
	case t.applied == nil:
		return nil
	}
	return owned(t.whole, t.applied)
}

// is says whether what Crossplane has applied of the template is another one.
func (t *Template) is(wanted *structpb.Value) bool {
	if t.foreign() {
		return covers(t.whole, wanted)
	}
	return ownedEqual(t.whole, t.applied, wanted)
}

// foreign says whether it cannot be told what of the template was applied.
func (t *Template) foreign() bool {
	return t.unmanaged || t.applied == nil || isAll(t.applied.GetStructValue().GetFields())
}

// Applied finds in a StatefulSet what Crossplane has applied of its pod template, by
// the StatefulSet's metadata.managedFields. Without any, as in a fixture for
// crossplane render, it is the whole template.
func Applied(statefulSet *structpb.Struct) Template {
	whole := statefulSet.GetFields()["spec"].GetStructValue().GetFields()["template"]
	managed, found := statefulSet.GetFields()["metadata"].GetStructValue().GetFields()["managedFields"]
	if !found {
		return Template{whole: whole, unmanaged: true}
	}

	t := Template{whole: whole}
	for _, v := range managed.GetListValue().GetValues() {
		entry := v.GetStructValue().GetFields()
		if entry["operation"].GetStringValue() != "Apply" || entry["subresource"].GetStringValue() != "" ||
			!strings.HasPrefix(entry["manager"].GetStringValue(), composedManager) {
			continue
		}
		spec := entry["fieldsV1"].GetStructValue().GetFields()["f:spec"].GetStructValue().GetFields()
		if fields, ok := spec["f:template"]; ok {
			t.applied = fields
		}
	}
	return t
}

// owned returns of a value what a set of fields names, which is in the form that
// Kubernetes calls FieldsV1: f: is a field, k: an item of a list by its keys, v: one
// by its value, i: one by its index, and a field without further ones is all of it.
func owned(v, set *structpb.Value) *structpb.Value {
	fields := set.GetStructValue().GetFields()
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

// ownedEqual is equal(owned(v, set), other), and makes nothing: it is asked in each
// call.
func ownedEqual(v, set, other *structpb.Value) bool {
	fields := set.GetStructValue().GetFields()
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

// isAll says whether a set of fields is all of what it is about.
func isAll(fields map[string]*structpb.Value) bool {
	_, self := fields["."]
	return len(fields) == 0 || self && len(fields) == 1
}

// An item is one of a list that a set of fields names.
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

// keyOf reads a JSON object of one text, which most keys are, without a decoder.
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
		f, ok := v.GetStructValue().GetFields()[k]
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

// Changes names what of an existing template a wanted one would change: the image,
// what the server reads at its start, and the fields of the pod. No field is named
// by its value. It is empty if the pod is as wanted.
func (t *Template) Changes(wanted *structpb.Value, ours string) []string {
	if t.is(wanted) {
		return nil
	}
	have, same := t.whole, covers
	if !t.foreign() {
		have, same = t.Value(), equal
	}

	c := changes{}
	for _, m := range []string{"labels", "annotations"} {
		h, w := at(have, "metadata", m), at(wanted, "metadata", m)
		if m == "annotations" {
			if !same(field(h, annotationConfigHash), field(w, annotationConfigHash)) {
				c.add(configuration)
			}
			h, w = without(h, annotationConfigHash, annotationRestartToken), without(w, annotationConfigHash, annotationRestartToken)
		}
		if !same(h, w) {
			c.add(m)
		}
	}

	h, w := fieldsOf(at(have, "spec")), fieldsOf(at(wanted, "spec"))
	for _, name := range union(h, w) {
		switch {
		case name == "containers":
			hc, wc := fieldsOf(named(h[name], ours)), fieldsOf(named(w[name], ours))
			for _, f := range union(hc, wc) {
				if !same(hc[f], wc[f]) {
					c.add(f)
				}
			}
		case name == "volumes" && c.has(configuration):
			// The configuration is a volume, and named already.
			if !same(others(h[name], configVolume), others(w[name], configVolume)) {
				c.add(name)
			}
		case !same(h[name], w[name]):
			c.add(name)
		}
	}
	if len(c) == 0 {
		c.add("the order of its fields")
	}
	return c.sorted()
}

// WithoutToken returns a pod template without the annotations that follow from a
// restartToken.
func WithoutToken(template *structpb.Value) *structpb.Value {
	t := &structpb.Struct{Fields: maps.Clone(fieldsOf(template))}
	meta := &structpb.Struct{Fields: maps.Clone(fieldsOf(t.GetFields()["metadata"]))}
	if a := without(meta.GetFields()["annotations"], annotationConfigHash, annotationRestartToken); a != nil {
		meta.Fields["annotations"] = a
	} else {
		delete(meta.GetFields(), "annotations")
	}
	t.Fields["metadata"] = structpb.NewStructValue(meta)
	return structpb.NewStructValue(t)
}

// What the names of pod templates are about.
const (
	annotationConfigHash   = v1alpha1.AnnotationConfigHash
	annotationRestartToken = v1alpha1.AnnotationRestartToken
	configVolume           = "config"

	configuration = "configuration or Secrets"
	image         = "image"
)

type changes map[string]bool

func (c changes) add(name string)      { c[name] = true }
func (c changes) has(name string) bool { return c[name] }

// sorted puts first what most changes are about.
func (c changes) sorted() []string {
	names := []string{}
	for _, first := range []string{configuration, image} {
		if c[first] {
			names = append(names, first)
			delete(c, first)
		}
	}
	return append(names, slices.Sorted(maps.Keys(c))...)
}

// equal is proto.Equal of values, in a fraction of its time: it is asked in each call.
func equal(a, b *structpb.Value) bool {
	switch k := a.GetKind().(type) {
	case nil:
		return b.GetKind() == nil
	case *structpb.Value_StructValue:
		bs, ok := b.GetKind().(*structpb.Value_StructValue)
		if !ok || len(k.StructValue.GetFields()) != len(bs.StructValue.GetFields()) {
			return false
		}
		for name, v := range k.StructValue.GetFields() {
			if other, exists := bs.StructValue.GetFields()[name]; !exists || !equal(v, other) {
				return false
			}
		}
		return true
	case *structpb.Value_ListValue:
		bl, ok := b.GetKind().(*structpb.Value_ListValue)
		return ok && slices.EqualFunc(k.ListValue.GetValues(), bl.ListValue.GetValues(), equal)
	case *structpb.Value_StringValue:
		bs, ok := b.GetKind().(*structpb.Value_StringValue)
		return ok && k.StringValue == bs.StringValue
	case *structpb.Value_NumberValue:
		bn, ok := b.GetKind().(*structpb.Value_NumberValue)
		return ok && k.NumberValue == bn.NumberValue
	}
	return proto.Equal(a, b)
}

// covers says whether a stored value has all that another one says. What else it has
// may be defaults of Kubernetes.
func covers(stored, said *structpb.Value) bool {
	switch s := said.GetKind().(type) {
	case *structpb.Value_StructValue:
		for name, v := range s.StructValue.GetFields() {
			if !covers(field(stored, name), v) {
				return false
			}
		}
		return len(s.StructValue.GetFields()) == 0 || stored.GetStructValue() != nil
	case *structpb.Value_ListValue:
		have := stored.GetListValue().GetValues()
		for i, v := range s.ListValue.GetValues() {
			other := named(stored, nameOf(v))
			if nameOf(v) == "" && i < len(have) {
				other = have[i]
			}
			if !covers(other, v) {
				return false
			}
		}
		return true
	case nil:
		return true
	}
	return equal(stored, said)
}

// nameOf is what an item of a list is known by, or nothing.
func nameOf(v *structpb.Value) string {
	if path := field(v, "mountPath").GetStringValue(); path != "" {
		return path
	}
	return field(v, "name").GetStringValue()
}

func named(list *structpb.Value, name string) *structpb.Value {
	for _, v := range list.GetListValue().GetValues() {
		if nameOf(v) == name {
			return v
		}
	}
	return nil
}

func others(list *structpb.Value, name string) *structpb.Value {
	out := &structpb.ListValue{}
	for _, v := range list.GetListValue().GetValues() {
		if nameOf(v) != name {
			out.Values = append(out.Values, v)
		}
	}
	return structpb.NewListValue(out)
}

func fieldsOf(v *structpb.Value) map[string]*structpb.Value { return v.GetStructValue().GetFields() }

func field(v *structpb.Value, name string) *structpb.Value { return fieldsOf(v)[name] }

func at(v *structpb.Value, path ...string) *structpb.Value {
	for _, name := range path {
		v = field(v, name)
	}
	return v
}

func without(v *structpb.Value, names ...string) *structpb.Value {
	out := maps.Clone(fieldsOf(v))
	for _, n := range names {
		delete(out, n)
	}
	if len(out) == 0 {
		return nil
	}
	return structpb.NewStructValue(&structpb.Struct{Fields: out})
}

func union(a, b map[string]*structpb.Value) []string {
	names := maps.Clone(a)
	if names == nil {
		names = map[string]*structpb.Value{}
	}
	maps.Copy(names, b)
	return slices.Sorted(maps.Keys(names))
}
