package manifests

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// ConfigMaps are named by their content. So a pod template and the configuration that
// it names never change independently, and a pod that restarts by itself finds the
// configuration that it had.
const (
	configPrefix   = "config-"
	configIDLength = 10
)

// legacyConfigResource is the composed resource of the single ConfigMap that a server
// had before ConfigMaps were named by their content.
const legacyConfigResource = "config"

// configID returns the part of a ConfigMap's name that depends on its content.
func configID(config string) string {
	digest := sha256.Sum256([]byte(config))
	return hex.EncodeToString(digest[:])[:configIDLength]
}

// ConfigMapName returns the name of the ConfigMap for a config.yaml.
func ConfigMapName(server, config string) string {
	return server + "-" + configPrefix + configID(config)
}

// ConfigMapResource returns the name of its composed resource.
func ConfigMapResource(config string) string { return configPrefix + configID(config) }

// IsConfigMapResource says whether a composed resource is one of the server's
// ConfigMaps.
func IsConfigMapResource(resource string) bool {
	return resource == legacyConfigResource || strings.HasPrefix(resource, configPrefix)
}

// ExistingConfigMap renders an existing ConfigMap as it is. It may still have its legacy
// name, and if somebody has emptied it, it stays empty.
func ExistingConfigMap(ds *v1alpha1.DittoServer, name, config string, immutable bool) *corev1.ConfigMap {
	c := ConfigMap(ds, config)
	c.Name = name
	if !immutable {
		c.Immutable = nil
	}
	if config == "" {
		c.Data = nil
	}
	return c
}

// ConfigMap renders the immutable ConfigMap that holds a config.yaml.
func ConfigMap(ds *v1alpha1.DittoServer, config string) *corev1.ConfigMap {
	m := meta(ds, "")
	m.Name = ConfigMapName(ds.GetName(), config)
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: m,
		Immutable:  new(true),
		Data:       map[string]string{dittofs.ConfigFile: config},
	}
}
