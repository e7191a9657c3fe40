package host

import (
	"fmt"
	"net"
	"strconv"
	"testing"
)

// FreePort returns a port of the loopback interface that nobody listens on.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // Does not block.
	if err != nil {
		return 0, fmt.Errorf("cannot find a free port: %w", err)
	}
	defer l.Close() // Nothing was accepted.
	return l.Addr().(*net.TCPAddr).Port, nil
}

// FreeAddress returns an address of the loopback interface that nobody listens on.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	port, err := FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	return Loopback(port)
}

// Loopback returns the address of a port of the loopback interface.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
