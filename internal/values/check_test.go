package values

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// TestCheck finds values with which the server would not start, at their limits.
func TestCheck(t *testing.T) {
	certificate, key := newCertificate(t)

	cases := map[string]struct {
		reason string
		input  string
		value  string
		bad    bool
	}{
		"JWTShort":             {reason: "The server refuses a shorter key.", input: dittofs.EnvJWTSecret, value: strings.Repeat("k", 31), bad: true},
		"JWTLongEnough":        {reason: "The server takes 32 bytes.", input: dittofs.EnvJWTSecret, value: strings.Repeat("k", 32)},
		"JWTNewline":           {reason: "Nothing is trimmed: a newline counts.", input: dittofs.EnvJWTSecret, value: strings.Repeat("k", 31) + "\n"},
		"AdminShort":           {reason: "The server refuses a shorter password.", input: dittofs.EnvAdminPassword, value: strings.Repeat("p", 7), bad: true},
		"AdminLongEnough":      {reason: "The server takes 8 bytes.", input: dittofs.EnvAdminPassword, value: strings.Repeat("p", 8)},
		"AdminLongest":         {reason: "The server takes 72 bytes.", input: dittofs.EnvAdminPassword, value: strings.Repeat("p", 72)},
		"AdminTooLong":         {reason: "The server refuses a longer password.", input: dittofs.EnvAdminPassword, value: strings.Repeat("p", 73), bad: true},
		"TokenBlank":           {reason: "A token of blanks is none.", input: dittofs.MetricsTokenFile, value: " \n", bad: true},
		"Token":                {reason: "A newline after a token does no harm.", input: dittofs.MetricsTokenFile, value: "token\n"},
		"Certificate":          {reason: "A certificate is one.", input: dittofs.TLSCertFile, value: certificate},
		"CertificateAfterText": {reason: "Text before a certificate does no harm.", input: dittofs.TLSCertFile, value: "Issuer: us\n" + certificate},
		"CertificateIsKey":     {reason: "A key is no certificate.", input: dittofs.TLSCertFile, value: key, bad: true},
		"CertificateBroken":    {reason: "What only looks like a certificate is none.", input: dittofs.ClientCAFile, value: strings.Replace(certificate, "M", "A", 1), bad: true},
		"CertificateText":      {reason: "Text is no certificate.", input: dittofs.LDAPCAFile, value: "text", bad: true},
		"KeyAfterCertificate":  {reason: "A key may stand behind a certificate.", input: dittofs.TLSKeyFile, value: certificate + key},
		"KeyIsCertificate":     {reason: "A certificate is no key.", input: dittofs.TLSKeyFile, value: certificate, bad: true},
		"Keytab":               {reason: "A keytab has entries after its version.", input: dittofs.KeytabFile, value: keytabOf(t)},
		"KeytabNewline":        {reason: "A keytab ends where its last entry ends.", input: dittofs.KeytabFile, value: keytabOf(t)[:30], bad: true},
		"KeytabText":           {reason: "Base64 that was never decoded is no keytab.", input: dittofs.KeytabFile, value: "BQIA", bad: true},
		"KeytabCut":            {reason: "One byte is no keytab.", input: dittofs.KeytabFile, value: "\x05", bad: true},
		"Krb5Conf":             {reason: "A krb5.conf is one.", input: dittofs.Krb5ConfFile, value: "[libdefaults]\n default_realm = EXAMPLE.COM\n"},
		"Krb5ConfEndless":      {reason: "The parser would take longer than Crossplane waits.", input: dittofs.Krb5ConfFile, value: strings.Repeat("\n", 1<<20), bad: true},
		"Krb5ConfFallback":     {reason: "The server's parser knows true and false, and no fallback.", input: dittofs.Krb5ConfFile, value: "[libdefaults]\n dns_canonicalize_hostname = fallback\n", bad: true},
		"Host":                 {reason: "A name is a host.", input: dittofs.EnvPostgresHost, value: "db.example.com"},
		"HostIPv4":             {reason: "An address is a host.", input: dittofs.EnvPostgresHost, value: "10.0.0.1"},
		"HostIPv6":             {reason: "What has colons cannot be told from a port.", input: dittofs.EnvPostgresHost, value: "fe80::1", bad: true},
		"HostIPv6InBrackets":   {reason: "Brackets tell an address from a port.", input: dittofs.EnvPostgresHost, value: "[fe80::1]"},
		"HostWithPort":         {reason: "The port is another key.", input: dittofs.EnvPostgresHost, value: "db.example.com:5432", bad: true},
		"HostWithNewline":      {reason: "A URL has no newlines.", input: dittofs.EnvPostgresHost, value: "db.example.com\n", bad: true},
		"HostWithBlank":        {reason: "A URL has no blanks.", input: dittofs.EnvPostgresHost, value: "db example", bad: true},
		"HostsOfNone":          {reason: "The server would look for a socket of its own.", input: dittofs.EnvPostgresHost, value: ",", bad: true},
		"HostQuoted":           {reason: "A resolver takes no quotes.", input: dittofs.EnvPostgresHost, value: `"db"`, bad: true},
		"HostBOM":              {reason: "A resolver takes ASCII only.", input: dittofs.EnvPostgresHost, value: "\ufeffdb", bad: true},
		"HostCutAddress":       {reason: "Numbers alone are an address, which has four.", input: dittofs.EnvPostgresHost, value: "127.0.0", bad: true},
		"HostZeros":            {reason: "An address has no zeros before a number.", input: dittofs.EnvPostgresHost, value: "127.0.0.01", bad: true},
		"HostUnderscore":       {reason: "Go's resolver looks up names with underscores.", input: dittofs.EnvPostgresHost, value: "_db.team_a"},
		"HostAbsolute":         {reason: "A dot at the end is that of the root.", input: dittofs.EnvPostgresHost, value: "db.example.com."},
		"HostTwoDots":          {reason: "No label is empty.", input: dittofs.EnvPostgresHost, value: "db..example.com", bad: true},
		"HostDash":             {reason: "No label starts with a dash.", input: dittofs.EnvPostgresHost, value: "-db", bad: true},
		"HostLongLabel":        {reason: "A label has at most 63 bytes.", input: dittofs.EnvPostgresHost, value: strings.Repeat("d", 64), bad: true},
		"HostLong":             {reason: "A name has at most 253 bytes.", input: dittofs.EnvPostgresHost, value: strings.Repeat("d.", 128), bad: true},
		"HostOfTwoOneGood":     {reason: "The server's driver goes on to the next.", input: dittofs.EnvPostgresHost, value: "127.0.0,db"},
		"HostOfTwo":            {reason: "The server's driver tries one after the other.", input: dittofs.EnvPostgresHost, value: "db-1,db-2"},
		"Port":                 {reason: "A port is a number.", input: dittofs.EnvPostgresPort, value: "5432"},
		"PortHexadecimal":      {reason: "The server takes it for the number that it is.", input: dittofs.EnvPostgresPort, value: "0x1538"},
		"PortSigned":           {reason: "A sign is a part of a number.", input: dittofs.EnvPostgresPort, value: "+5432"},
		"PortUnderscore":       {reason: "The server reads numbers as Go does.", input: dittofs.EnvPostgresPort, value: "5_432"},
		"PortZero":             {reason: "Zero is no port to the server, and it takes 5432.", input: dittofs.EnvPostgresPort, value: "0"},
		"PortEmpty":            {reason: "Without a port the server takes 5432.", input: dittofs.EnvPostgresPort, value: ""},
		"PortNegative":         {reason: "No port is below zero.", input: dittofs.EnvPostgresPort, value: "-5432", bad: true},
		"PortTooHigh":          {reason: "No port is above 65535.", input: dittofs.EnvPostgresPort, value: "65536", bad: true},
		"PortBlank":            {reason: "Nothing is trimmed.", input: dittofs.EnvPostgresPort, value: "5432 ", bad: true},
		"PortFloat":            {reason: "A port is a whole number.", input: dittofs.EnvPostgresPort, value: "5432.0", bad: true},
		"PortOctalMeant":       {reason: "Who writes 0o means it.", input: dittofs.EnvPostgresPort, value: "0o12470"},
		"PortOctal":            {reason: "The server takes a leading zero for octal.", input: dittofs.EnvPostgresPort, value: "05432", bad: true},
		"UserNewline":          {reason: "A newline would be a part of the name.", input: dittofs.EnvPostgresUser, value: "user\n", bad: true},
		"UserBlank":            {reason: "A blank would be a part of the name.", input: dittofs.EnvPostgresUser, value: " user", bad: true},
		"UserBlankInside":      {reason: "PostgreSQL has users of such names.", input: dittofs.EnvPostgresUser, value: "a user"},
		"UserBOM":              {reason: "What an editor writes unseen would be a part of the name.", input: dittofs.EnvPostgresUser, value: "\ufeffuser", bad: true},
		"DatabaseTab":          {reason: "A tab would be a part of the name.", input: dittofs.EnvPostgresDatabase, value: "files\t", bad: true},
		"DatabaseSlash":        {reason: "Without a name the server takes the user's.", input: dittofs.EnvPostgresDatabase, value: "/", bad: true},
		"DatabaseAfterSlash":   {reason: "The server takes the slash away.", input: dittofs.EnvPostgresDatabase, value: "/files"},
		"DatabaseTimeZone":     {reason: "The driver makes a setting of it.", input: dittofs.EnvPostgresDatabase, value: "timezone=UTC", bad: true},
		"UserTimeZone":         {reason: "The driver makes a setting of it.", input: dittofs.EnvPostgresUser, value: "a-TimeZone=", bad: true},
		"PasswordTimeZone":     {reason: "The driver makes a setting of it, up to the end of the address.", input: dittofs.EnvPostgresPassword, value: "time_zone=UTC", bad: true},
		"PasswordOfUTC":        {reason: "The setting ends within the password, and is as it is by default.", input: dittofs.EnvPostgresPassword, value: "timezone=UTC&x"},
		"PasswordZone":         {reason: "Without an equals sign it is no setting.", input: dittofs.EnvPostgresPassword, value: "timezone: UTC"},
		"PasswordNewline":      {reason: "A password may be anything.", input: dittofs.EnvPostgresPassword, value: "password\n"},
		"EnvZero":              {reason: "A zero ends a variable.", input: dittofs.EnvPostgresPassword, value: "pass\x00word", bad: true},
		"EnvNotUTF8":           {reason: "Kubernetes passes variables on as text.", input: "ANY", value: "caf\xe9", bad: true},
		"EnvTooLong":           {reason: "Linux takes no longer variable.", input: "ANY", value: strings.Repeat("x", 128<<10), bad: true},
		"FileIsAnything":       {reason: "A file may hold what a variable cannot.", input: "/any", value: "\x00\xff" + strings.Repeat("x", 128<<10)},
		"Other":                {reason: "Nothing is known of other values.", input: "ANY", value: ""},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Check(tc.input, []byte(tc.value))
			if (got != "") != tc.bad {
				t.Errorf("%s\nCheck(%q, ...): want a problem: %t, got %q", tc.reason, tc.input, tc.bad, got)
			}
			if len(tc.value) > 4 && strings.Contains(got, tc.value) {
				t.Errorf("Check(%q, ...) repeats the value: %q", tc.input, got)
			}
		})
	}
}

// TestCheckKerberos names the place of what is wrong, and nothing of it.
func TestCheckKerberos(t *testing.T) {
	cases := map[string]struct{ reason, input, value, problem string }{
		"Setting":       {reason: "A setting is wrong by itself.", input: dittofs.Krb5ConfFile, value: "# a comment\n\n[libdefaults]\n rdns = no\n forwardable = perhaps\n default_realm = A\n", problem: "line 5 of it"},
		"CRLF":          {reason: "Lines of Windows are lines.", input: dittofs.Krb5ConfFile, value: "[libdefaults]\r\n forwardable = perhaps\r\n", problem: "line 2 of it"},
		"SameElsewhere": {reason: "What is not read is not refused.", input: dittofs.Krb5ConfFile, value: "[appdefaults]\n forwardable = perhaps\n[libdefaults]\n forwardable = perhaps\n", problem: "line 4 of it"},
		"InRealm":       {reason: "A realm is read at its end, but the line is in it.", input: dittofs.Krb5ConfFile, value: "[realms]\n A = {\n  kdc = a\n  nonsense\n  kdc = b\n }\n", problem: "line 4 of it"},
		"SecondRealm":   {reason: "Each realm has lines.", input: dittofs.Krb5ConfFile, value: "[realms]\n A = {\n  kdc = a\n }\n B = {\n  nonsense\n }\n", problem: "line 6 of it"},
		"RealmOneLine":  {reason: "The parser panics where a realm ends in the line of its start.", input: dittofs.Krb5ConfFile, value: "[realms]\n A = { kdc = a }\n", problem: "line 2 of it"},
		"NoRealm":       {reason: "What was not opened cannot be closed.", input: dittofs.Krb5ConfFile, value: "[realms]\n A = {\n }\n }\n", problem: "line 4 of it"},
		"Version4":      {reason: "The parser knows no Kerberos 4.", input: dittofs.Krb5ConfFile, value: "[realms]\n A = {\n  v4_realm = B\n }\n", problem: "line 3 of it"},
		"DomainRealm":   {reason: "A domain has a realm.", input: dittofs.Krb5ConfFile, value: "[domain_realm]\n a = A\n nonsense\n", problem: "line 3 of it"},
		"LastLine":      {reason: "No newline has to be at the end.", input: dittofs.Krb5ConfFile, value: "[libdefaults]\n nonsense", problem: "line 2 of it"},
		"LongFile":      {reason: "To look for the line would take long.", input: dittofs.Krb5ConfFile, value: "[libdefaults]\n nonsense\n" + strings.Repeat(" rdns = no\n", maxSearchedLines), problem: "as a krb5.conf"},
		"KeytabSecond":  {reason: "The first entry can be read.", input: dittofs.KeytabFile, value: keytabOf(t) + keytabOf(t)[2:30], problem: "entry 2 of"},
		"KeytabFirst":   {reason: "No entry can be read.", input: dittofs.KeytabFile, value: keytabOf(t)[:30], problem: "entry 1 of"},
		"KeytabNone":    {reason: "What is no keytab has no entries.", input: dittofs.KeytabFile, value: "BQIA", problem: "does not start as"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Check(tc.input, []byte(tc.value))
			if !strings.Contains(got, tc.problem) || strings.Contains(got, "nonsense") || strings.Contains(got, "perhaps") {
				t.Errorf("%s\nCheck(%q, ...): want %q, got %q", tc.reason, tc.input, tc.problem, got)
			}
		})
	}
}

// keytabOf returns a keytab with one key.
func keytabOf(t *testing.T) string {
	t.Helper()
	k := keytab.New()
	if err := k.AddEntry("nfs/files.example.com", "EXAMPLE.COM", "password", time.Unix(0, 0), 1, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
		t.Fatal(err)
	}
	b, err := k.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestCheckTogether says of a certificate and its key what is wrong, and of which.
func TestCheckTogether(t *testing.T) {
	certificate, key := newCertificate(t)
	other, otherKey := newCertificate(t)
	broken := strings.Replace(other, "M", "A", 1)
	p224, p224Key := certificateOf(t, host.ECDSA(t, elliptic.P224()))
	p521, p521Key := certificateOf(t, host.ECDSA(t, elliptic.P521()))
	_, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, edKey := certificateOf(t, edPrivate)
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1Private := host.ECDSA(t, elliptic.P384())
	sec1, _ := certificateOf(t, sec1Private)
	sec1Key, err := x509.MarshalECPrivateKey(sec1Private)
	if err != nil {
		t.Fatal(err)
	}
	key1024, key512 := host.RSA(t, 1024), host.RSA(t, 512)
	rsa1024, _ := certificateOf(t, key1024)
	long := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), maxRSABits, 1), E: 65537}

	cases := map[string]struct {
		reason           string
		certificate, key string
		input, problem   string
	}{
		"Fit":         {reason: "A certificate and its key fit.", certificate: certificate, key: key},
		"WithIssuer":  {reason: "The issuer's may follow.", certificate: certificate + other, key: key},
		"IssuerFirst": {reason: "The server's own has to come first, and it is there.", certificate: other + certificate, key: key, input: dittofs.TLSCertFile, problem: "has to come first"},
		"OfAnother":   {reason: "A key is that of one certificate.", certificate: certificate, key: otherKey, input: dittofs.TLSKeyFile, problem: "not the key"},
		"BrokenFirst": {reason: "What the server reads first has to be readable.", certificate: broken + certificate, key: key, input: dittofs.TLSCertFile, problem: "certificate 1 in it"},
		"BrokenLater": {reason: "A client reads all that it is sent.", certificate: certificate + broken, key: key, input: dittofs.TLSCertFile, problem: "certificate 2 in it"},
		"BrokenAlone": {reason: "A certificate without a key is read too.", certificate: broken, input: dittofs.TLSCertFile, problem: "certificate 1 in it"},
		"NoKey":       {reason: "What is wrong alone is said alone.", certificate: certificate, key: "text"},
		"KeyBroken":   {reason: "What cannot be read is no key of another certificate.", certificate: certificate, key: pemOf("PRIVATE KEY", []byte("text")), input: dittofs.TLSKeyFile, problem: "cannot be read"},
		"KeyAlone":    {reason: "A key without a certificate is read too.", key: pemOf("EC PRIVATE KEY", []byte("text")), input: dittofs.TLSKeyFile, problem: "cannot be read"},
		"KeyExchange": {reason: "X25519 signs nothing.", certificate: certificate, key: keyOf(t, exchange), input: dittofs.TLSKeyFile, problem: "cannot be read"},
		"KeyP224":     {reason: "No client takes the curve.", certificate: p224, key: p224Key, input: dittofs.TLSKeyFile, problem: "P-224"},
		"KeyP521":     {reason: "Clients take the curve.", certificate: p521, key: p521Key},
		"KeyEd25519":  {reason: "The kubelet takes it.", certificate: ed, key: edKey},
		"KeySEC1":     {reason: "OpenSSL writes keys on curves in this form, after their parameters.", certificate: sec1, key: pemOf("EC PARAMETERS", []byte("curve")) + pemOf("EC PRIVATE KEY", sec1Key)},
		"KeyPKCS1":    {reason: "OpenSSL writes RSA keys in this form.", certificate: rsa1024, key: pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key1024))},
		"RSAShort":    {reason: "Go signs nothing with it.", certificate: issue(key512.Public()), key: pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key512)), input: dittofs.TLSKeyFile, problem: "1024 bits"},
		"RSALong":     {reason: "The kubelet reads no longer one, whosoever's.", certificate: certificate + issue(long), key: key, input: dittofs.TLSCertFile, problem: "8192 bits"},
		"ChainLong":   {reason: "A client reads no longer message.", certificate: strings.Repeat(certificate, maxChainBytes/200), key: key, input: dittofs.TLSCertFile, problem: "256 KiB"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := CheckTogether(map[string][]byte{dittofs.TLSCertFile: []byte(tc.certificate), dittofs.TLSKeyFile: []byte(tc.key)})
			if !strings.Contains(got[tc.input], tc.problem) || (len(got) > 0) != (tc.problem != "") {
				t.Errorf("%s\nCheckTogether(...): want %q of %q, got %q", tc.reason, tc.problem, tc.input, got)
			}
		})
	}
}

// TestCheckTogetherBoth keeps the certificates of the API and of the metrics apart.
func TestCheckTogetherBoth(t *testing.T) {
	certificate, key := newCertificate(t)
	_, another := newCertificate(t)
	values := map[string][]byte{
		dittofs.TLSCertFile: []byte(certificate), dittofs.TLSKeyFile: []byte(another),
		dittofs.MetricsTLSCertFile: []byte(certificate), dittofs.MetricsTLSKeyFile: []byte(key),
	}
	if got := slices.Collect(maps.Keys(CheckTogether(values))); !slices.Equal(got, []string{dittofs.TLSKeyFile}) {
		t.Errorf("The key of the API is another's: got problems of %q", got)
	}
	values[dittofs.TLSKeyFile], values[dittofs.MetricsTLSKeyFile] = []byte(key), []byte(another)
	if got := slices.Collect(maps.Keys(CheckTogether(values))); !slices.Equal(got, []string{dittofs.MetricsTLSKeyFile}) {
		t.Errorf("The key of the metrics is another's: got problems of %q", got)
	}
}

// TestValidity reads how long the first certificate is valid.
func TestValidity(t *testing.T) {
	a := host.NewAuthority()
	cases := map[string]struct{ reason, value, want string }{
		"Own":    {reason: "The server's own comes first.", value: string(a.Issue("files").Cert) + "-----BEGIN CERTIFICATE-----\ndGV4dA==\n-----END CERTIFICATE-----\n", want: "2020 2120"},
		"Empty":  {reason: "A server may have none."},
		"Broken": {reason: "What cannot be read says nothing.", value: "-----BEGIN CERTIFICATE-----\ndGV4dA==\n-----END CERTIFICATE-----\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if from, until, ok := Validity([]byte(tc.value)); ok {
				got = from.Format("2006") + " " + until.Format("2006")
			}
			if got != tc.want {
				t.Errorf("%s\nValidity(...): want %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
}

// FuzzCheck reads values of all inputs as their readers do. Some of these parsers are
// not made for what comes from anywhere.
func FuzzCheck(f *testing.F) {
	for _, in := range dittofs.SecretValues {
		for _, value := range []string{"", "text", "\x05\x02", "[libdefaults]\n default_realm = A\n[realms]\n A = {\n", "-----BEGIN CERTIFICATE-----", "a:b,[::1]"} {
			f.Add(in.Name, []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, input string, value []byte) {
		if problem := Check(input, value); len(value) > 20 && strings.Contains(problem, string(value)) {
			t.Errorf("Check(%q, ...) repeats the value", input)
		}
		CheckTogether(map[string][]byte{dittofs.TLSCertFile: value, dittofs.TLSKeyFile: value})
	})
}

// newCertificate returns a certificate and its private key, in PEM form.
func newCertificate(tb testing.TB) (certificate, key string) {
	tb.Helper()
	return certificateOf(tb, host.ECDSA(tb, elliptic.P256()))
}

// certificateOf returns a certificate of a private key, and the key, in PEM form.
func certificateOf(tb testing.TB, private crypto.Signer) (certificate, key string) {
	tb.Helper()
	return issue(private.Public()), keyOf(tb, private)
}

// issue returns a certificate of a public key, in PEM form.
func issue(public any) string { return string(host.NewAuthority().Certify("server", public)) }

// keyOf is a private key in PEM form.
func keyOf(tb testing.TB, private any) string {
	tb.Helper()
	return string(host.KeyPEM(tb, private))
}

func pemOf(kind string, der []byte) string { return string(host.PEM(kind, der)) }
