package v1beta1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestValidate goes through what a platform team may write and what would keep
// servers from starting.
func TestValidate(t *testing.T) {
	cases := map[string]struct {
		reason string
		input  string
		want   []string
	}{
		"Empty":             {reason: "All fields are optional.", input: "{}"},
		"PolicyAutomatic":   {reason: "It is the default.", input: "rollout: {policy: Automatic}"},
		"PolicyManual":      {reason: "A platform team may want to be asked.", input: "rollout: {policy: Manual}"},
		"PolicyEmpty":       {reason: "An empty policy is none.", input: "rollout: {policy: \"\"}"},
		"PolicyUnknown":     {reason: "There are two.", input: "rollout: {policy: Never}", want: []string{"input.rollout.policy"}},
		"PolicyLowerCase":   {reason: "They are written in one way.", input: "rollout: {policy: manual}", want: []string{"input.rollout.policy"}},
		"Image":             {reason: "An image of your own is fine.", input: "image: registry.example:5000/dfs:1"},
		"ImageUnreadable":   {reason: "No server's pod would be started.", input: "image: \"registry.example:5000/dfs: 1\"", want: []string{"input.image"}},
		"StorageClass":      {reason: "A class has a name.", input: "storageClassName: fast.example"},
		"StorageClassEmpty": {reason: "An empty name is that of no class.", input: "storageClassName: \"\""},
		"StorageClassBad":   {reason: "A class has a name.", input: "storageClassName: Fast!", want: []string{"input.storageClassName"}},
		"Memory":            {reason: "Half a byte is too little.", input: "resources: {limits: {memory: 512m}}", want: []string{"input.resources.limits[memory]"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := &Input{}
			if err := yaml.UnmarshalStrict([]byte(tc.input), in); err != nil {
				t.Fatal(err)
			}
			in.Default()
			var got []string
			for _, err := range in.Validate() {
				got = append(got, err.Field)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nValidate(): -want fields, +got fields:\n%s", tc.reason, diff)
			}
		})
	}
}
