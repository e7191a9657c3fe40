package podinputs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/values"
)

// A Value is an input with the bytes that the process would see.
type Value struct {
	Name    string
	Present bool
	Bytes   []byte
}

// A Problem is a reason why a pod cannot start, or not work, with the Secrets and
// ConfigMaps as they are. It says where it is, and never a value.
type Problem struct {
	Source    Ref
	Key, Text string
}

func (p Problem) String() string {
	if p.Key == "" {
		return fmt.Sprintf("%s %q: %s", p.Source.Kind, p.Source.Name, p.Text)
	}
	return fmt.Sprintf("%s %q, key %q: %s", p.Source.Kind, p.Source.Name, p.Key, p.Text)
}

// A Resolution is what the Secrets and ConfigMaps hold at the moment.
type Resolution struct {
	// Pending are the objects that Crossplane has not looked up yet, sorted.
	Pending []Ref

	// Creating are objects that do not exist and are being created, sorted.
	Creating []Ref

	// Problems are the inputs that are not as they must be, sorted.
	Problems []Problem

	// SigningKeyInvalid is set when the key that signs tokens is among the problems. It
	// is what keeps the other Secrets from being guessed from the hash.
	SigningKeyInvalid bool

	// Restart are the inputs that a process reads once, sorted by name. Live inputs
	// are not here: a restart changes nothing about them.
	Restart []Value
}

// Absent says what it means that an object does not exist, where that is more than
// that somebody has to create it.
type Absent struct {
	// Creating is set if it is being created.
	Creating bool

	// Text is what to say about it, if it is not.
	Text string
}

// Resolve reads the inputs out of their sources.
func Resolve(inputs []Input, sources Sources, absent map[Ref]Absent) Resolution {
	r := Resolution{}
	read, origins := map[string][]byte{}, map[string]Input{}
	for _, in := range inputs {
		switch s, lookedUp := sources[in.Source]; {
		case !lookedUp:
			r.Pending = append(r.Pending, in.Source)
		case absent[in.Source].Creating:
			r.Creating = append(r.Creating, in.Source)
		default:
			for _, each := range in.each(s) {
				name := cmp.Or(each.Env, each.File)
				read[name], origins[name] = r.add(each, s, absent), each
			}
		}
	}

	if name, problem := values.CheckTogether(read); problem != "" {
		r.Problems = append(r.Problems, Problem{Source: origins[name].Source, Key: origins[name].Key, Text: problem})
	}

	r.Pending, r.Creating = sorted(r.Pending), sorted(r.Creating)
	slices.SortFunc(r.Problems, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	r.Problems = slices.Compact(r.Problems)
	slices.SortStableFunc(r.Restart, func(a, b Value) int { return strings.Compare(a.Name, b.Name) })
	return r
}

func sorted(refs []Ref) []Ref {
	slices.SortFunc(refs, Ref.compare)
	return slices.Compact(refs)
}

const goneText = "the running server was started with it, and it no longer exists"

// Gone returns what the inputs of a pod that runs can no longer be read from. Its
// next start fails.
func Gone(inputs []Input, sources Sources) []Problem {
	ps := []Problem{}
	for _, in := range inputs {
		s, lookedUp := sources[in.Source]
		if !lookedUp || in.Optional {
			continue
		}
		p := Problem{Source: in.Source, Key: in.Key, Text: goneText}
		if _, found, _ := s.Value(in.Key); s == nil || in.Key != "" && !found {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(ps)
}

// each returns an input of its own for each key of the source, if the input is all
// of them.
func (i Input) each(s *Source) []Input {
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

// add reads one input out of its source, which is nil if it does not exist.
func (r *Resolution) add(in Input, s *Source, absent map[Ref]Absent) []byte {
	v := Value{Name: in.Name()}
	problem := ""

	switch b, found, err := s.Value(in.Key); {
	case err != nil:
		problem = "its value is not valid base64"
	case s == nil && !in.Optional:
		problem = cmp.Or(absent[in.Source].Text, "the "+in.Source.Kind+" does not exist")
	case !found && !in.Optional:
		problem = "the " + in.Source.Kind + " has no such key in its data" + s.has()
	case found && len(b) == 0 && !in.Optional:
		problem = "its value is empty"
	case found:
		v.Present, v.Bytes = true, b
		problem = values.Check(cmp.Or(in.Env, in.File), b)
	}

	if problem != "" {
		r.Problems = append(r.Problems, Problem{Source: in.Source, Key: in.Key, Text: problem})
		r.SigningKeyInvalid = r.SigningKeyInvalid || in.Env == dittofs.EnvJWTSecret
	}
	if !in.Live() {
		r.Restart = append(r.Restart, v)
	}
	return v.Bytes
}
