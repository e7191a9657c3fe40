package v1alpha1

import (
	"maps"
	"testing"
)

// TestValidateScheduling goes through where a pod cannot be put.
func TestValidateScheduling(t *testing.T) {
	const required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
	nodes := func(term fields) fields {
		return fields{"affinity": fields{"nodeAffinity": fields{required: fields{"nodeSelectorTerms": []any{term}}}}}
	}
	const node = "spec.affinity.nodeAffinity." + required + ".nodeSelectorTerms[0]"
	pods := func(term fields) fields {
		return fields{"affinity": fields{"podAffinity": fields{required: []any{term}}}}
	}
	const pod = "spec.affinity.podAffinity." + required + "[0]"
	spread := func(c fields) fields {
		all := fields{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": fields{"matchLabels": fields{"a": "b"}}}
		maps.Copy(all, c)
		return fields{"topologySpreadConstraints": []any{all}}
	}
	const constraint = "spec.topologySpreadConstraints[0]"

	validateAll(t, map[string]validateCase{
		"NodeByNumber":   {reason: "Numbers are compared.", edit: nodes(fields{"matchExpressions": []any{fields{"key": "cpus", "operator": "Gt", "values": []any{"8"}}}})},
		"NodeByWord":     {reason: "No node has more than a word: the pod waits for ever.", edit: nodes(fields{"matchExpressions": []any{fields{"key": "cpus", "operator": "Lt", "values": []any{"many"}}}}), want: []string{node + ".matchExpressions[0].values[0]"}},
		"NodeNoLabel":    {reason: "A value has the form of a label's.", edit: nodes(fields{"matchExpressions": []any{fields{"key": "a", "operator": "In", "values": []any{"b c"}}}}), want: []string{node + ".matchExpressions[0].values[0]"}},
		"NodeByName":     {reason: "A node can be named.", edit: nodes(fields{"matchFields": []any{fields{"key": "metadata.name", "operator": "In", "values": []any{"node-1"}}}})},
		"NodeByField":    {reason: "There is one field.", edit: nodes(fields{"matchFields": []any{fields{"key": "spec.podCIDR", "operator": "In", "values": []any{"x"}}}}), want: []string{node + ".matchFields[0].key"}},
		"NodeFieldThere": {reason: "Each node has a name.", edit: nodes(fields{"matchFields": []any{fields{"key": "metadata.name", "operator": "Exists", "values": []any{"x"}}}}), want: []string{node + ".matchFields[0].operator"}},
		"NodesByName":    {reason: "One node is named.", edit: nodes(fields{"matchFields": []any{fields{"key": "metadata.name", "operator": "In", "values": []any{"a", "b"}}}}), want: []string{node + ".matchFields[0].values"}},

		"PodsElsewhere":     {reason: "A namespace has the name of a namespace.", edit: pods(fields{"topologyKey": "zone", "namespaces": []any{"team-b", "Team C"}}), want: []string{pod + ".namespaces[1]"}},
		"PodsOfSameVersion": {reason: "Keys narrow a selector.", edit: pods(fields{"topologyKey": "zone", "labelSelector": fields{}, "matchLabelKeys": []any{"version"}, "mismatchLabelKeys": []any{"tenant"}})},
		"PodsOfNoSelector":  {reason: "Without a selector there is nothing to narrow.", edit: pods(fields{"topologyKey": "zone", "matchLabelKeys": []any{"version"}}), want: []string{pod + ".matchLabelKeys[0]"}},
		"PodsOfBoth":        {reason: "A label cannot be the same and another.", edit: pods(fields{"topologyKey": "zone", "labelSelector": fields{}, "matchLabelKeys": []any{"a"}, "mismatchLabelKeys": []any{"a"}}), want: []string{pod + ".matchLabelKeys[0]"}},
		"PodsOfBadKey":      {reason: "A label's name has a form.", edit: pods(fields{"topologyKey": "zone", "labelSelector": fields{}, "mismatchLabelKeys": []any{"a b"}}), want: []string{pod + ".mismatchLabelKeys[0]"}},

		"Spread":           {reason: "All fields beside each other are fine.", edit: spread(fields{"minDomains": 2, "nodeAffinityPolicy": "Honor", "nodeTaintsPolicy": "Ignore", "matchLabelKeys": []any{"version"}})},
		"SpreadTwice":      {reason: "Two constraints of a kind contradict each other.", edit: fields{"topologySpreadConstraints": []any{fields{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}, fields{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}}}, want: []string{"spec.topologySpreadConstraints[1].topologyKey"}},
		"SpreadTwoKinds":   {reason: "A wish may stand beside a demand.", edit: fields{"topologySpreadConstraints": []any{fields{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}, fields{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}}}},
		"SpreadOverNone":   {reason: "Domains are counted from 1.", edit: spread(fields{"minDomains": 0}), want: []string{constraint + ".minDomains"}},
		"SpreadWish":       {reason: "A wish has no least number.", edit: spread(fields{"minDomains": 2, "whenUnsatisfiable": "ScheduleAnyway"}), want: []string{constraint + ".minDomains"}},
		"SpreadPolicies":   {reason: "There are two policies.", edit: spread(fields{"nodeAffinityPolicy": "Maybe", "nodeTaintsPolicy": ""}), want: []string{constraint + ".nodeAffinityPolicy", constraint + ".nodeTaintsPolicy"}},
		"SpreadKeyTwice":   {reason: "A key is in the selector or follows the pod.", edit: spread(fields{"matchLabelKeys": []any{"a"}}), want: []string{constraint + ".matchLabelKeys[0]"}},
		"SpreadNoSelector": {reason: "Without a selector there is nothing to narrow.", edit: spread(fields{"matchLabelKeys": []any{"a"}, "labelSelector": nil}), want: []string{constraint + ".matchLabelKeys[0]"}},

		"PreferredNodes": {reason: "A wish is read like a demand.", edit: fields{"affinity": fields{"nodeAffinity": fields{preferred: []any{fields{"weight": 1, "preference": fields{"matchExpressions": []any{fields{"key": "a", "operator": "Gt", "values": []any{"b"}}}}}}}}}, want: []string{"spec.affinity.nodeAffinity." + preferred + "[0].preference.matchExpressions[0].values[0]"}},
	})
}
