// Command vulncheck looks for known vulnerabilities in the modules of the repository
// that it is given, without a network but for the Go module proxy: what
// is known comes from golang.org/x/vulndb, at the version that go.mod names.
//
// It fails for what the function is built of, called or not: kong calls the function's
// code by reflection, where govulncheck's graph of calls ends. For tests and tools,
// which it looks at if asked, it does not fail, but lists what it finds. They are in no release, and what a tool is
// built of is for its own next release to mend.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// Where this module, and what it accepts, are in the repository.
const (
	home         = "tools/vulncheck"
	acceptedFile = home + "/accepted.txt"
)

func main() {
	db := flag.String("db", "", "URL of the vulnerability database (default: golang.org/x/vulndb, as "+home+"/go.mod names it)")
	all := flag.Bool("all", false, "also look at tests and tools")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: vulncheck [-db=URL] [-all] REPOSITORY")
		os.Exit(2)
	}
	if err := run(context.Background(), log.New(os.Stdout, "", 0), flag.Arg(0), *db, *all); err != nil {
		fmt.Fprintln(os.Stderr, "vulncheck:", err)
		os.Exit(1)
	}
}

// run tells what the database at db knows of the module in root, the function, and fails
// if that is built of something that is vulnerable. If asked for all, it lists what the
// database knows of the other modules under root, too.
func run(ctx context.Context, to *log.Logger, root, db string, all bool) error {
	if db == "" {
		tmp, err := os.MkdirTemp("", "vulndb-")
		if err != nil {
			return fmt.Errorf("cannot make a directory for the database: %w", err)
		}
		defer func() { _ = os.RemoveAll(tmp) }()
		if db, err = pinned(ctx, filepath.Join(root, home), tmp); err != nil {
			return err
		}
	}
	accepted, err := readAccepted(os.DirFS(root))
	if err != nil {
		return err
	}
	found, err := scan(ctx, root, db, ".")
	if err != nil {
		return fmt.Errorf("cannot look at the function: %w", err)
	}
	verdict := judge(to, found, accepted)
	if all {
		return errors.Join(verdict, listOthers(ctx, to, root, db))
	}
	return verdict
}

// listOthers lists what the database knows of tests and tools.
func listOthers(ctx context.Context, to *log.Logger, root, db string) error {
	others, err := modules(root)
	if err != nil {
		return err
	}
	to.Println("Known to be vulnerable in tests and tools, which are in no release:")
	for _, m := range others {
		// Tools as they are built, and the module's own packages. Most modules have only
		// one of the two. Of tests, govulncheck reads those in packages of their own.
		found, err := scan(ctx, filepath.Join(root, m), db, "-test", "tool", "./...")
		if err != nil {
			return fmt.Errorf("cannot look at %s: %w", m, err)
		}
		var versions []string
		for _, g := range group(slices.DeleteFunc(found, func(f finding) bool { return !f.imported || f.standard() })) {
			versions = append(versions, g[0].String())
		}
		if len(versions) != 0 {
			to.Printf("  %s: %s", m, strings.Join(versions, "; "))
		}
	}
	return nil
}

// modules are the directories of all modules under root but that of root itself,
// relative to it.
func modules(root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.Name() == "go.mod" && filepath.Dir(path) != filepath.Clean(root):
			dir, err := filepath.Rel(root, filepath.Dir(path))
			dirs = append(dirs, dir)
			return err
		}
		return nil
	})
	return dirs, err
}

// judge tells what was found in the function. It fails for what is in the binary,
// unless that is accepted, and for what is accepted without need.
//
// A vulnerability of the standard library that the next patch of the same Go ends is
// no fault of the repository, which names no patch: releases are built with the
// newest. One that takes another minor version to end is, as go.mod names that.
func judge(to *log.Logger, found []finding, accepted map[string]string) error {
	var patch, unused, bad []finding
	used := map[string]bool{}
	for _, f := range found {
		reason, ok := accepted[f.id]
		switch {
		case !f.imported:
			unused = append(unused, f)
		case f.standard() && semver.MajorMinor(f.fixed) == semver.MajorMinor(f.version):
			patch = append(patch, f)
		case ok:
			used[f.id] = true
			to.Printf("Accepted: %s: %s: %s", f, f.id, reason)
		default:
			bad = append(bad, f)
		}
	}
	for _, g := range group(slices.DeleteFunc(unused, finding.standard)) {
		to.Printf("In no package that the function imports: %s: %s", g[0], ids(g))
	}
	for _, g := range group(patch) {
		to.Printf("In the Go of this machine, while releases are built with its newest patch: %s: %s", g[0], ids(g))
	}
	for _, f := range bad {
		to.Printf("In the function: %s: %s: %s", f, f.id, f.summary)
	}

	maps.DeleteFunc(accepted, func(id, _ string) bool { return used[id] })
	switch {
	case len(bad) != 0:
		return fmt.Errorf("the function is built of what is known to be vulnerable: %s. "+
			"Raise the module, or Go, in go.mod, or say in %s why it does no harm. https://pkg.go.dev/vuln/%s tells more",
			ids(bad), acceptedFile, bad[0].id)
	case len(accepted) != 0:
		return fmt.Errorf("%s accepts what the function does not have: %s. Remove it there",
			acceptedFile, strings.Join(slices.Sorted(maps.Keys(accepted)), ", "))
	}
	to.Println("The function is built of nothing else that is known to be vulnerable.")
	return nil
}

// group puts together what was found in one version of a module, apart from what no
// version fixes. The first of each group has the version that fixes them all.
func group(found []finding) [][]finding {
	slices.SortFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.module, b.module), cmp.Compare(a.version, b.version), semver.Compare(b.fixed, a.fixed))
	})
	var groups [][]finding
	for len(found) != 0 {
		first := found[0]
		n := slices.IndexFunc(found, func(f finding) bool {
			return f.module != first.module || f.version != first.version || (f.fixed == "") != (first.fixed == "")
		})
		if n < 0 {
			n = len(found)
		}
		groups = append(groups, found[:n])
		found = found[n:]
	}
	return groups
}

func ids(found []finding) string {
	var all []string
	for _, f := range found {
		all = append(all, f.id)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// readAccepted gives the reason for each vulnerability that the repository accepts.
// Each line of the file has an ID and a reason, or is a comment. Without the file
// there are none.
func readAccepted(repository fs.FS) (map[string]string, error) {
	b, err := fs.ReadFile(repository, acceptedFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	accepted := map[string]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, reason, _ := strings.Cut(line, " ")
		if reason = strings.TrimSpace(reason); reason == "" {
			return nil, fmt.Errorf("%s accepts %s without a reason: write one behind the ID", acceptedFile, id)
		}
		accepted[id] = reason
	}
	return accepted, nil
}
