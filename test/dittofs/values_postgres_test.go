package dittofs

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	contract "github.com/dittofs/function-dittoserver/internal/dittofs"
)

// TestPostgresValues does to the address of the database what TestValues does to other
// inputs. To make a PostgreSQL takes long, so each input has one, and its values follow
// one another.
func TestPostgresValues(t *testing.T) {
	cases := map[string]struct {
		reason, input, value string
		sql                  string // What the administrator of PostgreSQL has done.
	}{
		"HostWithPort":    {reason: "the port is another key", input: contract.EnvPostgresHost, value: "db.example.com:5432"},
		"HostIPv6":        {reason: "an address with colons cannot be told from a port", input: contract.EnvPostgresHost, value: "::1"},
		"HostWithNewline": {reason: "a URL has no newlines", input: contract.EnvPostgresHost, value: "127.0.0.1\n"},
		"HostWithBlank":   {reason: "a URL has no blanks", input: contract.EnvPostgresHost, value: "127.0.0.1 "},
		"HostSocket":      {reason: "a path is no host of a URL", input: contract.EnvPostgresHost, value: "/run/postgresql"},
		"PortOctal":       {reason: "the server takes a leading zero for octal", input: contract.EnvPostgresPort, value: "05432"},
		"HostOfNone":      {reason: "no host is left, and the driver looks for a socket", input: contract.EnvPostgresHost, value: ","},
		"HostOfTwo":       {reason: "the driver goes on to the next", input: contract.EnvPostgresHost, value: "127.0.0,127.0.0.1"},
		"HostQuoted":      {reason: "no resolver takes quotes", input: contract.EnvPostgresHost, value: `"127.0.0.1"`},
		"HostCut":         {reason: "an address has four numbers", input: contract.EnvPostgresHost, value: "127.0.0"},
		"PortHexadecimal": {reason: "the server reads a number as Go does", input: contract.EnvPostgresPort, value: "0x1538"},
		"PortSigned":      {reason: "a sign is a part of a number", input: contract.EnvPostgresPort, value: "+5432"},
		"PortUnderscore":  {reason: "the server reads a number as Go does", input: contract.EnvPostgresPort, value: "5_432"},
		"PortZero":        {reason: "zero is the port by default", input: contract.EnvPostgresPort, value: "0"},
		"PortNegative":    {reason: "no port is below zero", input: contract.EnvPostgresPort, value: "-5432"},
		"UserNewline":     {reason: "a name ends where it ends", input: contract.EnvPostgresUser, value: "dittofs\n"},
		"DatabaseNewline": {reason: "a name ends where it ends", input: contract.EnvPostgresDatabase, value: "dittofs\n"},
		"UserBlankInside": {reason: "PostgreSQL has users of such names", input: contract.EnvPostgresUser, value: "a user", sql: `CREATE ROLE "a user" SUPERUSER LOGIN PASSWORD 'pg-password'`},
		"UserTimeZone":    {reason: "the driver makes a setting of it", input: contract.EnvPostgresUser, value: "timezone=UTC", sql: `CREATE ROLE "timezone=UTC" SUPERUSER LOGIN PASSWORD 'pg-password'`},
		"DatabaseTab":     {reason: "a name ends where it ends", input: contract.EnvPostgresDatabase, value: "files\t"},
		"DatabaseOfNone":  {reason: "a database of the user's name is not meant, nor there", input: contract.EnvPostgresDatabase, value: "/"},
		"DatabaseSlash":   {reason: "the driver takes the slash away", input: contract.EnvPostgresDatabase, value: "/files"},
		"DatabaseZone":    {reason: "the driver makes a setting of it", input: contract.EnvPostgresDatabase, value: "TimeZone=UTC", sql: `CREATE DATABASE "TimeZone=UTC" OWNER ditto`},
		"DatabaseSigns":   {reason: "a name has any signs", input: contract.EnvPostgresDatabase, value: `a?b=%41 "c"/d:e@f#g`, sql: `CREATE DATABASE "a?b=%41 ""c""/d:e@f#g" OWNER ditto`},
		"PasswordZone":    {reason: "the driver makes a setting of it", input: contract.EnvPostgresPassword, value: "time_zone=UTC", sql: `ALTER ROLE ditto PASSWORD 'time_zone=UTC'`},
		"PasswordOfUTC":   {reason: "the setting is what it is by default", input: contract.EnvPostgresPassword, value: "timezone=UTC&x", sql: `ALTER ROLE ditto PASSWORD 'timezone=UTC&x'`},
		"PasswordNewline": {reason: "a password may be anything", input: contract.EnvPostgresPassword, value: "pg-password\n", sql: `ALTER ROLE ditto PASSWORD E'pg-password\n'`},
	}
	// What is the name or the password of somebody is right for that one.
	unseen := []string{"Newline", "BOM", "Blank"}
	general := map[string][]string{
		contract.EnvPostgresHost:     append(unseen, "Text", "Reversed"),
		contract.EnvPostgresPort:     append(unseen, "Text", "Twice"),
		contract.EnvPostgresUser:     unseen,
		contract.EnvPostgresDatabase: unseen,
		contract.EnvPostgresPassword: nil,
		contract.EnvPostgresSSLMode:  append(unseen, "Text", "Half"),
		contract.PostgresCAFile:      append(unseen, "Text", "Half", "CRLF", "Twice"),
	}

	for input, names := range general {
		// The name becomes a part of the path of a socket, which must not be long.
		t.Run(input[strings.LastIndexAny(input, "_/")+1:], func(t *testing.T) {
			t.Parallel()
			row := "postgres"
			if input == contract.PostgresCAFile {
				row = "postgres-tls"
			}
			s := prepare(t, row)
			good := s.read(t, input)
			for _, name := range names {
				t.Run(name, func(t *testing.T) {
					s.agree(t, row, map[string][]byte{input: changes[name](good)})
				})
			}
			for _, name := range slices.Sorted(maps.Keys(cases)) {
				tc := cases[name]
				if tc.input != input {
					continue
				}
				t.Run(name, func(t *testing.T) {
					t.Log(tc.reason)
					s.postgres.ask(t, "postgres", cmp.Or(tc.sql, "SELECT 1"))
					s.agree(t, row, map[string][]byte{input: []byte(tc.value)})
				})
			}
		})
	}
}
