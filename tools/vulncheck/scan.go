package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	vuln "golang.org/x/vuln/scan"
)

// A finding is a vulnerability of a module in a build.
type finding struct {
	id, summary     string
	module, version string // For the standard library, stdlib and its Go.
	fixed           string // The first version that is free of it, or empty.
	imported        bool   // A package that has it is in the build.
}

// String says what has the vulnerability, and what has it no more.
func (f finding) String() string {
	if f.fixed == "" {
		return f.module + " " + f.version + ", fixed in no version"
	}
	return f.module + " " + f.version + ", fixed in " + f.fixed
}

func (f finding) standard() bool { return f.module == "stdlib" }

// scan runs govulncheck on packages of the module in dir, as a release builds them.
// There is one finding for each pair of a vulnerability and a module. Releases for
// other architectures are built of the same modules.
func scan(ctx context.Context, dir, db string, args ...string) ([]finding, error) {
	var out, errs bytes.Buffer
	cmd := vuln.Command(ctx, append([]string{"-C", dir, "-db", db, "-format", "json", "-scan", "package"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%w %s", err, errs.Bytes())
	}
	return parse(&out)
}

// parse reads what govulncheck -format=json writes.
func parse(r io.Reader) ([]finding, error) {
	summaries := map[string]string{}
	var found []finding
	for dec := json.NewDecoder(r); ; {
		var message struct {
			OSV *struct {
				ID      string `json:"id"`
				Summary string `json:"summary"`
			} `json:"osv"`
			Finding *struct {
				OSV          string `json:"osv"`
				FixedVersion string `json:"fixed_version"`
				Trace        []struct {
					Module  string `json:"module"`
					Version string `json:"version"`
					Package string `json:"package"`
				} `json:"trace"`
			} `json:"finding"`
		}
		err := dec.Decode(&message)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read what govulncheck says: %w", err)
		}
		if o := message.OSV; o != nil {
			summaries[o.ID] = o.Summary
		}
		if message.Finding == nil {
			continue
		}
		// The trace begins with what is vulnerable.
		vulnerable := message.Finding.Trace[0]
		i := slices.IndexFunc(found, func(f finding) bool {
			return f.id == message.Finding.OSV && f.module == vulnerable.Module
		})
		if i < 0 {
			i = len(found)
			found = append(found, finding{
				id: message.Finding.OSV, fixed: message.Finding.FixedVersion,
				module: vulnerable.Module, version: vulnerable.Version,
			})
		}
		found[i].imported = found[i].imported || vulnerable.Package != ""
	}
	for i := range found {
		found[i].summary = summaries[found[i].id]
	}
	return found, nil
}
