package v1alpha1

// EncryptionSpec gives the server the keys of encrypted remote block stores. Which store
// is encrypted, and with which key, is a setting of the store: you choose it through the
// server's API when you create the store (dfsctl store block remote add
// --encryption-key-file /encryption/NAME.key). Neither metadata nor what is on the
// server's own volumes is encrypted.
//
// A key file holds a master key, encrypted with the passphrase. Without both, and the same
// master key, everything in its stores is lost. So the function lets a running server have
// neither a passphrase that does not open the key files, nor another master key under a
// name that is in use.
type EncryptionSpec struct {
	// PassphraseSecretRef refers to the passphrase of all key files.
	PassphraseSecretRef SecretKeyRef `json:"passphraseSecretRef"`

	// Keys of the stores.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	Keys []EncryptionKeySpec `json:"keys"`
}

// EncryptionKeySpec describes a master key.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretRef) || (has(self.retired) && self.retired)",message="a key that is not retired needs secretRef"
type EncryptionKeySpec struct {
	// Name of the key. The server reads its file at /encryption/NAME.key.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// SecretRef refers to the key file.
	// +optional
	SecretRef *SecretKeyRef `json:"secretRef,omitempty"`

	// Retired takes the key away from the server. Set it once no store uses the key any
	// more. After the restart that follows, you can remove the key from the list, or use
	// its name for another one.
	// +optional
	Retired bool `json:"retired,omitempty"`
}
