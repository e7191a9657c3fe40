package main

import (
	"os"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// TestRuntimeConfig checks what the parts of the example runtime config have to agree on.
func TestRuntimeConfig(t *testing.T) {
	b, err := os.ReadFile("example/runtimeconfig.yaml")
	if err != nil {
		t.Fatal(err)
	}
	docs := strings.Split(string(b), "\n---\n")
	if len(docs) != 2 {
		t.Fatalf("want a DeploymentRuntimeConfig and a PodDisruptionBudget, got %d documents", len(docs))
	}
	config := struct {
		Spec struct {
			DeploymentTemplate struct {
				Spec appsv1.DeploymentSpec `json:"spec"`
			} `json:"deploymentTemplate"`
		} `json:"spec"`
	}{}
	if err := yaml.Unmarshal([]byte(docs[0]), &config); err != nil {
		t.Fatal(err)
	}
	budget := &policyv1.PodDisruptionBudget{}
	if err := yaml.UnmarshalStrict([]byte(docs[1]), budget); err != nil {
		t.Fatal(err)
	}
	pod := config.Spec.DeploymentTemplate.Spec.Template
	container := pod.Spec.Containers[0]

	t.Run("Memory", func(t *testing.T) {
		var text string
		for _, e := range container.Env {
			if e.Name == "GOMEMLIMIT" {
				text = e.Value
			}
		}
		soft, err := resource.ParseQuantity(strings.TrimSuffix(text, "B")) // Go writes MiB where Kubernetes writes Mi.
		if err != nil {
			t.Fatalf("cannot parse GOMEMLIMIT %q: %v", text, err)
		}
		const mebibyte = 1 << 20
		hard := container.Resources.Limits.Memory()
		if want := hard.Value() * 9 / 10 / mebibyte; soft.Value() != want*mebibyte {
			t.Errorf("GOMEMLIMIT should be nine tenths of the container's limit of %s: want %dMiB, got %s", hard, want, text)
		}
	})
	t.Run("Labels", func(t *testing.T) {
		selectors := map[string]*metav1.LabelSelector{"PodDisruptionBudget": budget.Spec.Selector}
		for _, c := range pod.Spec.TopologySpreadConstraints {
			selectors["topology spread constraint"] = c.LabelSelector
		}
		if len(selectors) != 2 {
			t.Fatalf("want two selectors, got %d", len(selectors))
		}
		for what, s := range selectors {
			sel, err := metav1.LabelSelectorAsSelector(s)
			if err != nil {
				t.Fatal(err)
			}
			// Labels of Crossplane's own would be other ones if a Configuration brings the function along.
			if sel.Empty() || !sel.Matches(labels.Set(pod.Labels)) {
				t.Errorf("the selector %q of the %s should match the labels %v of the template", sel, what, pod.Labels)
			}
		}
	})
}
