package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/dittofs/function-dittoserver/internal/functest"
)

// TestFlagsInReadme compares the README's table of flags with the flags.
func TestFlagsInReadme(t *testing.T) {
	k, err := kong.New(&CLI{})
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]*kong.Flag{}
	for _, f := range k.Model.Flags {
		if f.Name != "help" {
			flags[f.Name] = f
		}
	}

	quoted := func(cell string) []string { // What is in a cell as code, with what is in parentheses.
		words := []string{}
		for i, w := range strings.Split(cell, "`") {
			if i%2 == 1 {
				words = append(words, w)
			}
		}
		return words
	}
	for _, row := range functest.Table(t, functest.Section(t, ".", "README.md", "Running the function"), "flag", "default", "what it does") {
		names, defaults := []string{}, quoted(row[1])
		for _, word := range quoted(row[0]) {
			name, isFlag := strings.CutPrefix(word, "--")
			if isFlag {
				names = append(names, name)
				continue
			}
			if last := flags[names[len(names)-1]]; last == nil || !slices.Contains(last.Envs, word) {
				t.Errorf("README.md says that the variable %s is as the flag --%s, and it is not", word, names[len(names)-1])
			}
		}
		for i, name := range names {
			f, ok := flags[name]
			if !ok {
				t.Errorf("README.md has the flag --%s, which is none", name)
				continue
			}
			delete(flags, name)
			if f.Default != "" && (i >= len(defaults) || defaults[i] != f.Default) {
				t.Errorf("README.md says that the default of --%s is %q, and it is %q", name, defaults, f.Default)
			}
			for _, env := range f.Envs {
				if !slices.Contains(quoted(row[0]), env) {
					t.Errorf("README.md does not have the variable %s of the flag --%s", env, name)
				}
			}
		}
	}
	for name := range flags {
		t.Errorf("README.md does not have the flag --%s", name)
	}
}
