package manifests

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// Crossplane's kind that protects an object from being deleted. Every Crossplane 2 brings
// it, and may read and write it.
const (
	UsageAPIVersion = "protection.crossplane.io/v1beta1"
	UsageKind       = "Usage"
)

// LabelInUse is what Crossplane labels an object with that a Usage is of. It looks for
// Usages only where it finds the label.
const LabelInUse = "crossplane.io/in-use"

const usageSuffix = "-deletion-protection"

// UsageName returns the name of the Usage that protects a DittoServer.
func UsageName(ds *v1alpha1.DittoServer) string { return ds.GetName() + usageSuffix }

// usage has Crossplane refuse to delete the DittoServer. The reason is shown to whoever
// tries.
func usage(ds *v1alpha1.DittoServer) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": UsageAPIVersion,
		"kind":       UsageKind,
		"spec": map[string]any{
			"of": map[string]any{
				"apiVersion":  v1alpha1.APIVersion,
				"kind":        v1alpha1.Kind,
				"resourceRef": map[string]any{"name": ds.GetName()},
			},
			"reason": "spec.deletionProtection is true. To delete the DittoServer, set it to false first",
		},
	}}
	named(u, ds, usageSuffix)
	return u
}
