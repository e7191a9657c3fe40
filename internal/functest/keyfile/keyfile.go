// Package keyfile writes key files of DittoFS' encryption.
package keyfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"

	"golang.org/x/crypto/argon2"
)

// New returns a key file with a master key of a name, which the passphrase opens. The same
// arguments give the same file, and the same name the same master key. It is cheaper to
// open than the server's own.
func New(passphrase, id string) []byte {
	const time, memoryKiB, threads, bytes = 1, 8 << 10, 1, 32
	salt := sha256.Sum256([]byte("salt of " + passphrase))
	block, err := aes.NewCipher(argon2.IDKey([]byte(passphrase), salt[:16], time, memoryKiB, threads, bytes))
	if err != nil {
		panic(err) // The key has the right size.
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the right block size.
	}
	master, nonce := sha256.Sum256([]byte(id)), sha256.Sum256([]byte("nonce of "+id))
	body, err := json.Marshal(map[string]any{
		"version": 1, "master_key_id": id,
		"kdf":  map[string]any{"algo": "argon2id", "salt": salt[:16], "time": time, "memory_kib": memoryKiB, "threads": threads},
		"wrap": "aes-256-gcm", "nonce": nonce[:aead.NonceSize()],
		"wrapped_master_key": aead.Seal(nil, nonce[:aead.NonceSize()], master[:], nil),
	})
	if err != nil {
		panic(err) // Texts, numbers and bytes.
	}
	return pem.EncodeToMemory(&pem.Block{Type: "DITTOFS ENCRYPTED MASTER KEY", Bytes: body})
}
