package podinputs

import (
	"encoding/base64"
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// requirementPrefix keeps the function's required resources apart from those
// that a Composition asks for.
const requirementPrefix = "secret/"

// Requirements asks Crossplane for the Secrets of the inputs, each by its name,
// in the one namespace that they may come from.
func Requirements(inputs []Input, namespace string) *fnv1.Requirements {
	r := &fnv1.Requirements{Resources: map[string]*fnv1.ResourceSelector{}}
	for _, in := range inputs {
		r.Resources[requirementPrefix+in.Secret] = &fnv1.ResourceSelector{
			ApiVersion: "v1",
			Kind:       "Secret",
			Match:      &fnv1.ResourceSelector_MatchName{MatchName: in.Secret},
			Namespace:  &namespace,
		}
	}
	return r
}

// Secrets are the Secrets that Crossplane has looked up, by name. A nil one does
// not exist.
type Secrets map[string]*Secret

// A Secret is the data of a Secret. Only what is read of it is decoded.
type Secret struct {
	data map[string]*structpb.Value

	// Controller is the UID of the object that the Secret belongs to, if any.
	Controller string
}

// SecretsFrom returns the Secrets of the namespace among the required resources
// of a request.
func SecretsFrom(required map[string]*fnv1.Resources, inputs []Input, namespace string) Secrets {
	secrets := Secrets{}
	for _, in := range inputs {
		r, lookedUp := required[requirementPrefix+in.Secret]
		if !lookedUp {
			continue
		}
		secrets[in.Secret] = nil
		for _, item := range r.GetItems() {
			f := item.GetResource().GetFields()
			meta := f["metadata"].GetStructValue().GetFields()
			if f["kind"].GetStringValue() == "Secret" && meta["name"].GetStringValue() == in.Secret && meta["namespace"].GetStringValue() == namespace {
				secrets[in.Secret] = NewSecret(item.GetResource())
			}
		}
	}
	return secrets
}

// NewSecret reads a Secret.
func NewSecret(object *structpb.Struct) *Secret {
	return &Secret{data: object.GetFields()["data"].GetStructValue().GetFields(), Controller: Controller(object)}
}

// Controller returns the UID of the object that another one belongs to, if any.
func Controller(object *structpb.Struct) string {
	for _, v := range object.GetFields()["metadata"].GetStructValue().GetFields()["ownerReferences"].GetListValue().GetValues() {
		if owner := v.GetStructValue().GetFields(); owner["controller"].GetBoolValue() {
			return owner["uid"].GetStringValue()
		}
	}
	return ""
}

func (s *Secret) keys() []string {
	return slices.Sorted(maps.Keys(s.data))
}

// Value returns the bytes of a key, as a pod sees them.
func (s *Secret) Value(key string) (b []byte, found bool, err error) {
	if s == nil {
		return nil, false, nil
	}
	v, found := s.data[key]
	if !found {
		return nil, false, nil
	}
	b, err = base64.StdEncoding.DecodeString(v.GetStringValue())
	return b, true, err
}
