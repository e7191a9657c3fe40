package serve

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

var update = flag.Bool("update", false, "write the list of metrics instead of comparing with it")

// exposed is what test/monitoring compares alerts and the dashboard with.
const exposed = "../monitoring/testdata/function.txt"

// TestMetricsExposed keeps a list of the metrics of a function that has been called.
func TestMetricsExposed(t *testing.T) {
	address := host.FreeAddress(t)
	functest.New(t, start(t, "--metrics-address="+address)).Settle()

	got := host.Series(host.Metrics(t, address))
	if *update {
		if err := os.WriteFile(exposed, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(exposed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want, +got:\n%s\nIf this is what you want, run go test ./test/serve -run TestMetricsExposed -update", exposed, diff)
	}
}
