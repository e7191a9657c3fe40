package operations

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/util/validation/field"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/observed"
)

// maxCalls is how often Crossplane calls a function for one step at most.
const maxCalls = 6

// A step is a step of an Operation that was taken.
type step struct {
	result *Result
	errs   field.ErrorList
	err    error

	// asked are the keys of what each call required.
	asked [][]string
}

// take a step of an Operation as Crossplane does: it looks up what is required, and calls
// again until that is stable.
func take(t *testing.T, input string, objects []*structpb.Struct, now time.Time) step {
	t.Helper()
	in := functest.Object(t, input)
	s := step{}
	var required map[string]*fnv1.Resources
	var last *fnv1.Requirements
	for range maxCalls {
		look := observed.NewLookups(required)
		s.result, s.errs, s.err = Run(in, look, now)
		reqs := look.Requirements()
		s.asked = append(s.asked, slices.Sorted(maps.Keys(reqs.GetResources())))
		if len(s.errs) > 0 || s.err != nil || proto.Equal(reqs, last) {
			return s
		}
		if last == nil && s.result != nil {
			t.Error("Nothing can be done before Crossplane has looked up anything")
		}
		last, required = reqs, answers(reqs, objects)
	}
	t.Fatalf("The requirements are not stable after %d calls: %v", maxCalls, s.asked)
	return s
}

// answers are what Crossplane finds of what is required.
func answers(reqs *fnv1.Requirements, objects []*structpb.Struct) map[string]*fnv1.Resources {
	found := map[string]*fnv1.Resources{}
	for key, sel := range reqs.GetResources() {
		found[key] = &fnv1.Resources{}
		for _, o := range objects {
			if selects(sel, o) {
				found[key].Items = append(found[key].Items, &fnv1.Resource{Resource: o})
			}
		}
	}
	return found
}

func selects(sel *fnv1.ResourceSelector, o *structpb.Struct) bool {
	if functest.StringOf(o, "apiVersion") != sel.GetApiVersion() || functest.StringOf(o, "kind") != sel.GetKind() {
		return false
	}
	if sel.Namespace != nil && functest.StringOf(o, "metadata", "namespace") != sel.GetNamespace() {
		return false
	}
	if _, byName := sel.GetMatch().(*fnv1.ResourceSelector_MatchName); byName {
		return functest.StringOf(o, "metadata", "name") == sel.GetMatchName()
	}
	for k, v := range sel.GetMatchLabels().GetLabels() {
		if l := functest.ValueAt(o, "metadata", "labels", k); l == nil || l.GetStringValue() != v {
			return false
		}
	}
	return true
}

// existing reads an object of Kubernetes, and gives it a UID and a version.
func existing(t *testing.T, format string, args ...any) *structpb.Struct {
	t.Helper()
	o := functest.Object(t, fmt.Sprintf(format, args...))
	if functest.ValueAt(o, "metadata", "uid") == nil {
		o = functest.SetAt(o, "uid-"+functest.StringOf(o, "metadata", "name"), "metadata", "uid")
	}
	return functest.SetAt(o, "7", "metadata", "resourceVersion")
}

// TestRunInvalid wants a mistake in an Input to be told before anything is looked up.
func TestRunInvalid(t *testing.T) {
	for _, input := range []string{"{kind: Restart, maxUnavailable: 0}", "{kind: Restart, selektor: {}}", "{kind: Resize, selector: {namespaces: [A]}}", "{kind: Resize, maxUnavailable: 1}"} {
		s := take(t, input, nil, time.Now())
		if len(s.errs) != 1 || s.result != nil || s.err != nil || len(s.asked[0]) > 0 {
			t.Errorf("%s: want one mistake and nothing else, got %+v", input, s)
		}
	}
}

// TestIs tells the kinds of Operations from the others.
func TestIs(t *testing.T) {
	for kind, want := range map[string]bool{"Restart": true, "Resize": true, "Input": false, "": false, "restart": false} {
		if got := Is(kind); got != want {
			t.Errorf("Is(%q): want %t, got %t", kind, want, got)
		}
	}
}
