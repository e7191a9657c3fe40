package values

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"regexp"
	"sync"

	"golang.org/x/crypto/argon2"
)

// The server's own key files take this much to open. It would open more expensive ones,
// but a check must not take the function's memory.
const (
	maxKeyFileTime    = 3
	maxKeyFileMemory  = 64 << 10 // KiB
	minKeyFileMemory  = 8 << 10  // KiB
	maxKeyFileThreads = 64

	masterKeyBytes = 32
)

// masterKeyID is what the server's own names of master keys have.
var masterKeyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// A keyFile holds a master key that is encrypted with a key derived from a passphrase.
type keyFile struct {
	Version     int    `json:"version"`
	MasterKeyID string `json:"master_key_id"`
	KDF         struct {
		Algo      string `json:"algo"`
		Salt      []byte `json:"salt"`
		Time      uint32 `json:"time"`
		MemoryKiB uint32 `json:"memory_kib"`
		Threads   uint8  `json:"threads"`
	} `json:"kdf"`
	Wrap             string `json:"wrap"`
	Nonce            []byte `json:"nonce"`
	WrappedMasterKey []byte `json:"wrapped_master_key"`
}

// parseKeyFile reads a key file as the server does.
func parseKeyFile(value []byte) (k *keyFile, problem string) {
	const isNone = "it is no key file of DittoFS"
	block, _ := pem.Decode(value)
	if block == nil || block.Type != "DITTOFS ENCRYPTED MASTER KEY" {
		return nil, isNone
	}
	k = &keyFile{}
	if err := json.Unmarshal(block.Bytes, k); err != nil {
		return nil, isNone
	}
	switch d := k.KDF; {
	case k.Version != 1 || d.Algo != "argon2id" || k.Wrap != "aes-256-gcm":
		return nil, "it is a key file of a version that DittoFS does not know"
	case d.Time < 1 || d.Time > maxKeyFileTime || d.MemoryKiB < minKeyFileMemory || d.MemoryKiB > maxKeyFileMemory || d.Threads < 1 || d.Threads > maxKeyFileThreads:
		return nil, fmt.Sprintf("the cost of its key derivation is not one that DittoFS chooses: at most %d passes over %d MiB", maxKeyFileTime, maxKeyFileMemory>>10)
	case len(k.Nonce) != gcmNonceBytes || len(k.WrappedMasterKey) != masterKeyBytes+gcmTagBytes || !masterKeyID.MatchString(k.MasterKeyID):
		return nil, isNone
	}
	return k, ""
}

// Sizes of AES-GCM, in bytes.
const (
	gcmNonceBytes = 12
	gcmTagBytes   = 16
)

func checkKeyFile(value []byte) string {
	_, problem := parseKeyFile(value)
	return problem
}

// MasterKeyID returns the name of the master key in a key file, or nothing. It is no
// secret: the server writes it into each block.
func MasterKeyID(file []byte) string {
	k, problem := parseKeyFile(file)
	if problem != "" {
		return ""
	}
	return k.MasterKeyID
}

// opening lets one key file be opened at a time, because that takes 64 MiB.
//
//nolint:gochecknoglobals // The memory is that of the whole process.
var opening sync.Mutex

// Opens says whether a passphrase opens a key file. It does what the server does at its
// start, which takes a fifth of a second, and 64 MiB of memory.
func Opens(passphrase, file []byte) bool {
	k, problem := parseKeyFile(file)
	if problem != "" {
		return false
	}
	opening.Lock()
	derived := argon2.IDKey(passphrase, k.KDF.Salt, k.KDF.Time, k.KDF.MemoryKiB, k.KDF.Threads, masterKeyBytes)
	opening.Unlock()

	block, err := aes.NewCipher(derived)
	if err != nil {
		return false
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return false
	}
	_, err = aead.Open(nil, k.Nonce, k.WrappedMasterKey, nil)
	return err == nil
}
