package functest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Section returns what a file of the documentation, a path from the root of the module,
// says under a heading.
func Section(tb testing.TB, root, file, heading string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		tb.Fatal(err)
	}
	_, section, ok := strings.Cut("\n"+string(b), "# "+heading+"\n")
	if !ok {
		tb.Fatalf("%s has no heading %q", file, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// Table returns the cells of a table of Markdown, row by row, without those of its
// header. The header starts with these cells.
func Table(tb testing.TB, text string, header ...string) [][]string {
	tb.Helper()
	_, rest, ok := strings.Cut(text, "\n| "+strings.Join(header, " | ")+" |")
	if !ok {
		tb.Fatalf("There is no table with the columns %q", header)
	}
	rows := [][]string{}
	lines := strings.Split(rest, "\n")
	for _, line := range lines[2:] { // After the rest of the header, and the line below it.
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}
