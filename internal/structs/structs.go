// Package structs reads and writes Kubernetes objects in the form in which Crossplane
// sends them: protobuf structs. A field that does not exist reads as zero.
package structs

import (
	"maps"

	"google.golang.org/protobuf/types/known/structpb"
)

// At returns a field of an object by its path, or nil.
func At(o *structpb.Struct, path ...string) *structpb.Value {
	var v *structpb.Value
	for i, name := range path {
		if i > 0 {
			o = v.GetStructValue()
		}
		v = o.GetFields()[name]
	}
	return v
}

// Fields returns the fields of the object at a path.
func Fields(o *structpb.Struct, path ...string) map[string]*structpb.Value {
	return At(o, path...).GetStructValue().GetFields()
}

// Text returns the string at a path.
func Text(o *structpb.Struct, path ...string) string { return At(o, path...).GetStringValue() }

// Number returns the number at a path.
func Number(o *structpb.Struct, path ...string) float64 { return At(o, path...).GetNumberValue() }

// Objects returns the objects of the list at a path.
func Objects(o *structpb.Struct, path ...string) []*structpb.Struct {
	items := At(o, path...).GetListValue().GetValues()
	objects := make([]*structpb.Struct, 0, len(items))
	for _, v := range items {
		objects = append(objects, v.GetStructValue())
	}
	return objects
}

// Clone copies an object. The copy shares the values of its fields.
func Clone(o *structpb.Struct) *structpb.Struct {
	fields := maps.Clone(o.GetFields())
	if fields == nil {
		fields = map[string]*structpb.Value{}
	}
	return &structpb.Struct{Fields: fields}
}
