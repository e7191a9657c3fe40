package observe

import (
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/request"
	"github.com/crossplane/function-sdk-go/response"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// A Kind says whether the cluster knows an optional kind. To apply an object of a
// kind that it does not know would keep all others from being applied.
type Kind string

const (
	// KindPending means that Crossplane has not looked it up yet.
	KindPending Kind = "Pending"
	// KindKnown means that the cluster knows the kind.
	KindKnown Kind = "Known"
	// KindMissing means that the cluster does not.
	KindMissing Kind = "Missing"
	// KindUnknowable means that Crossplane is too old to look it up.
	KindUnknowable Kind = "Unknowable"
)

// serviceMonitorSchema is the name of the required schema.
const serviceMonitorSchema = "service-monitor"

// RequireServiceMonitorKind asks Crossplane whether the cluster knows the kind.
func RequireServiceMonitorKind(rsp *fnv1.RunFunctionResponse) {
	response.RequireSchema(rsp, serviceMonitorSchema, manifests.ServiceMonitorAPIVersion, manifests.ServiceMonitorKind)
}

// ServiceMonitorKind says whether the cluster knows the kind. It does if there is
// a ServiceMonitor already, which must stay while the answer is pending.
func ServiceMonitorKind(req *fnv1.RunFunctionRequest, have *Composed) Kind {
	schema, lookedUp := request.GetRequiredSchema(req, serviceMonitorSchema)
	switch {
	case have.Exists[manifests.ServiceMonitorResource], schema != nil:
		return KindKnown
	case lookedUp:
		return KindMissing
	case !request.HasCapability(req, fnv1.Capability_CAPABILITY_REQUIRED_SCHEMAS):
		return KindUnknowable
	}
	return KindPending
}
