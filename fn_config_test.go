package main

import (
	"strings"

	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// configMap is the composed resource of the ConfigMap that the server's template
// names, or that there is.
func (c *cluster) configMap() string {
	c.Helper()
	named := ""
	for _, v := range valueAt(c.composed[manifests.StatefulSetResource], "spec", "template", "spec", "volumes").GetListValue().GetValues() {
		if f := v.GetStructValue().GetFields(); f["name"].GetStringValue() == manifests.ConfigVolume {
			named = strings.TrimPrefix(valueAt(f["configMap"].GetStructValue(), "name").GetStringValue(), "files-")
		}
	}
	if named != "" {
		return named
	}
	for name := range c.composed {
		if manifests.IsConfigMapResource(name) {
			return name
		}
	}
	return ""
}
