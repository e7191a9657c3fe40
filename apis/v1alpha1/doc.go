// Package v1alpha1 is the dittofs.io/v1alpha1 API: the DittoServer composite
// resource, its defaults and its validation.
//
// The XRD in example/xrd.yaml is generated from these types. The rules in the
// markers are repeated in Go (validation.go), because the function also runs
// where no API server has looked at the composite resource.
//
// +kubebuilder:object:generate=true
// +groupName=dittofs.io
// +versionName=v1alpha1
package v1alpha1
