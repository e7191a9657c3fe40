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

// otherKeys returns the keys under which the value of an input may be as well.
func otherKeys(in Input) []string {
	for _, p := range manifests.PostgresInputs() {
		if p.Env == in.Env && in.Key == p.Keys[0] {
			return p.Keys[1:]
		}
	}
	return nil
}
