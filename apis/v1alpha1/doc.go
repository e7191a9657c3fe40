// Package v1alpha1 is the dittofs.io/v1alpha1 API: the DittoServer composite
// resource, its defaults and its validation.
//
// The XRD in example/xrd.yaml is generated from these types. The files named
// validation.go and *_validation.go repeat the rules of the markers in Go, because the
// function also runs where no API server has validated the composite resource.
//
// +kubebuilder:object:generate=true
// +groupName=dittofs.io
// +versionName=v1alpha1
package v1alpha1
