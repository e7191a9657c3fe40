package manifests_test

import (
	"strings"
	"testing"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestRemoteCache fits the cache of remote stores to the volume that there is.
func TestRemoteCache(t *testing.T) {
	cases := map[string]struct {
		reason         string
		spec, existing string // Specs; that of the existing server, if there is one.
		want           string
	}{
		"Content":        {reason: "A fifth stays free for snapshots.", spec: "{storage: {metadataSize: 1Gi, contentSize: 10Gi}}", want: "8589934592"},
		"LargeContent":   {reason: "The server's own default is not exceeded: nobody knows how many shares there are.", spec: "{storage: {metadataSize: 1Gi, contentSize: 1Ti}}", want: "10737418240"},
		"Metadata":       {reason: "The metadata needs its half.", spec: "{storage: {metadataSize: 10Gi}}", want: "5368709120"},
		"LargeMetadata":  {reason: "The server's own default is not exceeded.", spec: "{storage: {metadataSize: 100Gi}}", want: "10737418240"},
		"Set":            {reason: "The user's own counts.", spec: "{storage: {metadataSize: 1Gi, contentSize: 1Ti}, blockStore: {remoteCacheSize: 100Gi}}", want: "107374182400"},
		"VolumeWanted":   {reason: "A size that the volume does not get must not restart the server.", spec: "{storage: {metadataSize: 1Gi, contentSize: 12Gi}}", existing: "{storage: {metadataSize: 1Gi, contentSize: 10Gi}}", want: "8589934592"},
		"ContentWanted":  {reason: "Nor must a volume that the server does not get.", spec: "{storage: {metadataSize: 10Gi, contentSize: 20Gi}}", existing: "{storage: {metadataSize: 10Gi}}", want: "5368709120"},
		"SetAndUnwanted": {reason: "The user's own counts for whatever there is.", spec: "{storage: {metadataSize: 10Gi}, blockStore: {remoteCacheSize: 6Gi}}", existing: "{storage: {metadataSize: 1Gi}}", want: "6442450944"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := manifests.Options{}
			if tc.existing != "" {
				im := manifests.Wanted(dittoServer(t, tc.existing))
				o.Existing = &im
			}
			got := build(t, dittoServer(t, tc.spec), o).Config
			if want := "default_remote_cache_size: " + tc.want + "\n"; !strings.Contains(got, want) {
				t.Errorf("%s\nBuild(...): want %q in\n%s", tc.reason, want, got)
			}
		})
	}

	t.Run("NoVolumes", func(t *testing.T) {
		im := manifests.Immutable{}
		if got := build(t, dittoServer(t, "{storage: {metadataSize: 10Gi}}"), manifests.Options{Existing: &im}).Config; strings.Contains(got, "blockstore") {
			t.Errorf("Nothing is known of where the blocks of an adopted server without volumes are, got\n%s", got)
		}
	})
}
