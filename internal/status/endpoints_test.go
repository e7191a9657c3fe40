package status

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
)

// exposing is a server with Services of a type for its API and NFS.
func exposing(t corev1.ServiceType) *View {
	service := func(name string, ports ...int32) *corev1.Service {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team-a"}, Spec: corev1.ServiceSpec{Type: t}}
		for _, p := range ports {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Port: p})
		}
		return s
	}
	v := running()
	v.Want.Supporting = map[string]runtime.Object{
		manifests.APIServiceResource: service("files-api", 8080),
		manifests.NFSServiceResource: service("files-nfs", 2049, 111),
	}
	v.Have.LoadBalancers = map[string]string{}
	return v
}

// TestViewEndpoints says where clients reach a server, and nothing that leads elsewhere.
func TestViewEndpoints(t *testing.T) {
	api := map[string]any{"host": "files-api.team-a.svc", "port": int64(8080)}
	nfs := map[string]any{"host": "files-nfs.team-a.svc", "port": int64(2049)}
	cases := map[string]struct {
		reason string
		typ    corev1.ServiceType
		given  func(v *View)
		want   any
	}{
		"Inside":   {reason: "A Service has a name in the cluster, before it is there.", typ: corev1.ServiceTypeClusterIP, want: map[string]any{"api": api, "nfs": nfs}},
		"Waiting":  {reason: "A load balancer that has no address has none.", typ: corev1.ServiceTypeLoadBalancer, want: map[string]any{"api": api, "nfs": nfs}},
		"Balanced": {reason: "One that has is where clients go.", typ: corev1.ServiceTypeLoadBalancer, given: func(v *View) { v.Have.LoadBalancers[manifests.NFSServiceResource] = "203.0.113.1" }, want: map[string]any{"api": api, "nfs": map[string]any{"host": "files-nfs.team-a.svc", "port": int64(2049), "loadBalancer": "203.0.113.1"}}},
		"Leaving":  {reason: "A load balancer that is no longer wanted goes away.", typ: corev1.ServiceTypeClusterIP, given: func(v *View) { v.Have.LoadBalancers[manifests.NFSServiceResource] = "203.0.113.1" }, want: map[string]any{"api": api, "nfs": nfs}},
		"Taken":    {reason: "Somebody else's Service leads elsewhere.", typ: corev1.ServiceTypeClusterIP, given: func(v *View) { v.Names = []observed.Name{{Resource: manifests.NFSServiceResource}} }, want: map[string]any{"api": api}},
		"None":     {reason: "Without Services there is no way in.", given: func(v *View) { v.Want.Supporting = nil }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := exposing(tc.typ)
			if tc.given != nil {
				tc.given(v)
			}
			if diff := cmp.Diff(tc.want, v.Fields("")["endpoints"]); diff != "" {
				t.Errorf("%s\nFields(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestReadyLoadBalancer waits for the address of a load balancer, and misses it when it is
// gone.
func TestReadyLoadBalancer(t *testing.T) {
	cases := map[string]struct {
		reason  string
		typ     corev1.ServiceType
		address string
		exists  bool
		want    bool
	}{
		"Inside":  {reason: "A Service of the cluster's own is ready when it is there.", typ: corev1.ServiceTypeClusterIP, exists: true, want: true},
		"Missing": {reason: "It is not there yet.", typ: corev1.ServiceTypeClusterIP},
		"Waiting": {reason: "Nobody outside can connect yet, or any more.", typ: corev1.ServiceTypeLoadBalancer, exists: true},
		"Address": {reason: "Everybody can connect.", typ: corev1.ServiceTypeLoadBalancer, exists: true, address: "203.0.113.1", want: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := exposing(tc.typ)
			v.Have.Exists = map[string]bool{manifests.NFSServiceResource: tc.exists}
			v.Have.LoadBalancers[manifests.NFSServiceResource] = tc.address
			if got := Ready(manifests.NFSServiceResource, v.Want.Supporting[manifests.NFSServiceResource], v.Have); got != tc.want {
				t.Errorf("%s\nReady(...): want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}
