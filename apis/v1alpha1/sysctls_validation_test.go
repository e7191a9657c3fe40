package v1alpha1

import "testing"

// TestValidateSysctls goes through sysctls that a kubelet or the kernel refuses.
func TestValidateSysctls(t *testing.T) {
	set := func(namesAndValues ...string) fields {
		all := []any{}
		for i := 0; i < len(namesAndValues); i += 2 {
			all = append(all, fields{"name": namesAndValues[i], "value": namesAndValues[i+1]})
		}
		return fields{"podSecurityContext": fields{"sysctls": all}}
	}
	const start, local = "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_port_range"
	high := func(edit fields) fields {
		edit["controlPlane.port"], edit["metrics.port"] = 40000, 40001
		return edit
	}
	const first, list = "spec.podSecurityContext.sysctls[0]", "spec.podSecurityContext.sysctls"

	validateAll(t, map[string]validateCase{
		"Safe":          {reason: "Every kubelet sets these.", edit: set(start, "0", local, "1024 65535", "net.ipv4.tcp_rmem", "4096 131072 6291456", "net.ipv4.tcp_keepalive_time", "600")},
		"Slashes":       {reason: "The kubelet takes slashes for dots.", edit: fields{"controlPlane.port": 443, "podSecurityContext": set("net/ipv4/ip_unprivileged_port_start", "443")["podSecurityContext"]}},
		"Unsafe":        {reason: "A kubelet refuses the pod unless it was told otherwise.", edit: set("net.core.somaxconn", "1024"), want: []string{first + ".name"}},
		"OfTheNode":     {reason: "It is not the pod's to set.", edit: set("vm.swappiness", "0"), want: []string{first + ".name"}},
		"Nameless":      {reason: "A sysctl has a name.", edit: set("", "0"), want: []string{first + ".name"}},
		"Twice":         {reason: "One value is meant, however it is spelled.", edit: set(start, "0", "net/ipv4/ip_unprivileged_port_start", "80"), want: []string{list + "[1].name"}},
		"NoNumber":      {reason: "The kernel refuses the value, and the pod does not start.", edit: set(start, "low"), want: []string{first + ".value"}},
		"NoValue":       {reason: "The kernel refuses the value, and the pod does not start.", edit: set("net.ipv4.tcp_syncookies", ""), want: []string{first + ".value"}},
		"Newline":       {reason: "A value is of one line.", edit: set("net.ipv4.tcp_syncookies", "1\n"), want: []string{first + ".value"}},
		"StartTooHigh":  {reason: "The kernel's local ports start at 32768.", edit: high(set(start, "32769")), want: []string{list}},
		"StartAtTheEnd": {reason: "Up to the local ports all is free.", edit: high(set(start, "32768"))},
		"LocalTooLow":   {reason: "Local ports take no privileges.", edit: set(local, "1000 60000"), want: []string{list}},
		"Overlapping":   {reason: "Local ports take no privileges.", edit: set(start, "3000", local, "2000 60000"), want: []string{list}},
		"LocalReversed": {reason: "The first comes first.", edit: set(local, "60000 2000"), want: []string{first + ".value"}},
		"LocalTooHigh":  {reason: "Ports end at 65535.", edit: set(local, "2000 70000"), want: []string{first + ".value"}},
	})
}
