package status

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// endpoints says where clients reach the server, by the names of the fields of the status.
// What somebody else has the name of does not lead to the server.
func (v *View) endpoints() map[string]any {
	taken := map[string]bool{}
	for _, n := range v.Names {
		taken[n.Resource] = true
	}

	endpoints := map[string]any{}
	for field, resource := range map[string]string{
		"api":     manifests.APIServiceResource,
		"nfs":     manifests.NFSServiceResource,
		"smb":     manifests.SMBServiceResource,
		"metrics": manifests.MetricsServiceResource,
	} {
		s, ok := v.Want.Supporting[resource].(*corev1.Service)
		if !ok || taken[resource] {
			continue
		}
		// The first port is that of the protocol. Which domain the cluster has the
		// function cannot know.
		e := map[string]any{"host": s.Name + "." + s.Namespace + ".svc", "port": int64(s.Spec.Ports[0].Port)}
		if address := v.Have.LoadBalancers[resource]; address != "" && s.Spec.Type == corev1.ServiceTypeLoadBalancer {
			e["loadBalancer"] = address
		}
		endpoints[field] = e
	}
	return endpoints
}
