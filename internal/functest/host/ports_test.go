package host

import (
	"net"
	"testing"
)

// TestFreePort never gets the same port twice, even if nobody listens on it yet.
func TestFreePort(t *testing.T) {
	seen := map[int]bool{}
	for range 500 {
		port, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Fatalf("Port %d should not be returned twice", port)
		}
		seen[port] = true
	}
}

// TestFreeAddress listens on an address that is free.
func TestFreeAddress(t *testing.T) {
	l, err := net.Listen("tcp", FreeAddress(t))
	if err != nil {
		t.Fatalf("The address should be free: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
