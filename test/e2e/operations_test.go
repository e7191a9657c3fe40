package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	operationsVersion = "ops.crossplane.io/v1alpha1"
	inputVersion      = "dittoserver.fn.crossplane.io/v1beta1"

	// The label of the Operations of a CronOperation.
	cronLabel = "ops.crossplane.io/cronoperation"

	// The field manager of an Operation is this and its UID.
	operationManager = "ops.crossplane.io/operation/"
)

// A cron is a CronOperation, and which of its Operations were looked at.
type cron struct {
	*scenario

	name string
	seen map[string]bool
}

// An operation is one that Crossplane is done with, or has tried in vain.
type operation struct {
	name    string
	created time.Time
	synced  string         // What Crossplane says of it.
	output  map[string]any // Of its step.
	refs    []any          // What it has applied.

	failures int64 // That were followed by another try.
}

// cron creates a CronOperation of one step with an Input, which is deleted with the
// scenario.
func (s *scenario) cron(name, schedule string, input map[string]any) *cron {
	s.Helper()
	input["apiVersion"] = inputVersion
	c := &cron{scenario: s, name: name, seen: map[string]bool{}}
	s.Cleanup(func() {
		if r, err := s.cluster.kind(operationsVersion, "CronOperation", ""); err == nil {
			_ = r.Delete(context.WithoutCancel(s.ctx), name, metav1.DeleteOptions{}) // If it is still there.
		}
	})
	must(s, s.cluster.apply(s.ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": operationsVersion, "kind": "CronOperation", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"schedule": schedule, "concurrencyPolicy": "Forbid", "successfulHistoryLimit": int64(100), "failedHistoryLimit": int64(100),
			"operationTemplate": map[string]any{"spec": map[string]any{
				"mode": "Pipeline",
				"pipeline": []any{map[string]any{
					"step": "dittoservers", "functionRef": map[string]any{"name": functionName}, "input": input,
				}},
			}},
		},
	}}))
	return c
}

// cronOf looks at a CronOperation that somebody else has created.
func (s *scenario) cronOf(name string) *cron {
	return &cron{scenario: s, name: name, seen: map[string]bool{}}
}

// pause has a CronOperation create no Operation until it is resumed, and waits for those
// that it has created.
func (c *cron) pause() {
	c.Helper()
	c.set("true")
	must(c, await(c.ctx, "CronOperation "+c.name+" to be paused", func(ctx context.Context) error {
		o, err := c.cluster.get(ctx, operationsVersion, "CronOperation", "", c.name)
		if err != nil {
			return err
		}
		if got := condition(o, "Synced"); got["reason"] != "ReconcilePaused" {
			return fmt.Errorf("condition Synced is %v", got)
		}
		all, err := c.operations(ctx)
		for _, o := range all {
			if !slices.Contains(done, condition(o, "Succeeded")["status"]) {
				err = errors.Join(err, fmt.Errorf("operation %s runs", o.GetName()))
			}
		}
		return err
	}))
}

// resume ends a pause. An Operation that was due meanwhile is created at once.
func (c *cron) resume() {
	c.Helper()
	c.set("false")
}

// set pauses or resumes a CronOperation. Crossplane only notices changes of its spec, so
// one comes along: it keeps one Operation more.
func (c *cron) set(paused string) {
	c.Helper()
	o, err := c.cluster.get(c.ctx, operationsVersion, "CronOperation", "", c.name)
	must(c, err)
	limit, _, err := unstructured.NestedInt64(o.Object, "spec", "successfulHistoryLimit")
	must(c, err)
	must(c, c.cluster.patch(c.ctx, operationsVersion, "CronOperation", "", c.name, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"crossplane.io/paused": paused}},
		"spec":     map[string]any{"successfulHistoryLimit": limit + 1},
	}))
}

// operations returns the Operations of a CronOperation, the oldest first.
func (c *cron) operations(ctx context.Context) ([]*unstructured.Unstructured, error) {
	r, err := c.cluster.kind(operationsVersion, "Operation", "")
	if err != nil {
		return nil, err
	}
	l, err := r.List(ctx, metav1.ListOptions{LabelSelector: cronLabel + "=" + c.name})
	if err != nil {
		return nil, fmt.Errorf("cannot list Operations: %w", err)
	}
	all := make([]*unstructured.Unstructured, 0, len(l.Items))
	for i := range l.Items {
		all = append(all, &l.Items[i])
	}
	slices.SortFunc(all, func(a, b *unstructured.Unstructured) int { return cmp.Compare(a.GetName(), b.GetName()) }) // By when they were due.
	return all, nil
}

// The statuses of the condition Succeeded of an Operation that is not tried again.
var done = []any{"True", "False"}

// next waits for the next Operation that Crossplane is done with. It may have failed, and
// have applied a part.
func (c *cron) next() operation {
	c.Helper()
	return c.nextWith("Succeeded", done...)
}

// nextWith waits until the next Operation has a condition, with one of some statuses.
func (c *cron) nextWith(typ string, statuses ...any) operation {
	c.Helper()
	var next *unstructured.Unstructured
	must(c, await(c.ctx, "the next Operation of "+c.name, func(ctx context.Context) error {
		all, err := c.operations(ctx)
		if err != nil {
			return err
		}
		for _, o := range all {
			if c.seen[o.GetName()] {
				continue
			}
			if !slices.Contains(statuses, condition(o, typ)["status"]) {
				return fmt.Errorf("the conditions of %s are %v", o.GetName(), o.Object["status"])
			}
			next = o
			return nil
		}
		return fmt.Errorf("there is none beside %s", plural(len(all), "old one"))
	}))
	c.seen[next.GetName()] = true
	return operationOf(next)
}

// missed are the Operations that Crossplane is done with, and nobody has waited for.
func (c *cron) missed() (ops []operation) {
	c.Helper()
	all, err := c.operations(c.ctx)
	must(c, err)
	for _, o := range all {
		if !c.seen[o.GetName()] {
			c.seen[o.GetName()] = true
			ops = append(ops, operationOf(o))
		}
	}
	return ops
}

func operationOf(o *unstructured.Unstructured) operation {
	op := operation{name: o.GetName(), created: o.GetCreationTimestamp().Time, synced: fmt.Sprint(condition(o, "Synced")["message"])}
	if steps, _, _ := unstructured.NestedSlice(o.Object, "status", "pipeline"); len(steps) > 0 {
		op.output, _, _ = unstructured.NestedMap(steps[0].(map[string]any), "output")
	}
	op.failures, _, _ = unstructured.NestedInt64(o.Object, "status", "failures")
	op.refs, _, _ = unstructured.NestedSlice(o.Object, "status", "appliedResourceRefs")
	return op
}

// applied are the DittoServers of which Crossplane has applied something, also in what it
// has tried before it was done.
func (o operation) applied() []string {
	all := []string{}
	for _, ref := range o.refs {
		if r := ref.(map[string]any); r["kind"] == "DittoServer" {
			all = append(all, fmt.Sprintf("%s/%s", r["namespace"], r["name"]))
		}
	}
	slices.Sort(all)
	return all
}

// named are the servers that an Operation's output names in some of its groups, sorted.
func (o operation) named(groups ...string) []string {
	all := []string{}
	for _, g := range groups {
		items, _, _ := unstructured.NestedStringSlice(o.output, g, "items")
		for _, i := range items {
			name, _, _ := strings.Cut(i, ": ") // What follows is why.
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// text is an Operation's output as JSON.
func (o operation) text() string {
	b, err := json.Marshal(o.output)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// warningsOf are what Crossplane's events warn of, about an Operation. It waits for the
// first.
func (s *scenario) warningsOf(op operation) (all []string) {
	s.Helper()
	must(s, await(s.ctx, "a warning about "+op.name, func(ctx context.Context) error {
		l, err := s.cluster.CoreV1().Events(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{
			FieldSelector: "involvedObject.kind=Operation,involvedObject.name=" + op.name + ",type=Warning",
		})
		if err != nil {
			return fmt.Errorf("cannot list events: %w", err)
		}
		all = nil
		for _, e := range l.Items {
			all = append(all, e.Message)
		}
		if len(all) == 0 {
			return errors.New("there is none")
		}
		return nil
	}))
	return all
}
