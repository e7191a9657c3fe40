package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestLoadBalancer follows a Service whose load balancer gets an address, loses it, and is
// to be another one. The cluster refuses another class, as Kubernetes does.
func TestLoadBalancer(t *testing.T) {
	type seen struct {
		Ready    fnv1.Ready
		Address  string
		Class    string
		InSync   string
		Message  string
		Restarts bool
	}
	const ready, unready = fnv1.Ready_READY_TRUE, fnv1.Ready_READY_FALSE

	c, before := newRunningCluster(t)
	hash := functest.StringOf(before.GetDesired().GetComposite().GetResource(), "status", "configHash")
	address := func(ingress ...any) func() {
		return func() {
			c.UpdateAs("cloud", "Service", "files-nfs", map[string]any{"status.loadBalancer.ingress": ingress})
		}
	}
	drift := `spec.adapterServices.loadBalancerClass: Service "files-nfs" has the class "internal", not "external"`

	for _, step := range []struct {
		what string
		do   func()
		want seen
	}{
		{what: "a Service in the cluster", do: func() {}, want: seen{Ready: ready, InSync: "UNSPECIFIED "}},
		{what: "a load balancer is asked for", do: func() {
			c.Set("spec.adapterServices", map[string]any{"type": "LoadBalancer", "loadBalancerClass": "internal"})
		}, want: seen{Ready: unready, Class: "internal", InSync: "UNSPECIFIED "}},
		{what: "it gets an address", do: address(map[string]any{"ip": "203.0.113.1"}), want: seen{Ready: ready, Address: "203.0.113.1", Class: "internal", InSync: "UNSPECIFIED "}},
		{what: "it gets another one", do: address(map[string]any{"hostname": "lb.example.com"}), want: seen{Ready: ready, Address: "lb.example.com", Class: "internal", InSync: "UNSPECIFIED "}},
		{what: "it loses it", do: address(), want: seen{Ready: unready, Class: "internal", InSync: "UNSPECIFIED "}},
		{what: "it is to be another load balancer", do: func() { c.Set("spec.adapterServices.loadBalancerClass", "external") }, want: seen{Ready: unready, Class: "internal", InSync: "FALSE Immutable", Message: drift}},
		{what: "the Services are deleted", do: func() {
			c.DeleteObject("Service", "files-nfs")
			c.DeleteObject("Service", "files-smb")
		}, want: seen{Ready: unready, Class: "external", InSync: "TRUE InSync"}},
		{what: "the class is removed", do: func() { c.Unset("spec.adapterServices.loadBalancerClass") }, want: seen{Ready: unready, Class: "external", InSync: "TRUE InSync"}},
		{what: "no load balancer is asked for", do: func() { c.Unset("spec.adapterServices") }, want: seen{Ready: ready, InSync: "TRUE InSync"}},
	} {
		step.do()
		rsp := c.Settle()
		status := rsp.GetDesired().GetComposite().GetResource()
		message, _, _ := strings.Cut(functest.FullCondition(rsp, "ServicesInSync").GetMessage(), ";")
		got := seen{
			Ready:    rsp.GetDesired().GetResources()[manifests.NFSServiceResource].GetReady(),
			Address:  functest.StringOf(status, "status", "endpoints", "nfs", "loadBalancer"),
			Class:    functest.StringOf(c.Stored("Service", "files-nfs"), "spec", "loadBalancerClass"),
			InSync:   functest.Condition(rsp, "ServicesInSync"),
			Message:  message,
			Restarts: functest.StringOf(status, "status", "configHash") != hash,
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", step.what, diff)
		}
	}
}
