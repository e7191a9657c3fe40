package values

import (
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/keyfile"
)

// TestKeyFileOfDittoFS opens a key file that DittoFS itself has written.
func TestKeyFileOfDittoFS(t *testing.T) {
	file, err := os.ReadFile("testdata/dittofs.key")
	if err != nil {
		t.Fatal(err)
	}
	if problem := Check(dittofs.EncryptionKeyFile("main"), file); problem != "" {
		t.Errorf("Check(...): %s", problem)
	}
	if got, want := MasterKeyID(file), "04c380e9-180d-4a5f-ab99-844cb075f115"; got != want {
		t.Errorf("MasterKeyID(...): want %q, got %q", want, got)
	}
	for passphrase, want := range map[string]bool{"a passphrase": true, "a passphrase\n": false, "another": false, "": false} {
		if got := Opens([]byte(passphrase), file); got != want {
			t.Errorf("Opens(%q, ...): want %t, got %t", passphrase, want, got)
		}
	}
}

// TestCheckKeyFile finds key files that the server does not open, or that would cost the
// function too much.
func TestCheckKeyFile(t *testing.T) {
	good := keyfile.New("p", "id")
	with := func(edit func(file, kdf map[string]any)) []byte {
		block, _ := pem.Decode(good)
		file := map[string]any{}
		if err := json.Unmarshal(block.Bytes, &file); err != nil {
			t.Fatal(err)
		}
		edit(file, file["kdf"].(map[string]any))
		b, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "DITTOFS ENCRYPTED MASTER KEY", Bytes: b})
	}
	set := func(field string, value any) []byte {
		return with(func(file, kdf map[string]any) {
			if _, of := kdf[field]; of {
				kdf[field] = value
			} else {
				file[field] = value
			}
		})
	}
	const none, version, cost = "no key file", "version", "64 MiB"
	cases := map[string]struct {
		reason, problem string
		file            []byte
	}{
		"Fit":         {reason: "The server opens it.", file: good},
		"TextAround":  {reason: "PEM may have text around it.", file: append([]byte("a key\n"), good...)},
		"Empty":       {reason: "It is none.", problem: none},
		"Text":        {reason: "It is none.", problem: none, file: []byte("text")},
		"OtherPEM":    {reason: "A private key is no master key.", problem: none, file: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("{}")})},
		"NoJSON":      {reason: "The server reads JSON.", problem: none, file: pem.EncodeToMemory(&pem.Block{Type: "DITTOFS ENCRYPTED MASTER KEY", Bytes: []byte("x")})},
		"Version":     {reason: "The server knows one version.", problem: version, file: set("version", 2)},
		"KDF":         {reason: "The server knows one derivation.", problem: version, file: set("algo", "scrypt")},
		"Wrap":        {reason: "The server knows one cipher here.", problem: version, file: set("wrap", "aes-128-gcm")},
		"NoTime":      {reason: "The derivation would panic.", problem: cost, file: set("time", 0)},
		"NoThreads":   {reason: "The derivation would panic.", problem: cost, file: set("threads", 0)},
		"Long":        {reason: "The function has other things to do.", problem: cost, file: set("time", 4)},
		"Large":       {reason: "The function has not that much memory.", problem: cost, file: set("memory_kib", 64<<10+1)},
		"Small":       {reason: "The server takes nothing as weak.", problem: cost, file: set("memory_kib", 1)},
		"NoName":      {reason: "The server wants a name of the key.", problem: none, file: set("master_key_id", "")},
		"NameOfTwo":   {reason: "Names are compared, one by one.", problem: none, file: set("master_key_id", "a,b=c")},
		"ShortNonce":  {reason: "The cipher would panic.", problem: none, file: set("nonce", []byte("short"))},
		"ShortKey":    {reason: "A master key has 32 bytes.", problem: none, file: set("wrapped_master_key", []byte("short"))},
		"NotBase64":   {reason: "The server reads base64.", problem: none, file: set("nonce", "!")},
		"NotANumber":  {reason: "The server reads a number.", problem: none, file: set("threads", 300)},
		"AnotherKind": {reason: "The server reads an object.", problem: none, file: pem.EncodeToMemory(&pem.Block{Type: "DITTOFS ENCRYPTED MASTER KEY", Bytes: []byte("[]")})},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Check(dittofs.EncryptionKeyFile("main"), tc.file)
			if !strings.Contains(got, tc.problem) || (got == "") != (tc.problem == "") {
				t.Errorf("%s\nCheck(...): want %q, got %q", tc.reason, tc.problem, got)
			}
			if opens := Opens([]byte("p"), tc.file); opens != (tc.problem == "") {
				t.Errorf("%s\nOpens(...): got %t", tc.reason, opens)
			}
		})
	}
}
