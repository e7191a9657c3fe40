// Package credentials makes the Secrets that a DittoServer names none for.
package credentials

import (
	"crypto/rand"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/podinputs"
)

// Compose returns the managed Secrets that are to exist, by the name of the
// composed resource, and the names of those whose value is made now.
//
// A value is made once. From then on it is carried over from what exists: from
// the composed resource, or from the Secret as Crossplane has just looked it up.
// As long as that has not happened nothing is made. A Secret of the name that
// does not belong to the composite resource is used as it is, and left alone. One
// that was made stays when it is no longer needed: it would be made anew, and so
// not be what the server knows, if the user came back to it.
func Compose(managed []manifests.ManagedSecret, composed map[string]*podinputs.Secret, lookedUp podinputs.Secrets, owner string) (secrets map[string]runtime.Object, made []string) {
	secrets = map[string]runtime.Object{}
	for _, m := range managed {
		s, exists := composed[m.Resource]
		if !exists && !m.Needed {
			continue
		}
		if !exists {
			found, known := lookedUp[m.Name]
			if !known || found != nil && (found.Controller == "" || found.Controller != owner) {
				continue
			}
			s = found
		}

		value, _, err := s.Value(m.Key)
		if !m.Needed && (err != nil || len(value) == 0) {
			continue
		}
		if err != nil || len(value) == 0 {
			value = []byte(rand.Text() + rand.Text())
			made = append(made, m.Name)
		}
		secrets[m.Resource] = m.Secret(value)
	}
	return secrets, made
}
