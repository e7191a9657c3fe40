package v1alpha1

// BlockStoreSpec configures what the server keeps on its own volumes of the data in
// remote block stores. You manage the stores themselves through the server's API.
type BlockStoreSpec struct {
	// RemoteCacheSize is the size up to which a share with a remote block store keeps
	// data on the local volume. It is per share, and it does not apply to shares that
	// have a size of their own (dfsctl share create --local-store-size) or no remote
	// store. Data that is not yet in the remote store counts: a share that has reached
	// the size makes writers wait. If there are several such shares, the sizes of all of
	// them have to fit the volume.
	//
	// It must be at least 5Gi, because a share keeps up to 4Gi of it open for writing
	// and frees only what it has closed, and at most the size of the volume. Defaults to
	// four fifths of the contentSize or, without one, half of the metadataSize, but to
	// at most 10Gi, which is the server's own default whatever the volume. On a small
	// volume that is less than the 5Gi that a share with a remote store needs: then
	// choose a contentSize of at least 7Gi or, without one, a metadataSize of at least
	// 10Gi.
	// +kubebuilder:validation:Pattern=`^[0-9]+(Gi|Mi|Ti)$`
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="!quantity(self).isLessThan(quantity('5Gi'))",message="must be at least 5Gi"
	// +kubebuilder:example="20Gi"
	// +optional
	RemoteCacheSize string `json:"remoteCacheSize,omitempty"`
}
