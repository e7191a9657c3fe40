package v1alpha1

// IdentitySpec configures how users and API clients prove who they are.
type IdentitySpec struct {
	// Type of the identity store. The server has only this one. The field
	// exists for manifests written for the DittoFS operator.
	// +kubebuilder:validation:Enum=memory
	// +kubebuilder:default="memory"
	// +optional
	Type string `json:"type,omitempty"`

	// JWT configures the API's tokens.
	// +optional
	JWT *JWTSpec `json:"jwt,omitempty"`

	// Admin is the account that the server creates at its first start.
	// +optional
	Admin *AdminSpec `json:"admin,omitempty"`

	// LDAP looks users up in a directory.
	// +optional
	LDAP *LDAPSpec `json:"ldap,omitempty"`

	// Kerberos authenticates NFSv4 and SMB clients.
	// +optional
	Kerberos *KerberosSpec `json:"kerberos,omitempty"`
}

// JWTSpec configures the tokens of the REST API.
type JWTSpec struct {
	// SecretRef refers to the signing key of the tokens, of at least 32 bytes.
	// A new key restarts the server and ends every session. If it is not set,
	// the function generates a key in the Secret NAME-jwt-secret.
	// +optional
	SecretRef *SecretKeyRef `json:"secretRef,omitempty"`

	// AccessTokenDuration is how long an access token is valid. It is a Go
	// duration, such as 15m or 1h30m.
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="must be at least 1s"
	// +optional
	AccessTokenDuration string `json:"accessTokenDuration,omitempty"`

	// RefreshTokenDuration is how long a refresh token is valid. It is a Go
	// duration, such as 168h for a week.
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="must be at least 1s"
	// +optional
	RefreshTokenDuration string `json:"refreshTokenDuration,omitempty"`
}

// AdminSpec describes the account that the server creates at its first start.
type AdminSpec struct {
	// Username of the account. The server supports no name other than admin.
	// +kubebuilder:default="admin"
	// +kubebuilder:validation:Enum=admin
	// +optional
	Username string `json:"username,omitempty"`

	// PasswordSecretRef refers to the password in plain text, of 8 to 72 bytes.
	// The server reads it only when it creates the account. If it is not set,
	// the function generates a password in the Secret
	// NAME-admin-bootstrap-credentials.
	// +optional
	PasswordSecretRef *SecretKeyRef `json:"passwordSecretRef,omitempty"`
}

// LDAPSpec describes the directory in which users are looked up who come with
// Kerberos tickets: the server takes no password of the directory. The server
// copies these settings into its database at the first start with them. From
// then on, you manage them through its API. The README says what a later change
// does.
//
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || has(self.bindPasswordSecretRef)",message="ldap.enabled needs bindPasswordSecretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || self.url.lowerAscii().startsWith('ldaps://') || (self.url.lowerAscii().startsWith('ldap://') && ((has(self.startTLS) && self.startTLS) || (has(self.allowPlaintext) && self.allowPlaintext)))",message="url must start with ldaps://, or with ldap:// and startTLS or allowPlaintext be true"
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || (isURL(self.url) && size(url(self.url).getHostname()) > 0 && (size(url(self.url).getPort()) == 0 || (int(url(self.url).getPort()) >= 1 && int(url(self.url).getPort()) <= 65535)))",message="url must name a host, and if wanted a port from 1 to 65535"
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || (size(self.baseDN.trim()) > 0 && size(self.bindDN.trim()) > 0)",message="ldap.enabled needs baseDN and bindDN"
// +kubebuilder:validation:XValidation:rule="!has(self.caSecretRef) || !has(self.caCertFile)",message="caSecretRef and caCertFile are two CAs: remove one"
type LDAPSpec struct {
	// Enabled looks users up in the directory.
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// URL of the directory: ldaps://host:636, or ldap://host:389 with startTLS or
	// allowPlaintext.
	// +kubebuilder:validation:MaxLength=1024
	URL string `json:"url"`

	// StartTLS encrypts a connection that starts as ldap://.
	// +optional
	StartTLS bool `json:"startTLS,omitempty"`

	// AllowPlaintext lets the password cross the network unencrypted.
	// +optional
	AllowPlaintext bool `json:"allowPlaintext,omitempty"`

	// BaseDN is where searches start.
	// +kubebuilder:validation:MaxLength=1024
	BaseDN string `json:"baseDN"`

	// BindDN is the DN of the account that searches the directory.
	// +kubebuilder:validation:MaxLength=1024
	BindDN string `json:"bindDN"`

	// BindPasswordSecretRef refers to the account's password.
	// +optional
	BindPasswordSecretRef *SecretKeyRef `json:"bindPasswordSecretRef,omitempty"`

	// UserAttr is the attribute that holds the user's name. The server's default is
	// sAMAccountName. Whatever it is, the server looks for objects of class user and
	// reads their sAMAccountName, as Active Directory has them.
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9-]*$`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	UserAttr string `json:"userAttr,omitempty"`

	// Realm of the directory's users.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Realm string `json:"realm,omitempty"`

	// Idmap is where UIDs and GIDs come from: the directory's attributes (rfc2307),
	// which is the server's default, or the SID (rid).
	// +kubebuilder:validation:Enum=rfc2307;rid
	// +optional
	Idmap string `json:"idmap,omitempty"`

	// NestedGroups resolves groups that are members of other groups.
	// +optional
	NestedGroups bool `json:"nestedGroups,omitempty"`

	// CASecretRef refers to the CA that the directory's certificate is verified
	// against. The server uses a new CA without a restart.
	// +optional
	CASecretRef *SecretKeyRef `json:"caSecretRef,omitempty"`

	// CACertFile is the path of a file in the image that holds that CA.
	// +kubebuilder:validation:Pattern=`^(/[^/]+)*$`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	CACertFile string `json:"caCertFile,omitempty"`

	// InsecureSkipVerify accepts any certificate from the directory.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// KerberosSpec configures how NFSv4 and SMB clients are authenticated. The
// server copies these settings, but not the files, into its database at the
// first start with them. The README says what a later change does.
//
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || (has(self.servicePrincipal) && has(self.keytabSecretRef))",message="kerberos.enabled needs servicePrincipal and keytabSecretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || (has(self.krb5ConfSecretRef) != has(self.krb5Conf))",message="kerberos.enabled needs one of krb5ConfSecretRef and krb5Conf"
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || !has(self.machineAccount) || !has(self.machineAccount.enabled) || !self.machineAccount.enabled || has(self.netbiosDomain)",message="machineAccount.enabled needs netbiosDomain"
type KerberosSpec struct {
	// Enabled turns Kerberos on. Before you turn it off here, turn it off
	// through the server's API, because the server's database keeps it on.
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// ServicePrincipal of the server, such as nfs/files.example.com@EXAMPLE.COM.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ServicePrincipal string `json:"servicePrincipal,omitempty"`

	// Realm of the server. Defaults to the realm of the service principal.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Realm string `json:"realm,omitempty"`

	// NetBIOSDomain is the domain's short name.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	NetBIOSDomain string `json:"netbiosDomain,omitempty"`

	// DNSDomain is the domain's DNS name. Defaults to the realm in lower case.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	DNSDomain string `json:"dnsDomain,omitempty"`

	// KeytabSecretRef refers to the keytab of the service principal and, for SMB, of
	// cifs/ at the same host. The server uses a new keytab without a restart.
	// +optional
	KeytabSecretRef *SecretKeyRef `json:"keytabSecretRef,omitempty"`

	// Krb5ConfSecretRef refers to the krb5.conf.
	// +optional
	Krb5ConfSecretRef *SecretKeyRef `json:"krb5ConfSecretRef,omitempty"`

	// Krb5Conf is the path of a krb5.conf in the image. The DittoFS image has
	// none.
	// +kubebuilder:validation:Pattern=`^(/[^/]+)*$`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Krb5Conf string `json:"krb5Conf,omitempty"`

	// MachineAccount checks the NTLM logons of domain users with a domain
	// controller.
	// +optional
	MachineAccount *MachineAccountSpec `json:"machineAccount,omitempty"`
}

// MachineAccountSpec describes the server's own account in the domain.
//
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || (has(self.accountName) && has(self.secretRef))",message="machineAccount.enabled needs accountName and secretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || !has(self.keytabSecretRef)",message="the server reads no keytab of a machine account: use secretRef"
type MachineAccountSpec struct {
	// Enabled checks NTLM logons with a domain controller.
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// AccountName is the name of the account. By convention, it ends in $.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	AccountName string `json:"accountName,omitempty"`

	// SecretRef refers to the account's password.
	// +optional
	SecretRef *SecretKeyRef `json:"secretRef,omitempty"`

	// KeytabSecretRef must not be set: the server does not read a keytab for
	// the machine account.
	// +optional
	KeytabSecretRef *SecretKeyRef `json:"keytabSecretRef,omitempty"`

	// DCAddress lists the domain controllers, as host or host:port.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=1024
	// +kubebuilder:validation:items:Pattern=`^\S+$`
	// +optional
	DCAddress []string `json:"dcAddress,omitempty"`
}
