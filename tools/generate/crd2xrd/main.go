// Command crd2xrd reads a CustomResourceDefinition on stdin and writes the
// CompositeResourceDefinition of the same API on stdout. It lets controller-gen,
// which knows only CRDs, generate an XRD's schema from Go types.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"
)

type crd struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Kind       string   `json:"kind"`
			Plural     string   `json:"plural"`
			Singular   string   `json:"singular"`
			Categories []string `json:"categories,omitempty"`
			ShortNames []string `json:"shortNames,omitempty"`
		} `json:"names"`
		Scope    string `json:"scope"`
		Versions []struct {
			Name                     string           `json:"name"`
			Served                   bool             `json:"served"`
			AdditionalPrinterColumns []map[string]any `json:"additionalPrinterColumns,omitempty"`
			Schema                   struct {
				OpenAPIV3Schema map[string]any `json:"openAPIV3Schema"`
			} `json:"schema"`
			Subresources struct {
				Scale map[string]any `json:"scale,omitempty"`
			} `json:"subresources"`
		} `json:"versions"`
	} `json:"spec"`
}

func main() {
	composition := flag.String("composition", "", "name of the Composition that is the default")
	flag.Parse()

	if err := convert(os.Stdin, os.Stdout, *composition); err != nil {
		fmt.Fprintln(os.Stderr, "crd2xrd:", err)
		os.Exit(1)
	}
}

func convert(in io.Reader, out io.Writer, composition string) error {
	b, err := io.ReadAll(in)
	if err != nil {
		return err
	}

	c := crd{}
	if err := yaml.Unmarshal(b, &c); err != nil {
		return err
	}

	if len(c.Spec.Versions) != 1 {
		return errors.New("want a CRD of exactly one version: a second one needs a decision on which is referenceable")
	}
	v := c.Spec.Versions[0]

	// Crossplane adds what every object has, and the subresource status.
	properties, _ := v.Schema.OpenAPIV3Schema["properties"].(map[string]any)
	for _, p := range []string{"apiVersion", "kind", "metadata"} {
		delete(properties, p)
	}

	version := map[string]any{
		"name":          v.Name,
		"served":        v.Served,
		"referenceable": true,
		"schema":        v.Schema,
	}
	if len(v.AdditionalPrinterColumns) > 0 {
		version["additionalPrinterColumns"] = v.AdditionalPrinterColumns
	}

	if scale := v.Subresources.Scale; scale != nil {
		version["subresources"] = map[string]any{"scale": scale}
	}

	spec := map[string]any{
		"group":    c.Spec.Group,
		"names":    c.Spec.Names,
		"scope":    c.Spec.Scope,
		"versions": []any{version},
	}
	if composition != "" {
		spec["defaultCompositionRef"] = map[string]any{"name": composition}
	}

	y, err := yaml.Marshal(map[string]any{
		"apiVersion": "apiextensions.crossplane.io/v2",
		"kind":       "CompositeResourceDefinition",
		"metadata":   map[string]any{"name": c.Metadata.Name},
		"spec":       spec,
	})
	if err != nil {
		return err
	}

	_, err = fmt.Fprintf(out, "# Generated from apis/v1alpha1. Change the types there and run make generate.\n%s", y)
	return err
}
