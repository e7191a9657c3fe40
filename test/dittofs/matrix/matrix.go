// Package matrix reads the DittoServers that tests run on the real server: each is a
// directory with its manifest and those of its Secrets and ConfigMaps.
package matrix

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/template"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/functest/keyfile"
	"github.com/dittofs/function-dittoserver/internal/functest/keytab"
)

// The authorities behind the certificates of the matrix.
const (
	ServerAuthority = "servers"
	ClientAuthority = "clients"
)

// Rows are the names of the directories in a directory.
func Rows(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list rows: %w", err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Documents are the YAML documents of a file, which may not exist. It is a template,
// because certificates and keytabs are made, not kept.
func Documents(path string) ([][]byte, error) {
	text, err := os.ReadFile(path) //nolint:gosec // A row of ours.
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read row: %w", err)
	}
	tmpl, err := template.New(path).Funcs(template.FuncMap{
		"ca":      func(name string) string { return quoted(host.NamedAuthority(name).Certificate()) },
		"cert":    func(ca, name string) string { return quoted(host.NamedAuthority(ca).Issue(name).Cert) },
		"key":     func(ca, name string) string { return quoted(host.NamedAuthority(ca).Issue(name).Key) },
		"keyfile": func(passphrase, id string) string { return quoted(keyfile.New(passphrase, id)) },
		"keytab": func(principal string, version uint8) string {
			return base64.StdEncoding.EncodeToString(Keytab(principal, version))
		},
	}).Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("cannot parse row: %w", err)
	}
	out := &bytes.Buffer{}
	if err := tmpl.Execute(out, nil); err != nil {
		return nil, fmt.Errorf("cannot make row: %w", err)
	}
	return bytes.Split(out.Bytes(), []byte("\n---\n")), nil
}

// Keytab is the keytab of a service, such as nfs/files.example.com@EXAMPLE.COM, with a
// key that is the same one on every run.
func Keytab(principal string, version uint8) []byte {
	service, realm, _ := strings.Cut(principal, "@")
	return keytab.New(service, realm, principal, version)
}

// quoted is a text that YAML can have anywhere.
func quoted(b []byte) string { return strconv.Quote(string(b)) }
