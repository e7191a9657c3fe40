package values

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// maxKrb5Lines is far more than a krb5.conf has. Its parser would take seconds for the
// longest file that fits into a Secret.
const maxKrb5Lines = 1000

// maxSearchedLines limits the search for an invalid line to a few hundredths of a second:
// it reads the file several times.
const maxSearchedLines = 200

// checkKrb5Conf names the number of the line that the server's parser refuses. The
// parser's own message would quote the line.
func checkKrb5Conf(value []byte) string {
	// The parser is slow, and a call must not be.
	if bytes.Count(value, []byte("\n")) > maxKrb5Lines {
		return fmt.Sprintf("a krb5.conf of more than %d lines is a mistake", maxKrb5Lines)
	}
	text := string(value)
	if parses(func() error { _, err := config.NewFromString(text); return err }) {
		return ""
	}
	if bytes.Count(value, []byte("\n")) > maxSearchedLines {
		return "the server cannot read it as a krb5.conf"
	}
	// The parser reads line by line: once it refuses a file, it refuses it with more
	// lines too.
	lines := strings.Split(text, "\n")
	before := sort.Search(len(lines)-1, func(i int) bool {
		text := closed(lines[:i+1])
		return !parses(func() error { _, err := config.NewFromString(text); return err })
	})
	return fmt.Sprintf("the server cannot read line %d of it", before+1)
}

// closed closes the braces that the lines have opened, because the parser reads a realm
// only at its end.
func closed(lines []string) string {
	open := 0
	for _, line := range lines {
		line, _, _ = strings.Cut(line, "#")
		line, _, _ = strings.Cut(line, ";")
		if strings.HasPrefix(strings.TrimSpace(line), "[") {
			open = 0
		}
		if strings.Contains(line, "{") {
			open++
		}
		if strings.Contains(line, "}") {
			open--
		}
	}
	return strings.Join(lines, "\n") + strings.Repeat("\n}", max(open, 0))
}

// checkKeytab names the entry that the server's parser refuses.
func checkKeytab(value []byte) string {
	k := keytab.New()
	switch {
	case parses(func() error { return k.Unmarshal(value) }):
		return ""
	case !bytes.HasPrefix(value, []byte("\x05\x01")) && !bytes.HasPrefix(value, []byte("\x05\x02")):
		return "it does not start as a keytab does"
	default:
		return fmt.Sprintf("the server cannot read entry %d of the keytab", len(k.Entries)+1)
	}
}

// parses says whether a parser accepts a value, without a panic.
func parses(parse func() error) (ok bool) {
	defer func() { _ = recover() }()
	return parse() == nil
}
