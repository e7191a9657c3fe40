// Package lookups asks Crossplane for objects that the function reads and does
// not compose. To ask and to read the answer is one call, so nothing is read that
// was not asked for, and all that is asked for is in one place.
package lookups

import (
	"maps"

	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// A Ref is an object of the cluster. It has no namespace if its kind has none.
type Ref struct {
	APIVersion, Kind, Namespace, Name string
}

// An Answer is what Crossplane has found under a name.
type Answer struct {
	// Known is set once Crossplane has looked. It does so between two calls.
	Known bool

	// Object is nil if there is none.
	Object *structpb.Struct
}

// Lookups are those of one call.
type Lookups struct {
	answers map[string]*fnv1.Resources
	asked   map[string]*fnv1.ResourceSelector
	pending bool
}

// New returns the lookups of a call, with the answers that came with it.
func New(required map[string]*fnv1.Resources) *Lookups {
	return &Lookups{answers: required, asked: map[string]*fnv1.ResourceSelector{}}
}

// Get asks for an object, under a key that tells it from all others. An object
// that is not the one that was asked for is no answer to trust.
func (l *Lookups) Get(key string, ref Ref) Answer {
	s := &fnv1.ResourceSelector{ApiVersion: ref.APIVersion, Kind: ref.Kind, Match: &fnv1.ResourceSelector_MatchName{MatchName: ref.Name}}
	if ref.Namespace != "" {
		s.Namespace = &ref.Namespace
	}

	items, known := l.ask(key, s)
	for _, o := range items {
		if is(o, ref) {
			return Answer{Known: true, Object: o}
		}
	}
	return Answer{Known: known}
}

// List asks for all objects of a kind and a namespace that have a label. The name
// of the Ref does not count.
func (l *Lookups) List(key string, ref Ref, label, value string) (objects []*structpb.Struct, known bool) {
	items, known := l.ask(key, &fnv1.ResourceSelector{
		ApiVersion: ref.APIVersion, Kind: ref.Kind, Namespace: &ref.Namespace,
		Match: &fnv1.ResourceSelector_MatchLabels{MatchLabels: &fnv1.MatchLabels{Labels: map[string]string{label: value}}},
	})
	for _, o := range items {
		ref.Name = Name(o)
		if is(o, ref) && Labels(o)[label].GetStringValue() == value {
			objects = append(objects, o)
		}
	}
	return objects, known
}

func (l *Lookups) ask(key string, s *fnv1.ResourceSelector) (items []*structpb.Struct, known bool) {
	l.asked[key] = s
	r, known := l.answers[key]
	l.pending = l.pending || !known
	for _, i := range r.GetItems() {
		items = append(items, i.GetResource())
	}
	return items, known
}

// Requirements are all that was asked for.
func (l *Lookups) Requirements() *fnv1.Requirements {
	return &fnv1.Requirements{Resources: maps.Clone(l.asked)}
}

// Pending says whether something that was asked for is not answered yet.
func (l *Lookups) Pending() bool { return l.pending }

func is(o *structpb.Struct, ref Ref) bool {
	f := o.GetFields()
	return f["kind"].GetStringValue() == ref.Kind && Name(o) == ref.Name &&
		metadata(o)["namespace"].GetStringValue() == ref.Namespace
}

func metadata(o *structpb.Struct) map[string]*structpb.Value {
	return o.GetFields()["metadata"].GetStructValue().GetFields()
}

// Name returns the name of an object.
func Name(o *structpb.Struct) string { return metadata(o)["name"].GetStringValue() }

// Labels returns the labels of an object.
func Labels(o *structpb.Struct) map[string]*structpb.Value {
	return metadata(o)["labels"].GetStructValue().GetFields()
}

// Annotations returns the annotations of an object.
func Annotations(o *structpb.Struct) map[string]*structpb.Value {
	return metadata(o)["annotations"].GetStructValue().GetFields()
}

// A Controller is the object that another one belongs to.
type Controller struct {
	Kind, Name, UID string
}

// ControllerOf returns what an object belongs to, or nil.
func ControllerOf(o *structpb.Struct) *Controller {
	for _, v := range metadata(o)["ownerReferences"].GetListValue().GetValues() {
		if f := v.GetStructValue().GetFields(); f["controller"].GetBoolValue() {
			return &Controller{Kind: f["kind"].GetStringValue(), Name: f["name"].GetStringValue(), UID: f["uid"].GetStringValue()}
		}
	}
	return nil
}
