package markdown

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRewrite(t *testing.T) {
	const both = "a\n<!-- make one writes this. -->\n\nold\n\n<!-- As far as here. -->\nb\n<!-- make two writes this. -->\n<!-- As far as here. -->\nc\n"
	cases := map[string]struct {
		reason        string
		command, text string
		want          string
		wantErr       bool
	}{
		"First": {
			reason:  "What stands between the marks is replaced, and nothing else.",
			command: "make one", text: "new\n",
			want: "a\n<!-- make one writes this. -->\n\nnew\n\n<!-- As far as here. -->\nb\n<!-- make two writes this. -->\n<!-- As far as here. -->\nc\n",
		},
		"Second": {
			reason:  "The end that counts is the next one after the command's mark.",
			command: "make two", text: "new\n",
			want: "a\n<!-- make one writes this. -->\n\nold\n\n<!-- As far as here. -->\nb\n<!-- make two writes this. -->\n\nnew\n\n<!-- As far as here. -->\nc\n",
		},
		"NoMark": {
			reason:  "A text that finds no place is not lost silently.",
			command: "make three", text: "new\n",
			wantErr: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := rewrite(both, tc.command, tc.text)
			if (err != nil) != tc.wantErr {
				t.Fatalf("%s\nrewrite(...): error %v, want one: %t", tc.reason, err, tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nrewrite(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
