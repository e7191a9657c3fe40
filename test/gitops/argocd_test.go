package gitops

import (
	"context"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A health is what Argo CD says of a resource.
type health string

const (
	healthy     health = "Healthy"
	progressing health = "Progressing"
	degraded    health = "Degraded"
	suspended   health = "Suspended"
)

const script = "example/gitops/argocd/health.lua"

// argoCD runs a health check as Argo CD does: in a new interpreter, with Lua's functions
// for modules, basics and tables (and a few of os, which this check does without), the
// resource in the global obj, and a second of time. It returns the health and its
// message.
func argoCD(t *testing.T, check string, o *unstructured.Unstructured) (health, string) {
	t.Helper()
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
	} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	l.SetContext(ctx)
	l.SetGlobal("obj", toLua(t, l, o.Object))
	if err := l.DoString(check); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	result, ok := l.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("%s returns %s, not a table", script, l.Get(-1).Type())
	}
	return health(lua.LVAsString(result.RawGetString("status"))), lua.LVAsString(result.RawGetString("message"))
}

// toLua converts what a resource has in it.
func toLua(t *testing.T, l *lua.LState, value any) lua.LValue {
	t.Helper()
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case []any:
		table := l.NewTable()
		for _, item := range v {
			table.Append(toLua(t, l, item))
		}
		return table
	case map[string]any:
		table := l.NewTable()
		for key, item := range v {
			table.RawSetString(key, toLua(t, l, item))
		}
		return table
	}
	t.Fatalf("A resource has %v (%[1]T) in it", value)
	return lua.LNil
}
