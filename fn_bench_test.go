package main

import (
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
)

// BenchmarkRunFunction measures a call for the server of example/basic, when it
// runs and nothing changes: by far the most frequent one.
//
//	go test -run='^$' -bench=. -benchmem .
func BenchmarkRunFunction(b *testing.B) {
	c := newCluster(b)
	c.xr = exampleObjects(b, "example/basic/xr.yaml")[0]
	for _, s := range exampleObjects(b, "example/basic/secrets.yaml") {
		c.secrets["team-a/"+stringAt(b, s, "metadata.name")] = s
	}
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
