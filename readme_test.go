package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// TestReadmeInputs checks that the README says of each Secret input what the hash
// goes by.
func TestReadmeInputs(t *testing.T) {
	change := map[dittofs.Reload]string{
		dittofs.AtStart:      "restarts",
		dittofs.Live:         "is live",
		dittofs.AtFirstStart: "restarts, and more",
	}
	table := &strings.Builder{}
	for _, in := range dittofs.SecretValues {
		fmt.Fprintf(table, "| `%s` | `%s` | %s | %s |\n", in.Field, in.Name, change[in.Reload], in.Evidence)
	}

	if !strings.Contains(readFile(t, "README.md"), table.String()) {
		t.Errorf("README.md does not have this table of Secret inputs, made of dittofs.SecretValues:\n%s", table)
	}
}

// TestReadmeFlags checks that the README has each flag of the function, with its
// default.
func TestReadmeFlags(t *testing.T) {
	readme := readFile(t, "README.md")
	for _, f := range flags(t) {
		row := "`--" + f.Name + "`"
		if !strings.Contains(readme, row) {
			t.Errorf("README.md does not have the flag %s", row)
		}
		if f.HasDefault && f.Default != "" && !strings.Contains(readme, "`"+f.Default+"`") {
			t.Errorf("README.md does not have the default %q of the flag %s", f.Default, row)
		}
		for _, env := range f.Envs {
			if !strings.Contains(readme, "`"+env+"`") {
				t.Errorf("README.md does not have the variable %s of the flag %s", env, row)
			}
		}
	}
}

// TestCommands checks that each command in the documentation is one that a test
// runs.
func TestCommands(t *testing.T) {
	// The tests that run what stands under a heading, by the heading.
	runners := map[string]string{
		"README.md, See it run":                                        "test/render/render_test.go",
		"README.md, Install":                                           "test/e2e/install_test.go",
		"README.md, The Composition step":                              "test/e2e/docs_test.go",
		"README.md, Conditions and status":                             "test/e2e/docs_test.go",
		"README.md, Troubleshooting":                                   "test/e2e/docs_test.go",
		"docs/migration.md, Moving a server from the DittoFS operator": "test/e2e/migrate_test.go",
	}
	ci, makefile := readFile(t, ".ci/run"), readFile(t, "Makefile")
	command := regexp.MustCompile("(?m)^(?:make|go|kubectl|crossplane) .*$|`(?:kubectl|crossplane (?:render|xpkg)) [^`]+`")
	target := regexp.MustCompile("^make ([a-z0-9-]+)")

	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "README.md") {
		for section := range strings.SplitSeq("\n"+readFile(t, file), "\n#") {
			heading, text, _ := strings.Cut(strings.TrimLeft(section, "# "), "\n")
			for _, c := range command.FindAllString(text, -1) {
				if m := target.FindStringSubmatch(c); m != nil {
					step := regexp.MustCompile(`(?m)^step ` + m[1] + `\b`)
					generated := m[1] == "generate" && strings.Contains(makefile, "\ncheck-diff: generate ")
					if !step.MatchString(ci) && !generated {
						t.Errorf("%s, %q: .ci/run does not run %q", file, heading, c)
					}
					continue
				}
				runner, ok := runners[file+", "+heading]
				if !ok {
					t.Errorf("%s, %q: nothing runs %q", file, heading, c)
				} else if !strings.Contains(readFile(t, runner), `"`+heading+`"`) {
					t.Errorf("%s, %q: %s does not run what stands there", file, heading, runner)
				}
			}
		}
	}
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
