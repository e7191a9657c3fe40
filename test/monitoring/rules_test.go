package monitoring

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"sigs.k8s.io/yaml"
)

// Files with PrometheusRules. Those of the server are what the function has answered for
// the server with everything.
const (
	ofServer   = "test/dittofs/testdata/everything/expected.yaml"
	ofFunction = "example/monitoring/function.yaml"
)

// alertsOf are the rules of a PrometheusRule, read as Prometheus reads them.
func alertsOf(t *testing.T, file string) []rulefmt.Rule {
	t.Helper()
	var pr struct{ Spec any }
	document(t, file, "PrometheusRule", &pr)
	text, err := yaml.Marshal(pr.Spec)
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Errorf("%s: %v", file, err)
	}
	alerts := []rulefmt.Rule{}
	for _, g := range groups.Groups {
		alerts = append(alerts, g.Rules...)
	}
	if len(alerts) == 0 {
		t.Fatalf("%s has no alerts", file)
	}
	return alerts
}

// firing are the alerts of a file that fire at a time, with their severity and those of
// their labels that do not say which server it is. A series is written as promtool has it.
func firing(t *testing.T, file, series string, at time.Duration) []string {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n"+series)
	t.Cleanup(func() { _ = storage.Close() })
	engine := promqltest.NewTestEngineWithOpts(t, promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true})
	query := rules.EngineQueryFunc(engine, storage)

	names := []string{}
	for _, a := range alertsOf(t, file) {
		r := rules.NewAlertingRule(a.Alert, parse(t, a.Expr), time.Duration(a.For), 0, labels.FromMap(a.Labels), labels.FromMap(a.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
		for ts := time.Duration(0); ts <= at; ts += time.Minute {
			if _, err := r.Eval(t.Context(), 0, time.Unix(0, 0).Add(ts), query, nil, 0); err != nil {
				t.Fatalf("%s: %v", a.Alert, err)
			}
		}
		for _, active := range r.ActiveAlerts() {
			if active.State != rules.StateFiring {
				continue
			}
			name := a.Alert + " " + active.Labels.Get("severity")
			active.Labels.Range(func(l labels.Label) {
				if !slices.Contains([]string{labels.AlertName, "severity", "namespace", "dittoserver"}, l.Name) {
					name += fmt.Sprintf(" %s=%s", l.Name, l.Value)
				}
			})
			active.Annotations.Range(func(l labels.Label) {
				if strings.Contains(l.Value, "{{") || strings.Contains(l.Value, "<error") || strings.Contains(l.Value, "<no value>") {
					t.Errorf("%s: the annotation %s is %q", a.Alert, l.Name, l.Value)
				}
			})
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestKnownMetrics wants each alert to ask for what somebody exposes.
func TestKnownMetrics(t *testing.T) {
	known := vocabulary(t)
	for _, file := range []string{ofServer, ofFunction} {
		for _, a := range alertsOf(t, file) {
			if problems := unknown(known, parse(t, a.Expr)); len(problems) > 0 {
				t.Errorf("%s, %s: %q", file, a.Alert, problems)
			}
		}
	}
}

// TestRunbooks wants each alert to point at a heading, and each heading to have an alert.
func TestRunbooks(t *testing.T) {
	const page = "https://github.com/dittofs/function-dittoserver/blob/main/docs/monitoring.md#"
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(read(t, "docs/monitoring.md"), -1) {
		headings[m[1]] = true
	}
	alerts := map[string]bool{}
	for _, file := range []string{ofServer, ofFunction} {
		for _, a := range alertsOf(t, file) {
			alerts[a.Alert] = true
			if want := page + strings.ToLower(a.Alert); a.Annotations["runbook_url"] != want {
				t.Errorf("%s: want the runbook %s, got %s", a.Alert, want, a.Annotations["runbook_url"])
			}
			if a.Annotations["summary"] == "" || a.Annotations["description"] == "" || a.Labels["severity"] == "" {
				t.Errorf("%s has no summary, description or severity", a.Alert)
			}
		}
	}
	if diff := cmp.Diff(alerts, headings); diff != "" {
		t.Errorf("docs/monitoring.md: -alerts, +headings:\n%s", diff)
	}
}
