// Package rollout decides when the server's pod is replaced, and what is sent if it is
// not.
package rollout

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/dittofs/function-dittoserver/internal/podinputs"
)

// hashVersion is the first frame. A new version restarts every server once.
const hashVersion = "dittofs.io/config-hash/v1"

// A Source is everything that a server reads at its start only.
type Source struct {
	// Config is the bytes of config.yaml.
	Config []byte

	// Inputs are what the pod reads from Secrets and ConfigMaps, sorted by name.
	Inputs []podinputs.Value

	// RestartToken is the user's, or empty.
	RestartToken string

	// Spec is a canonical form of the user's whole spec, or nil if that is not part of
	// the hash.
	Spec []byte
}

// Hash returns the config hash of a source: a SHA-256 as 64 hex digits. It is one
// digest for everything, and includes the signing key. So nobody can guess the other
// Secrets from it; without a valid signing key no hash is written.
//
// Each part is framed by its length, so no two sources have the same stream of bytes.
// Changing the stream is a breaking change: it restarts every user's servers.
func Hash(s Source) string {
	h := framer{sha256.New()}

	h.frame([]byte(hashVersion))
	h.frame(s.Config)
	for _, in := range s.Inputs {
		h.frame([]byte(in.Name))
		h.present(in.Present)
		h.frame(in.Bytes)
	}
	if s.RestartToken != "" {
		h.frame([]byte("restartToken"))
		h.frame([]byte(s.RestartToken))
	}
	if s.Spec != nil {
		digest := sha256.Sum256(s.Spec)
		h.frame([]byte("generation"))
		h.frame(digest[:])
	}

	return hex.EncodeToString(h.Sum(nil))
}

type framer struct{ hash.Hash }

// frame writes the length of b, as 8 bytes, and b.
func (f framer) frame(b []byte) {
	f.write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
	f.write(b)
}

// present writes one byte, which tells a missing input from an empty one.
func (f framer) present(p bool) {
	if p {
		f.write([]byte{1})
	} else {
		f.write([]byte{0})
	}
}

// write cannot fail: a hash never does.
func (f framer) write(b []byte) { _, _ = f.Write(b) }
