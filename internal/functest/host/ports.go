package host

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports that tests use are below those that the kernel gives to outgoing connections,
// of which busy tests have many.
const (
	firstPort = 20000
	lastPort  = 32767
)

// claims are kept as long as this process runs.
var claims struct {
	sync.Mutex

	sockets []net.PacketConn
}

// FreePort returns a port of the loopback interface that nobody listens on. No other
// call returns it, in any process, as long as this process runs: each holds the UDP port
// of the same number.
func FreePort() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		claim, err := net.ListenPacket("udp", Loopback(port))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", Loopback(port))
		if err != nil {
			_ = claim.Close()
			continue
		}
		claims.Lock()
		claims.sockets = append(claims.sockets, claim)
		claims.Unlock()
		return port, l.Close()
	}
	return 0, errors.New("cannot find a free port")
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
