// Package docs compares what the documentation says with what is there.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest"
)

const root = "../.."

// TestInputs checks what the README says of each Secret input, and what the hash goes by.
func TestInputs(t *testing.T) {
	change := map[dittofs.Reload]string{
		dittofs.AtStart:      "restarts",
		dittofs.Live:         "is live",
		dittofs.AtFirstStart: "restarts, and more",
	}
	want := [][]string{}
	for _, in := range dittofs.SecretValues {
		want = append(want, []string{"`" + in.Field + "`", "`" + in.Name + "`", change[in.Reload], in.Evidence})
	}

	readme := functest.Section(t, root, "README.md", "What restarts a server, and what does not")
	got := functest.Table(t, readme, "spec", "the server reads it as", "a change", "because")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("The README's table of Secret inputs: -dittofs.SecretValues, +README.md:\n%s", diff)
	}
}

// A place is a heading of a file.
type place struct{ file, heading string }

// TestCommands checks that each command of the documentation is one that .ci/run runs,
// or a test.
func TestCommands(t *testing.T) {
	run, before, steps := sectionsRun(t), prerequisites(t), steps(t)
	command := regexp.MustCompile("(?m)^(?:make|go|kubectl|crossplane|dfsctl|nfs-cp|smbclient) .*$|`(?:kubectl|crossplane (?:render|xpkg)) [^`]+`")

	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, path := range append(files, filepath.Join(root, "README.md")) {
		file, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		for section := range strings.SplitSeq("\n"+read(t, file), "\n#") {
			heading, text, _ := strings.Cut(strings.TrimLeft(section, "# "), "\n")
			for _, c := range command.FindAllString(text, -1) {
				commands++
				if f := strings.Fields(c); f[0] == "make" && len(f) > 1 {
					isRun := func(step string) bool { return step == f[1] || slices.Contains(before[step], f[1]) }
					if !slices.ContainsFunc(steps, isRun) {
						t.Errorf("%s, %q: .ci/run does not run %q", file, heading, c)
					}
				} else if !run[place{file, heading}] {
					t.Errorf("%s, %q: no test runs %q", file, heading, c)
				}
			}
		}
	}
	if commands == 0 {
		t.Error("The documentation has no commands")
	}
}

// sectionsRun are the sections that tests read: those that are named, file and heading,
// in the arguments of a call.
func sectionsRun(t *testing.T) map[place]bool {
	t.Helper()
	run := map[place]bool{}
	if err := filepath.WalkDir(filepath.Join(root, "test"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && len(call.Args) >= 2 {
				file, heading := literal(call.Args[len(call.Args)-2]), literal(call.Args[len(call.Args)-1])
				run[place{file, heading}] = run[place{file, heading}] || strings.HasSuffix(file, ".md")
			}
			return true
		})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return run
}

// literal is the value of a string literal, or nothing.
func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}

// steps are the targets that .ci/run makes.
func steps(t *testing.T) []string {
	t.Helper()
	targets := []string{}
	for line := range strings.SplitSeq(read(t, ".ci/run"), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "step" {
			targets = append(targets, f[1])
		}
	}
	return targets
}

// prerequisites are the targets that each target of the Makefile makes before it.
func prerequisites(t *testing.T) map[string][]string {
	t.Helper()
	rule := regexp.MustCompile(`(?m)^([a-z0-9-]+): ([^#\n]*)`)
	targets := map[string][]string{}
	for _, m := range rule.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets[m[1]] = strings.Fields(m[2])
	}
	return targets
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
