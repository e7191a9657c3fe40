package podinputs

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A Ref refers to an object in the DittoServer's namespace.
type Ref struct {
	// Kind is Secret, ConfigMap, ServiceAccount or PersistentVolumeClaim.
	Kind, Name string
}

// Kinds of the objects that a pod reads, or cannot be started without.
const (
	KindSecret         = "Secret"
	KindConfigMap      = "ConfigMap"
	KindServiceAccount = "ServiceAccount"
	KindClaim          = "PersistentVolumeClaim"
)

// Secret refers to a Secret.
func Secret(name string) Ref { return Ref{Kind: KindSecret, Name: name} }

// ConfigMap refers to a ConfigMap.
func ConfigMap(name string) Ref { return Ref{Kind: KindConfigMap, Name: name} }

// ServiceAccount refers to a ServiceAccount.
func ServiceAccount(name string) Ref { return Ref{Kind: KindServiceAccount, Name: name} }

// Claim refers to a PersistentVolumeClaim.
func Claim(name string) Ref { return Ref{Kind: KindClaim, Name: name} }

// hasBytes says whether a process reads anything of the object. Others only have to be
// there.
func (r Ref) hasBytes() bool { return r.Kind != KindServiceAccount && r.Kind != KindClaim }

func (r Ref) compare(other Ref) int {
	return cmp.Or(strings.Compare(r.Kind, other.Kind), strings.Compare(r.Name, other.Name))
}

// key returns the key of the lookup.
func (r Ref) key() string {
	return strings.ToLower(r.Kind) + "/" + r.Name
}

// Sources are the objects that Crossplane has looked up. Those that do not exist are nil.
type Sources map[Ref]*Source

// LookUp asks Crossplane for the sources of inputs, all in one namespace. What Crossplane
// may not read counts as there.
func LookUp(l *observed.Lookups, inputs []Input, namespace string) Sources {
	sources := Sources{}
	for _, in := range inputs {
		ref := in.Source
		if _, asked := sources[ref]; asked {
			continue
		}
		switch known, may := l.MayRead(ref.Kind); {
		case !known:
			continue
		case !may:
			sources[ref] = &Source{}
			continue
		}
		a := l.Get(ref.key(), observed.Ref{APIVersion: "v1", Kind: ref.Kind, Namespace: namespace, Name: ref.Name})
		switch {
		case a.Object != nil:
			sources[ref] = NewSource(a.Object)
		case a.Known:
			sources[ref] = nil
		}
	}
	return sources
}

// A Source is an object with its data, if it is a Secret or a ConfigMap. It decodes only
// the keys that are read.
type Source struct {
	// Object as it is in the cluster.
	Object *structpb.Struct

	data, text map[string]*structpb.Value

	// either has all keys under which a value may be, by the variable that it is read as.
	either map[string][]string
}

// NewSource reads an object.
func NewSource(object *structpb.Struct) *Source {
	if structs.Text(object, "kind") == KindConfigMap {
		return &Source{Object: object, text: structs.Fields(object, "data"), data: structs.Fields(object, "binaryData")}
	}
	return &Source{Object: object, data: structs.Fields(object, "data")}
}

// leaves says whether the object is a claim that is being deleted. Pods that have it keep
// it, and no other gets it.
func (s *Source) leaves() bool {
	return s != nil && structs.Text(s.Object, "kind") == KindClaim && structs.Text(s.Object, "metadata", "deletionTimestamp") != ""
}

func (s *Source) hasKey(key string) bool {
	if s == nil {
		return false
	}
	_, inText := s.text[key]
	_, inData := s.data[key]
	return inText || inData
}

func (s *Source) keys() []string {
	return slices.Sorted(maps.Keys(merged(s.data, s.text)))
}

// of returns the part of the source that an input can be read from: the kubelet makes no
// variables of a ConfigMap's binaryData.
func (s *Source) of(in *Input) *Source {
	if s == nil || in.Source.Kind != KindConfigMap || in.isFile() {
		return s
	}
	return &Source{Object: s.Object, text: s.text}
}

// has lists the keys that exist, for a user who expected another.
func (s *Source) has() string {
	const most = 10
	switch keys := s.keys(); {
	case len(keys) == 0:
		return ", which is empty"
	case len(keys) > most:
		return fmt.Sprintf(". It has %s, and %d more", strings.Join(keys[:most], ", "), len(keys)-most)
	default:
		return ". It has " + strings.Join(keys, ", ")
	}
}

func merged(a, b map[string]*structpb.Value) map[string]*structpb.Value {
	if len(b) == 0 {
		return a
	}
	m := maps.Clone(b)
	maps.Copy(m, a)
	return m
}

// Value returns the bytes of a key as a pod sees them.
func (s *Source) Value(key string) (b []byte, found bool, err error) {
	if s == nil {
		return nil, false, nil
	}
	if v, found := s.text[key]; found {
		return []byte(v.GetStringValue()), true, nil
	}
	v, found := s.data[key]
	if !found {
		return nil, false, nil
	}
	b, err = base64.StdEncoding.DecodeString(v.GetStringValue())
	return b, true, err
}
