// Package gitops has Argo CD's and Flux's interpreters tell the health of DittoServers, and Argo
// CD compare them with Git.
package gitops

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/response"
	"github.com/dittofs/function-dittoserver/internal/rollout"
	dittostatus "github.com/dittofs/function-dittoserver/internal/status"
)

// What Flux makes of each health. It knows of nothing that waits for the user, and that
// nothing more happens is better known at once than when its timeout is over.
var byHealth = map[health]status.Status{
	healthy:     status.CurrentStatus,
	progressing: status.InProgressStatus,
	degraded:    status.FailedStatus,
	suspended:   status.FailedStatus,
}

// TestHealth goes through the states of a server.
func TestHealth(t *testing.T) {
	const running, fatal = "testdata/Running.yaml", "A fatal error occurred before the status of this condition could be determined."
	pause := func(s server) { s.SetAnnotations(map[string]string{"crossplane.io/paused": "true"}) }

	cases := map[string]struct {
		reason string

		// The server's file, the conditions that it has instead, and what else
		// differs.
		file       string
		conditions []observed.Condition
		edit       func(s server)

		want    health
		message string

		// Flux with the expressions, if it is not what it makes of the health, and
		// without.
		flux, byDefault status.Status
	}{
		"Running": {
			reason: "A server that runs as wanted is healthy.",
			file:   running,
			want:   healthy, message: "Running", byDefault: status.CurrentStatus,
		},
		"New": {
			reason: "Of a DittoServer that Crossplane has not seen there is no status. Without expressions, Flux takes it for done.",
			file:   running,
			edit:   func(s server) { delete(s.Object, "status") },
			want:   progressing, message: "about to look", flux: notEvaluated, byDefault: status.CurrentStatus,
		},
		"FirstCall": {
			reason: "Nothing is wrong with a Secret that has not been looked up.",
			file:   "testdata/FirstCall.yaml",
			want:   progressing, message: "SecretsResolved: Crossplane has not looked up", byDefault: status.InProgressStatus,
		},
		"Creating": {
			reason: "A server that is being created needs nobody.",
			file:   "example/basic/expected.yaml",
			want:   progressing, message: "The StatefulSet is being created", byDefault: status.InProgressStatus,
		},
		"Generating": {
			reason: "Nor does one whose Secrets are being generated.",
			file:   "example/minimal/expected.yaml",
			want:   progressing, message: "SecretsResolved: Being created", byDefault: status.InProgressStatus,
		},
		"Restarting": {
			reason: "A restart is under way.",
			file:   "example/running/expected.yaml",
			want:   progressing, message: "RestartPending: The server's pod is being replaced", byDefault: status.InProgressStatus,
		},
		"WithoutAddress": {
			reason:     "The pod runs, but clients do not reach it yet.",
			file:       running,
			conditions: []observed.Condition{{Type: string(xpv2.TypeReady), Status: observed.False, Reason: string(xpv2.ReasonCreating), Message: "Unready resources: nfs-service"}},
			want:       progressing, message: "Ready: Unready resources: nfs-service", byDefault: status.InProgressStatus,
		},
		"AboutToRestart": {
			reason: "A new hash is in the status before the conditions follow.",
			file:   running,
			edit:   func(s server) { s.status()["phase"] = v1alpha1.PhasePending },
			want:   progressing, message: "restarts", byDefault: status.CurrentStatus,
		},
		"Stopped": {
			reason: "A server that is scaled to 0 is as its user wants it.",
			file:   running,
			edit:   func(s server) { s.status()["phase"] = v1alpha1.PhaseStopped },
			want:   healthy, message: "Stopped", byDefault: status.CurrentStatus,
		},
		"SecretMissing": {
			reason: "Somebody has to bring the Secret, even if the server still runs.",
			file:   "example/missing-secret/expected.yaml",
			want:   degraded, message: "SecretsResolved: Secret", byDefault: status.CurrentStatus,
		},
		"StorageDiffers": {
			reason:     "Somebody has to resize the claims, or set the field back.",
			file:       running,
			conditions: []observed.Condition{{Type: dittostatus.TypeStorageInSync, Status: observed.False, Reason: "Immutable", Message: "storage.metadataSize is 20Gi"}},
			want:       degraded, message: "StorageInSync: storage.metadataSize is 20Gi", byDefault: status.CurrentStatus,
		},
		"TwoProblems": {
			reason: "All that somebody has to do is named.",
			file:   "testdata/SecretLost.yaml",
			conditions: []observed.Condition{
				{Type: dittostatus.TypeStorageInSync, Status: observed.False, Reason: "Immutable", Message: "storage.metadataSize is 20Gi"},
				{Type: dittostatus.TypeNamesAvailable, Status: observed.False, Reason: "Taken", Message: `Service "files-nfs"`},
			},
			want: degraded, message: `the running server stays as it is, and its pod is not replaced. A pod that ends by itself may not start again before.; StorageInSync: storage.metadataSize is 20Gi; NamesAvailable: Service "files-nfs"`,
			byDefault: status.CurrentStatus,
		},
		"NameLeaving": {
			reason:     "What is being deleted goes by itself.",
			file:       running,
			conditions: []observed.Condition{{Type: dittostatus.TypeNamesAvailable, Status: observed.False, Reason: "Deleting", Message: `Service "files-nfs"`}},
			want:       progressing, message: `NamesAvailable: Service "files-nfs"`, byDefault: status.CurrentStatus,
		},
		"DatabaseStarts": {
			reason:     "A database needs its time.",
			file:       "testdata/Created.yaml",
			conditions: []observed.Condition{{Type: dittostatus.TypeDatabaseReady, Status: observed.False, Reason: "NotReady", Message: "not ready"}},
			want:       progressing, message: "DatabaseReady: not ready", byDefault: status.InProgressStatus,
		},
		"NotProtected": {
			reason:     "Crossplane is about to protect a DittoServer, or never will: nobody can tell.",
			file:       running,
			conditions: []observed.Condition{{Type: dittostatus.TypeDeletionProtectionReady, Status: observed.False, Reason: "NotReady", Message: "not ready"}},
			want:       progressing, message: "DeletionProtectionReady: not ready", byDefault: status.CurrentStatus,
		},
		"KindMissing": {
			reason:     "Somebody has to install the operator.",
			file:       running,
			conditions: []observed.Condition{{Type: dittostatus.TypeServiceMonitorReady, Status: observed.False, Reason: "KindMissing", Message: "Install it"}},
			want:       degraded, message: "ServiceMonitorReady: Install it", byDefault: status.CurrentStatus,
		},
		"RuleKindMissing": {
			reason:     "The operator may be there without the kind of its rules.",
			file:       running,
			conditions: []observed.Condition{{Type: dittostatus.TypePrometheusRuleReady, Status: observed.False, Reason: "KindMissing", Message: "Install it"}},
			want:       degraded, message: "PrometheusRuleReady: Install it", byDefault: status.CurrentStatus,
		},
		"ManualPolicy": {
			reason:     "The restart waits for its user.",
			file:       running,
			conditions: []observed.Condition{{Type: dittostatus.TypeRestartPending, Status: observed.True, Reason: string(rollout.ManualPolicy), Message: "Waiting for a new spec.rollout.restartToken: image"}},
			want:       suspended, message: "RestartPending: Waiting for a new spec.rollout.restartToken: image", byDefault: status.CurrentStatus,
		},
		"ManualPolicyAndDown": {
			reason: "A server that is down still waits for its user, who is told so.",
			file:   running,
			conditions: []observed.Condition{
				{Type: dittostatus.TypeRestartPending, Status: observed.True, Reason: string(rollout.ManualPolicy), Message: "The server is not ready"},
				{Type: string(xpv2.TypeReady), Status: observed.False, Reason: string(xpv2.ReasonCreating), Message: "Unready resources: statefulset"},
			},
			want: suspended, message: "The server is not ready", byDefault: status.InProgressStatus,
		},
		"DatabasePending": {
			reason:     "The restart comes by itself once the new database is ready.",
			file:       running,
			conditions: []observed.Condition{{Type: dittostatus.TypeRestartPending, Status: observed.True, Reason: string(rollout.DatabasePending)}},
			want:       progressing, message: "RestartPending: DatabasePending", byDefault: status.CurrentStatus,
		},
		"Refused": {
			reason: "Somebody has to find out why the API server refuses the change.",
			file:   running,
			conditions: []observed.Condition{
				notSynced("Unsynced resources: statefulset"),
				{Type: dittostatus.TypeRestartPending, Status: observed.True, Reason: "Refused", Message: "Pending changes: image"},
				{Type: string(xpv2.TypeReady), Status: observed.False, Reason: string(xpv2.ReasonCreating), Message: "Unready resources: statefulset"},
			},
			want: degraded, message: "Synced: Unsynced resources: statefulset; RestartPending: Pending changes: image", byDefault: status.InProgressStatus,
		},
		"Invalid": {
			reason: "A DittoServer that was invalid from the start has nothing that runs.",
			file:   "testdata/Invalid.yaml",
			want:   degraded, message: "ConfigReady: spec.logging.level: Unsupported value", byDefault: status.CurrentStatus,
		},
		"BecameInvalid": {
			reason: "Crossplane writes no status for an invalid spec, so Flux waits for the status of the new generation.",
			file:   running,
			conditions: []observed.Condition{
				notSynced("cannot compose resources"),
				{Type: dittostatus.TypeConfigReady, Status: observed.False, Reason: response.ReasonInvalidSpec, Message: "spec.logging.level"},
				{Type: dittostatus.TypeSecretsResolved, Status: observed.Unknown, Reason: "FatalError", Message: fatal},
			},
			edit: func(s server) { s.changed(); s.seen(xpv2.TypeSynced) },
			want: degraded, message: "Synced: cannot compose resources; ConfigReady: spec.logging.level", flux: status.InProgressStatus, byDefault: status.InProgressStatus,
		},
		"Corrected": {
			reason:     "What was wrong with the old spec says nothing about the new one.",
			file:       "testdata/Invalid.yaml",
			edit:       server.changed,
			conditions: []observed.Condition{},
			want:       progressing, message: "about to look", byDefault: status.CurrentStatus,
		},
		"Changed": {
			reason: "What was well with the old spec says nothing about the new one.",
			file:   running,
			edit:   server.changed,
			want:   progressing, message: "about to look", byDefault: status.InProgressStatus,
		},
		"SeenByCrossplane": {
			reason: "Crossplane raises the generation after it has called the function, which it calls again.",
			file:   running,
			edit:   func(s server) { s.changed(); s.seen(xpv2.TypeSynced, xpv2.TypeReady) },
			want:   progressing, message: "about to look", byDefault: status.InProgressStatus,
		},
		"ReadyIsOld": {
			reason: "Ready may be of the last reconcile that went well.",
			file:   running,
			edit: func(s server) {
				s.changed()
				s.seen(xpv2.TypeSynced)
				s.status()["observedGeneration"] = s.GetGeneration()
			},
			want: progressing, message: "about to look", byDefault: status.CurrentStatus,
		},
		"Paused": {
			reason:     "The user has told Crossplane to leave everything as it is.",
			file:       "testdata/SecretLost.yaml",
			conditions: []observed.Condition{{Type: string(xpv2.TypeSynced), Status: observed.False, Reason: string(xpv2.ReasonReconcilePaused)}},
			edit:       pause,
			want:       suspended, message: "crossplane.io/paused", byDefault: status.CurrentStatus,
		},
		"PausedAndChanged": {
			reason: "A new spec is left alone too. Flux waits for its status.",
			file:   running,
			edit:   func(s server) { pause(s); s.changed() },
			want:   suspended, message: "crossplane.io/paused", flux: status.InProgressStatus, byDefault: status.InProgressStatus,
		},
		"Resumed": {
			reason:     "Crossplane starts again by itself.",
			file:       running,
			conditions: []observed.Condition{{Type: string(xpv2.TypeSynced), Status: observed.False, Reason: string(xpv2.ReasonReconcilePaused), Message: "Reconciliation is paused"}},
			edit:       func(s server) { s.SetAnnotations(map[string]string{"crossplane.io/paused": "false"}) },
			want:       progressing, message: "Synced: Reconciliation is paused", byDefault: status.CurrentStatus,
		},
	}

	check, f := readFile(t, script), newFlux(t, healthCheckExprs(t))
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, tc.file)
			for _, c := range tc.conditions {
				s.set(c)
			}
			if tc.edit != nil {
				tc.edit(s)
			}
			if got, message := argoCD(t, check, s.Unstructured); got != tc.want || !strings.Contains(message, tc.message) {
				t.Errorf("%s\nArgo CD: want %s with %q, got %s with %q", tc.reason, tc.want, tc.message, got, message)
			}
			want := tc.flux
			if want == "" {
				want = byHealth[tc.want]
			}
			if got := f.status(t, s.Unstructured); got != want {
				t.Errorf("%s\nFlux: want %s, got %s", tc.reason, want, got)
			}
			if got := byDefault(t, s.Unstructured); got != tc.byDefault {
				t.Errorf("%s\nFlux without expressions: want %s, got %s", tc.reason, tc.byDefault, got)
			}
		})
	}
}

// TestReasons gives a running server each condition of the function with each reason.
// Somebody is asked to look at exactly those of which the function warns, and Argo CD and
// Flux agree.
func TestReasons(t *testing.T) {
	check, f := readFile(t, script), newFlux(t, healthCheckExprs(t))
	types, reasons := functionsNames(t)
	warned := false
	for typ := range types {
		for reason := range reasons {
			for _, s := range []observed.ConditionStatus{observed.True, observed.False, observed.Unknown} {
				c := observed.Condition{Type: typ, Status: s, Reason: reason}
				o := newServer(t, "testdata/Running.yaml")
				o.set(c)

				got, _ := argoCD(t, check, o.Unstructured)
				warns := slices.ContainsFunc(dittostatus.Events(nil, []observed.Condition{c}), func(e dittostatus.Event) bool { return e.Warning })
				warned = warned || warns
				// An invalid spec is a fatal result, of which Crossplane warns.
				if attention := got == degraded || got == suspended; attention != warns && typ != dittostatus.TypeConfigReady {
					t.Errorf("%+v: Argo CD says %s. Whether the function warns: %t", c, got, warns)
				}
				if flux := f.status(t, o.Unstructured); flux != byHealth[got] {
					t.Errorf("%+v: Argo CD says %s, and Flux %s", c, got, flux)
				}
			}
		}
	}
	if !warned {
		t.Error("The function warns of nothing")
	}
}

// TestNames checks that Crossplane or the function has each name of a condition or a
// reason that the health checks have.
func TestNames(t *testing.T) {
	known := map[string]bool{
		string(healthy): true, string(progressing): true, string(degraded): true, string(suspended): true,
		string(observed.True): true, string(observed.False): true, string(observed.Unknown): true,
		v1alpha1.PhaseRunning: true, v1alpha1.PhaseStopped: true,
		string(xpv2.TypeSynced): true, string(xpv2.TypeReady): true, string(xpv2.ReasonReconcilePaused): true,
	}
	types, reasons := functionsNames(t)
	for _, names := range []map[string]bool{types, reasons} {
		for name := range names {
			known[name] = true
		}
	}

	exprs := healthCheckExprs(t)
	name := regexp.MustCompile(`["']([A-Z][A-Za-z]*)["']|\b([A-Z][A-Za-z]*) =`)
	for file, text := range map[string]string{
		script:        readFile(t, script),
		kustomization: exprs.InProgress + exprs.Failed + exprs.Current,
	} {
		found := name.FindAllStringSubmatch(text, -1)
		for _, m := range found {
			if n := m[1] + m[2]; !known[n] {
				t.Errorf("%s has %s, which neither Crossplane nor the function has", file, n)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s has no names in it", file)
		}
	}
}

// functionsNames returns the types of the function's conditions, and the names that may
// be reasons: each word that the code writes into a condition.
func functionsNames(t *testing.T) (types, reasons map[string]bool) {
	t.Helper()
	word := regexp.MustCompile(`^[A-Z][A-Za-z]+$`)
	types, reasons = map[string]bool{}, map[string]bool{}
	for _, pkg := range []string{"status", "rollout", "response", "observed"} {
		files, err := filepath.Glob(filepath.Join(root, "internal", pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 && strings.HasPrefix(v.Names[0].Name, "Type") {
					types[literal(v.Values[0])] = true
					return false
				}
				if e, ok := n.(ast.Expr); ok && word.MatchString(literal(e)) {
					reasons[literal(e)] = true
				}
				return true
			})
		}
	}
	return types, reasons
}

// literal is the value of a string literal, or nothing.
func literal(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		s, _ := strconv.Unquote(lit.Value)
		return s
	}
	return ""
}
