package observed

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	corev1 "k8s.io/api/core/v1"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestServices reads what a Service has that cannot change, and where its load balancer is.
func TestServices(t *testing.T) {
	family := manifests.ExistingService{Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: "a", IPFamilyPolicy: corev1.IPFamilyPolicySingleStack, IPFamilies: []corev1.IPFamily{corev1.IPv6Protocol}}
	spec := map[string]any{"type": "LoadBalancer", "loadBalancerClass": "a", "ipFamilyPolicy": "SingleStack", "ipFamilies": []any{"IPv6"}}
	cases := map[string]struct {
		reason  string
		ingress []any
		want    string
	}{
		"None":     {reason: "It has no address yet."},
		"IP":       {reason: "Most clouds give it an IP address.", ingress: []any{map[string]any{"ip": "203.0.113.1"}}, want: "203.0.113.1"},
		"Hostname": {reason: "Others give it a name.", ingress: []any{map[string]any{"hostname": "lb.example.com"}}, want: "lb.example.com"},
		"First":    {reason: "The first address is the one that is shown.", ingress: []any{map[string]any{}, map[string]any{"ip": "2001:db8::1"}, map[string]any{"ip": "203.0.113.1"}}, want: "2001:db8::1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o, err := structpb.NewStruct(map[string]any{"spec": spec, "status": map[string]any{"loadBalancer": map[string]any{"ingress": tc.ingress}}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := NewComposed(map[string]*fnv1.Resource{manifests.NFSServiceResource: {Resource: o}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]manifests.ExistingService{manifests.NFSServiceResource: family}, got.Services); diff != "" {
				t.Errorf("NewComposed(...): -want Services, +got:\n%s", diff)
			}
			if got := got.LoadBalancers[manifests.NFSServiceResource]; got != tc.want {
				t.Errorf("%s\nNewComposed(...): want the address %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
}
