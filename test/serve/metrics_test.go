package serve

import (
	"flag"
	"testing"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/golden"
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
	golden.Compare(t, *update, exposed, got, "Alerts and the dashboard are compared with this list.")
}
