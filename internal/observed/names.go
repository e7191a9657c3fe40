package observed

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// A Name belongs to an object that must not be sent, because somebody else has an
// object of that name, or may have one.
type Name struct {
	Resource   string
	Kind, Name string
	Holder     Holder
}

func (n Name) String() string { return fmt.Sprintf("%s %q", n.Kind, n.Name) }

// Names looks up who has the names of desired objects that are not observed. It
// returns the names of those that must not be sent, in a fixed order: Crossplane
// would take the existing objects over.
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
