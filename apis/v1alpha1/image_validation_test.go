package v1alpha1

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// TestValidateImage goes through what a kubelet reads and what it does not.
func TestValidateImage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	cases := map[string]struct {
		reason, image string
		invalid       bool
	}{
		"None":             {reason: "Without an image there is a default.", image: ""},
		"Name":             {reason: "A name is enough.", image: "dfs"},
		"Tag":              {reason: "A tag may have capitals.", image: "marmos91c/dittofs:v0.29.0_RC-1"},
		"Digest":           {reason: "A digest pins an image.", image: "ghcr.io/a/b@" + digest},
		"TagAndDigest":     {reason: "A digest may stand behind a tag.", image: "ghcr.io/a/b:1@" + digest},
		"Port":             {reason: "A registry may have a port.", image: "registry:5000/dfs:1"},
		"IPv6":             {reason: "A registry may be an address.", image: "[2001:db8::1]:5000/dfs"},
		"HostInCapitals":   {reason: "Hosts may be written in capitals.", image: "Registry.example/dfs"},
		"Separators":       {reason: "There are four separators.", image: "a.b/c__d/e--f/g_h"},
		"LongestName":      {reason: "A name has at most 255 characters, with library/ before it.", image: strings.Repeat("a", 247)},
		"Blank":            {reason: "An image has no blanks.", image: "dfs:1 ", invalid: true},
		"BlankWithin":      {reason: "An image has no blanks.", image: "dfs: 1", invalid: true},
		"Newline":          {reason: "An image has no line breaks.", image: "dfs:1\n", invalid: true},
		"Capitals":         {reason: "A name has no capitals.", image: "DFS:1", invalid: true},
		"CapitalsOfPath":   {reason: "A name has no capitals.", image: "ghcr.io/DittoFS/dfs", invalid: true},
		"NoTag":            {reason: "A colon is followed by a tag.", image: "dfs:", invalid: true},
		"NoName":           {reason: "A tag is that of an image.", image: ":1", invalid: true},
		"TwoTags":          {reason: "An image has one tag.", image: "dfs:1:2", invalid: true},
		"Scheme":           {reason: "An image is no URL.", image: "https://ghcr.io/a/b", invalid: true},
		"EmptyPart":        {reason: "A name has no empty parts.", image: "ghcr.io//b", invalid: true},
		"SlashAtTheEnd":    {reason: "A name has no empty parts.", image: "ghcr.io/a/", invalid: true},
		"DashAtTheEnd":     {reason: "Separators stand between letters.", image: "ghcr.io/a-", invalid: true},
		"ThreeUnderlines":  {reason: "There are one and two.", image: "a___b", invalid: true},
		"ShortDigest":      {reason: "A digest has 64 digits.", image: "dfs@sha256:0a0a", invalid: true},
		"DigestInCapitals": {reason: "A digest has no capitals.", image: "dfs@" + strings.ReplaceAll(digest, "0a", "0A"), invalid: true},
		"UnknownDigest":    {reason: "A digest is of an algorithm that there is.", image: "dfs@md5:" + strings.Repeat("0a", 16), invalid: true},
		"DigestAlone":      {reason: "A digest is that of an image.", image: strings.Repeat("0a", 32), invalid: true},
		"LongTag":          {reason: "A tag has at most 128 characters.", image: "dfs:" + strings.Repeat("1", 129), invalid: true},
		"LongName":         {reason: "A name has at most 255 characters, with library/ before it.", image: strings.Repeat("a", 248), invalid: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if errs := ValidateImage(tc.image, field.NewPath("spec", "image")); len(errs) > 0 != tc.invalid {
				t.Errorf("%s\nValidateImage(%q): want an error: %t, got %v", tc.reason, tc.image, tc.invalid, errs)
			}
		})
	}
}
