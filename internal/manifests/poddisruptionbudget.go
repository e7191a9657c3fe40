package manifests

import (
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// podDisruptionBudget refuses to evict the only pod while it is ready. One that is not
// serves nobody, and must not keep a node from being drained. A minimum of one pod would
// also be missed by a server that is scaled to 0.
func podDisruptionBudget(ds *v1alpha1.DittoServer, pod map[string]string) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: meta(ds, ""),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             new(intstr.FromInt32(0)),
			Selector:                   &metav1.LabelSelector{MatchLabels: pod},
			UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
		},
	}
}
