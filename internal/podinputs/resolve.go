package podinputs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// A Value is an input with the bytes that the process would see.
type Value struct {
	Name    string
	Present bool
	Bytes   []byte
}

// A Problem is a reason why a pod cannot start, or not work, with the Secrets as
// they are. It says where it is, and never a value.
type Problem struct {
	Secret, Key string
	Text        string
}

func (p Problem) String() string {
	if p.Key == "" {
		return fmt.Sprintf("Secret %q: %s", p.Secret, p.Text)
	}
	return fmt.Sprintf("Secret %q, key %q: %s", p.Secret, p.Key, p.Text)
}

// A Resolution is what the Secrets hold at the moment.
type Resolution struct {
	// Pending are the Secrets that Crossplane has not looked up yet, sorted.
	Pending []string

	// Creating are Secrets that do not exist and are being created, sorted.
	Creating []string

	// Problems are the inputs that are not as they must be, sorted.
	Problems []Problem

	// Guessable is set when the key that signs tokens is among the problems. It is
	// what keeps the other Secrets from being guessed from the hash.
	Guessable bool

	// Restart are the inputs that a process reads once, sorted by name. Hot inputs
	// are not here: a restart changes nothing about them.
	Restart []Value
}

// Resolve reads the inputs out of the Secrets. Those in creating are not a problem
// yet if they do not exist.
func Resolve(inputs []Input, secrets Secrets, creating []string) Resolution {
	r := Resolution{}
	values, origins := map[string][]byte{}, map[string]Input{}
	for _, in := range inputs {
		switch s, lookedUp := secrets[in.Secret]; {
		case !lookedUp:
			r.Pending = append(r.Pending, in.Secret)
		case s == nil && slices.Contains(creating, in.Secret):
			r.Creating = append(r.Creating, in.Secret)
		default:
			for _, each := range in.each(s) {
				name := cmp.Or(each.Env, each.File)
				values[name], origins[name] = r.add(each, s), each
			}
		}
	}

	if name, problem := dittofs.CheckTogether(values); problem != "" {
		r.Problems = append(r.Problems, Problem{Secret: origins[name].Secret, Key: origins[name].Key, Text: problem})
	}

	slices.Sort(r.Pending)
	r.Pending = slices.Compact(r.Pending)
	slices.Sort(r.Creating)
	r.Creating = slices.Compact(r.Creating)
	slices.SortFunc(r.Problems, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	r.Problems = slices.Compact(r.Problems)
	slices.SortStableFunc(r.Restart, func(a, b Value) int { return strings.Compare(a.Name, b.Name) })
	return r
}

// each returns an input of its own for each key of the Secret, if the input is all
// of them.
func (i Input) each(s *Secret) []Input {
	if i.Key != "" || s == nil {
		return []Input{i}
	}
	ins := []Input{}
	for _, key := range s.keys() {
		in := i
		in.Key = key
		if i.File == "" {
			in.Env += key
		} else {
			in.File += key
		}
		ins = append(ins, in)
	}
	return ins
}

// add reads one input out of its Secret, which is nil if it does not exist.
func (r *Resolution) add(in Input, s *Secret) []byte {
	v := Value{Name: in.Name()}
	problem := ""

	switch b, found, err := s.Value(in.Key); {
	case err != nil:
		problem = "its value is not valid base64"
	case s == nil && !in.Optional:
		problem = "the Secret does not exist"
	case !found && !in.Optional:
		problem = "the Secret has no such key in its data"
	case found && len(b) == 0 && !in.Optional:
		problem = "its value is empty"
	case found:
		v.Present, v.Bytes = true, b
		problem = dittofs.Check(cmp.Or(in.Env, in.File), b)
	}

	if problem != "" {
		r.Problems = append(r.Problems, Problem{Secret: in.Secret, Key: in.Key, Text: problem})
		r.Guessable = r.Guessable || in.Env == dittofs.EnvJWTSecret
	}
	if !in.Hot() {
		r.Restart = append(r.Restart, v)
	}
	return v.Bytes
}
