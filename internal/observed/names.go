package observed

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// A Name is that of an object that is not composed, because it is not known to be
// free.
type Name struct {
	Resource   string
	Kind, Name string
	Holder     Holder
}

func (n Name) String() string { return fmt.Sprintf("%s %q", n.Kind, n.Name) }

// Names looks up, of the objects that are to be composed and are not observed, who
// has their names. It returns those that must not be sent, in a fixed order: what
// is sent is taken over.
func (s *Surroundings) Names(desired map[string]runtime.Object, have *Composed) ([]Name, error) {
	names := []Name{}
	for _, resource := range slices.Sorted(maps.Keys(desired)) {
		if have.Exists[resource] {
			continue
		}
		o := desired[resource]
		m, err := meta.Accessor(o)
		if err != nil {
			return nil, errors.Wrapf(err, "cannot read the name of %q", resource)
		}
		version, kind := o.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
		switch h, _ := s.Holder(resource, version, kind, m.GetName()); h {
		case Nobody, Ours:
		case Unasked, Leaving, Others:
			names = append(names, Name{Resource: resource, Kind: kind, Name: m.GetName(), Holder: h})
		}
	}
	return names, nil
}
