package v1alpha1

import (
	"fmt"
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	maxEncryptionKeys    = 8
	maxEncryptionKeyName = 63
)

var encryptionKeyName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

func (s *EncryptionSpec) validate(p *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	errs := s.PassphraseSecretRef.validate(p.Child("passphraseSecretRef"))
	keys := p.Child("keys")
	switch {
	case len(s.Keys) == 0:
		errs = append(errs, field.Required(keys, "a passphrase opens key files. Name one, or remove encryption"))
	case len(s.Keys) > maxEncryptionKeys:
		errs = append(errs, field.TooMany(keys, len(s.Keys), maxEncryptionKeys))
	}
	names := map[string]bool{}
	for i, k := range s.Keys {
		at := keys.Index(i)
		if !encryptionKeyName.MatchString(k.Name) || len(k.Name) > maxEncryptionKeyName {
			errs = append(errs, field.Invalid(at.Child("name"), k.Name, fmt.Sprintf("must be at most %d of a-z, 0-9 and '-', and start and end with a letter or digit: it names a file", maxEncryptionKeyName)))
		}
		if names[k.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), k.Name))
		}
		names[k.Name] = true
		switch {
		case k.SecretRef != nil:
			errs = append(errs, k.SecretRef.validate(at.Child("secretRef"))...)
		case !k.Retired:
			errs = append(errs, field.Required(at.Child("secretRef"), "name the Secret with the key file, or set retired to true if no store uses the key any more"))
		}
	}
	return errs
}

// Used are the keys that the server gets.
func (s *EncryptionSpec) Used() []EncryptionKeySpec {
	if s == nil {
		return nil
	}
	used := []EncryptionKeySpec{}
	for _, k := range s.Keys {
		if !k.Retired {
			used = append(used, k)
		}
	}
	return used
}
