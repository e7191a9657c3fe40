package status

import (
	"testing"

	"github.com/dittofs/function-dittoserver/internal/functest"
)

// TestSizes says what a claim has, which may not be what it asks for.
func TestSizes(t *testing.T) {
	cases := map[string]struct{ reason, claim, want string }{
		"Unbound": {reason: "A claim without a volume has what it asks for, or nothing.", claim: `{spec: {resources: {requests: {storage: 2Gi}}}}`, want: "has 2Gi"},
		"Bound":   {reason: "A volume of that size is there.", claim: `{spec: {resources: {requests: {storage: 2Gi}}}, status: {capacity: {storage: 2Gi}}}`, want: "has 2Gi"},
		"Growing": {reason: "A claim that was resized has its old size until its file system has grown.", claim: `{spec: {resources: {requests: {storage: 2Gi}}}, status: {capacity: {storage: 1Gi}}}`, want: "asks for 2Gi, and has 1Gi so far"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := sizes(functest.Object(t, tc.claim)); got != tc.want {
				t.Errorf("%s\nsizes(...): want %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
}
