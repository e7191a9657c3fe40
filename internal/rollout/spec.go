package rollout

import (
	"encoding/json"
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// SpecOf returns a canonical form of what a user has decided in a spec. Defaults do not
// count: a newer API may add one to every existing spec. Some are made of the
// DittoServer's name.
func SpecOf(user *v1alpha1.DittoServer) ([]byte, error) {
	spec, err := withDefaults(user)
	if err != nil {
		return nil, err
	}
	defaults, err := withDefaults(&v1alpha1.DittoServer{ObjectMeta: user.ObjectMeta})
	if err != nil {
		return nil, err
	}
	pruneAdapters(spec, defaults)
	prune(spec, defaults)
	b, err := json.Marshal(spec) // Keys of a map are written in order.
	return b, errors.Wrap(err, "cannot write the spec in a canonical form")
}

func withDefaults(ds *v1alpha1.DittoServer) (map[string]any, error) {
	ds = ds.DeepCopy()
	ds.Default(v1alpha1.Defaults{})
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&ds.Spec)
	return m, errors.Wrap(err, "cannot convert the spec")
}

// prune removes everything from an object that another object has too.
func prune(object, same map[string]any) {
	for k, v := range object {
		o, ok := v.(map[string]any)
		s, both := same[k].(map[string]any)
		if ok && both {
			prune(o, s)
			if len(o) == 0 {
				delete(object, k)
			}
			continue
		}
		if other, exists := same[k]; exists && reflect.DeepEqual(v, other) {
			delete(object, k)
		}
	}
}

// pruneAdapters removes from adapters what does not count as decided, of the fields that
// came after the first: lists are compared as a whole.
func pruneAdapters(user, defaults map[string]any) {
	standard := map[any]any{}
	for _, a := range adaptersOf(defaults) {
		standard[a["type"]] = a["servicePort"]
		delete(a, "servicePort")
	}
	for _, a := range adaptersOf(user) {
		if a["servicePort"] == standard[a["type"]] {
			delete(a, "servicePort")
		}
		if m, ok := a["portmapper"].(map[string]any); ok && m["enabled"] != true {
			delete(a, "portmapper")
		}
	}
}

func adaptersOf(spec map[string]any) []map[string]any {
	list, _ := spec["adapters"].([]any)
	adapters := make([]map[string]any, 0, len(list))
	for _, v := range list {
		if a, ok := v.(map[string]any); ok {
			adapters = append(adapters, a)
		}
	}
	return adapters
}
