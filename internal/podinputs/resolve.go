package podinputs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/values"
)

// A Value is an input with the bytes that the process sees.
type Value struct {
	Name    string
	Present bool
	Bytes   []byte
}

// A Problem is something about an object that keeps a pod from starting or from working.
// It says where it is, and never repeats a value.
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

// A Resolution says what the inputs are at present.
type Resolution struct {
	// Pending are the objects that Crossplane has not looked up yet, sorted.
	Pending []Ref

	// Creating are the objects that are being created, sorted.
	Creating []Ref

	// Problems of the inputs, sorted.
	Problems []Problem

	// SigningKeyInvalid is set if the signing key has a problem. Without a valid key, the
	// other Secrets could be guessed from the hash.
	SigningKeyInvalid bool

	// Encryption is what opens encrypted stores. EncryptionInvalid is set if something of
	// it has a problem. A server that could not read its stores must not start.
	Encryption        *Encryption
	EncryptionInvalid bool

	// SpecHidden is set if a key of an object that is read as a whole would beat what the
	// spec sets. Nothing is missing then, and what would run is not what is wanted.
	SpecHidden bool

	// Restart are the inputs that a process reads once, sorted by name. Live inputs
	// are not among them: a restart changes nothing about them.
	Restart []Value

	// APICertificate and MetricsCertificate are the server's own, in PEM form, or empty.
	APICertificate, MetricsCertificate []byte
}

// CanProceed says whether a server may go without what has a problem.
func (r *Resolution) CanProceed() bool {
	return !r.SigningKeyInvalid && !r.EncryptionInvalid && !r.SpecHidden
}

// Absent explains why an object does not exist, if that is not simply because nobody
// has created it.
type Absent struct {
	// Creating is set if the object is being created.
	Creating bool

	// Text is the explanation, if it is not.
	Text string
}

// Resolve reads the inputs from their sources.
func Resolve(inputs []Input, sources Sources, absent map[Ref]Absent) Resolution {
	r := Resolution{}
	read, origins := map[string][]byte{}, map[string]Input{}
	for _, in := range inputs {
		switch s, lookedUp := sources[in.Source]; {
		case !lookedUp:
			r.Pending = append(r.Pending, in.Source)
		case absent[in.Source].Creating:
			r.Creating = append(r.Creating, in.Source)
		case s.leaves():
			r.Problems = append(r.Problems, Problem{Source: in.Source, Text: "it is being deleted, and no new pod would get it"})
		default:
			s = s.of(&in)
			for _, each := range in.each(s) {
				name := cmp.Or(each.Env, each.File)
				if text := in.hides(name); text != "" {
					r.Problems = append(r.Problems, Problem{Source: each.Source, Key: each.Key, Text: text})
					r.SpecHidden = true
					b, found, _ := s.Value(each.Key)
					r.Restart = append(r.Restart, Value{Name: each.Name(), Present: found, Bytes: b})
					continue
				}
				read[name], origins[name] = r.add(each, s, absent), each
			}
		}
	}

	r.APICertificate, r.MetricsCertificate = read[dittofs.TLSCertFile], read[dittofs.MetricsTLSCertFile]
	for name, problem := range values.CheckTogether(read) {
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

const (
	goneText    = "the running server was started with it, but it no longer exists"
	leavingText = "the running server was started with it, but it is being deleted"
)

// Gone returns the inputs of a running pod that can no longer be read. The pod's next
// start would fail.
func Gone(inputs []Input, sources Sources) []Problem {
	ps := []Problem{}
	for _, in := range inputs {
		s, lookedUp := sources[in.Source]
		if !lookedUp || in.Optional {
			continue
		}
		_, found, _ := s.Value(in.Key)
		switch {
		case s == nil || in.Key != "" && !found:
			ps = append(ps, Problem{Source: in.Source, Key: in.Key, Text: goneText})
		case s.leaves():
			ps = append(ps, Problem{Source: in.Source, Text: leavingText})
		}
	}
	slices.SortFunc(ps, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(ps)
}

// hides says what is wrong with a variable that is among all keys of an object: it must not
// be what the spec sets. The spec itself can say so of no such variable.
func (i Input) hides(variable string) string {
	if i.Key != "" || i.isFile() || !i.Source.hasBytes() {
		return ""
	}
	specField, taken := dittofs.FieldOf(variable)
	if !taken {
		return ""
	}
	return fmt.Sprintf("the server would read it as %s, which is what spec.%s sets. Remove the key, or read the others with another prefix in spec.envFrom", variable, specField)
}

// each returns one input per key of the source if the input is all keys. An object that may
// be missing, and is, has none.
func (i Input) each(s *Source) []Input {
	switch {
	case i.Key == "" && s == nil && i.Optional:
		return nil
	case i.Key != "" || s == nil:
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

// add reads one input from its source, which is nil if it does not exist.
func (r *Resolution) add(in Input, s *Source, absent map[Ref]Absent) []byte {
	v := Value{Name: in.Name()}
	problem := ""

	switch b, found, err := s.Value(in.Key); {
	case err != nil:
		problem = "its value is not valid base64"
	case s == nil && !in.Optional:
		problem = cmp.Or(absent[in.Source].Text, "the "+in.Source.Kind+" does not exist")
	case !found && !in.Optional:
		problem = "the " + in.Source.Kind + " has no such key in its data"
		for _, other := range s.others(in) {
			problem += ", nor " + other
		}
		problem += s.has()
	case found && len(b) == 0 && !in.Optional && dittofs.Known(cmp.Or(in.Env, in.File)):
		problem = "its value is empty"
	case found:
		v.Present, v.Bytes = true, b
		problem = values.Check(cmp.Or(in.Env, in.File), b)
	}

	if problem != "" {
		r.Problems = append(r.Problems, Problem{Source: in.Source, Key: in.Key, Text: problem})
		r.SigningKeyInvalid = r.SigningKeyInvalid || in.Env == dittofs.EnvJWTSecret
		r.EncryptionInvalid = r.EncryptionInvalid || isEncryption(in)
	} else if isEncryption(in) {
		if r.Encryption == nil {
			r.Encryption = &Encryption{}
		}
		r.Encryption.add(in, v.Bytes)
	}
	if !in.Live() {
		r.Restart = append(r.Restart, v)
	}
	return v.Bytes
}
