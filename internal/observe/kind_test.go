package observe

import (
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestServiceMonitorKind finds out whether the cluster knows the kind. To send a
// ServiceMonitor where it does not keeps all else from being applied.
func TestServiceMonitorKind(t *testing.T) {
	able := &fnv1.RequestMeta{Capabilities: []fnv1.Capability{fnv1.Capability_CAPABILITY_CAPABILITIES, fnv1.Capability_CAPABILITY_REQUIRED_SCHEMAS}}

	cases := map[string]struct {
		reason string
		req    *fnv1.RunFunctionRequest
		exists bool
		want   Kind
	}{
		"NotAsked": {
			reason: "At the first call nothing is known.",
			req:    &fnv1.RunFunctionRequest{Meta: able},
			want:   KindPending,
		},
		"Found": {
			reason: "A kind with a schema is there.",
			req: &fnv1.RunFunctionRequest{Meta: able, RequiredSchemas: map[string]*fnv1.Schema{
				serviceMonitorSchema: {OpenapiV3: &structpb.Struct{Fields: map[string]*structpb.Value{"type": structpb.NewStringValue("object")}}},
			}},
			want: KindKnown,
		},
		"NotFound": {
			reason: "A kind without a schema is not there.",
			req:    &fnv1.RunFunctionRequest{Meta: able, RequiredSchemas: map[string]*fnv1.Schema{serviceMonitorSchema: {}}},
			want:   KindMissing,
		},
		"NotAble": {
			reason: "A Crossplane that cannot look up schemas never answers.",
			req:    &fnv1.RunFunctionRequest{Meta: &fnv1.RequestMeta{Capabilities: []fnv1.Capability{fnv1.Capability_CAPABILITY_CAPABILITIES}}},
			want:   KindUnknowable,
		},
		"Exists": {
			reason: "A ServiceMonitor that exists must stay, whatever is not known yet: left out, it would be deleted.",
			req:    &fnv1.RunFunctionRequest{Meta: able},
			exists: true,
			want:   KindKnown,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			have := &Composed{Exists: map[string]bool{manifests.ServiceMonitorResource: tc.exists}}
			if got := ServiceMonitorKind(tc.req, have); got != tc.want {
				t.Errorf("%s\nServiceMonitorKind(...): want %s, got %s", tc.reason, tc.want, got)
			}
		})
	}
}
