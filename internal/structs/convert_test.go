package structs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestFromObject converts objects into what is sent: nothing but what was meant.
func TestFromObject(t *testing.T) {
	cases := map[string]struct {
		reason string
		object runtime.Object
		want   map[string]any
	}{
		"ConfigMap": {
			reason: "An object that says little should be sent as little.",
			object: &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: metav1.ObjectMeta{Name: "n"}},
			want:   map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "n"}},
		},
		"Service": {
			reason: "There should be no status, and ports should be numbers.",
			object: &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}}},
			want:   map[string]any{"spec": map[string]any{"ports": []any{map[string]any{"port": 80, "targetPort": 8080}}}},
		},
		"StatefulSet": {
			reason: "Go's empty structs should go, also those of the template and the claims. Zero replicas are meant.",
			object: &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{
				Replicas: new(int32(0)),
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
				Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
					Containers:     []corev1.Container{{Name: "c"}},
					InitContainers: []corev1.Container{{Name: "i"}},
					Volumes:        []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
				}},
				VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
					ObjectMeta: metav1.ObjectMeta{Name: "v"},
					Spec:       corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}},
				}},
			}},
			want: map[string]any{"spec": map[string]any{
				"replicas": 0,
				"selector": map[string]any{"matchLabels": map[string]any{"a": "b"}},
				"template": map[string]any{"spec": map[string]any{
					"containers":     []any{map[string]any{"name": "c"}},
					"initContainers": []any{map[string]any{"name": "i"}},
					"volumes":        []any{map[string]any{"name": "tmp", "emptyDir": map[string]any{}}},
				}},
				"volumeClaimTemplates": []any{map[string]any{
					"metadata": map[string]any{"name": "v"},
					"spec":     map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}}},
				}},
			}},
		},
		"EmptySelector": {
			reason: "An empty selector selects everything, and none selects nothing: it must stay.",
			object: &networkingv1.NetworkPolicy{Spec: networkingv1.NetworkPolicySpec{
				Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}}},
			}},
			want: map[string]any{"spec": map[string]any{
				"podSelector": map[string]any{},
				"ingress":     []any{map[string]any{"from": []any{map[string]any{"namespaceSelector": map[string]any{}}}}},
			}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want, err := structpb.NewStruct(tc.want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := FromObject(tc.object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s\nFromObject(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
