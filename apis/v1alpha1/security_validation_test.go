package v1alpha1

import (
	"strings"
	"testing"
)

// TestValidateSecurity goes through security contexts with which no container is
// created.
func TestValidateSecurity(t *testing.T) {
	container := func(c fields) fields { return fields{"securityContext": c} }
	pod := func(c fields) fields { return fields{"podSecurityContext": c} }
	add := func(names ...any) fields { return fields{"capabilities": fields{"add": names}} }

	validateAll(t, map[string]validateCase{
		"Capability":        {reason: "Linux knows it.", edit: container(add("SYS_NICE", "net_raw"))},
		"CapabilityUnknown": {reason: "Linux does not know it.", edit: container(add("SYS_NICER")), want: []string{"spec.securityContext.capabilities.add[0]"}},
		"CapabilityPrefix":  {reason: "Container runtimes put CAP_ before it.", edit: container(fields{"capabilities": fields{"drop": []any{"ALL", "CAP_CHOWN"}}}), want: []string{"spec.securityContext.capabilities.drop[1]"}},
		"AllForALowPort":    {reason: "Who asks for all is not given the default of none.", edit: fields{"controlPlane.port": 443, "securityContext": fields{"runAsUser": 0, "capabilities": fields{"add": []any{"ALL"}}}}},
		"AllButBind":        {reason: "What is dropped is not there.", edit: fields{"controlPlane.port": 443, "securityContext": fields{"runAsUser": 0, "capabilities": fields{"add": []any{"ALL"}, "drop": []any{"NET_BIND_SERVICE"}}}}, want: []string{"spec.controlPlane.port"}},

		"Unmasked":       {reason: "The pod has the host's users.", edit: container(fields{"procMount": "Unmasked"}), want: []string{"spec.securityContext.procMount"}},
		"SeccompFile":    {reason: "A profile is a file of the node.", edit: container(fields{"seccompProfile": fields{"type": "Localhost", "localhostProfile": "profiles/dfs.json"}})},
		"SeccompRoot":    {reason: "The path starts at the kubelet's directory.", edit: pod(fields{"seccompProfile": fields{"type": "Localhost", "localhostProfile": "/dfs.json"}}), want: []string{"spec.podSecurityContext.seccompProfile.localhostProfile"}},
		"SeccompClimbs":  {reason: "The path does not leave the kubelet's directory.", edit: container(fields{"seccompProfile": fields{"type": "Localhost", "localhostProfile": "a/../../b.json"}}), want: []string{"spec.securityContext.seccompProfile.localhostProfile"}},
		"AppArmorPadded": {reason: "Blanks would be a part of the name.", edit: container(fields{"appArmorProfile": fields{"type": "Localhost", "localhostProfile": "dfs "}}), want: []string{"spec.securityContext.appArmorProfile.localhostProfile"}},
		"AppArmorBlank":  {reason: "Blanks are no name.", edit: pod(fields{"appArmorProfile": fields{"type": "Localhost", "localhostProfile": " "}}), want: []string{"spec.podSecurityContext.appArmorProfile.localhostProfile"}},
		"AppArmorLong":   {reason: "Linux has no longer path.", edit: pod(fields{"appArmorProfile": fields{"type": "Localhost", "localhostProfile": strings.Repeat("a", 4096)}}), want: []string{"spec.podSecurityContext.appArmorProfile.localhostProfile"}},
		"Policies":       {reason: "There are two of each.", edit: pod(fields{"supplementalGroupsPolicy": "Strict", "seLinuxChangePolicy": "MountOption", "fsGroupChangePolicy": "Always"})},
		"PoliciesBad":    {reason: "There are two of each.", edit: pod(fields{"supplementalGroupsPolicy": "None", "seLinuxChangePolicy": "Never", "fsGroupChangePolicy": "Never"}), want: []string{"spec.podSecurityContext.fsGroupChangePolicy", "spec.podSecurityContext.seLinuxChangePolicy", "spec.podSecurityContext.supplementalGroupsPolicy"}},
	})
}

// TestValidatePodMetadata goes through what Kubernetes reads in annotations.
func TestValidatePodMetadata(t *testing.T) {
	validateAll(t, map[string]validateCase{
		"Mirror":          {reason: "A mirror pod is the kubelet's.", edit: fields{"podAnnotations": fields{"kubernetes.io/config.mirror": "x"}}, want: []string{"spec.podAnnotations[kubernetes.io/config.mirror]"}},
		"OldProfiles":     {reason: "There are fields for these.", edit: fields{"podAnnotations": fields{"container.apparmor.security.beta.kubernetes.io/x": "y", "seccomp.security.alpha.kubernetes.io/pod": "z"}}, want: []string{"spec.podAnnotations[container.apparmor.security.beta.kubernetes.io/x]", "spec.podAnnotations[seccomp.security.alpha.kubernetes.io/pod]"}},
		"DeletionCost":    {reason: "A cost is a number.", edit: fields{"podAnnotations": fields{"controller.kubernetes.io/pod-deletion-cost": "high"}}, want: []string{"spec.podAnnotations[controller.kubernetes.io/pod-deletion-cost]"}},
		"PullSecretTwice": {reason: "A list of names has each once.", edit: fields{"imagePullSecrets": []any{fields{"name": "a"}, fields{"name": "b"}, fields{"name": "a"}}}, want: []string{"spec.imagePullSecrets[2].name"}},
	})
}
