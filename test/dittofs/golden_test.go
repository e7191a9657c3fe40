package dittofs

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/golden"
)

// TestGolden compares everything that the function answers for each row of the
// matrix with what it answered when somebody last looked at it. Changed hashes
// restart every user's servers.
func TestGolden(t *testing.T) {
	for _, row := range rows(t) {
		t.Run(row, func(t *testing.T) {
			t.Parallel()
			c := load(t, row)
			c.reconcile(t)
			got := answered(t, c)

			path := filepath.Join("testdata", row, "expected.yaml")
			golden.Compare(t, *update, path, string(got), "Changed hashes restart every user's servers.")
		})
	}
}

// answered is what the function answers once everything is composed, as YAML: one
// document for each object, in the order of the names under which Crossplane
// knows them. Generated values, hashes over them, and what an API server counts are
// not in it.
func answered(t *testing.T, c *cluster) []byte {
	t.Helper()
	rsp := c.render(t)
	out := &bytes.Buffer{}
	document := func(comment string, v any) {
		b, err := yaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(out, "---\n# %s\n%s", comment, b)
	}

	conditions := []map[string]string{}
	for _, c := range rsp.GetConditions() {
		conditions = append(conditions, map[string]string{
			"type": c.GetType(), "status": c.GetStatus().String(), "reason": c.GetReason(), "message": c.GetMessage(),
		})
	}
	document("conditions", conditions)
	document("composite", functest.SetAt(rsp.GetDesired().GetComposite().GetResource(), 0, "status", "observedGeneration").AsMap())

	desired := rsp.GetDesired().GetResources()
	generated := false
	for _, name := range slices.Sorted(maps.Keys(desired)) {
		o := desired[name].GetResource().AsMap()
		delete(o["metadata"].(map[string]any), "resourceVersion")
		if o["kind"] == "Secret" {
			generated = true
			o["data"] = lengths(t, desired[name].GetResource())
		}
		document(name+", "+desired[name].GetReady().String(), o)
	}
	if generated {
		return bytes.ReplaceAll(out.Bytes(), []byte(c.hash(t)), []byte("over generated values"))
	}
	return out.Bytes()
}

// lengths are the lengths of a Secret's values.
func lengths(t *testing.T, secret *structpb.Struct) map[string]string {
	t.Helper()
	l := map[string]string{}
	for k, v := range as[corev1.Secret](t, secret).Data {
		l[k] = fmt.Sprintf("%d bytes", len(v))
	}
	return l
}
