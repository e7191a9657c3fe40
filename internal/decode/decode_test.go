package decode

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

type target struct {
	Text   string                       `json:"text,omitempty"`
	Flag   bool                         `json:"flag,omitempty"`
	Number *int32                       `json:"number,omitempty"`
	Size   *resource.Quantity           `json:"size,omitempty"`
	Map    map[string]string            `json:"map,omitempty"`
	List   []target                     `json:"list,omitempty"`
	Block  *target                      `json:"block,omitempty"`
	Sizes  map[string]resource.Quantity `json:"sizes,omitempty"`
}

// TestLenient says of values that cannot be read where they are.
func TestLenient(t *testing.T) {
	type want struct {
		Object *target
		// Fields that cannot be read, sorted.
		Fields []string
	}

	cases := map[string]struct {
		reason string
		object map[string]any
		want   want
	}{
		"Nothing": {
			reason: "No object is an empty one.",
			want:   want{Object: &target{}},
		},
		"Valid": {
			reason: "Numbers come as floats, and unknown fields are passed over.",
			object: map[string]any{"text": "a", "number": 7.0, "block": map[string]any{"flag": true}, "unknown": 1.0},
			want:   want{Object: &target{Text: "a", Number: new(int32(7)), Block: &target{Flag: true}}},
		},
		"Null": {
			reason: "A null is nothing.",
			object: map[string]any{"text": nil, "number": nil, "block": nil, "list": nil},
			want:   want{Object: &target{}},
		},
		"OtherCase": {
			reason: "A field that is spelled otherwise is another field.",
			object: map[string]any{"Text": "a"},
			want:   want{Object: &target{}},
		},
		"Each": {
			reason: "Each value is found, wherever it stands.",
			object: map[string]any{
				"text":   1.0,
				"flag":   "yes",
				"number": "one",
				"size":   "big",
				"map":    map[string]any{"a": "b", "c": 1.0},
				"list":   []any{map[string]any{"text": "a"}, map[string]any{"text": 1.0}},
				"block":  map[string]any{"block": map[string]any{"number": 1.5}},
				"sizes":  map[string]any{"memory": "lots"},
			},
			want: want{Fields: []string{"p.block.block.number", "p.flag", "p.list[1].text", "p.map.c", "p.number", "p.size", "p.sizes.memory", "p.text"}},
		},
		"WholeValues": {
			reason: "A block in place of a value is not looked into, nor is a value in place of a block.",
			object: map[string]any{"text": map[string]any{"a": "b"}, "map": "a", "list": map[string]any{"a": "b"}, "block": []any{1.0}},
			want:   want{Fields: []string{"p.block", "p.list", "p.map", "p.text"}},
		},
		"TooLarge": {
			reason: "A number that does not fit is not cut off.",
			object: map[string]any{"number": 4294967297.0},
			want:   want{Fields: []string{"p.number"}},
		},
		"TooLargeByFar": {
			reason: "A number that does not fit is not cut off.",
			object: map[string]any{"number": 1e300},
			want:   want{Fields: []string{"p.number"}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, errs := Lenient[target](field.NewPath("p"), tc.object)
			if diff := cmp.Diff(tc.want, want{Object: got, Fields: fields(errs)}); diff != "" {
				t.Errorf("%s\nLenient(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestStrict refuses unknown fields.
func TestStrict(t *testing.T) {
	cases := map[string]struct {
		reason string
		object map[string]any
		want   int
	}{
		"Known":         {reason: "Known fields are fine.", object: map[string]any{"text": "a"}, want: 0},
		"Unknown":       {reason: "An unknown field has a slip of the pen in it.", object: map[string]any{"txet": "a"}, want: 1},
		"UnknownNested": {reason: "An unknown field is found wherever it stands.", object: map[string]any{"list": []any{map[string]any{"txet": "a"}}}, want: 1},
		"UnknownTwo":    {reason: "All unknown fields are found.", object: map[string]any{"txet": "a", "block": map[string]any{"galf": true}}, want: 2},
		"WrongType":     {reason: "A value that cannot be read is refused too.", object: map[string]any{"text": 1.0}, want: 1},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, errs := Strict[target](field.NewPath("p"), tc.object); len(errs) != tc.want {
				t.Errorf("%s\nStrict(...): want %d errors, got %v", tc.reason, tc.want, errs)
			}
		})
	}
}

// fields are those of errors, sorted.
func fields(errs field.ErrorList) []string {
	var fs []string
	for _, err := range errs {
		fs = append(fs, err.Field)
	}
	slices.Sort(fs)
	return fs
}
