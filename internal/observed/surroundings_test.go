package observed

import (
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

const uid = "uid-of-files"

// TestHolderOf says whose an object is. What is wrongly ours is taken from somebody, and
// what is wrongly somebody else's is never taken over again.
func TestHolderOf(t *testing.T) {
	owned := func(kind, name, uid string) []any {
		return []any{map[string]any{"kind": kind, "name": name, "uid": uid, "controller": true}}
	}
	ours := map[string]any{"dittofs.io/server": "files"}
	composed := map[string]any{"crossplane.io/composition-resource-name": "api-service"}

	cases := map[string]struct {
		reason   string
		metadata map[string]any
		want     Holder
	}{
		"Owned":        {reason: "What the DittoServer controls is its own, whatever the labels are.", metadata: map[string]any{"ownerReferences": owned("DittoServer", "files", uid)}, want: Ours},
		"Earlier":      {reason: "What an earlier DittoServer of the name controls goes away with that.", metadata: map[string]any{"ownerReferences": owned("DittoServer", "files", "uid-of-before"), "labels": ours, "annotations": composed}, want: Leaving},
		"OtherServer":  {reason: "What another DittoServer controls is another's.", metadata: map[string]any{"ownerReferences": owned("DittoServer", "other", "uid-of-other"), "labels": ours, "annotations": composed}, want: Others},
		"Controlled":   {reason: "What anything else controls is another's.", metadata: map[string]any{"ownerReferences": owned("Deployment", "files", "uid"), "labels": ours, "annotations": composed}, want: Others},
		"Orphan":       {reason: "What an orphaning delete has left has our labels and Crossplane's annotation.", metadata: map[string]any{"labels": ours, "annotations": composed}, want: Ours},
		"OrphanBefore": {reason: "So has what was made with the labels of before.", metadata: map[string]any{"labels": map[string]any{"app.kubernetes.io/name": "dittofs", "app.kubernetes.io/instance": "files"}, "annotations": composed}, want: Ours},
		"Labels":       {reason: "Labels alone anybody may set, and Crossplane fails on what it has not composed.", metadata: map[string]any{"labels": ours}, want: Others},
		"Annotation":   {reason: "Crossplane composes for others too.", metadata: map[string]any{"annotations": composed}, want: Others},
		"OtherLabels":  {reason: "The labels of another server's objects are not ours.", metadata: map[string]any{"labels": map[string]any{"dittofs.io/server": "other"}, "annotations": composed}, want: Others},
		"Nothing":      {reason: "An object without owner or labels is somebody's.", want: Others},
	}

	s := NewSurroundings(NewLookups(nil), Identity{Name: "files", Namespace: "team-a", UID: uid})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := s.HolderOf(object(t, map[string]any{"metadata": tc.metadata})); got != tc.want {
				t.Errorf("%s\nHolderOf(...): want %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
}

// TestHolder looks up only what Crossplane may read: it waits for anything else, and
// serves no composite resource meanwhile.
func TestHolder(t *testing.T) {
	rights := func(kinds ...any) *structpb.Struct {
		return object(t, map[string]any{"kind": "EnvironmentConfig", "metadata": map[string]any{"name": "function-dittoserver"}, "data": map[string]any{"readable": kinds}})
	}
	theirs := object(t, map[string]any{"kind": "StatefulSet", "metadata": map[string]any{"name": "files", "namespace": "team-a"}})

	cases := map[string]struct {
		reason  string
		answers map[string]*fnv1.Resources
		want    Holder
		asks    bool
	}{
		"RightsUnknown": {reason: "What may be read is asked first.", want: Unasked},
		"NoRights":      {reason: "Without the file that tells, nothing is asked for.", answers: map[string]*fnv1.Resources{"rights": answer()}, want: Nobody},
		"OtherRights":   {reason: "A right to read claims is none to read StatefulSets.", answers: map[string]*fnv1.Resources{"rights": answer(rights("persistentvolumeclaims"))}, want: Nobody},
		"Asked":         {reason: "Crossplane has not looked yet.", answers: map[string]*fnv1.Resources{"rights": answer(rights("statefulsets.apps"))}, want: Unasked, asks: true},
		"Free":          {reason: "There is none of the name.", answers: map[string]*fnv1.Resources{"rights": answer(rights("statefulsets.apps")), "object/statefulset": answer()}, want: Nobody, asks: true},
		"Taken":         {reason: "There is one of somebody else's.", answers: map[string]*fnv1.Resources{"rights": answer(rights("statefulsets.apps")), "object/statefulset": answer(theirs)}, want: Others, asks: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := NewLookups(tc.answers)
			s := NewSurroundings(l, Identity{Name: "files", Namespace: "team-a", UID: uid})
			if got, _ := s.Holder("statefulset", "apps/v1", "StatefulSet", "files"); got != tc.want {
				t.Errorf("%s\nHolder(...): want %q, got %q", tc.reason, tc.want, got)
			}
			if _, asks := l.Requirements().GetResources()["object/statefulset"]; asks != tc.asks {
				t.Errorf("%s\nHolder(...): asks: want %t, got %t", tc.reason, tc.asks, asks)
			}
		})
	}
}
