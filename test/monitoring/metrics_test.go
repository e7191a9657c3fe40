// Package monitoring runs alerts in Prometheus' own engine, and compares all that alerts and
// the dashboard ask for with what is exposed.
package monitoring

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// Metrics of which no test here scrapes the exporter: the labels that the alerts and the
// dashboard use. Prometheus itself has up, the kubelet has volumes, and kube-state-metrics
// has StatefulSets without any configuration.
var elsewhere = map[string][]string{
	"up":                                     {},
	"kubelet_volume_stats_available_bytes":   {"namespace", "persistentvolumeclaim"},
	"kubelet_volume_stats_capacity_bytes":    {"namespace", "persistentvolumeclaim"},
	"kube_statefulset_status_replicas_ready": {"namespace", "statefulset"},
}

// targetLabels are what the Prometheus operator adds by a ServiceMonitor or a PodMonitor.
var targetLabels = []string{"namespace", "service", "pod", "container", "endpoint", "job", "instance"}

// vocabulary has the labels of every metric that there is.
func vocabulary(t *testing.T) map[string][]string {
	t.Helper()
	known := map[string][]string{}
	add := func(name string, names ...string) {
		known[name] = append(append(known[name], targetLabels...), names...)
	}
	// Kept up to date by the tests that scrape the server and the function.
	for _, file := range []string{"testdata/server.txt", "testdata/function.txt"} {
		for line := range strings.Lines(read(t, "test/monitoring/"+file)) {
			name, names, _ := strings.Cut(strings.TrimSuffix(line, "}\n"), "{")
			add(name, strings.Split(names, ",")...)
		}
	}
	for s := range stateOf(t, server(t)) {
		s.Range(func(l labels.Label) { add(s.Get(model.MetricNameLabel), l.Name) })
	}
	for name, names := range elsewhere {
		add(name, names...)
	}
	return known
}

// unknown says what an expression asks for that is nowhere exposed.
func unknown(known map[string][]string, expr parser.Expr) []string {
	problems := []string{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			names, ok := known[n.Name]
			if !ok {
				problems = append(problems, "nothing exposes "+n.Name)
			}
			for _, m := range n.LabelMatchers {
				if ok && m.Name != model.MetricNameLabel && !slices.Contains(names, m.Name) {
					problems = append(problems, fmt.Sprintf("%s has no label %s", n.Name, m.Name))
				}
			}
		case *parser.AggregateExpr:
			parser.Inspect(n.Expr, func(below parser.Node, _ []parser.Node) error {
				v, ok := below.(*parser.VectorSelector)
				for _, l := range n.Grouping {
					if ok && !slices.Contains(known[v.Name], l) {
						problems = append(problems, fmt.Sprintf("%s has no label %s to aggregate by", v.Name, l))
					}
				}
				return nil
			})
		}
		return nil
	})
	return problems
}

// TestUnknown finds what is not there, so that the other tests would.
func TestUnknown(t *testing.T) {
	known := vocabulary(t)
	cases := map[string]struct {
		reason, expr string
		want         int
	}{
		"Known":         {reason: "This is there.", expr: `sum by (share) (dittofs_remote_up{namespace="a"})`},
		"Metric":        {reason: "The server has no such metric.", expr: `rate(dittofs_read_bytes_total[5m])`, want: 1},
		"Label":         {reason: "The metric has no such label.", expr: `dittofs_remote_up{bucket="b"}`, want: 1},
		"Aggregated":    {reason: "What is summed has no such label.", expr: `sum by (bucket) (dittofs_remote_up)`, want: 1},
		"StateMetrics":  {reason: "kube-state-metrics says it of a condition.", expr: `dittoserver_condition_info{type="Ready",reason="a"}`},
		"StateNotThere": {reason: "kube-state-metrics does not say it.", expr: `dittoserver_condition_info{message="a"}`, want: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := unknown(known, parse(t, tc.expr)); len(got) != tc.want {
				t.Errorf("%s\n%s: want %d problems, got %q", tc.reason, tc.expr, tc.want, got)
			}
		})
	}
}

func parse(t *testing.T, expr string) parser.Expr {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return e
}

// A stateMetric is what kube-state-metrics is configured to say of an object, as far as
// the project uses it. Anything else is an error.
type stateMetric struct {
	Name, Help string
	ErrorLogV  int `json:"errorLogV"`
	Each       struct {
		Type string
		Info *struct {
			Path           []string
			LabelsFromPath map[string][]string `json:"labelsFromPath"`
		}
		Gauge *struct {
			Path         []string
			LabelFromKey string   `json:"labelFromKey"`
			ValueFrom    []string `json:"valueFrom"`
		}
	}
}

type stateConfig struct {
	Kind string
	Spec struct {
		Resources []struct {
			GroupVersionKind struct{ Group, Version, Kind string } `json:"groupVersionKind"`
			MetricNamePrefix string                                `json:"metricNamePrefix"`
			LabelsFromPath   map[string][]string                   `json:"labelsFromPath"`
			Metrics          []stateMetric
		}
	}
}

// stateOf are the series that kube-state-metrics makes of a DittoServer, and their values.
func stateOf(t *testing.T, ds *unstructured.Unstructured) map[labels.Labels]float64 {
	t.Helper()
	var cm struct{ Data map[string]string }
	document(t, "example/monitoring/kube-state-metrics.yaml", "ConfigMap", &cm)
	c := stateConfig{}
	if err := yaml.UnmarshalStrict([]byte(cm.Data["dittoserver.yaml"]), &c); err != nil {
		t.Fatal(err)
	}

	series := map[labels.Labels]float64{}
	for _, r := range c.Spec.Resources {
		if g := r.GroupVersionKind; g.Group+"/"+g.Version != ds.GetAPIVersion() || g.Kind != ds.GetKind() {
			t.Fatalf("kube-state-metrics is configured for %v, not for a %s of %s", g, ds.GetKind(), ds.GetAPIVersion())
		}
		for _, m := range r.Metrics {
			b := labels.NewBuilder(labels.EmptyLabels()).Set(model.MetricNameLabel, r.MetricNamePrefix+"_"+m.Name)
			for name, path := range r.LabelsFromPath {
				b.Set(name, at(t, ds.Object, path))
			}
			switch {
			case m.Each.Info != nil:
				items, _, err := unstructured.NestedSlice(ds.Object, m.Each.Info.Path...)
				if err != nil {
					t.Fatal(err)
				}
				for _, item := range items {
					for name, path := range m.Each.Info.LabelsFromPath {
						b.Set(name, at(t, item.(map[string]any), path))
					}
					series[b.Labels()] = 1
				}
			case m.Each.Gauge != nil:
				// One for each key of the object that the path leads to.
				each, _, err := unstructured.NestedMap(ds.Object, m.Each.Gauge.Path...)
				if err != nil {
					t.Fatal(err)
				}
				for key, from := range each {
					when, err := time.Parse(time.RFC3339, at(t, from.(map[string]any), m.Each.Gauge.ValueFrom))
					if err != nil {
						t.Fatal(err)
					}
					series[b.Set(m.Each.Gauge.LabelFromKey, key).Labels()] = float64(when.Unix())
				}
			}
		}
	}
	return series
}

func at(t *testing.T, object map[string]any, path []string) string {
	t.Helper()
	s, _, err := unstructured.NestedString(object, path...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// server is a DittoServer with a certificate, as crossplane render has printed it.
func server(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return serverOf(t, "example/cert-manager/expected.yaml")
}

// serverOf is the DittoServer of a file with all that the function answers.
func serverOf(t *testing.T, file string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	document(t, file, "DittoServer", &u.Object)
	return u
}

// document reads the first document of a kind from a file.
func document(t *testing.T, file, kind string, into any) {
	t.Helper()
	documentNamed(t, file, kind, "", into)
}

// documentNamed reads the document of a kind and, unless it is empty, a name.
func documentNamed(t *testing.T, file, kind, name string, into any) {
	t.Helper()
	for doc := range strings.SplitSeq("\n"+strings.TrimPrefix(read(t, file), "---\n"), "\n---\n") {
		var is struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(doc), &is); err == nil && is.Kind == kind && (name == "" || is.Metadata.Name == name) {
			if err := yaml.Unmarshal([]byte(doc), into); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s has no %s %s", file, kind, name)
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
