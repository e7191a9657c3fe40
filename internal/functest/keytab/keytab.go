// Package keytab makes keytabs for tests, with the library that the function reads them
// with.
package keytab

import (
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// New returns a keytab with one AES-256 key, made of a password, of a service such as
// nfs/files.example.com.
func New(service, realm, password string, version uint8) []byte {
	k := keytab.New()
	if err := k.AddEntry(service, realm, password, time.Unix(0, 0), version, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
		panic(err) // The kind of the key is known.
	}
	b, err := k.Marshal()
	if err != nil {
		panic(err) // It was just made.
	}
	return b
}
