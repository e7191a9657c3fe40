package dittofs

import (
	"crypto/tls"
	"encoding/asn1"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/test/dittofs/kubelet"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// A directory is an LDAP server that lets everybody in and remembers with which
// password they came.
type directory struct {
	mu       sync.Mutex
	password string
}

// bound is the password of the latest bind.
func (d *directory) bound() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.password
}

// startDirectory starts an LDAP server at a URL in the network.
func startDirectory(t *testing.T, n *kubelet.Network, address string) *directory {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	d := &directory{}
	cert := host.NamedAuthority(matrix.ServerAuthority).Issue("directory").TLS()
	serve(t, n, port, func(c net.Conn) error {
		if u.Scheme != "ldaps" {
			return d.answer(c)
		}
		return d.answer(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}))
	})
	return d
}

// The parts of LDAP (RFC 4511) that a bind consists of.
type (
	ldapMessage struct {
		ID int
		Op asn1.RawValue
	}
	ldapResult struct {
		Code    asn1.Enumerated
		Matched []byte
		Message []byte
	}
)

const (
	ldapBindRequest  = 0
	ldapBindResponse = 1
)

// answer lets clients bind, until they do something else.
func (d *directory) answer(c net.Conn) error {
	buf := []byte{}
	for {
		m := ldapMessage{}
		rest, err := asn1.Unmarshal(buf, &m)
		if err != nil {
			chunk := make([]byte, 4096)
			n, err := c.Read(chunk)
			if err != nil {
				return err
			}
			buf = append(buf, chunk[:n]...)
			continue
		}
		buf = rest
		if m.Op.Tag != ldapBindRequest {
			return io.EOF
		}
		if err := d.bind(m.Op.Bytes); err != nil {
			return err
		}
		rsp, err := bindResponse(m.ID)
		if err != nil {
			return err
		}
		if _, err := c.Write(rsp); err != nil {
			return err
		}
	}
}

// bind remembers the password of a bind request: a version, a name, and the
// password.
func (d *directory) bind(request []byte) error {
	var version int
	rest, err := asn1.Unmarshal(request, &version)
	if err != nil {
		return errors.Wrap(err, "version")
	}
	var name, password asn1.RawValue
	rest, err = asn1.Unmarshal(rest, &name)
	if err != nil {
		return errors.Wrap(err, "name")
	}
	if _, err := asn1.Unmarshal(rest, &password); err != nil {
		return errors.Wrap(err, "password")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.password = string(password.Bytes)
	return nil
}

func bindResponse(id int) ([]byte, error) {
	result, err := asn1.Marshal(ldapResult{})
	if err != nil {
		return nil, err
	}
	// The same elements, tagged as a response instead of a sequence.
	body := asn1.RawValue{}
	if _, err := asn1.Unmarshal(result, &body); err != nil {
		return nil, err
	}
	return asn1.Marshal(ldapMessage{ID: id, Op: asn1.RawValue{
		Class: asn1.ClassApplication, Tag: ldapBindResponse, IsCompound: true, Bytes: body.Bytes,
	}})
}

// testLDAP makes the server bind to the directory, with what it was configured
// with.
func (s *server) testLDAP(t *testing.T) error {
	t.Helper()
	s.mustLogin(t)
	// Its own configuration has a placeholder for the password, which means the one
	// that the server has.
	config := s.administer(t, "identity-provider", "get", "ldap", "--output", "json")
	_, err := s.dfsctl(t, "identity-provider", "test", "ldap", "--config", config)
	return err
}
