package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Kinds of Inputs: the first is for the pipeline of a Composition, the others are for
// those of Operations.
const (
	KindInput   = "Input"
	KindRestart = "Restart"
	KindResize  = "Resize"
)

// A Restart is the Input of an Operation that restarts DittoServers which wait for
// their users (see the condition RestartPending), a few at a time. Each field is
// optional.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=crossplane
type Restart struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Selector says which DittoServers are looked at. Defaults to all.
	// +optional
	Selector *Selector `json:"selector,omitempty"`

	// MaxUnavailable is how many of the selected servers may be unavailable at once,
	// because they restart or for any other reason: a number of at least 1, or a
	// percentage, which is rounded down to a number of at least 1. While as many are
	// unavailable, no server that is healthy is restarted.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 1",message="maxUnavailable must be a number of at least 1, or a percentage of 1% to 100%"
	// +kubebuilder:validation:Pattern=`^(100|[1-9][0-9]?)%$`
	// +kubebuilder:default=1
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// Healthy says when a server is available.
	// +optional
	Healthy *Healthy `json:"healthy,omitempty"`
}

// A Resize is the Input of an Operation that raises the claims of DittoServers to the
// sizes in their specs. Kubernetes can only make claims larger, and only if their
// StorageClass allows it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=crossplane
type Resize struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Selector says which DittoServers are looked at. Defaults to all.
	// +optional
	Selector *Selector `json:"selector,omitempty"`
}

// A Selector selects DittoServers that are in one of the namespaces and have all of the
// labels.
type Selector struct {
	// Namespaces of the DittoServers. Defaults to all.
	// +kubebuilder:validation:MaxItems=1000
	// +listType=set
	// +optional
	Namespaces []string `json:"namespaces,omitempty"`

	// MatchLabels are labels that the DittoServers have. Defaults to none.
	// +optional
	MatchLabels map[string]string `json:"matchLabels,omitempty"`
}

// Healthy says when a server is available.
type Healthy struct {
	// Conditions of the DittoServer that must all be True.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:default={Ready}
	// +listType=set
	// +optional
	Conditions []string `json:"conditions,omitempty"`

	// MinReadySeconds is for how long they must have been True.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	MinReadySeconds int32 `json:"minReadySeconds,omitempty"`
}
