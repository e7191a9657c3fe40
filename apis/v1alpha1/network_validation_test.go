package v1alpha1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// TestValidateExposure goes through what the API server refuses of Services and of
// a NetworkPolicy.
func TestValidateExposure(t *testing.T) {
	const ranges = "service.beta.kubernetes.io/load-balancer-source-ranges"
	block := func(cidr string, except ...any) fields {
		return fields{"networkPolicy.from": []any{fields{"ipBlock": fields{"cidr": cidr, "except": except}}}}
	}
	const peer = "spec.networkPolicy.from[0].ipBlock"

	validateAll(t, map[string]validateCase{
		"Except":          {reason: "A part of the block is left out.", edit: block("10.0.0.0/8", "10.1.0.0/16")},
		"ExceptIPv6":      {reason: "A part of the block is left out.", edit: block("2001:db8::/32", "2001:db8:1::/48")},
		"ExceptElsewhere": {reason: "What is not in the block cannot be left out.", edit: block("10.0.0.0/8", "192.168.0.0/16"), want: []string{peer + ".except[0]"}},
		"ExceptAll":       {reason: "Who leaves out all lets nobody in.", edit: block("10.0.0.0/8", "10.0.0.0/8"), want: []string{peer + ".except[0]"}},
		"ExceptMore":      {reason: "Who leaves out more than all lets nobody in.", edit: block("10.1.0.0/16", "10.0.0.0/8"), want: []string{peer + ".except[0]"}},
		"ExceptOther":     {reason: "Addresses are of one family.", edit: block("10.0.0.0/8", "2001:db8::/32"), want: []string{peer + ".except[0]"}},
		"ExceptNoCIDR":    {reason: "Addresses have a form.", edit: block("10.0.0.0/8", "10.1.0.0"), want: []string{peer + ".except[0]"}},
		"NotCanonical":    {reason: "Bits behind the mask are ignored by some and not by others.", edit: block("10.0.0.1/8"), want: []string{peer + ".cidr"}},
		"LeadingZeros":    {reason: "Some read them as octal numbers.", edit: block("010.0.0.0/8"), want: []string{peer + ".cidr"}},

		"Ranges":      {reason: "A load balancer can be for some.", edit: fields{"service": fields{"type": "LoadBalancer", "annotations": fields{ranges: "10.0.0.0/8, 192.168.0.0/16"}}}},
		"RangesEmpty": {reason: "None named are all.", edit: fields{"service": fields{"type": "LoadBalancer", "annotations": fields{ranges: " "}}}},
		"RangesAlone": {reason: "There is no load balancer.", edit: fields{"adapterServices": fields{"annotations": fields{ranges: "10.0.0.0/8"}}}, want: []string{"spec.adapterServices.annotations[" + ranges + "]"}},
		"RangesBad":   {reason: "Addresses have a form.", edit: fields{"service": fields{"type": "LoadBalancer", "annotations": fields{ranges: "10.0.0.0"}}}, want: []string{"spec.service.annotations[" + ranges + "]"}},

		"LoadBalancer": {reason: "A load balancer has a class, clients and a policy.", edit: fields{"service": fields{
			"type": "LoadBalancer", "loadBalancerClass": "example.com/internal", "loadBalancerSourceRanges": []any{"10.0.0.0/8", "2001:db8::/32"}, "externalTrafficPolicy": "Local",
		}}},
		"LoadBalancerAlone": {
			reason: "There is no load balancer.", edit: fields{"adapterServices": fields{"type": "NodePort", "loadBalancerClass": "internal", "loadBalancerSourceRanges": []any{"10.0.0.0/8"}}},
			want: []string{"spec.adapterServices.loadBalancerClass", "spec.adapterServices.loadBalancerSourceRanges"},
		},
		"ClassBad":          {reason: "A class has a form.", edit: fields{"service": fields{"type": "LoadBalancer", "loadBalancerClass": "a/b/c"}}, want: []string{"spec.service.loadBalancerClass"}},
		"SourceRangeBad":    {reason: "Addresses have a form.", edit: fields{"service": fields{"type": "LoadBalancer", "loadBalancerSourceRanges": []any{"10.0.0.0/8", "10.0.0.0"}}}, want: []string{"spec.service.loadBalancerSourceRanges[1]"}},
		"TrafficOfNodes":    {reason: "Clients from outside come to a port of a node, too.", edit: fields{"service": fields{"type": "NodePort", "externalTrafficPolicy": "Local"}}},
		"TrafficInside":     {reason: "Nobody from outside comes there.", edit: fields{"service": fields{"externalTrafficPolicy": "Cluster"}}, want: []string{"spec.service.externalTrafficPolicy"}},
		"TrafficUnknown":    {reason: "There are two policies.", edit: fields{"service": fields{"type": "NodePort", "externalTrafficPolicy": "Near"}}, want: []string{"spec.service.externalTrafficPolicy"}},
		"Families":          {reason: "Either may be the first.", edit: fields{"service": fields{"ipFamilyPolicy": "RequireDualStack", "ipFamilies": []any{"IPv6", "IPv4"}}}},
		"FamiliesOfPolicy":  {reason: "The cluster chooses the order.", edit: fields{"service": fields{"ipFamilyPolicy": "PreferDualStack"}}},
		"FamilyAlone":       {reason: "One family needs no policy.", edit: fields{"service": fields{"ipFamilies": []any{"IPv6"}}}},
		"FamilyTwice":       {reason: "An address is of one family.", edit: fields{"service": fields{"ipFamilyPolicy": "PreferDualStack", "ipFamilies": []any{"IPv4", "IPv4"}}}, want: []string{"spec.service.ipFamilies[1]"}},
		"FamilyUnknown":     {reason: "There are two.", edit: fields{"service": fields{"ipFamilies": []any{"IPv5"}}}, want: []string{"spec.service.ipFamilies[0]"}},
		"FamiliesSingle":    {reason: "Kubernetes makes one address of a single stack.", edit: fields{"service": fields{"ipFamilyPolicy": "SingleStack", "ipFamilies": []any{"IPv4", "IPv6"}}}, want: []string{"spec.service.ipFamilies"}},
		"FamiliesNoPolicy":  {reason: "Without a policy, Kubernetes makes one address.", edit: fields{"adapterServices": fields{"ipFamilies": []any{"IPv4", "IPv6"}}}, want: []string{"spec.adapterServices.ipFamilies"}},
		"FamilyPolicyWrong": {reason: "There are three policies.", edit: fields{"service": fields{"ipFamilyPolicy": "DualStack"}}, want: []string{"spec.service.ipFamilyPolicy"}},
	})
}

// TestServiceTypeOfPlatform asks for what not all types of Services have, without a type.
// The platform team's choice must neither make that valid, because their next could not,
// nor matter to a spec with a type of its own.
func TestServiceTypeOfPlatform(t *testing.T) {
	local := corev1.ServiceExternalTrafficPolicyLocal
	cases := map[string]struct {
		reason string
		spec   ServiceSpec
		want   string // Of the type, for the platform team's NodePort.
		errs   []string
	}{
		"Nothing":     {reason: "What all types have is good with any.", spec: ServiceSpec{Annotations: map[string]string{"a": "b"}, IPFamilyPolicy: corev1.IPFamilyPolicySingleStack}, want: "NodePort"},
		"Class":       {reason: "Only load balancers have one.", spec: ServiceSpec{LoadBalancerClass: "a"}, errs: []string{"loadBalancerClass"}},
		"Ranges":      {reason: "Only load balancers have them.", spec: ServiceSpec{LoadBalancerSourceRanges: []string{"10.0.0.0/8"}}, errs: []string{"loadBalancerSourceRanges"}},
		"NoRanges":    {reason: "No addresses are not named.", spec: ServiceSpec{LoadBalancerSourceRanges: []string{}}, want: "NodePort"},
		"Annotation":  {reason: "It says the same as the field.", spec: ServiceSpec{Annotations: map[string]string{corev1.AnnotationLoadBalancerSourceRangesKey: ""}}, errs: []string{"annotations[" + corev1.AnnotationLoadBalancerSourceRangesKey + "]"}},
		"Policy":      {reason: "Nobody from outside reaches the type ClusterIP.", spec: ServiceSpec{ExternalTrafficPolicy: local}, errs: []string{"externalTrafficPolicy"}},
		"PolicyTyped": {reason: "The user's own type stays.", spec: ServiceSpec{Type: "LoadBalancer", ExternalTrafficPolicy: local}, want: "LoadBalancer"},
	}
	for name, tc := range cases {
		for _, platform := range append(ServiceTypes(), "") {
			t.Run(name+"/"+string(platform), func(t *testing.T) {
				ds := allBlocksWith(t, func(map[string]any) {})
				ds.Spec.Service, ds.Spec.AdapterServices = tc.spec.DeepCopy(), &AdapterServicesSpec{ServiceSpec: *tc.spec.DeepCopy()}
				ds.Default(Defaults{ServiceType: platform, AdapterServices: platform})

				var got, want []string
				for _, err := range ds.Validate() {
					got = append(got, err.Field)
				}
				for _, block := range []string{"spec.service.", "spec.adapterServices."} {
					for _, field := range tc.errs {
						want = append(want, block+field)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s\nValidate(): -want fields, +got fields:\n%s", tc.reason, diff)
				}
				if platform == corev1.ServiceTypeNodePort && string(ds.Spec.Service.Type) != tc.want {
					t.Errorf("%s\nDefault(...): want the type %q, got %q", tc.reason, tc.want, ds.Spec.Service.Type)
				}
			})
		}
	}
}

// TestValidateServicePorts goes through what two ports of a Service, or of the pod, cannot
// both be.
func TestValidateServicePorts(t *testing.T) {
	adapters := func(nfs, smb fields) fields {
		nfs["type"], smb["type"] = "nfs", "smb"
		return fields{"adapters": []any{nfs, smb}}
	}
	portmapper := func(port int) fields { return fields{"enabled": true, "port": port} }

	validateAll(t, map[string]validateCase{
		"Same":             {reason: "A port of the Service may be one of the pod.", edit: adapters(fields{"port": 2049, "servicePort": 2049}, fields{"servicePort": 12049})},
		"Taken":            {reason: "One load balancer may be for both.", edit: adapters(fields{"servicePort": 445}, fields{}), want: []string{"spec.adapters[1].servicePort"}},
		"Range":            {reason: "Ports end at 65535.", edit: adapters(fields{"servicePort": 65536}, fields{"servicePort": -1}), want: []string{"spec.adapters[0].servicePort", "spec.adapters[1].servicePort"}},
		"Portmapper":       {reason: "It has a port of its own.", edit: adapters(fields{"portmapper": fields{"enabled": true}}, fields{})},
		"PortmapperSMB":    {reason: "Only clients of NFS look for one.", edit: adapters(fields{}, fields{"portmapper": fields{"enabled": true}}), want: []string{"spec.adapters[1].portmapper.enabled"}},
		"PortmapperOff":    {reason: "What is off takes no port.", edit: adapters(fields{"servicePort": 111, "portmapper": fields{"port": 8080}}, fields{"portmapper": fields{}})},
		"PortmapperOnAPI":  {reason: "The API is there.", edit: adapters(fields{"portmapper": portmapper(8080)}, fields{}), want: []string{"spec.adapters[0].portmapper.port"}},
		"PortmapperOnNFS":  {reason: "NFS is there.", edit: adapters(fields{"portmapper": portmapper(12049)}, fields{}), want: []string{"spec.adapters[0].portmapper.port"}},
		"PortmapperOnSMB":  {reason: "SMB is there.", edit: adapters(fields{"portmapper": portmapper(1445)}, fields{}), want: []string{"spec.adapters[1].port"}},
		"PortmapperHidden": {reason: "Clients look for the portmapper there.", edit: adapters(fields{"port": 111, "servicePort": 111, "portmapper": fields{"enabled": true}}, fields{}), want: []string{"spec.adapters[0].port", "spec.adapters[0].servicePort"}},
	})
}
