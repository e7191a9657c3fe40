package rollout

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/podinputs"
)

// TestHashPinned pins hashes that were worked out from the description of the
// stream, in another language. Another hash for the same source restarts every user's servers: it is a
// breaking change.
func TestHashPinned(t *testing.T) {
	cases := map[string]struct {
		reason string
		source Source
		want   string
	}{
		"Empty": {
			reason: "There is nothing but the version and an empty config.",
			want:   "98378bde5631f9ac71ad6cdbe2299e04c6e975a54d87acc9bc618127ba9a807b",
		},
		"Everything": {
			reason: "There are all frames.",
			source: Source{
				Config: []byte("logging:\n  level: INFO\n"),
				Inputs: []podinputs.Value{
					{Name: "c env A", Present: true, Bytes: []byte("value\n")},
					{Name: "c env B"},
					{Name: "c file /f", Present: true, Bytes: []byte{0, 0xff}},
				},
				RestartToken: "now",
				Spec:         []byte("{}"),
			},
			want: "0bb8b0d35760526f65f9e1270fed3cfc467fc66299942eb2b32de03606a393bd",
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Hash(tc.source)); diff != "" {
				t.Errorf("%s\nHash(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestHashIsOverFrames writes the stream of random sources down as it is
// described, compares its digest with the hash, and reads the source back out of
// the stream. What can be read back is unambiguous: no two sources have the same
// stream.
func TestHashIsOverFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	for range 2000 {
		s := randomSource(r)

		b := stream(s)
		digest := sha256.Sum256(b)
		if got, want := Hash(s), hex.EncodeToString(digest[:]); got != want {
			t.Fatalf("Hash(%+v) is %s, want %s, the digest of the frames", s, got, want)
		}

		back, err := parse(b)
		if err != nil {
			t.Fatalf("The frames of %+v cannot be told apart: %v", s, err)
		}
		if s.Spec != nil { // The stream has its digest.
			digest := sha256.Sum256(s.Spec)
			s.Spec = digest[:]
		}
		if diff := cmp.Diff(s, back); diff != "" {
			t.Fatalf("The frames of a source should be those of no other: -source, +what its frames say:\n%s", diff)
		}
	}
}

// TestHashTellsApart moves bytes from one part of a source to another. An attacker
// who may set one of them should not be able to stand in for another.
func TestHashTellsApart(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 0))
	for range 2000 {
		a := randomSource(r)
		b, how := move(r, a)
		same := cmp.Equal(a, b)
		if got := Hash(a) == Hash(b); got != same {
			t.Fatalf("%s: the hashes are equal: %t, the sources are: %t\n%s", how, got, same, cmp.Diff(a, b))
		}
	}
}

// move returns a source in which some bytes stand elsewhere, and says how.
func move(r *rand.Rand, s Source) (moved Source, how string) {
	b := Source{Config: bytes.Clone(s.Config), RestartToken: s.RestartToken, Spec: bytes.Clone(s.Spec)}
	for _, in := range s.Inputs {
		b.Inputs = append(b.Inputs, podinputs.Value{Name: in.Name, Present: in.Present, Bytes: bytes.Clone(in.Bytes)})
	}
	if len(b.Inputs) == 0 {
		b.Inputs = []podinputs.Value{{Name: "c env A", Present: true}}
		return b, "an input more"
	}
	i := r.IntN(len(b.Inputs))
	in := &b.Inputs[i]
	cut := r.IntN(len(in.Bytes) + 1)

	switch r.IntN(8) {
	case 0:
		in.Name, in.Bytes = in.Name+string(in.Bytes[:cut]), in.Bytes[cut:]
		return b, "from a value to its name"
	case 1:
		b.Config, in.Bytes = append(b.Config, in.Bytes[:cut]...), in.Bytes[cut:]
		return b, "from a value to the config"
	case 2:
		second := podinputs.Value{Name: in.Name, Present: in.Present, Bytes: bytes.Clone(in.Bytes[cut:])}
		in.Bytes = in.Bytes[:cut]
		b.Inputs = append(b.Inputs[:i+1], append([]podinputs.Value{second}, b.Inputs[i+1:]...)...)
		return b, "a value split in two"
	case 3:
		in.Present = !in.Present
		return b, "present or not"
	case 4:
		b.RestartToken, in.Bytes = b.RestartToken+string(in.Bytes[:cut]), in.Bytes[cut:]
		return b, "from a value to the token"
	case 5:
		other := &b.Inputs[r.IntN(len(b.Inputs))]
		in.Bytes, other.Bytes = other.Bytes, in.Bytes
		return b, "two values exchanged"
	case 6:
		b.Config, b.Spec = b.Spec, b.Config
		return b, "config and spec exchanged"
	}
	b.Inputs = append(b.Inputs[:i], b.Inputs[i+1:]...)
	return b, "an input less"
}

// randomSource makes up a source out of few and short bytes, some of which look
// like frames.
func randomSource(r *rand.Rand) Source {
	random := func() []byte {
		pool := [][]byte{{0}, {1}, []byte("a"), []byte("c env A"), []byte("restartToken"), []byte("generation"), frame([]byte("restartToken")), frame(nil)}
		b := []byte{}
		for range r.IntN(4) {
			b = append(b, pool[r.IntN(len(pool))]...)
		}
		return b
	}

	s := Source{Config: random(), RestartToken: string(random())}
	if r.IntN(2) == 0 {
		s.Spec = random()
	}
	for i := range r.IntN(4) {
		in := podinputs.Value{Name: fmt.Sprintf("c env %d%s", i, random()), Present: r.IntN(4) > 0, Bytes: []byte{}}
		if in.Present {
			in.Bytes = random()
		}
		s.Inputs = append(s.Inputs, in)
	}
	return s
}

// stream is the bytes that are hashed, as they are described.
func stream(s Source) []byte {
	b := append(frame([]byte("dittofs.io/config-hash/v1")), frame(s.Config)...)
	for _, in := range s.Inputs {
		b = append(b, frame([]byte(in.Name))...)
		if in.Present {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
		b = append(b, frame(in.Bytes)...)
	}
	if s.RestartToken != "" {
		b = append(append(b, frame([]byte("restartToken"))...), frame([]byte(s.RestartToken))...)
	}
	if s.Spec != nil {
		digest := sha256.Sum256(s.Spec)
		b = append(append(b, frame([]byte("generation"))...), frame(digest[:])...)
	}
	return b
}

func frame(b []byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(len(b))), b...)
}

// parse reads a source back. The names of inputs have blanks in them, those of the
// other frames have none.
func parse(b []byte) (s Source, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the stream ends early: %v", r)
		}
	}()
	next := func() []byte {
		n := binary.BigEndian.Uint64(b)
		f := b[8 : 8+n]
		b = b[8+n:]
		return f
	}

	if v := next(); string(v) != "dittofs.io/config-hash/v1" {
		return s, fmt.Errorf("the version is %q", v)
	}
	s.Config = next()
	for len(b) > 0 {
		switch name := next(); {
		case bytes.Contains(name, []byte(" ")):
			in := podinputs.Value{Name: string(name), Present: b[0] == 1}
			b = b[1:]
			in.Bytes = next()
			s.Inputs = append(s.Inputs, in)
		case string(name) == "restartToken":
			s.RestartToken = string(next())
		case string(name) == "generation":
			s.Spec = next()
		default:
			return s, fmt.Errorf("there is a frame %q", name)
		}
	}
	return s, nil
}
