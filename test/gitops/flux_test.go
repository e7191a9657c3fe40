package gitops

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const kustomization = "example/gitops/flux/kustomization.yaml"

// expressions are what a Kustomization says of the health of a kind.
type expressions struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

// notEvaluated is what Flux has of a resource for which it cannot evaluate an expression. It
// looks again.
const notEvaluated = status.UnknownStatus

// A flux evaluates expressions as Flux does: with the fields of the resource as variables
// of unknown types, and in its order.
type flux struct {
	order    []status.Status
	programs map[status.Status]cel.Program
}

func newFlux(t *testing.T, exprs expressions) flux {
	t.Helper()
	env, err := cel.NewEnv(
		cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(), ext.Sets(), ext.Encoders())
	if err != nil {
		t.Fatal(err)
	}
	f := flux{
		order:    []status.Status{status.InProgressStatus, status.FailedStatus, status.CurrentStatus},
		programs: map[status.Status]cel.Program{},
	}
	for s, expr := range map[status.Status]string{
		status.InProgressStatus: exprs.InProgress,
		status.FailedStatus:     exprs.Failed,
		status.CurrentStatus:    exprs.Current,
	} {
		ast, issues := env.Parse(expr)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", kustomization, issues.Err())
		}
		if f.programs[s], err = env.Program(ast, cel.EvalOptions(cel.OptOptimize)); err != nil {
			t.Fatalf("%s: %v", kustomization, err)
		}
	}
	return f
}

// status of a resource. Whatever the expressions say, one whose status is of another
// generation is in progress.
func (f flux) status(t *testing.T, o *unstructured.Unstructured) status.Status {
	t.Helper()
	if observed, ok, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration"); ok && observed != o.GetGeneration() {
		return status.InProgressStatus
	}
	for _, s := range f.order {
		value, _, err := f.programs[s].Eval(o.Object)
		if err != nil {
			return notEvaluated
		}
		holds, ok := value.Value().(bool)
		if !ok {
			t.Fatalf("%s: %s is %v, which is no truth value", kustomization, s, value)
		}
		if holds {
			return s
		}
	}
	return status.InProgressStatus
}

// byDefault is what Flux says without expressions.
func byDefault(t *testing.T, o *unstructured.Unstructured) status.Status {
	t.Helper()
	r, err := status.Compute(o)
	if err != nil {
		t.Fatal(err)
	}
	return r.Status
}
