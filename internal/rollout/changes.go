package rollout

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// The most frequent changes, in words that users know.
const (
	configuration = "configuration or Secrets"
	image         = "image"
)

// Changes names what a wanted template would change: the image, what the server reads at
// its start, and fields of the pod. It never names a value. It returns nothing if the
// template is as wanted.
func (t *Template) Changes(wanted *structpb.Value) []string {
	if t.is(wanted) {
		return nil
	}
	have, same := t.whole, covers
	if !t.foreign() {
		have, same = t.Value(), equal
	}

	c := changes{}
	for _, m := range []string{"labels", "annotations"} {
		h, w := field(have, "metadata", m), field(wanted, "metadata", m)
		if m == "annotations" {
			for _, name := range []string{manifests.AnnotationConfigHash, manifests.AnnotationEncryptionKeys} {
				if !same(field(h, name), field(w, name)) {
					c.add(configuration)
				}
			}
			own := []string{manifests.AnnotationConfigHash, manifests.AnnotationRestartToken, manifests.AnnotationEncryptionKeys}
			h, w = without(h, own...), without(w, own...)
		}
		if !same(h, w) {
			c.add(m)
		}
	}

	h, w := fieldsOf(field(have, "spec")), fieldsOf(field(wanted, "spec"))
	for _, name := range union(h, w) {
		switch {
		case name == "containers":
			hc, wc := fieldsOf(named(h[name], manifests.ContainerName)), fieldsOf(named(w[name], manifests.ContainerName))
			for _, f := range union(hc, wc) {
				if !same(hc[f], wc[f]) {
					c.add(f)
				}
			}
		case name == "volumes" && c.has(configuration):
			// The configuration is a volume, and is listed already.
			if !same(others(h[name], manifests.ConfigVolume), others(w[name], manifests.ConfigVolume)) {
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

type changes map[string]bool

func (c changes) add(name string)      { c[name] = true }
func (c changes) has(name string) bool { return c[name] }

// sorted puts the most frequent changes first.
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

// equal does what proto.Equal does for values, in a fraction of its time, because every
// call compares.
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

// covers says whether a stored value has everything that another value has. What it has
// beyond that may be defaults of Kubernetes.
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

// nameOf returns what identifies an item of a list, or nothing.
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

func fieldsOf(v *structpb.Value) map[string]*structpb.Value { return v.GetStructValue().GetFields() }

func field(v *structpb.Value, path ...string) *structpb.Value {
	return structs.At(v.GetStructValue(), path...)
}
