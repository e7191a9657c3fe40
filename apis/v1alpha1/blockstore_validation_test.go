package v1alpha1

import "testing"

// TestValidateBlockStore keeps a cache on its volume, and large enough to be freed.
func TestValidateBlockStore(t *testing.T) {
	const at = "spec.blockStore.remoteCacheSize"
	size := func(cache string, storage fields) fields {
		return fields{"blockStore.remoteCacheSize": cache, "storage": storage}
	}
	validateAll(t, map[string]validateCase{
		"OnContent":       {reason: "It may take all of the volume for blocks.", edit: size("50Gi", fields{"metadataSize": "1Gi", "contentSize": "50Gi"})},
		"OnMetadata":      {reason: "Without a volume for blocks they are on that of the metadata.", edit: size("10Gi", fields{"metadataSize": "10Gi"})},
		"OtherUnit":       {reason: "Sizes are compared, not texts.", edit: size("5120Mi", fields{"metadataSize": "1Ti"})},
		"BeyondContent":   {reason: "The volume would be full before the server frees anything.", edit: size("51Gi", fields{"metadataSize": "100Gi", "contentSize": "50Gi"}), want: []string{at}},
		"BeyondMetadata":  {reason: "A full volume of metadata stops all shares.", edit: size("11Gi", fields{"metadataSize": "10Gi"}), want: []string{at}},
		"TooSmall":        {reason: "The server would refuse writes for good.", edit: size("4352Mi", fields{"metadataSize": "10Gi"}), want: []string{at}},
		"SmallOnSmall":    {reason: "Each mistake is told.", edit: size("2Gi", fields{"metadataSize": "1Gi"}), want: []string{at, at}},
		"Zero":            {reason: "To the server, zero is its own default.", edit: size("0Gi", fields{"metadataSize": "10Gi"}), want: []string{at}},
		"NotAUnit":        {reason: "Sizes have the form of all others.", edit: size("10G", fields{"metadataSize": "10Gi"}), want: []string{at}},
		"VolumeUnclear":   {reason: "What is wrong with the volume is told there.", edit: size("5Gi", fields{"metadataSize": "much"}), want: []string{"spec.storage.metadataSize"}},
		"NumberUnbounded": {reason: "No volume is as large.", edit: size("99999999999999999999Ti", fields{"metadataSize": "10Gi"}), want: []string{at}},
	})
}
