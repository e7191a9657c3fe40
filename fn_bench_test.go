package main

import (
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
)

// BenchmarkRunFunction measures a call for a server that runs, when nothing
// changes: by far the most frequent one.
//
//	go test -run='^$' -bench=. -benchmem .
func BenchmarkRunFunction(b *testing.B) {
	for name, c := range map[string]*cluster{
		"minimal":    newExampleCluster(b, "example/minimal"),
		"basic":      newExampleCluster(b, "example/basic"),
		"everything": newClusterWithEverything(b),
	} {
		b.Run(name, func(b *testing.B) {
			if rsp := c.settle(); condition(rsp, "Available") != "TRUE Serving" || condition(rsp, "Progressing") != "FALSE RolledOut" {
				b.Fatalf("The server does not run:\n%s", asYAML(b, rsp))
			}
			req := c.request(c.required)

			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.f.RunFunction(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// newExampleCluster returns a cluster with the DittoServer and the Secrets of an
// example, in which the function has not run yet.
func newExampleCluster(tb testing.TB, dir string) *cluster {
	tb.Helper()
	c := newCluster(tb)
	c.xr = exampleObjects(tb, dir+"/xr.yaml")[0]
	secrets := dir + "/secrets.yaml"
	if _, err := os.Stat(secrets); err != nil {
		return c // The function makes them.
	}
	for _, s := range exampleObjects(tb, secrets) {
		c.secrets["team-a/"+stringAt(tb, s, "metadata.name")] = s
	}
	return c
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
		objects = append(objects, object(tb, doc))
	}
	return objects
}
