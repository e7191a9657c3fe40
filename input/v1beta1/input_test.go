package v1beta1

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDefault applies the defaults, which must be valid.
func TestDefault(t *testing.T) {
	in := &Input{}
	in.Default()

	if diff := cmp.Diff(time.Duration(0), in.ParsedTTL()); diff != "" {
		t.Errorf("The TTL should be left to the function's flag: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(10*time.Second, in.ParsedPendingTTL()); diff != "" {
		t.Errorf("ParsedPendingTTL(): -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(MissingSecretsHold, in.MissingSecrets); diff != "" {
		t.Errorf("Without a word of the platform team, nothing should proceed: -want, +got:\n%s", diff)
	}
	if errs := in.Validate(); len(errs) > 0 {
		t.Errorf("The defaults should be valid: %v", errs)
	}

	again := in.DeepCopy()
	again.Default()
	if diff := cmp.Diff(in, again); diff != "" {
		t.Errorf("Defaults should not change what is set: -once, +twice:\n%s", diff)
	}
}
