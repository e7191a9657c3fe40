package podinputs

import (
	"crypto/rand"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
)

// Generate returns the managed Secrets that are to exist, by the names of the composed
// resources, and what to say about those that do not exist.
//
// A value is generated once. From then on it is carried over from the composed
// resource, or from the Secret that Crossplane has looked up. Before Crossplane has
// looked, nothing is generated. If somebody else has a Secret of the name, the server
// uses that, and the function does not touch it. A generated Secret stays when it is no
// longer needed: if the user came back to it, a new one would not be what the server
// knows.
func Generate(xr *observed.Composite, have *observed.Composed, around *observed.Surroundings, sources Sources) (secrets map[string]runtime.Object, absent map[Ref]Absent) {
	secrets, absent = map[string]runtime.Object{}, map[Ref]Absent{}
	for _, m := range manifests.ManagedSecrets(xr.DittoServer) {
		ref := Secret(m.Name)
		object, exists := have.Secrets[m.Resource]
		s := NewSource(object)
		if !exists {
			found, known := sources[ref]
			if !known || !m.Needed {
				continue
			}
			s = found
			if h := holder(around, found); h == observed.Leaving {
				// A new one takes its place once it is gone.
				absent[ref] = Absent{Creating: true}
				continue
			} else if h == observed.Others {
				continue
			}
		}

		value, _, err := s.Value(m.Key)
		lost := err != nil || len(value) == 0
		if lost && !m.Needed {
			continue
		}
		if lost && m.InDatabase {
			pending, why := known(xr, have, around)
			if pending || why != "" {
				absent[ref] = Absent{Creating: pending, Text: why}
				if exists { // Leaving it out would delete it.
					secrets[m.Resource] = m.Secret(nil)
				}
				continue
			}
		}
		if lost {
			value = []byte(rand.Text() + rand.Text())
			absent[ref] = Absent{Creating: true}
		}
		secrets[m.Resource] = m.Secret(value)
	}
	return secrets, absent
}

// holder says whose a Secret is.
func holder(around *observed.Surroundings, s *Source) observed.Holder {
	if s == nil {
		return observed.Nobody
	}
	return around.HolderOf(s.Object)
}

// known says why a database may already have another value, so that none may be
// generated. Pending is set until the function can tell.
func known(xr *observed.Composite, have *observed.Composed, around *observed.Surroundings) (pending bool, why string) {
	const another = "or name a Secret with the password in spec.identity.admin.passwordSecretRef"
	if have.StatefulSet != nil {
		return false, "the server's database has the password that was in this Secret, so the function does not generate another. Restore the Secret, " + another
	}
	template := manifests.DatabaseClaim(xr.DittoServer)
	if template == "" {
		return false, ""
	}
	switch c := around.Claim(template); {
	case c.Known && !c.MayRead:
		return false, "it does not exist, and the function cannot see whether an older database has another password. " +
			"Apply the function's example/rbac.yaml, which lets Crossplane read PersistentVolumeClaims, " + another
	case !c.Known:
		return true, ""
	case c.Object != nil:
		name := manifests.ClaimName(xr.GetName(), template)
		return false, fmt.Sprintf("PersistentVolumeClaim %q holds the database of an earlier server of this name, with the password that was in this Secret, so the function does not generate another. "+
			"Restore the Secret, %s. If the password is lost, delete the claim, and with it everything in the database", name, another)
	}
	return false, ""
}
