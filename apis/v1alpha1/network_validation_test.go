package v1alpha1

import "testing"

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
	})
}
