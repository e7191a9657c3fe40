package podinputs

import (
	"slices"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
)

// PostgresKeys chooses the keys of a database's Secret, by the variables that they are
// read as. A running pod keeps the key that it reads as long as that is there: another
// key with the same value that appears beside it must not replace the pod. Until the
// Secret is there, nothing is known of its keys, and nothing changes.
func PostgresKeys(l *observed.Lookups, secret, namespace string, running *observed.StatefulSet) map[string]string {
	s := LookUp(l, []Input{{Source: Secret(secret)}}, namespace)[Secret(secret)]
	chosen := map[string]string{}
	for _, in := range manifests.PostgresInputs() {
		keys := in.Keys
		if k := running.KeyOf(in.Env, secret); slices.Contains(keys, k) {
			keys = append([]string{k}, keys...)
		}
		chosen[in.Env] = keys[0]
		if i := slices.IndexFunc(keys, s.hasKey); i >= 0 {
			chosen[in.Env] = keys[i]
		}
	}
	return chosen
}

// HasPostgres notes that a Secret is that of the database, so some of its values may be
// under other keys as well.
func (s Sources) HasPostgres(secret string) {
	source := s[Secret(secret)]
	if source == nil {
		return
	}
	source.either = map[string][]string{}
	for _, in := range manifests.PostgresInputs() {
		source.either[in.Env] = in.Keys
	}
}

// others returns the other keys under which the value of an input may be.
func (s *Source) others(in Input) []string {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.either[in.Env]), func(key string) bool { return key == in.Key })
}
