package main

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// A cluster is one that calls this function, in this process.
type cluster struct {
	*functest.Cluster

	f *Function
}

// newCluster returns a cluster with a DittoServer and its Secrets, in which the
// function has not run yet.
func newCluster(tb testing.TB) *cluster {
	tb.Helper()
	return clusterFrom(tb, functest.New)
}

// newClusterWithEverything returns a cluster with a server that reads all that a
// server can read out of Secrets.
func newClusterWithEverything(tb testing.TB) *cluster {
	tb.Helper()
	return clusterFrom(tb, functest.NewWithEverything)
}

// newRunningCluster returns a cluster in which the server runs, and what the
// function answers as long as nothing changes.
func newRunningCluster(tb testing.TB) (*cluster, *fnv1.RunFunctionResponse) {
	tb.Helper()
	c := newCluster(tb)
	rsp := c.Settle()
	return c, rsp
}

func clusterFrom(tb testing.TB, from func(testing.TB, functest.Function) *functest.Cluster) *cluster {
	tb.Helper()
	f := newFunction(logging.NewNopLogger(), time.Minute, nil)
	return &cluster{Cluster: from(tb, f), f: f}
}

// configMap is the composed resource of the ConfigMap that the server's template
// names, or that there is.
func (c *cluster) configMap() string {
	c.Helper()
	named := strings.TrimPrefix(configMapOf(functest.TemplateOf(c.Composed[manifests.StatefulSetResource])), "files-")
	if named != "" {
		return named
	}
	for name := range c.Composed {
		if manifests.IsConfigMapResource(name) {
			return name
		}
	}
	return ""
}

// configMapOf is the ConfigMap that a pod template names, or nothing.
func configMapOf(tmpl *structpb.Value) string {
	for _, v := range functest.ValueAt(tmpl.GetStructValue(), "spec", "volumes").GetListValue().GetValues() {
		if functest.StringOf(v.GetStructValue(), "name") == manifests.ConfigVolume {
			return functest.StringOf(v.GetStructValue(), "configMap", "name")
		}
	}
	return ""
}
