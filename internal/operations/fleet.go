package operations

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/input/v1beta1"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A server is a DittoServer.
type server struct {
	object     *structpb.Struct
	conditions map[string]*structpb.Struct
}

// servers returns the selected DittoServers in a stable order: by namespace and name.
// Those that are to be deleted are left out.
func servers(look *observed.Lookups, s *v1beta1.Selector) (fleet []*server, known bool) {
	known = true
	namespaces := s.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	for _, ns := range namespaces {
		objects, k := look.List("dittoservers/"+ns, observed.Ref{APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.Kind, Namespace: ns}, s.MatchLabels)
		known = known && k
		for _, o := range objects {
			if structs.Text(o, "metadata", "deletionTimestamp") == "" {
				fleet = append(fleet, newServer(o))
			}
		}
	}
	slices.SortFunc(fleet, byName)
	return fleet, known
}

func byName(a, b *server) int {
	return cmp.Or(cmp.Compare(a.namespace(), b.namespace()), cmp.Compare(a.name(), b.name()))
}

func newServer(o *structpb.Struct) *server {
	s := &server{object: o, conditions: map[string]*structpb.Struct{}}
	for _, c := range structs.Objects(o, "status", "conditions") {
		s.conditions[structs.Text(c, "type")] = c
	}
	return s
}

func (s *server) name() string      { return structs.Name(s.object) }
func (s *server) namespace() string { return structs.Namespace(s.object) }
func (s *server) String() string    { return s.namespace() + "/" + s.name() }

// paused says whether Crossplane leaves the DittoServer alone. What its status says may
// be old.
func (s *server) paused() bool {
	return structs.Annotation(s.object, "crossplane.io/paused") == "true"
}

// condition returns the status and the reason of a condition.
func (s *server) condition(typ string) (status observed.ConditionStatus, reason string) {
	c := s.conditions[typ]
	return observed.ConditionStatus(structs.Text(c, "status")), structs.Text(c, "reason")
}

// current says whether the function has seen the newest spec, and a condition is of it.
// Crossplane writes the conditions after the other fields of the status.
func (s *server) current(typ string) bool {
	return structs.Number(s.object, "status", "observedGeneration") >= s.generation() && s.ofNewest(typ)
}

// ofNewest says whether a condition is of the newest spec, as far as it says.
func (s *server) ofNewest(typ string) bool {
	of := structs.At(s.conditions[typ], "observedGeneration")
	return of == nil || of.GetNumberValue() >= s.generation()
}

func (s *server) generation() float64 { return structs.Number(s.object, "metadata", "generation") }

// since returns since when a condition is as it is.
func (s *server) since(typ string) time.Time {
	t, _ := time.Parse(time.RFC3339, structs.Text(s.conditions[typ], "lastTransitionTime")) // Without one, always.
	return t
}

// apply returns fields of an object for Crossplane to apply. They are for the object as
// it was seen: one that was changed or replaced by another of its name conflicts, by its
// resource version, and so does one that is gone, by its UID. Without that, it would be
// created.
func apply(o *structpb.Struct, spec map[string]*structpb.Value) *structpb.Struct {
	meta := map[string]*structpb.Value{}
	for _, f := range []string{"namespace", "name", "resourceVersion", "uid"} {
		if v := structs.Text(o, "metadata", f); v != "" {
			meta[f] = structpb.NewStringValue(v)
		}
	}
	return object(map[string]*structpb.Value{
		"apiVersion": structpb.NewStringValue(structs.Text(o, "apiVersion")),
		"kind":       structpb.NewStringValue(structs.Text(o, "kind")),
		"metadata":   structpb.NewStructValue(object(meta)),
		"spec":       structpb.NewStructValue(object(spec)),
	})
}

// nested returns a value below a path.
func nested(value string, path ...string) map[string]*structpb.Value {
	v := structpb.NewStringValue(value)
	for _, f := range slices.Backward(path[1:]) {
		v = structpb.NewStructValue(object(map[string]*structpb.Value{f: v}))
	}
	return map[string]*structpb.Value{path[0]: v}
}

func object(fields map[string]*structpb.Value) *structpb.Struct {
	return &structpb.Struct{Fields: fields}
}

// A group is what an Operation says of some of the objects. A list in an object of
// Kubernetes must not grow with the fleet.
type group []string

const (
	listed = 50 // Of a group, in the output.
	named  = 5  // Of a group, in a message.
)

func (g *group) addf(format string, args ...any) { *g = append(*g, fmt.Sprintf(format, args...)) }

// output returns the groups that are not empty.
func output(fields map[string]any, groups map[string]group) map[string]any {
	for name, g := range groups {
		if len(g) == 0 {
			continue
		}
		items := make([]any, 0, min(len(g), listed))
		for _, i := range g[:min(len(g), listed)] {
			items = append(items, i)
		}
		fields[name] = map[string]any{"count": len(g), "items": items}
	}
	return fields
}

// names lists a group in a sentence.
func (g *group) names() string {
	n := min(len(*g), named)
	text := strings.Join((*g)[:n], ", ")
	if more := len(*g) - n; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
