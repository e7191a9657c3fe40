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

// ConfigMaps are named by their content, so that a pod template and the
// configuration that it names never change independently of each other. A pod
// that restarts by itself finds the configuration that it had.
const (
	configPrefix   = "config-"
	configIDLength = 10
)

// legacyConfigResource is the composed resource of the one ConfigMap that a server
// had before they were named by their content.
const legacyConfigResource = "config"

// configID is what a ConfigMap is named by.
func configID(config string) string {
	digest := sha256.Sum256([]byte(config))
	return hex.EncodeToString(digest[:])[:configIDLength]
}

// ConfigMapName is the name of the ConfigMap of a server that holds a config.yaml.
func ConfigMapName(server, config string) string {
	return server + "-" + configPrefix + configID(config)
}

// ConfigMapResource is the name of the composed resource that it is.
func ConfigMapResource(config string) string { return configPrefix + configID(config) }

// IsConfigMapResource says whether a composed resource is one of the server's
// ConfigMaps.
func IsConfigMapResource(resource string) bool {
	return resource == legacyConfigResource || strings.HasPrefix(resource, configPrefix)
}

// ExistingConfigMap is one that there is, as it is: its name need not be made of what
// it holds, and one that somebody has emptied stays so.
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

// ConfigMap holds a config.yaml. It is immutable: another one has another name.
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
