package gitops

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/dittofs/function-dittoserver/internal/observed"
)

const root = "../.."

// The metadata.generation of the servers, which Crossplane and the function have seen.
const generation = int64(5)

// A server is a DittoServer as the API server has it.
type server struct{ *unstructured.Unstructured }

// newServer returns the DittoServer of a file that other tests keep up to date: what
// crossplane render has printed, or what the function has answered.
func newServer(t *testing.T, file string) server {
	t.Helper()
	s := server{&unstructured.Unstructured{}}
	if strings.HasPrefix(file, "example/") {
		rendered, _, _ := strings.Cut(strings.TrimPrefix(readFile(t, file), "---\n"), "\n---\n")
		parse(t, rendered, s.Unstructured)
	} else {
		s.answered(t, readFile(t, file))
	}
	s.SetGeneration(generation)
	if _, ok := s.status()["observedGeneration"]; ok {
		s.status()["observedGeneration"] = generation
	}
	s.seen(xpv2.TypeSynced, xpv2.TypeReady)
	return s
}

// answered fills in what the function has answered, and what Crossplane makes of it.
func (s server) answered(t *testing.T, text string) {
	t.Helper()
	var rsp struct {
		Conditions []struct{ Type, Status, Reason, Message string }
		Desired    struct {
			Composite struct {
				Resource *unstructured.Unstructured
				Ready    string
			}
			Resources map[string]struct{ Ready string }
		}
		Results []struct{ Severity, Message string }
	}
	parse(t, text, &rsp)

	s.Object = map[string]any{"apiVersion": "dittofs.io/v1alpha1", "kind": "DittoServer", "status": map[string]any{}}
	if xr := rsp.Desired.Composite.Resource; xr != nil {
		s.Object = xr.Object
	}
	for _, c := range rsp.Conditions {
		status := map[string]observed.ConditionStatus{
			"STATUS_CONDITION_TRUE": observed.True, "STATUS_CONDITION_FALSE": observed.False, "STATUS_CONDITION_UNKNOWN": observed.Unknown,
		}[c.Status]
		s.set(observed.Condition{Type: c.Type, Status: status, Reason: c.Reason, Message: c.Message})
	}
	for _, r := range rsp.Results {
		if r.Severity == "SEVERITY_FATAL" {
			s.set(notSynced(r.Message))
			return // Crossplane does not get as far as Ready.
		}
	}
	s.set(observed.Condition{Type: string(xpv2.TypeSynced), Status: observed.True, Reason: string(xpv2.ReasonReconcileSuccess)})
	ready := observed.Condition{Type: string(xpv2.TypeReady), Status: observed.True, Reason: string(xpv2.ReasonAvailable)}
	unready := rsp.Desired.Composite.Ready == "READY_FALSE"
	for _, r := range rsp.Desired.Resources {
		unready = unready || r.Ready != "READY_TRUE"
	}
	if unready {
		ready.Status, ready.Reason = observed.False, string(xpv2.ReasonCreating)
	}
	s.set(ready)
}

// notSynced is Crossplane's condition after an error.
func notSynced(message string) observed.Condition {
	return observed.Condition{Type: string(xpv2.TypeSynced), Status: observed.False, Reason: string(xpv2.ReasonReconcileError), Message: message}
}

func (s server) status() map[string]any {
	status, _ := s.Object["status"].(map[string]any)
	return status
}

func (s server) conditions() []any {
	conditions, _ := s.status()["conditions"].([]any)
	return conditions
}

// set a condition. Which generation it is of stays as it is.
func (s server) set(to observed.Condition) {
	c := s.condition(to.Type)
	if c == nil {
		c = map[string]any{"type": to.Type}
		s.status()["conditions"] = append(s.conditions(), c)
	}
	c["status"], c["reason"] = string(to.Status), to.Reason
	delete(c, "message")
	if to.Message != "" {
		c["message"] = to.Message
	}
}

func (s server) condition(typ string) map[string]any {
	for _, c := range s.conditions() {
		if c := c.(map[string]any); c["type"] == typ {
			return c
		}
	}
	return nil
}

// changed has a spec that nobody has seen yet.
func (s server) changed() { s.SetGeneration(generation + 1) }

// seen is the newest spec by Crossplane, which has set these conditions by it. It does not
// write into the function's conditions which generation they are of.
func (s server) seen(types ...xpv2.ConditionType) {
	for _, typ := range types {
		if c := s.condition(string(typ)); c != nil {
			c["observedGeneration"] = s.GetGeneration()
		}
	}
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func parse(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}
