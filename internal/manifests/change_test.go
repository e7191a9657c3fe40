package manifests_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestRemoteCacheChange keeps the cache of remote stores on the volume that the existing
// server has, whatever volumes its spec wants by now.
func TestRemoteCacheChange(t *testing.T) {
	const at = "spec.blockStore.remoteCacheSize"
	cases := map[string]struct {
		reason         string
		spec, existing string
		want           []string
	}{
		"Beyond":       {reason: "The volume for blocks is not there, and that for metadata would fill up.", existing: "{storage: {metadataSize: 10Gi}}", spec: "{storage: {metadataSize: 10Gi, contentSize: 100Gi}, blockStore: {remoteCacheSize: 80Gi}}", want: []string{at}},
		"JustBeyond":   {reason: "Sizes are compared, not texts.", existing: "{storage: {metadataSize: 10Gi}}", spec: "{storage: {metadataSize: 10Gi, contentSize: 100Gi}, blockStore: {remoteCacheSize: 10241Mi}}", want: []string{at}},
		"Fits":         {reason: "It may take all of the volume that it is on.", existing: "{storage: {metadataSize: 10Gi}}", spec: "{storage: {metadataSize: 10Gi, contentSize: 100Gi}, blockStore: {remoteCacheSize: 10240Mi}}"},
		"Unset":        {reason: "The default fits the volume that there is.", existing: "{storage: {metadataSize: 10Gi}}", spec: "{storage: {metadataSize: 10Gi, contentSize: 100Gi}}"},
		"Resized":      {reason: "The volume may have been resized to what the spec says.", existing: "{storage: {metadataSize: 10Gi}}", spec: "{storage: {metadataSize: 50Gi, contentSize: 100Gi}, blockStore: {remoteCacheSize: 50Gi}}"},
		"NotResized":   {reason: "Nor has it become less than it was.", existing: "{storage: {metadataSize: 50Gi}}", spec: "{storage: {metadataSize: 10Gi, contentSize: 100Gi}, blockStore: {remoteCacheSize: 50Gi}}"},
		"ContentThere": {reason: "A volume for blocks may have been resized, too.", existing: "{storage: {metadataSize: 1Gi, contentSize: 10Gi}}", spec: "{storage: {metadataSize: 1Gi, contentSize: 100Gi}, blockStore: {remoteCacheSize: 80Gi}}"},
		"NoContent":    {reason: "Without a contentSize the spec says what the volume is.", existing: "{storage: {metadataSize: 10Gi}}", spec: "{storage: {metadataSize: 20Gi}, blockStore: {remoteCacheSize: 20Gi}}"},
		"NoServer":     {reason: "A new server gets the volumes that it wants.", spec: "{storage: {metadataSize: 10Gi, contentSize: 100Gi}, blockStore: {remoteCacheSize: 80Gi}}"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := manifests.Existing{}
			if tc.existing != "" {
				im := manifests.Wanted(dittoServer(t, tc.existing))
				e.Immutable = &im
			}
			var got []string
			for _, err := range manifests.ValidateChange(dittoServer(t, tc.spec), e) {
				got = append(got, err.Field)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nValidateChange(...): -want fields, +got fields:\n%s", tc.reason, diff)
			}
		})
	}

	t.Run("Unreadable", func(t *testing.T) {
		ds := dittoServer(t, "{storage: {metadataSize: 10Gi, contentSize: 100Gi}}")
		ds.Spec.BlockStore = &v1alpha1.BlockStoreSpec{RemoteCacheSize: "much"}
		ds.Spec.Storage.MetadataSize = "little"
		im := manifests.Wanted(dittoServer(t, "{storage: {metadataSize: 10Gi}}"))
		if errs := manifests.ValidateChange(ds, manifests.Existing{Immutable: &im}); len(errs) > 0 {
			t.Errorf("What is no size is told by itself.\nValidateChange(...): want no errors, got %v", errs)
		}
	})
}
