package v1alpha1

import (
	"fmt"
	"testing"
)

// TestValidateEncryption wants a key file for each key that is in use.
func TestValidateEncryption(t *testing.T) {
	many := []any{}
	for i := range 9 {
		many = append(many, fields{"name": fmt.Sprint("k", i), "retired": true})
	}
	validateAll(t, map[string]validateCase{
		"NoKeys":      {reason: "A passphrase opens keys.", edit: fields{"encryption.keys": []any{}}, want: []string{"spec.encryption.keys"}},
		"TooMany":     {reason: "Each takes time to open.", edit: fields{"encryption.keys": many}, want: []string{"spec.encryption.keys"}},
		"NoFile":      {reason: "A key is in a file.", edit: fields{"encryption.keys": []any{fields{"name": "a"}}}, want: []string{"spec.encryption.keys[0].secretRef"}},
		"Retired":     {reason: "The file of a retired key may be gone.", edit: fields{"encryption.keys": []any{fields{"name": "a", "retired": true}}}},
		"Twice":       {reason: "A file has one name.", edit: fields{"encryption.keys": []any{fields{"name": "a", "retired": true}, fields{"name": "a", "retired": true}}}, want: []string{"spec.encryption.keys[1].name"}},
		"Path":        {reason: "A name is no path.", edit: fields{"encryption.keys": []any{fields{"name": "../a", "retired": true}}}, want: []string{"spec.encryption.keys[0].name"}},
		"Comma":       {reason: "Names are listed in an annotation.", edit: fields{"encryption.keys": []any{fields{"name": "a,b", "retired": true}}}, want: []string{"spec.encryption.keys[0].name"}},
		"NoReference": {reason: "A Secret has a name.", edit: fields{"encryption.passphraseSecretRef": fields{}}, want: []string{"spec.encryption.passphraseSecretRef.key", "spec.encryption.passphraseSecretRef.name"}},
	})
}
