package functest

import (
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
)

// Example makes clusters with the DittoServer and the Secrets of an example, in which
// the function has not run yet.
func Example(dir string) func(testing.TB, Function) *Cluster {
	return func(tb testing.TB, f Function) *Cluster {
		tb.Helper()
		c := New(tb, f)
		c.XR = exampleObjects(tb, dir+"/xr.yaml")[0]
		secrets := dir + "/secrets.yaml"
		if _, err := os.Stat(secrets); err != nil {
			return c // The function makes them.
		}
		for _, s := range exampleObjects(tb, secrets) {
			c.Secrets[Namespace+"/"+StringOf(s, "metadata", "name")] = s
		}
		return c
	}
}

// exampleObjects reads the objects in a file.
func exampleObjects(tb testing.TB, file string) []*structpb.Struct {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	objects := []*structpb.Struct{}
	for doc := range strings.SplitSeq(string(text), "---\n") {
		objects = append(objects, Object(tb, doc))
	}
	return objects
}
