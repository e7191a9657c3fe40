package main

import (
	"testing"

	"github.com/dittofs/function-dittoserver/internal/functest"
)

// BenchmarkRunFunction measures a call for a server that runs, when nothing
// changes: by far the most frequent one.
//
//	go test -run='^$' -bench=. -benchmem .
func BenchmarkRunFunction(b *testing.B) {
	for name, c := range map[string]*cluster{
		"minimal":    clusterFrom(b, functest.Example("example/minimal")),
		"basic":      clusterFrom(b, functest.Example("example/basic")),
		"everything": newClusterWithEverything(b),
	} {
		b.Run(name, func(b *testing.B) {
			if rsp := c.Settle(); functest.Condition(rsp, "Available") != "TRUE Serving" || functest.Condition(rsp, "Progressing") != "FALSE RolledOut" {
				b.Fatalf("The server does not run:\n%s", functest.AsYAML(b, rsp))
			}
			req := c.Request(c.Required)

			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.f.RunFunction(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
