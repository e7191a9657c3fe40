package manifests

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// configMap holds config.yaml. It keeps one name through all changes: a name
// made of the content would be garbage collected while the old pod still needs
// it.
func configMap(ds *v1alpha1.DittoServer) (*corev1.ConfigMap, error) {
	cfg, err := config(&ds.Spec).Render()
	if err != nil {
		return nil, err
	}
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: meta(ds, "-config"),
		Data:       map[string]string{dittofs.ConfigFile: string(cfg)},
	}, nil
}
