package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/mod/module"
)

// The module that has all entries of the Go vulnerability database.
const vulndb = "golang.org/x/vulndb"

// pinned makes a database in out, of the version of golang.org/x/vulndb that the
// go.mod in dir names, and gives its URL.
func pinned(ctx context.Context, dir, out string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", vulndb)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	b, err := cmd.Output()
	var mod struct {
		Version string `json:"Version"`
		Dir     string `json:"Dir"`
		Error   string `json:"Error"`
	}
	if unreadable := json.Unmarshal(b, &mod); err == nil {
		err = unreadable
	}
	if err != nil {
		return "", fmt.Errorf("cannot download %s as %s names it: %w %s", vulndb, filepath.Join(dir, "go.mod"), err, mod.Error)
	}
	modified, err := module.PseudoVersionTime(mod.Version)
	if err != nil {
		return "", fmt.Errorf("cannot tell how old %s is: %w", vulndb, err)
	}
	return index(filepath.Join(mod.Dir, "data", "osv"), out, modified)
}

// index makes a database in out, of a directory with one OSV entry in each file, and
// gives its URL. It has what govulncheck reads of the layout in
// https://go.dev/doc/security/vuln/database.
func index(entries, out string, modified time.Time) (string, error) {
	type vuln struct {
		ID string `json:"id"`
	}
	type mod struct {
		Path  string `json:"path"`
		Vulns []vuln `json:"vulns"`
	}
	files, err := fs.Glob(os.DirFS(entries), "*.json")
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", fmt.Errorf("there are no entries in %s. Has %s moved them?", entries, vulndb)
	}
	byPath := map[string]*mod{}
	for _, file := range files {
		b, err := fs.ReadFile(os.DirFS(entries), file)
		if err != nil {
			return "", err
		}
		var entry struct {
			ID       string `json:"id"`
			Affected []struct {
				Package struct {
					Name string `json:"name"`
				} `json:"package"`
			} `json:"affected"`
		}
		if err := json.Unmarshal(b, &entry); err != nil {
			return "", fmt.Errorf("cannot read %s: %w", file, err)
		}
		if entry.ID+".json" != file {
			return "", fmt.Errorf("%s has the entry %s: govulncheck would not find it by its name", file, entry.ID)
		}
		for _, a := range entry.Affected {
			m := byPath[a.Package.Name]
			if m == nil {
				m = &mod{Path: a.Package.Name}
				byPath[m.Path] = m
			}
			m.Vulns = append(m.Vulns, vuln{entry.ID})
		}
	}
	all := make([]*mod, 0, len(byPath))
	for _, m := range byPath {
		all = append(all, m)
	}

	if err := os.Mkdir(filepath.Join(out, "index"), 0o750); err != nil {
		return "", err
	}
	for name, content := range map[string]any{"modules.json": all, "db.json": map[string]time.Time{"modified": modified}} {
		b, err := json.Marshal(content)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(out, "index", name), b, 0o600); err != nil {
			return "", err
		}
	}
	return "file://" + out, os.Symlink(entries, filepath.Join(out, "ID"))
}
