package observed

import (
	"maps"

	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A Ref refers to an object. Its namespace is empty for cluster-scoped kinds.
type Ref struct {
	APIVersion, Kind, Namespace, Name string
}

// An Answer is what Crossplane has found for a Ref.
type Answer struct {
	// Known is set once Crossplane has looked, which it does between two calls.
	Known bool

	// Object is nil if there is no such object.
	Object *structpb.Struct
}

// Lookups ask Crossplane for objects that the function reads but does not compose.
// One method both asks and returns the answer. So the function reads nothing that it
// has not asked for, and all requirements are in one place.
type Lookups struct {
	answers map[string]*fnv1.Resources
	asked   map[string]*fnv1.ResourceSelector
	pending bool
}

// NewLookups returns the lookups of a call. The required resources of its request are
// the answers.
func NewLookups(required map[string]*fnv1.Resources) *Lookups {
	return &Lookups{answers: required, asked: map[string]*fnv1.ResourceSelector{}}
}

// Get asks for an object, under a key that no other lookup uses. It ignores all other
// objects in the answer.
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

// List asks for all objects of a kind and a namespace, or of all namespaces, that have
// some labels. It ignores the name of the Ref.
func (l *Lookups) List(key string, ref Ref, labels map[string]string) (objects []*structpb.Struct, known bool) {
	s := &fnv1.ResourceSelector{
		ApiVersion: ref.APIVersion, Kind: ref.Kind,
		Match: &fnv1.ResourceSelector_MatchLabels{MatchLabels: &fnv1.MatchLabels{Labels: labels}},
	}
	if ref.Namespace != "" {
		s.Namespace = &ref.Namespace
	}

	items, known := l.ask(key, s)
	for _, o := range items {
		found := ref
		found.Name = structs.Name(o)
		if ref.Namespace == "" {
			found.Namespace = structs.Namespace(o)
		}
		if is(o, found) && hasLabels(o, labels) {
			objects = append(objects, o)
		}
	}
	return objects, known
}

func hasLabels(o *structpb.Struct, labels map[string]string) bool {
	has := structs.Fields(o, "metadata", "labels")
	for name, value := range labels {
		if v, ok := has[name]; !ok || v.GetStringValue() != value {
			return false
		}
	}
	return true
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

// Requirements returns everything that was asked for.
func (l *Lookups) Requirements() *fnv1.Requirements {
	return &fnv1.Requirements{Resources: maps.Clone(l.asked)}
}

// Pending says whether Crossplane has not looked up everything yet.
func (l *Lookups) Pending() bool { return l.pending }

func is(o *structpb.Struct, ref Ref) bool {
	return structs.Text(o, "kind") == ref.Kind && structs.Name(o) == ref.Name && structs.Namespace(o) == ref.Namespace
}
