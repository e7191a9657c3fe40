package main

import (
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the modules of TestRun import. yaml.v2 had its last release in 2020.
const (
	vulnerable = "gopkg.in/yaml.v2 v2.2.2"
	sound      = "gopkg.in/yaml.v2 v2.4.0"
	sums       = `gopkg.in/check.v1 v0.0.0-20161208181325-20d25e280405 h1:yhCVgyC4o1eVCa2tZl7eS0r+SDo693bJlVdllGtEeKM=
gopkg.in/check.v1 v0.0.0-20161208181325-20d25e280405/go.mod h1:Co6ibVJAznAaIkqp8huTwlJQCZ016jof/cbN4VW5Yz0=
gopkg.in/yaml.v2 v2.2.2 h1:ZCJp+EgiOT7lHqUV2J862kp8Qj64Jo6az82+3Td9dZw=
gopkg.in/yaml.v2 v2.2.2/go.mod h1:hI93XBmqTisBFMUTm0b8Fm+jr3Dg1NNxqwp+5A1VGuI=
gopkg.in/yaml.v2 v2.4.0 h1:D8xgwECY7CYvx+Y2n4sBz93Jn9JRvxdiyyo8CTfuKaY=
gopkg.in/yaml.v2 v2.4.0/go.mod h1:RDklbk79AGWmwhnvt/jBztapEOGDOx6ZbXqjP6csGnQ=
`
)

// What is known in TestRun: of the package that yaml.v2 has, and of one that it has not.
const (
	known = `{
	"id": "GO-2021-0061",
	"summary": "Denial of service in gopkg.in/yaml.v2",
	"affected": [{
		"package": {"name": "gopkg.in/yaml.v2", "ecosystem": "Go"},
		"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.2.3"}]}],
		"ecosystem_specific": {"imports": [{"path": "gopkg.in/yaml.v2", "symbols": ["Unmarshal"]}]}
	}]
}`
	elsewhere = `{
	"id": "GO-2021-0062",
	"affected": [{
		"package": {"name": "gopkg.in/yaml.v2", "ecosystem": "Go"},
		"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
		"ecosystem_specific": {"imports": [{"path": "gopkg.in/yaml.v2/other"}]}
	}]
}`
)

func TestRun(t *testing.T) {
	fixture := write(t, map[string]string{"GO-2021-0061.json": known, "GO-2021-0062.json": elsewhere})
	small, err := index(fixture, t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pinnedDB, err := pinned(t.Context(), ".", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	cases := map[string]struct {
		reason string
		db     string
		files  map[string]string
		err    string // Part of it.
		out    string // Part of it.
	}{
		"Vulnerable": {
			reason: "The gate has to fail, name what is vulnerable, and say what is not, or it is none.",
			db:     small,
			files:  map[string]string{"go.mod": require(vulnerable), "main.go": imported("main")},
			err:    "GO-2021-0061",
			out:    "In the function: gopkg.in/yaml.v2 v2.2.2, fixed in v2.2.3: GO-2021-0061: Denial of service in gopkg.in/yaml.v2",
		},
		"VulnerableByPinned": {
			reason: "The database that go.mod names is one that govulncheck can read.",
			db:     pinnedDB,
			files:  map[string]string{"go.mod": require(vulnerable), "main.go": imported("main")},
			err:    "GO-2021-0061",
			out:    "In the function: gopkg.in/yaml.v2 v2.2.2, fixed in v2.2.3: GO-2021-0061: ",
		},
		"Sound": {
			reason: "A later version is no reason to fail.",
			db:     small,
			files:  map[string]string{"go.mod": require(sound), "main.go": imported("main")},
			out:    "The function is built of nothing else",
		},
		"NotImported": {
			reason: "What is in no binary harms nobody, but is told.",
			db:     small,
			files:  map[string]string{"go.mod": require(sound), "main.go": imported("main")},
			out:    "In no package that the function imports: gopkg.in/yaml.v2 v2.4.0, fixed in no version: GO-2021-0062\n",
		},
		"OwnTest": {
			reason: "What only tests and their helpers import is in no binary.",
			db:     small,
			files: map[string]string{
				"go.mod": require(vulnerable), "main.go": "package main\n\nfunc main() {}\n",
				"main_test.go": imported("main_test"), "test/a.go": imported("a"),
			},
			out: "The function is built of nothing else",
		},
		"Tool": {
			reason: "What is in no release is told, and does not fail.",
			db:     small,
			files: map[string]string{
				"go.mod": require(sound), "main.go": imported("main"),
				"tools/a/go.mod": "tool gopkg.in/yaml.v2\n" + require(vulnerable),
			},
			out: "\n  tools/a: gopkg.in/yaml.v2 v2.2.2, fixed in v2.2.3\n",
		},
		"TestOfOther": {
			reason: "What only a test of another module imports is told, too.",
			db:     small,
			files: map[string]string{
				"go.mod": require(sound), "main.go": imported("main"),
				"test/e2e/go.mod": require(vulnerable), "test/e2e/a_test.go": imported("a_test"),
			},
			out: "\n  test/e2e: gopkg.in/yaml.v2 v2.2.2, fixed in v2.2.3\n",
		},
		"Accepted": {
			reason: "There is a way on where no version helps, and it is told.",
			db:     small,
			files: map[string]string{
				"go.mod": require(vulnerable), "main.go": imported("main"),
				acceptedFile: "# A comment.\n\nGO-2021-0061 The YAML is our own.\n",
			},
			out: "Accepted: gopkg.in/yaml.v2 v2.2.2, fixed in v2.2.3: GO-2021-0061: The YAML is our own.\n",
		},
		"AcceptedWithoutNeed": {
			reason: "What is accepted is not to be forgotten once it is over.",
			db:     small,
			files: map[string]string{
				"go.mod": require(sound), "main.go": imported("main"),
				acceptedFile: "GO-2021-0061 The YAML is our own.\n",
			},
			err: "accepts what the function does not have: GO-2021-0061",
		},
		"AcceptedWithoutReason": {
			reason: "Whoever accepts something says why.",
			db:     small,
			files:  map[string]string{"go.mod": require(sound), "main.go": imported("main"), acceptedFile: "GO-2021-0061\n"},
			err:    "without a reason",
		},
		"Broken": {
			reason: "What cannot be looked at is not sound.",
			db:     small,
			files:  map[string]string{"go.mod": require(sound), "main.go": "package main\n\nimport _ \"example.org/none\"\n"},
			err:    "cannot look at the function",
		},
		"BrokenTool": {
			reason: "What cannot be looked at has a name.",
			db:     small,
			files: map[string]string{
				"go.mod": require(sound), "main.go": imported("main"),
				"tools/a/go.mod": "tool example.org/none\n" + require(sound),
			},
			err: "cannot look at tools/a",
		},
		"NoDatabase": {
			reason: "Without a database nothing is known.",
			db:     "file://" + t.TempDir() + "/none",
			files:  map[string]string{"go.mod": require(sound), "main.go": imported("main")},
			err:    "none",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			root := write(t, tc.files)
			for _, file := range []string{"go.mod", "tools/a/go.mod", "test/e2e/go.mod"} {
				if tc.files[file] != "" {
					save(t, filepath.Join(root, filepath.Dir(file), "go.sum"), sums)
				}
			}
			var out strings.Builder
			err := run(t.Context(), log.New(&out, "", 0), root, tc.db, true)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s\nwant error %q, got %v", tc.reason, tc.err, err)
			}
			if !strings.Contains(out.String(), tc.out) {
				t.Errorf("%s\nwant %q in:\n%s", tc.reason, tc.out, out.String())
			}
		})
	}
}

// The standard library is that of the machine, so what is known of it cannot come
// from a build.
func TestJudgeStandardLibrary(t *testing.T) {
	cases := map[string]struct {
		reason string
		fixed  string
		fails  bool
	}{
		"NextPatch":  {reason: "The repository names no patch of Go that could be raised.", fixed: "v1.26.10"},
		"LaterMinor": {reason: "go.mod names the minor version, which has to be raised.", fixed: "v1.27.1", fails: true},
		"NotFixed":   {reason: "Somebody has to say why it does no harm.", fails: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := judge(log.New(&out, "", 0), []finding{{id: "GO-2026-0001", module: "stdlib", version: "v1.26.8", fixed: tc.fixed, imported: true}}, nil)
			if (err != nil) != tc.fails {
				t.Errorf("%s\nwant an error: %t, got %v", tc.reason, tc.fails, err)
			}
			if !strings.Contains(out.String(), "GO-2026-0001") {
				t.Errorf("It is told in any case, but not in %q", out.String())
			}
		})
	}
}

func TestGroup(t *testing.T) {
	found := []finding{
		{id: "A", module: "m", version: "v1.0.0", fixed: "v1.2.0"},
		{id: "B", module: "m", version: "v1.0.0"},
		{id: "C", module: "m", version: "v1.0.0", fixed: "v1.10.0"},
		{id: "D", module: "l", version: "v1.0.0", fixed: "v1.1.0"},
	}
	var got []string
	for _, g := range group(found) {
		got = append(got, g[0].String()+": "+ids(g))
	}
	want := "l v1.0.0, fixed in v1.1.0: D\n" +
		"m v1.0.0, fixed in v1.10.0: A, C\n" +
		"m v1.0.0, fixed in no version: B"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("want\n%s\ngot\n%s", want, s)
	}
}

func TestIndexFails(t *testing.T) {
	cases := map[string]struct {
		reason string
		files  map[string]string
		err    string
	}{
		"Empty":    {reason: "An empty database finds nothing, and says that all is well.", err: "no entries"},
		"Name":     {reason: "govulncheck finds an entry by the name of its file.", files: map[string]string{"GO-1.json": known}, err: "GO-2021-0061"},
		"NoObject": {reason: "An entry that cannot be read is one that is not looked for.", files: map[string]string{"GO-1.json": "["}, err: "GO-1.json"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := index(write(t, tc.files), t.TempDir(), time.Now())
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s\nwant error %q, got %v", tc.reason, tc.err, err)
			}
		})
	}
}

func TestPinnedFails(t *testing.T) {
	dir := write(t, map[string]string{"go.mod": require(sound)})
	_, err := pinned(t.Context(), dir, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "go.mod")) {
		t.Errorf("A go.mod that does not name the database is to be named, but got %v", err)
	}
}

// imported is a file of a package that imports yaml.v2.
func imported(name string) string {
	return "package " + name + "\n\nimport _ \"gopkg.in/yaml.v2\"\n\nfunc main() {}\n"
}

func require(version string) string {
	return "module example.org/m\n\ngo 1.26.0\n\nrequire " + version + "\n"
}

// write makes a directory with the files in it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		save(t, filepath.Join(dir, name), content)
	}
	return dir
}

func save(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
