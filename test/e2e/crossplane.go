package e2e

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

const crossplaneNamespace = "crossplane-system"

// A crossplane is a Crossplane that runs.
type crossplane struct {
	metrics string
}

// installCrossplane installs the chart that comes with Crossplane's source, as
// helm does. The kubelet runs its pods, and Crossplane gets no other rights than
// the chart gives it.
func installCrossplane(ctx context.Context, c *cluster, n *network) (*crossplane, error) {
	mod, err := moduleDir(ctx, "crossplane", "github.com/crossplane/crossplane/v2")
	if err != nil {
		return nil, err
	}
	metrics, err := host.FreePort()
	if err != nil {
		return nil, err
	}
	health, err := host.FreePort()
	if err != nil {
		return nil, err
	}

	ch, err := loader.Load(filepath.Join(mod, "cluster", "charts", "crossplane"))
	if err != nil {
		return nil, fmt.Errorf("cannot load Crossplane's chart: %w", err)
	}
	vals, err := chartutil.ToRenderValues(ch, map[string]any{
		// The API server could not reach them: it does not ask the proxy.
		"webhooks": map[string]any{"enabled": false},
		// Crossplane looks at a composite resource only now and then once it and
		// its objects have changed fifty times within a minute. No user changes a
		// server as often as the tests do.
		"args": []any{"--circuit-breaker-burst=1000"},
		// It needs a Pod's file system, and a killed leader's lease is a minute.
		"leaderElection": false,
		"rbacManager":    map[string]any{"leaderElection": false},
		"metrics":        map[string]any{"enabled": true, "port": metrics},
		"readiness":      map[string]any{"port": health},
		"extraEnvVarsCrossplaneInit": map[string]any{
			"CRDS_PATH": filepath.Join(mod, "cluster", "crds"), // The image has them at the default path.
		},
		"extraEnvVarsCrossplane": map[string]any{
			"XPKG_CACHE_DIR": "/cache/xpkg",
			"HTTPS_PROXY":    n.server.URL, // Loopback addresses are never proxied.
		},
	}, chartutil.ReleaseOptions{Name: "crossplane", Namespace: crossplaneNamespace}, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot compute the values of Crossplane's chart: %w", err)
	}
	files, err := engine.Render(ch, vals)
	if err != nil {
		return nil, fmt.Errorf("cannot render Crossplane's chart: %w", err)
	}

	ns := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": crossplaneNamespace},
	}}
	if err := c.apply(ctx, ns); err != nil {
		return nil, err
	}
	for _, f := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(f, ".yaml") {
			continue
		}
		objs, err := parse([]byte(files[f]))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		if err := c.apply(ctx, objs...); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
	}
	return &crossplane{metrics: "http://127.0.0.1:" + strconv.Itoa(metrics) + "/metrics"}, nil
}

// watchEvents returns how many events Crossplane has counted so far towards the
// circuit breakers of all composite resources.
func (c *crossplane) watchEvents(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.metrics, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("cannot ask for metrics: %w", err)
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("cannot get metrics: %w", err)
	}
	defer rsp.Body.Close() //nolint:errcheck // Only read from.

	n := 0
	for l := bufio.NewScanner(rsp.Body); l.Scan(); {
		if !strings.HasPrefix(l.Text(), "circuit_breaker_events_total{") {
			continue
		}
		v, err := strconv.ParseFloat(l.Text()[strings.LastIndexByte(l.Text(), ' ')+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("cannot parse metric: %w", err)
		}
		n += int(v)
	}
	return n, nil
}
