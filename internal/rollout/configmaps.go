package rollout

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/observed"
)

// ConfigMaps returns the desired ConfigMaps, by the names of the composed resources: the
// wanted one, the one that the pod template names, and every other existing one as long
// as a pod may read it. Crossplane deletes what is not desired before it applies
// anything, and a pod that lost its ConfigMap would not start again.
func ConfigMaps(xr *observed.Composite, have *observed.Composed, want *manifests.Objects, d Decision) map[string]*corev1.ConfigMap {
	ss := have.StatefulSet
	out := map[string]*corev1.ConfigMap{manifests.ConfigMapResource(want.Config): want.ConfigMap}

	settled := settled(xr, ss, d)
	for resource, cm := range have.ConfigMaps {
		if _, wanted := out[resource]; wanted || settled && cm.Name != ss.ConfigMap {
			continue
		}
		out[resource] = manifests.ExistingConfigMap(xr.DittoServer, cm.Name, cm.Config, cm.Immutable)
	}

	// Somebody has deleted the ConfigMap that the server runs with.
	if ss != nil && ss.ConfigMap == manifests.ConfigMapName(xr.GetName(), ss.Config) {
		if resource := manifests.ConfigMapResource(ss.Config); !have.Exists[resource] {
			out[resource] = manifests.ConfigMap(xr.DittoServer, ss.Config)
		}
	}
	return out
}

// settled says whether only pods of the observed template can still start: it is the
// template that was sent last, and the controller is done with all others. The status
// says what was sent last, because the observed StatefulSet may come from a cache that
// lags.
func settled(xr *observed.Composite, ss *observed.StatefulSet, d Decision) bool {
	return ss != nil && ss.Settled() && xr.Status.ConfigHash == ss.ConfigHash &&
		(d.Action == Hold || len(d.Changes) == 0)
}
