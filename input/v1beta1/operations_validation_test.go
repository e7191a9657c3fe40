package v1beta1

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/dittofs/function-dittoserver/internal/decode"
)

// TestOperationDefaults applies the defaults, which must be valid.
func TestOperationDefaults(t *testing.T) {
	restart := &Restart{}
	restart.Default()
	want := &Restart{Selector: &Selector{}, MaxUnavailable: new(intstr.FromInt32(1)), Healthy: &Healthy{Conditions: []string{"Ready"}}}
	if diff := cmp.Diff(want, restart); diff != "" {
		t.Errorf("Without a word of the platform team, one server should restart at a time: -want, +got:\n%s", diff)
	}
	if errs := restart.Validate(); len(errs) > 0 {
		t.Errorf("The defaults of a Restart should be valid: %v", errs)
	}
	again := restart.DeepCopy()
	again.Default()
	if diff := cmp.Diff(restart, again); diff != "" {
		t.Errorf("Defaults should not change what is set: -once, +twice:\n%s", diff)
	}

	resize := &Resize{}
	resize.Default()
	if diff := cmp.Diff(&Resize{Selector: &Selector{}}, resize); diff != "" {
		t.Errorf("Without a selector, all servers should be meant: -want, +got:\n%s", diff)
	}
	if errs := resize.Validate(); len(errs) > 0 {
		t.Errorf("The defaults of a Resize should be valid: %v", errs)
	}
}

// TestDefaultKeeps sees that defaults leave alone what is set beside them.
func TestDefaultKeeps(t *testing.T) {
	r := &Restart{MaxUnavailable: new(intstr.FromString("10%")), Healthy: &Healthy{MinReadySeconds: 30}, Selector: &Selector{Namespaces: []string{"team-a"}}}
	r.Default()
	want := &Restart{
		MaxUnavailable: new(intstr.FromString("10%")),
		Healthy:        &Healthy{Conditions: []string{"Ready"}, MinReadySeconds: 30},
		Selector:       &Selector{Namespaces: []string{"team-a"}},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("Defaults should fill gaps only: -want, +got:\n%s", diff)
	}
}

// TestValidateOperations goes through what a platform team may write. Each mistake is
// told with the field that it is in.
func TestValidateOperations(t *testing.T) {
	restart, resize := check[Restart], check[Resize]
	cases := map[string]struct {
		reason string
		check  func(*testing.T, string) []string
		input  string
		want   []string
	}{
		"RestartEmpty":      {reason: "All fields are optional.", check: restart, input: "{}"},
		"RestartNulls":      {reason: "A null is nothing.", check: restart, input: "{selector: null, maxUnavailable: null, healthy: null}"},
		"RestartHeader":     {reason: "An Input is an object of Kubernetes.", check: restart, input: "{apiVersion: dittoserver.fn.crossplane.io/v1beta1, kind: Restart, metadata: {name: a}}"},
		"Number":            {reason: "A number is a number of servers.", check: restart, input: "maxUnavailable: 5"},
		"NumberOfAll":       {reason: "More servers than there are is all of them.", check: restart, input: "maxUnavailable: 100000"},
		"Percent":           {reason: "A percentage is one of the servers.", check: restart, input: "maxUnavailable: 10%"},
		"PercentOfAll":      {reason: "All at once is what somebody may want on a test system.", check: restart, input: "maxUnavailable: 100%"},
		"Zero":              {reason: "A wave of nothing is never over.", check: restart, input: "maxUnavailable: 0", want: []string{"input.maxUnavailable"}},
		"Negative":          {reason: "There are no negative servers.", check: restart, input: "maxUnavailable: -1", want: []string{"input.maxUnavailable"}},
		"NumberAsText":      {reason: "Kubernetes refuses it elsewhere, as it may be a forgotten percent sign.", check: restart, input: `maxUnavailable: "5"`, want: []string{"input.maxUnavailable"}},
		"PercentZero":       {reason: "A wave of nothing is never over.", check: restart, input: "maxUnavailable: 0%", want: []string{"input.maxUnavailable"}},
		"PercentTooLarge":   {reason: "There are no more than all.", check: restart, input: "maxUnavailable: 101%", want: []string{"input.maxUnavailable"}},
		"PercentText":       {reason: "A percentage is a number.", check: restart, input: "maxUnavailable: x%", want: []string{"input.maxUnavailable"}},
		"PercentAlone":      {reason: "A percentage is a number.", check: restart, input: `maxUnavailable: "%"`, want: []string{"input.maxUnavailable"}},
		"PercentFraction":   {reason: "A percentage is a whole number, as in Kubernetes.", check: restart, input: "maxUnavailable: 1.5%", want: []string{"input.maxUnavailable"}},
		"PercentSigned":     {reason: "The schema refuses it, too.", check: restart, input: "maxUnavailable: +5%", want: []string{"input.maxUnavailable"}},
		"PercentZeros":      {reason: "The schema refuses it, too.", check: restart, input: "maxUnavailable: 05%", want: []string{"input.maxUnavailable"}},
		"PercentNegative":   {reason: "There are no negative servers.", check: restart, input: "maxUnavailable: -5%", want: []string{"input.maxUnavailable"}},
		"PercentOverflow":   {reason: "What is no number is none, however long.", check: restart, input: "maxUnavailable: 99999999999999999999%", want: []string{"input.maxUnavailable"}},
		"Text":              {reason: "An empty text is not a number.", check: restart, input: `maxUnavailable: ""`, want: []string{"input.maxUnavailable"}},
		"Fraction":          {reason: "There are no parts of servers.", check: restart, input: "maxUnavailable: 1.5", want: []string{"input.maxUnavailable"}},
		"NumberTooLarge":    {reason: "A number that does not fit is not cut off.", check: restart, input: "maxUnavailable: 4294967297", want: []string{"input.maxUnavailable"}},
		"Flag":              {reason: "True is no number.", check: restart, input: "maxUnavailable: true", want: []string{"input.maxUnavailable"}},
		"List":              {reason: "A list is no number.", check: restart, input: "maxUnavailable: [5]", want: []string{"input.maxUnavailable"}},
		"Conditions":        {reason: "Other functions and controllers have conditions, too.", check: restart, input: "healthy: {conditions: [Available, example.com/Tested]}"},
		"ConditionsEmpty":   {reason: "An empty list is none.", check: restart, input: "healthy: {conditions: []}"},
		"ConditionEmpty":    {reason: "No condition has no name: no server would ever be healthy.", check: restart, input: `healthy: {conditions: [Ready, ""]}`, want: []string{"input.healthy.conditions[1]"}},
		"ConditionBad":      {reason: "No condition has such a name: no server would ever be healthy.", check: restart, input: `healthy: {conditions: ["Is Ready"]}`, want: []string{"input.healthy.conditions[0]"}},
		"ConditionNumber":   {reason: "A condition has a name.", check: restart, input: "healthy: {conditions: [Ready, 1]}", want: []string{"input.healthy.conditions[1]"}},
		"MinReady":          {reason: "A day is the most.", check: restart, input: "healthy: {minReadySeconds: 86400}"},
		"MinReadyNegative":  {reason: "There is no time before.", check: restart, input: "healthy: {minReadySeconds: -1}", want: []string{"input.healthy.minReadySeconds"}},
		"MinReadyLong":      {reason: "More than a day is a mistake.", check: restart, input: "healthy: {minReadySeconds: 86401}", want: []string{"input.healthy.minReadySeconds"}},
		"MinReadyText":      {reason: "It is a number, not a duration.", check: restart, input: "healthy: {minReadySeconds: 30s}", want: []string{"input.healthy.minReadySeconds"}},
		"Selector":          {reason: "Namespaces and labels can be combined.", check: restart, input: `selector: {namespaces: [team-a, team-b], matchLabels: {ring: "1", example.com/empty: ""}}`},
		"NamespacesEmpty":   {reason: "An empty list is none.", check: restart, input: "selector: {namespaces: []}"},
		"NamespaceBad":      {reason: "There can be no such namespace, so it is misspelt.", check: restart, input: "selector: {namespaces: [team-a, Team_B]}", want: []string{"input.selector.namespaces[1]"}},
		"NamespaceTwice":    {reason: "Twice the same is a mistake in one of the two.", check: restart, input: "selector: {namespaces: [team-a, team-b, team-a]}", want: []string{"input.selector.namespaces[2]"}},
		"NamespaceEmpty":    {reason: "An empty name would mean all namespaces.", check: restart, input: `selector: {namespaces: [""]}`, want: []string{"input.selector.namespaces[0]"}},
		"LabelKeyBad":       {reason: "There can be no such label.", check: restart, input: `selector: {matchLabels: {"a b": c}}`, want: []string{"input.selector.matchLabels"}},
		"LabelValueBad":     {reason: "There can be no such label.", check: restart, input: `selector: {matchLabels: {a: "b c"}}`, want: []string{"input.selector.matchLabels"}},
		"LabelNumber":       {reason: "A label is a text.", check: restart, input: "selector: {matchLabels: {ring: 1}}", want: []string{"input.selector.matchLabels.ring"}},
		"SeveralMistakes":   {reason: "All mistakes are told at once.", check: restart, input: `{maxUnavailable: 0, healthy: {minReadySeconds: -1}, selector: {namespaces: ["", ""]}}`, want: []string{"input.healthy.minReadySeconds", "input.maxUnavailable", "input.selector.namespaces[0]", "input.selector.namespaces[1]"}},
		"RestartMisspelt":   {reason: "A misspelt field would be a field that is not set.", check: restart, input: "maxUnavailabe: 5", want: []string{"input"}},
		"SelectorMisspelt":  {reason: "A misspelt selector would select everything.", check: restart, input: "selector: {namespace: [team-a]}", want: []string{"input"}},
		"SelectorList":      {reason: "A list is no selector.", check: restart, input: "selector: [team-a]", want: []string{"input.selector"}},
		"ResizeEmpty":       {reason: "All fields are optional.", check: resize, input: "{}"},
		"ResizeSelector":    {reason: "It has the selector of a Restart.", check: resize, input: `selector: {namespaces: [team-a], matchLabels: {ring: "1"}}`},
		"ResizeBad":         {reason: "Its selector is validated, too.", check: resize, input: `selector: {namespaces: [A], matchLabels: {a: "b c"}}`, want: []string{"input.selector.matchLabels", "input.selector.namespaces[0]"}},
		"ResizeUnavailable": {reason: "It restarts nothing, so it has no such limit.", check: resize, input: "maxUnavailable: 5", want: []string{"input"}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.check(t, tc.input)); diff != "" {
				t.Errorf("%s\nValidate(): -want fields, +got fields:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestOperationsBySchema sees that the function accepts and refuses what the schemas do.
// That the schemas do it is tested where they are (test/render).
func TestOperationsBySchema(t *testing.T) {
	for file, valid := range map[string]bool{"invalid-operations.yaml": false, "operations.yaml": true} {
		text, err := os.ReadFile("../../test/render/testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq(string(text), "---\n") {
			c := check[Restart]
			if strings.Contains(doc, "kind: "+KindResize) {
				c = check[Resize]
			}
			if got := c(t, doc); (len(got) == 0) != valid {
				t.Errorf("%s: want valid %t, got errors at %v:\n%s", file, valid, got, doc)
			}
		}
	}
}

// TestMessages sees that a mistake says what to write instead.
func TestMessages(t *testing.T) {
	cases := map[string]struct {
		reason string
		input  string
		want   string
	}{
		"Field":   {reason: "Whoever misspells a field wants to see the fields.", input: "maxUnavailabe: 5", want: `input: Forbidden: unknown field "maxUnavailabe". Correct its name or remove it. Known fields: selector, maxUnavailable, healthy`},
		"Value":   {reason: "There are two forms.", input: "maxUnavailable: 0", want: `input.maxUnavailable: Invalid value: "0": must be a number of at least 1, or a percentage of 1% to 100%`},
		"Flag":    {reason: "What cannot be read is shown, with what can be.", input: "maxUnavailable: true", want: `input.maxUnavailable: Invalid value: true: must be a whole number (of int32)`},
		"List":    {reason: "What cannot be read is shown, with what can be.", input: "healthy: {minReadySeconds: [1]}", want: `input.healthy.minReadySeconds: Invalid value: "a list": must be a whole number (of int32)`},
		"Cluster": {reason: "The name of a namespace is meant.", input: `selector: {namespaces: [""]}`, want: `input.selector.namespaces[0]: Invalid value: "": must be the name of a namespace: a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			errs := errorsOf[Restart](t, tc.input)
			if len(errs) != 1 {
				t.Fatalf("%s\nWant one error, got %v", tc.reason, errs)
			}
			if diff := cmp.Diff(tc.want, errs[0].Error()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestMaxUnavailableOf rounds down, but never to nothing.
func TestMaxUnavailableOf(t *testing.T) {
	cases := map[string]struct {
		reason  string
		max     intstr.IntOrString
		servers int
		want    int
	}{
		"Number":         {reason: "A number does not depend on the servers.", max: intstr.FromInt32(5), servers: 3, want: 5},
		"PercentOfNone":  {reason: "Where there is no server the number does not matter, but it is none of nothing.", max: intstr.FromString("10%"), servers: 0, want: 1},
		"PercentOfOne":   {reason: "A wave of nothing is never over.", max: intstr.FromString("10%"), servers: 1, want: 1},
		"PercentOfTen":   {reason: "It is exact where it can be.", max: intstr.FromString("10%"), servers: 10, want: 1},
		"PercentOf19":    {reason: "It is rounded down.", max: intstr.FromString("10%"), servers: 19, want: 1},
		"PercentOf30":    {reason: "It is exact where it can be.", max: intstr.FromString("10%"), servers: 30, want: 3},
		"PercentOf99":    {reason: "It is rounded down, however near.", max: intstr.FromString("99%"), servers: 99, want: 98},
		"All":            {reason: "All are all.", max: intstr.FromString("100%"), servers: 30, want: 30},
		"PercentOfALot":  {reason: "Nothing overflows.", max: intstr.FromString("100%"), servers: 1 << 40, want: 1 << 40},
		"OnePercentOf30": {reason: "A wave of nothing is never over.", max: intstr.FromString("1%"), servers: 30, want: 1},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &Restart{MaxUnavailable: &tc.max}
			if diff := cmp.Diff(tc.want, r.MaxUnavailableOf(tc.servers)); diff != "" {
				t.Errorf("%s\nMaxUnavailableOf(%d): -want, +got:\n%s", tc.reason, tc.servers, diff)
			}
		})
	}
}

// An operation is an Input that can be validated.
type operation[T any] interface {
	*T
	Default()
	Validate() field.ErrorList
}

// check returns the fields of an Input that are wrong, sorted and each once.
func check[T any, P operation[T]](t *testing.T, input string) []string {
	t.Helper()
	fields := map[string]bool{}
	for _, err := range errorsOf[T, P](t, input) {
		fields[err.Field] = true
	}
	return slices.Sorted(maps.Keys(fields))
}

// errorsOf reads an Input as the function does, and validates it.
func errorsOf[T any, P operation[T]](t *testing.T, input string) field.ErrorList {
	t.Helper()
	j, err := yaml.YAMLToJSON([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	if err := json.Unmarshal(j, &object); err != nil {
		t.Fatal(err)
	}
	in, errs := decode.Strict[T](field.NewPath("input"), object)
	if len(errs) > 0 {
		return errs
	}
	P(in).Default()
	return P(in).Validate()
}
