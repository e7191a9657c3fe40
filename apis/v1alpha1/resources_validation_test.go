package v1alpha1

import "testing"

// TestValidateResources goes through resources that a pod cannot have, or with which
// its server does not start.
func TestValidateResources(t *testing.T) {
	limits := func(l fields) fields { return fields{"resources": fields{"limits": l}} }
	both := func(requests, limits fields) fields {
		return fields{"resources": fields{"requests": requests, "limits": limits}}
	}

	validateAll(t, map[string]validateCase{
		"TinyMemory":        {reason: "The server is killed while it starts.", edit: limits(fields{"memory": "8Mi"}), want: []string{"spec.resources.limits[memory]"}},
		"SmallMemory":       {reason: "The server starts.", edit: limits(fields{"memory": "16Mi"})},
		"NoLimit":           {reason: "Kubernetes takes 0 for no limit.", edit: limits(fields{"memory": "0"})},
		"TinyRequest":       {reason: "A request limits nothing.", edit: fields{"resources": fields{"requests": fields{"memory": "1Mi"}}}},
		"MilliMemory":       {reason: "512m is half a byte.", edit: limits(fields{"memory": "512m"}), want: []string{"spec.resources.limits[memory]"}},
		"MilliMemoryAsked":  {reason: "512m is half a byte.", edit: fields{"resources": fields{"requests": fields{"memory": "512m"}}}, want: []string{"spec.resources.requests[memory]"}},
		"MilliStorage":      {reason: "A pod that has half a byte is evicted.", edit: limits(fields{"ephemeral-storage": "1500m"}), want: []string{"spec.resources.limits[ephemeral-storage]"}},
		"ManyMillis":        {reason: "1024000m are 1024 bytes, and too few.", edit: limits(fields{"memory": "1024000m"}), want: []string{"spec.resources.limits[memory]"}},
		"MilliCPU":          {reason: "Processors are shared.", edit: limits(fields{"cpu": "250m"})},
		"Device":            {reason: "A limit of a device is its request too.", edit: limits(fields{"example.com/gpu": "1"})},
		"DeviceAsked":       {reason: "A device takes a limit.", edit: fields{"resources": fields{"requests": fields{"example.com/gpu": "1"}}}, want: []string{"spec.resources.requests[example.com/gpu]"}},
		"DeviceShared":      {reason: "A device is given whole.", edit: both(fields{"example.com/gpu": "1"}, fields{"example.com/gpu": "2"}), want: []string{"spec.resources.requests[example.com/gpu]"}},
		"HalfADevice":       {reason: "A device is given whole.", edit: limits(fields{"example.com/gpu": "500m"}), want: []string{"spec.resources.limits[example.com/gpu]"}},
		"QuotaName":         {reason: "requests. is how quotas name resources.", edit: limits(fields{"requests.example.com/gpu": "1"}), want: []string{"spec.resources.limits[requests.example.com/gpu]"}},
		"BadName":           {reason: "A name has the form of a label's.", edit: limits(fields{"example.com/a b": "1"}), want: []string{"spec.resources.limits[example.com/a b]"}},
		"HugePages":         {reason: "Huge pages go with memory.", edit: limits(fields{"hugepages-2Mi": "4Mi", "memory": "1Gi"})},
		"HugePagesAlone":    {reason: "Huge pages take memory or cpu beside them.", edit: limits(fields{"hugepages-2Mi": "4Mi"}), want: []string{"spec.resources.limits"}},
		"HugePagesInHalves": {reason: "Pages are given whole.", edit: limits(fields{"hugepages-2Mi": "3Mi", "memory": "1Gi"}), want: []string{"spec.resources.limits[hugepages-2Mi]"}},
		"HugePagesNoSize":   {reason: "The name says how large a page is.", edit: limits(fields{"hugepages-large": "2Mi", "memory": "1Gi"}), want: []string{"spec.resources.limits[hugepages-large]"}},
		"HugePagesShared":   {reason: "Pages are not shared.", edit: both(fields{"hugepages-2Mi": "2Mi"}, fields{"hugepages-2Mi": "4Mi", "cpu": "1"}), want: []string{"spec.resources.requests[hugepages-2Mi]"}},
		"Claims":            {reason: "The pod has no resource claims.", edit: fields{"resources": fields{"claims": []any{fields{"name": "gpu"}}}}, want: []string{"spec.resources.claims"}},
	})
}
