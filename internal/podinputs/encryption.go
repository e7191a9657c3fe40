package podinputs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/values"
)

// Encryption is what opens encrypted stores, as far as it was found and is valid.
type Encryption struct {
	passphrase []byte
	from       Input
	files      []keyFile // Sorted by name.
}

type keyFile struct {
	name, id string
	content  []byte
	from     Input
}

// isEncryption says whether an input opens encrypted stores.
func isEncryption(in Input) bool {
	return in.Env == dittofs.EnvEncryptionPassphrase || strings.HasPrefix(in.File, dittofs.EncryptionDir+"/")
}

// add keeps an input without a problem.
func (e *Encryption) add(in Input, value []byte) {
	if in.Env == dittofs.EnvEncryptionPassphrase {
		e.passphrase, e.from = value, in
		return
	}
	// Inputs are sorted by path, in which a-b.key comes before a.key.
	name := strings.TrimSuffix(strings.TrimPrefix(in.File, dittofs.EncryptionDir+"/"), ".key")
	i, _ := slices.BinarySearchFunc(e.files, name, func(f keyFile, name string) int { return strings.Compare(f.name, name) })
	e.files = slices.Insert(e.files, i, keyFile{name: name, id: values.MasterKeyID(value), content: value, from: in})
}

// MasterKeys returns the names of the master keys, for an annotation: main=ID,other=ID.
func (e *Encryption) MasterKeys() string {
	if e == nil {
		return ""
	}
	pairs := make([]string, 0, len(e.files))
	for _, f := range e.files {
		pairs = append(pairs, f.name+"="+f.id)
	}
	return strings.Join(pairs, ",")
}

// CheckMasterKeys finds key files with another master key than the one that the running
// server has under the name. With that, the server would start, and write, but no longer
// read what it has written before.
func (r *Resolution) CheckMasterKeys(running map[string]string) {
	if r.Encryption == nil {
		return
	}
	for _, f := range r.Encryption.files {
		if id, has := running[f.name]; has && id != f.id {
			r.addEncryption(f.from, fmt.Sprintf("it holds the master key %s, but the running server has %s under this name. With another one it could no longer read what it has written. "+
				"Restore the key file, and give the new one a name of its own in spec.encryption.keys", f.id, id))
		}
	}
}

// CheckPassphrase says whether the passphrase opens all key files, and finds those that it
// does not. The server would start without the shares whose stores need them. It takes as
// long as the server itself does, so it is for inputs that are about to be sent.
func (r *Resolution) CheckPassphrase() bool {
	if r.Encryption == nil {
		return true
	}
	closed := map[string]bool{}
	for _, f := range r.Encryption.files {
		if !values.Opens(r.Encryption.passphrase, f.content) {
			closed[fmt.Sprintf("%q of Secret %q", f.from.Key, f.from.Source.Name)] = true
		}
	}
	if len(closed) > 0 {
		r.addEncryption(r.Encryption.from, "it does not open the key file "+strings.Join(slices.Sorted(maps.Keys(closed)), ", ")+". Without that, the server starts without the shares that need it. "+
			"Restore the passphrase, or the key file that belongs to it")
	}
	return len(closed) == 0
}

func (r *Resolution) addEncryption(from Input, text string) {
	r.Problems = append(r.Problems, Problem{Source: from.Source, Key: from.Key, Text: text})
	slices.SortFunc(r.Problems, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	r.EncryptionInvalid = true
}
