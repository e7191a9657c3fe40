// Package markdown has what tests write into the documentation. It imports nothing but
// Go's own packages, so that all modules can use it.
package markdown

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The mark behind what a command has written.
const end = "<!-- As far as here. -->\n"

// Rewrite puts a text into a file, between the mark that names the command that writes
// it and the next end. The rest of the file stays.
func Rewrite(tb testing.TB, file, command, text string) {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	rewritten, err := rewrite(string(b), command, text)
	if err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
	if err := os.WriteFile(file, []byte(rewritten), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func rewrite(in, command, text string) (string, error) {
	begin := "<!-- " + command + " writes this. -->\n"
	before, rest, ok := strings.Cut(in, begin)
	_, after, okToo := strings.Cut(rest, end)
	if !ok || !okToo {
		return "", fmt.Errorf("there are no marks %q and %q", begin, end)
	}
	return before + begin + "\n" + text + "\n" + end + after, nil
}
