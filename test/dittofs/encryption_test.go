package dittofs

import (
	"fmt"
	"strings"
	"testing"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/keyfile"
)

// encrypted is the configuration of a remote store with a key of the server.
var encrypted = fmt.Sprintf(`{"encryption": {"aead": "aes-256-gcm", "key": {"kind": "local", "file": %q}}}`, contract.EncryptionKeyFile("main"))

// unserved is what the server logs of a share that it cannot serve.
const unserved = "Failed to add share to runtime"

// checkEncryption creates an encrypted store and a share on it.
func checkEncryption(t *testing.T, s *server) {
	t.Helper()
	s.shareWithRemote(t, "/export", encrypted)
}

// TestEncryption gives a server with an encrypted store other keys and passphrases. What
// the function holds back is put there all the same, to see that it is right to.
func TestEncryption(t *testing.T) {
	const passphrase = "staple-battery-horse"
	cases := map[string]struct {
		reason string
		change map[string][]byte

		serves bool // The share, after the restart.
		held   bool
	}{
		"Same":           {reason: "A restart changes nothing.", serves: true},
		"WrittenAnew":    {reason: "The master key is the same.", change: map[string][]byte{contract.EnvEncryptionPassphrase: []byte("another"), contract.EncryptionKeyFile("main"): keyfile.New("another", "key-1")}, serves: true},
		"Passphrase":     {reason: "It does not open the key, and the server starts all the same.", change: map[string][]byte{contract.EnvEncryptionPassphrase: []byte("another")}, held: true},
		"NoKeyFile":      {reason: "There is no key, and the server starts all the same.", change: map[string][]byte{contract.EncryptionKeyFile("main"): []byte("none")}, held: true},
		"OtherMasterKey": {reason: "The server does not notice, but what is in the store it can no longer read.", change: map[string][]byte{contract.EncryptionKeyFile("main"): keyfile.New(passphrase, "key-2")}, serves: true, held: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "encryption")
			checkEncryption(t, s)

			before := s.hash(t)
			for input, value := range tc.change {
				s.change(t, input, value)
			}
			s.reconcile(t)
			if held := s.hash(t) == before; held != (tc.held || len(tc.change) == 0) {
				t.Errorf("%s\nThe function holds the server: %t", tc.reason, held)
			}

			s.replace(t)
			if served := !strings.Contains(s.Log(), unserved); served != tc.serves {
				t.Errorf("%s\nThe server serves the share: %t\n%s", tc.reason, served, s.Log())
			}
			s.stop(t)
		})
	}
}
