package monitoring

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

const dashboard = "example/monitoring/dashboard.json"

// A panel shows the results of queries.
type panel struct {
	Title   string `json:"title"`
	Type    string `json:"type"`
	Targets []struct {
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"`
	} `json:"targets"`
}

// A variable is what is chosen above the panels.
type variable struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Definition string `json:"definition"`
}

// TestDashboard wants each query of the dashboard to ask for what somebody exposes, and
// each legend to name a label that the result has.
func TestDashboard(t *testing.T) {
	var d struct {
		Panels     []panel `json:"panels"`
		Templating struct {
			List []variable `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal([]byte(read(t, dashboard)), &d); err != nil {
		t.Fatal(err)
	}
	known := vocabulary(t)
	variables := strings.NewReplacer("$__rate_interval", "5m", "$namespace", "team-a", "$server", "files")

	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s has no query", p.Title)
		}
		for _, q := range p.Targets {
			expr := variables.Replace(q.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: a variable is unknown: %s", p.Title, expr)
				continue
			}
			e := parse(t, expr)
			if problems := unknown(known, e); len(problems) > 0 {
				t.Errorf("%s: %q", p.Title, problems)
			}
			for _, m := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(q.LegendFormat, -1) {
				if !slices.Contains(grouping(e), m[1]) {
					t.Errorf("%s: the result of %s has no label %s for its legend", p.Title, expr, m[1])
				}
			}
		}
	}

	names := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := names.FindStringSubmatch(v.Definition)
		if m == nil {
			t.Errorf("The variable %s is %s", v.Name, v.Definition)
			continue
		}
		e := parse(t, variables.Replace("count by ("+m[2]+") ("+m[1]+")"))
		if problems := unknown(known, e); len(problems) > 0 {
			t.Errorf("The variable %s: %q", v.Name, problems)
		}
	}
}

// grouping are the labels that are left of what is aggregated first of all.
func grouping(e parser.Expr) []string {
	left := []string{}
	parser.Inspect(e, func(node parser.Node, above []parser.Node) error {
		a, ok := node.(*parser.AggregateExpr)
		if ok && a.Op != parser.TOPK && !slices.ContainsFunc(above, func(n parser.Node) bool {
			outer, ok := n.(*parser.AggregateExpr)
			return ok && outer.Op != parser.TOPK
		}) {
			left = append(left, a.Grouping...)
		}
		return nil
	})
	return left
}
