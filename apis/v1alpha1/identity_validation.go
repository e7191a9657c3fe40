package v1alpha1

import (
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var (
	attributePattern        = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)
	servicePrincipalPattern = regexp.MustCompile(`^[^/@\s]+/[^/@\s]+@[^/@\s]+$`)
)

func (s *IdentitySpec) validate(p *field.Path) field.ErrorList {
	errs := validateEnum(p.Child("type"), s.Type, []string{"memory"})

	jwt := p.Child("jwt")
	if r := s.JWT.SecretRef; r != nil {
		errs = append(errs, r.validate(jwt.Child("secretRef"))...)
	}
	errs = append(errs, validateDuration(jwt.Child("accessTokenDuration"), s.JWT.AccessTokenDuration, time.Second, math.MaxInt64)...)
	errs = append(errs, validateDuration(jwt.Child("refreshTokenDuration"), s.JWT.RefreshTokenDuration, time.Second, math.MaxInt64)...)

	admin := p.Child("admin")
	if s.Admin.Username != "admin" {
		errs = append(errs, field.Invalid(admin.Child("username"), s.Admin.Username, "must be admin: the server creates no other account. Create others through its API"))
	}
	if r := s.Admin.PasswordSecretRef; r != nil {
		errs = append(errs, r.validate(admin.Child("passwordSecretRef"))...)
	}

	if s.LDAP.IsEnabled() {
		errs = append(errs, s.LDAP.validate(p.Child("ldap"))...)
	}
	if s.Kerberos != nil {
		errs = append(errs, s.Kerberos.validate(p.Child("kerberos"))...)
	}

	return errs
}

func (s *LDAPSpec) validate(p *field.Path) field.ErrorList {
	errs := field.ErrorList{}

	switch u, err := url.Parse(s.URL); {
	case s.URL == "":
		errs = append(errs, field.Required(p.Child("url"), "name the directory, such as ldaps://dc.example.com:636"))
	case err != nil || u.Hostname() == "" || !isPort(u.Port()) || u.Scheme != "ldap" && u.Scheme != "ldaps":
		errs = append(errs, field.Invalid(p.Child("url"), s.URL, "must start with ldap:// or ldaps:// and name a host, and optionally a port from 1 to 65535"))
	case u.Scheme == "ldap" && !s.StartTLS && !s.AllowPlaintext:
		errs = append(errs, field.Invalid(p.Child("url"), s.URL, "would send the bind password unencrypted, and the server refuses that. Use ldaps://, or set startTLS, or else allowPlaintext"))
	}

	for name, value := range map[string]string{"baseDN": s.BaseDN, "bindDN": s.BindDN} {
		if strings.TrimSpace(value) == "" {
			errs = append(errs, field.Required(p.Child(name), "the server does not start without it"))
		}
	}
	errs = append(errs, validateTexts(p, map[string]string{
		"url": s.URL, "baseDN": s.BaseDN, "bindDN": s.BindDN, "userAttr": s.UserAttr, "realm": s.Realm, "caCertFile": s.CACertFile,
	})...)

	if s.BindPasswordSecretRef == nil {
		errs = append(errs, field.Required(p.Child("bindPasswordSecretRef"), "the server does not start without a bind password. Name its Secret and key, or set enabled to false"))
	} else {
		errs = append(errs, s.BindPasswordSecretRef.validate(p.Child("bindPasswordSecretRef"))...)
	}
	if s.UserAttr != "" && !attributePattern.MatchString(s.UserAttr) {
		errs = append(errs, field.Invalid(p.Child("userAttr"), s.UserAttr, "must be the name of an LDAP attribute, such as uid"))
	}
	errs = append(errs, validateEnum(p.Child("idmap"), s.Idmap, []string{"", "rfc2307", "rid"})...)

	if r := s.CASecretRef; r != nil {
		errs = append(errs, r.validate(p.Child("caSecretRef"))...)
		if s.CACertFile != "" {
			errs = append(errs, field.Forbidden(p.Child("caCertFile"), "caSecretRef names the CA already. Remove one of the two"))
		}
	}
	return append(errs, validateImageFile(p.Child("caCertFile"), s.CACertFile)...)
}

// isPort says whether the port of a URL is valid or left out.
func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// validate checks the references even if Kerberos is turned off: the files stay mounted,
// because the server's database may still say that it is on.
func (s *KerberosSpec) validate(p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if r := s.KeytabSecretRef; r != nil {
		errs = append(errs, r.validate(p.Child("keytabSecretRef"))...)
	}
	if r := s.Krb5ConfSecretRef; r != nil {
		errs = append(errs, r.validate(p.Child("krb5ConfSecretRef"))...)
	}
	if !s.Enabled {
		return errs
	}

	if s.KeytabSecretRef == nil {
		errs = append(errs, field.Required(p.Child("keytabSecretRef"), "without a keytab the SMB adapter keeps the server from starting. Name its Secret and key"))
	}
	switch {
	case s.Krb5ConfSecretRef == nil && s.Krb5Conf == "":
		errs = append(errs, field.Required(p.Child("krb5ConfSecretRef"), "the DittoFS image has no krb5.conf, and without one the server does not start. Name its Secret and key, or with your own image the file in krb5Conf"))
	case s.Krb5ConfSecretRef != nil && s.Krb5Conf != "":
		errs = append(errs, field.Forbidden(p.Child("krb5Conf"), "krb5ConfSecretRef names the file already. Remove one of the two"))
	default:
		errs = append(errs, validateImageFile(p.Child("krb5Conf"), s.Krb5Conf)...)
	}
	switch {
	case s.ServicePrincipal == "":
		errs = append(errs, field.Required(p.Child("servicePrincipal"), "name the server's principal, such as nfs/files.example.com@EXAMPLE.COM"))
	case !servicePrincipalPattern.MatchString(s.ServicePrincipal):
		errs = append(errs, field.Invalid(p.Child("servicePrincipal"), s.ServicePrincipal, "must have the form service/host@REALM"))
	}
	for name, value := range map[string]string{"realm": s.Realm, "netbiosDomain": s.NetBIOSDomain, "dnsDomain": s.DNSDomain} {
		if strings.ContainsAny(value, "@/") || strings.ContainsFunc(value, unicode.IsSpace) || name == "netbiosDomain" && strings.Contains(value, ".") {
			errs = append(errs, field.Invalid(p.Child(name), value, "must be a bare name, without '@', '/' and blanks (and, of a NetBIOS domain, without '.')"))
		}
	}

	errs = append(errs, validateTexts(p, map[string]string{
		"krb5Conf": s.Krb5Conf, "servicePrincipal": s.ServicePrincipal, "realm": s.Realm, "netbiosDomain": s.NetBIOSDomain, "dnsDomain": s.DNSDomain,
	})...)
	if s.MachineAccount.IsEnabled() {
		errs = append(errs, s.MachineAccount.validate(p.Child("machineAccount"))...)
		if s.NetBIOSDomain == "" {
			errs = append(errs, field.Required(p.Child("netbiosDomain"), "without it the server does not use the machine account. Set the domain's short name"))
		}
	}

	return errs
}

const maxControllers = 32

func (s *MachineAccountSpec) validate(p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if s.AccountName == "" {
		errs = append(errs, field.Required(p.Child("accountName"), "name the account, such as FILES$"))
	}
	errs = append(errs, validateTexts(p, map[string]string{"accountName": s.AccountName})...)
	if len(s.DCAddress) > maxControllers {
		errs = append(errs, field.TooMany(p.Child("dcAddress"), len(s.DCAddress), maxControllers))
	}
	for i, a := range s.DCAddress {
		at := p.Child("dcAddress").Index(i)
		if a == "" || strings.ContainsFunc(a, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			errs = append(errs, field.Invalid(at, a, "must be host or host:port"))
		}
		errs = append(errs, validateLength(at, a, maxText)...)
	}
	if s.KeytabSecretRef != nil {
		errs = append(errs, field.Forbidden(p.Child("keytabSecretRef"), "the server reads no keytab of a machine account. Put the account's password into a Secret and name it in secretRef"))
	}
	if s.SecretRef == nil {
		errs = append(errs, field.Required(p.Child("secretRef"), "without the account's password the server does not use the machine account. Name its Secret and key"))
	} else {
		errs = append(errs, s.SecretRef.validate(p.Child("secretRef"))...)
	}
	return errs
}
