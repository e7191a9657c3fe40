package values

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

//nolint:gochecknoglobals // A constant.
var sslModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

// checkPostgres treats a part of the database's address as the server does: all parts
// become one URL, which is parsed again for the connection.
func checkPostgres(input, value string) string {
	switch input {
	case dittofs.EnvPostgresHost:
		return checkHost(value)
	case dittofs.EnvPostgresPort:
		return checkPort(value)
	case dittofs.EnvPostgresDatabase, dittofs.EnvPostgresUser:
		return cmp.Or(checkName(value), checkTimeZone(value))
	case dittofs.EnvPostgresPassword:
		return checkTimeZone(value)
	case dittofs.EnvPostgresSSLMode:
		if !slices.Contains(sslModes, value) {
			return "it must be one of " + strings.Join(sslModes, ", ")
		}
	}
	return ""
}

// checkName says why a value cannot be the name of a user or a database. Blanks inside a
// name are allowed.
func checkName(name string) string {
	const byteOrderMark = '\ufeff'
	invisible := func(r rune) bool { return unicode.IsSpace(r) || r == byteOrderMark }
	switch {
	case strings.TrimFunc(name, invisible) != name:
		return "it starts or ends with a blank, a newline or a byte order mark, which would be a part of the name"
	case strings.Trim(name, "/") == "":
		return "it cannot be a name" // The server would connect to the user's own database.
	}
	return ""
}

// timeZone matches what the server's driver reads as a time zone, anywhere in the
// address: all that follows, up to an ampersand, which no part of the address ends with.
var timeZone = regexp.MustCompile(`(time_zone|TimeZone|timezone)=(UTC&)?`)

// checkTimeZone refuses what the server's driver would read as a time zone. PostgreSQL
// would refuse it, or use one that nobody intended.
func checkTimeZone(value string) string {
	if m := timeZone.FindStringSubmatch(value); len(m) > 0 && m[2] == "" {
		return "the server's database driver reads a part of it as a time zone. Choose a value without an equals sign"
	}
	return ""
}

// checkPort reads the port as the server does, which is as Go reads an integer literal.
// Zero means the default port.
func checkPort(port string) string {
	n, err := strconv.ParseInt(port, 0, 64)
	if err != nil || n < 0 || n > 65535 {
		return "it must be a port from 1 to 65535, without blanks or a newline"
	}
	if decimal, err := strconv.ParseInt(strings.ReplaceAll(port, "_", ""), 10, 64); err == nil && decimal != n {
		return "it starts with a zero, so the server reads it as an octal number. Remove the zero"
	}
	return ""
}

// checkHost says why a host cannot be looked up. If there are several, one valid host is
// enough.
func checkHost(host string) string {
	const port = ":5432"
	u, err := url.Parse((&url.URL{Scheme: "postgres", Host: host + port}).String())
	switch {
	case net.ParseIP(host) != nil && strings.Contains(host, ":"):
		return "an IPv6 address has to be written in square brackets"
	case err != nil:
		return "it must be the name or the address of a host, without blanks or a newline"
	}
	found := false
	for h := range strings.SplitSeq(u.Host, ",") {
		if strings.Contains(h, ":") {
			if h, _, err = net.SplitHostPort(h); err != nil {
				return "it must be a host alone. Write the port under the key port, and an IPv6 address in square brackets"
			}
		}
		_, err := netip.ParseAddr(h)
		found = found || err == nil || isDomainName(h)
	}
	if !found {
		return "it is neither an IP address nor a name that can be looked up"
	}
	return ""
}

// isDomainName says whether Go's resolver would look a name up.
func isDomainName(name string) bool {
	const digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	name = strings.TrimSuffix(name, ".")
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, digits+letters+"_-") != "" || strings.Trim(label, "-") != label {
			return false
		}
	}
	return len(name) <= 253 && strings.Trim(name, digits+".") != ""
}
