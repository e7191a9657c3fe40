package host

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
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

// Series are the metrics of a text that a server says of itself, each with the names of
// its labels, sorted, one a line. Those of the Go runtime differ with its version and are
// left out.
func Series(text string) string {
	value, label := regexp.MustCompile(`"(?:[^"\\]|\\.)*"`), regexp.MustCompile(`[a-zA-Z_]\w*`)
	lines := []string{}
	for line := range strings.Lines(text) {
		name, labels, _ := strings.Cut(strings.TrimSpace(value.ReplaceAllString(line, "")), "{")
		name, _, _ = strings.Cut(name, " ")
		if name == "" || name == "#" || strings.HasPrefix(name, "go_") {
			continue
		}
		labels, _, _ = strings.Cut(labels, "}")
		names := label.FindAllString(labels, -1)
		slices.Sort(names)
		lines = append(lines, name+"{"+strings.Join(names, ",")+"}\n")
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "")
}
