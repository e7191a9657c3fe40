// Package golden compares what is made with what was made when somebody last looked at it.
package golden

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Compare compares a text with the one in a file, and says why they should be the same if
// they are not. With update, it writes the file first: somebody has looked at the text.
func Compare(tb testing.TB, update bool, file, got, reason string) {
	tb.Helper()
	if update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		tb.Fatalf("%v: make update-golden writes it. Look at the result", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		tb.Errorf("%s\n-want (%s), +got (make update-golden accepts it):\n%s", reason, file, diff)
	}
}
