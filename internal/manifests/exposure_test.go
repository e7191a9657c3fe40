package manifests_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestExistingService changes Services in ways that Kubernetes refuses. What is sent must
// be what it accepts, or nothing of the Service could change any more.
func TestExistingService(t *testing.T) {
	const (
		lb     = corev1.ServiceTypeLoadBalancer
		prefer = corev1.IPFamilyPolicyPreferDualStack
		single = corev1.IPFamilyPolicySingleStack
		v4, v6 = corev1.IPv4Protocol, corev1.IPv6Protocol
	)
	type exposed struct {
		Class    string
		Families []corev1.IPFamily
	}

	cases := map[string]struct {
		reason   string
		service  string
		existing manifests.ExistingService
		want     exposed
		drift    []string
	}{
		"Class":        {reason: "It is as wanted.", service: "type: LoadBalancer, loadBalancerClass: a", existing: manifests.ExistingService{Type: lb, LoadBalancerClass: "a"}, want: exposed{Class: "a"}},
		"ClassChanged": {reason: "A class stays.", service: "type: LoadBalancer, loadBalancerClass: b", existing: manifests.ExistingService{Type: lb, LoadBalancerClass: "a"}, want: exposed{Class: "a"}, drift: []string{`spec.service.loadBalancerClass: Service "files-api" has the class "a", not "b"`}},
		"ClassAdded":   {reason: "Without a class it is the cluster's own load balancer, and that stays.", service: "type: LoadBalancer, loadBalancerClass: b", existing: manifests.ExistingService{Type: lb}, drift: []string{`spec.service.loadBalancerClass: Service "files-api" has the class "", not "b"`}},
		"ClassUnset":   {reason: "A cloud may have set it, and it can be removed no more than changed.", service: "type: LoadBalancer", existing: manifests.ExistingService{Type: lb, LoadBalancerClass: "a"}, want: exposed{Class: "a"}},
		"ClassOfNew":   {reason: "A Service that gets a load balancer gets its class.", service: "type: LoadBalancer, loadBalancerClass: b", existing: manifests.ExistingService{Type: corev1.ServiceTypeClusterIP}, want: exposed{Class: "b"}},
		"ClassLeft":    {reason: "One that loses it loses the class.", service: "type: NodePort", existing: manifests.ExistingService{Type: lb, LoadBalancerClass: "a"}},

		"Families":       {reason: "They are as wanted.", service: "ipFamilies: [IPv4]", existing: manifests.ExistingService{IPFamilyPolicy: single, IPFamilies: []corev1.IPFamily{v4}}, want: exposed{Families: []corev1.IPFamily{v4}}},
		"FamiliesUnset":  {reason: "Kubernetes keeps what nobody sets.", service: "type: ClusterIP", existing: manifests.ExistingService{IPFamilyPolicy: prefer, IPFamilies: []corev1.IPFamily{v4, v6}}},
		"FirstChanged":   {reason: "The first stays.", service: "ipFamilies: [IPv6]", existing: manifests.ExistingService{IPFamilyPolicy: single, IPFamilies: []corev1.IPFamily{v4}}, want: exposed{Families: []corev1.IPFamily{v4}}, drift: []string{`spec.service.ipFamilies: the first family of Service "files-api" is IPv4, not IPv6`}},
		"SecondAdded":    {reason: "A second can be added.", service: "ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv4, IPv6]", existing: manifests.ExistingService{IPFamilyPolicy: single, IPFamilies: []corev1.IPFamily{v4}}, want: exposed{Families: []corev1.IPFamily{v4, v6}}},
		"SecondOfPolicy": {reason: "The policy has added it, and keeps it.", service: "ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv4]", existing: manifests.ExistingService{IPFamilyPolicy: prefer, IPFamilies: []corev1.IPFamily{v4, v6}}, want: exposed{Families: []corev1.IPFamily{v4, v6}}},
		"SecondOfOld":    {reason: "A policy that is no longer set stays, too.", service: "ipFamilies: [IPv4]", existing: manifests.ExistingService{IPFamilyPolicy: prefer, IPFamilies: []corev1.IPFamily{v4, v6}}, want: exposed{Families: []corev1.IPFamily{v4, v6}}},
		"SecondRemoved":  {reason: "A single stack has one.", service: "ipFamilyPolicy: SingleStack, ipFamilies: [IPv4]", existing: manifests.ExistingService{IPFamilyPolicy: prefer, IPFamilies: []corev1.IPFamily{v4, v6}}, want: exposed{Families: []corev1.IPFamily{v4}}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ds := dittoServer(t, "{storage: {metadataSize: 1Gi}, service: {"+tc.service+"}}")
			o := build(t, ds, manifests.Options{Services: map[string]manifests.ExistingService{manifests.APIServiceResource: tc.existing}})
			got := o.Supporting[manifests.APIServiceResource].(*corev1.Service).Spec
			class := ""
			if got.LoadBalancerClass != nil {
				class = *got.LoadBalancerClass
			}
			if diff := cmp.Diff(tc.want, exposed{Class: class, Families: got.IPFamilies}); diff != "" {
				t.Errorf("%s\nBuild(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.drift, o.ServiceDrift); diff != "" {
				t.Errorf("%s\nBuild(...): -want drift, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
