package host

import (
	"io"
	"net/http"
	"testing"
)

// Metrics are what a server says of itself at an address.
func Metrics(tb testing.TB, address string) string {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer rsp.Body.Close() // Only read from.
	b, err := io.ReadAll(rsp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
