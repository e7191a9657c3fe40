package compose

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// configMaps are those that are to exist, by the name of the composed resource: the
// wanted one, the one that the pod template names, and every other that there is as
// long as a pod may read it. Crossplane deletes what is not desired before it applies
// anything, and a pod that lost its ConfigMap would not start again.
func configMaps(o *Objects) map[string]runtime.Object {
	ss := o.Have.StatefulSet
	out := map[string]runtime.Object{manifests.ConfigMapResource(o.Want.Config): o.Want.ConfigMap}

	settled := settled(o)
	for resource, cm := range o.Have.ConfigMaps {
		if _, wanted := out[resource]; wanted || settled && cm.Name != ss.ConfigMap {
			continue
		}
		c := manifests.ConfigMap(o.XR.DittoServer, cm.Config)
		c.Name = cm.Name
		if !cm.Immutable {
			c.Immutable = nil
		}
		if cm.Config == "" {
			c.Data = nil
		}
		out[resource] = c
	}

	// Somebody has deleted it under the server.
	if ss != nil && ss.ConfigMap == manifests.ConfigMapName(o.XR.GetName(), ss.Config) {
		if resource := manifests.ConfigMapResource(ss.Config); !o.Have.Exists[resource] {
			out[resource] = manifests.ConfigMap(o.XR.DittoServer, ss.Config)
		}
	}
	return out
}

// settled says whether no pod but one of the observed template can start any more:
// the template is the last one that was sent, and its controller is done with all
// others. What was sent last is in the status, as the observed StatefulSet may come
// from a cache that lags.
func settled(o *Objects) bool {
	ss, d := o.Have.StatefulSet, o.Decision
	return ss != nil && ss.Settled() && o.XR.Status.ConfigHash == ss.Annotations.ConfigHash &&
		(d.Action == rollout.Hold || len(d.Changes) == 0)
}
