package v1alpha1

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	unprivilegedPorts = "net.ipv4.ip_unprivileged_port_start"
	localPorts        = "net.ipv4.ip_local_port_range"

	// Linux's defaults. The kernel does not let the privileged ports reach into the local
	// range.
	firstLocalPort = 32768
	lowestStart    = 1024
)

// sysctls returns the sysctls that every kubelet allows, with a pattern of the values
// that the kernel accepts. The kubelet refuses a pod with any other sysctl, unless the
// node is configured to allow it.
func sysctls() map[string]string {
	return map[string]string{
		"kernel.shm_rmid_forced":           `[01]`,
		localPorts:                         `[0-9]{1,5}\s+[0-9]{1,5}`,
		"net.ipv4.tcp_syncookies":          `[012]`,
		"net.ipv4.ping_group_range":        `[0-9]{1,10}\s+[0-9]{1,10}`,
		unprivilegedPorts:                  `[0-9]{1,5}`,
		"net.ipv4.ip_local_reserved_ports": `([0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*)?`,
		"net.ipv4.tcp_keepalive_time":      `[1-9][0-9]{0,4}`,
		"net.ipv4.tcp_fin_timeout":         `[0-9]{1,5}`,
		"net.ipv4.tcp_keepalive_intvl":     `[1-9][0-9]{0,4}`,
		"net.ipv4.tcp_keepalive_probes":    `[1-9][0-9]{0,2}`,
		"net.ipv4.tcp_rmem":                `[1-9][0-9]{0,9}(\s+[1-9][0-9]{0,9}){2}`,
		"net.ipv4.tcp_wmem":                `[1-9][0-9]{0,9}(\s+[1-9][0-9]{0,9}){2}`,
	}
}

// sysctlName returns a name with dots. The kubelet also accepts slashes.
func sysctlName(name string) string {
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '/' {
		return strings.ReplaceAll(name, "/", ".")
	}
	return name
}

// validateSysctls refuses sysctls with which the pod would never start.
func validateSysctls(all []corev1.Sysctl, p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	seen, safe := map[string]bool{}, sysctls()
	start, local := lowestStart, firstLocalPort
	for i, s := range all {
		name, value := sysctlName(s.Name), p.Index(i).Child("value")
		pattern, ok := safe[name]
		switch {
		case !ok:
			errs = append(errs, field.NotSupported(p.Index(i).Child("name"), s.Name, slices.Sorted(maps.Keys(safe))))
		case seen[name]:
			errs = append(errs, field.Duplicate(p.Index(i).Child("name"), s.Name))
		case !regexp.MustCompile(`^(` + pattern + `)$`).MatchString(s.Value):
			errs = append(errs, field.Invalid(value, s.Value, fmt.Sprintf("is not a valid value of %s, and the pod would not start", name)))
		case name == unprivilegedPorts:
			start, _ = strconv.Atoi(s.Value)
		case name == localPorts:
			ports := strings.Fields(s.Value)
			first, _ := strconv.Atoi(ports[0])
			last, _ := strconv.Atoi(ports[1])
			if first > last || last > 65535 {
				errs = append(errs, field.Invalid(value, s.Value, "must be a first and a last port"))
				break
			}
			local = first
		}
		seen[name] = true
	}
	// The kernel compares the two whenever one is set, and they are set in any order.
	if start > min(local, firstLocalPort) || local < max(start, lowestStart) {
		errs = append(errs, field.Invalid(p, fmt.Sprintf("%s: %d, %s: from %d", unprivilegedPorts, start, localPorts, local), fmt.Sprintf(
			"must not overlap: the first must be at most %d and not above the second, which must start at %d or above", firstLocalPort, lowestStart)))
	}
	return errs
}
