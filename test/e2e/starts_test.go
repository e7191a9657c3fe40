package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestStarts is that the oracle sees what it is there for.
func TestStarts(t *testing.T) {
	const first, second = "files-config-0000000001", "files-config-0000000002"
	meta := func(name string, at int) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name), ResourceVersion: fmt.Sprint(at)}
	}
	pod := func(uid, config string, port int32, at int) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: meta("files-0", at), Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "api", ContainerPort: port}}}},
			Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: config},
			}}}},
		}}
		p.UID = types.UID(uid)
		p.Annotations = map[string]string{hashAnnotation: config}
		p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(&metav1.ObjectMeta{Name: "files", UID: "files"}, appsv1.SchemeGroupVersion.WithKind("StatefulSet"))}
		return p
	}
	config := func(name string, port, at int) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: meta(name, at), Data: map[string]string{"config.yaml": fmt.Sprintf("controlplane: {port: %d}", port)}}
	}
	ending := func(cm *corev1.ConfigMap) *corev1.ConfigMap {
		cm.DeletionTimestamp = new(metav1.NewTime(time.Unix(1, 0)))
		return cm
	}
	endingPod := func(p *corev1.Pod) *corev1.Pod {
		p.DeletionTimestamp = new(metav1.NewTime(time.Unix(1, 0)))
		return p
	}

	cases := map[string]struct {
		reason string
		events []any
		want   string
	}{
		"AsItShouldBe": {
			reason: "The ConfigMap is there before the pod, and ends after it.",
			events: []any{
				config(first, 8080, 1), pod("a", first, 8080, 2), config(second, 9443, 3), endingPod(pod("a", first, 8080, 4)),
				pod("b", second, 9443, 5), ending(config(first, 8080, 6)),
				gone{config(first, 8080, 7)},
			},
		},
		"ToldToEndBeforeThePod": {
			reason: "A ConfigMap that is to end is gone at any moment: the pod would not start again.",
			events: []any{
				config(first, 8080, 1), pod("a", first, 8080, 2), ending(config(first, 8080, 3)), endingPod(pod("a", first, 8080, 4)),
				gone{config(first, 8080, 5)},
			},
			want: "that was deleted at 3, and the pod ran until 4",
		},
		"ToldToEndUnderThePod": {
			reason: "It is wrong before it is gone, which somebody may keep it from for ever.",
			events: []any{config(first, 8080, 1), pod("a", first, 8080, 2), ending(config(first, 8080, 3))},
			want:   "that was deleted at 3, and the pod ran until 0",
		},
		"DeletedAtOnce": {
			reason: "What has no finalizer is never seen to be told to end.",
			events: []any{config(first, 8080, 1), pod("a", first, 8080, 2), gone{config(first, 8080, 3)}},
			want:   "that was deleted at 3",
		},
		"StartedAfterItsEnd": {
			reason: "A pod that is created while its ConfigMap ends may never have it.",
			events: []any{config(first, 8080, 1), ending(config(first, 8080, 2)), pod("a", first, 8080, 3)},
			want:   "that was not there",
		},
		"AnotherTemplate": {
			reason: "The port stands in both.",
			events: []any{config(first, 8080, 1), pod("a", first, 9443, 2)},
			want:   "it says port 8080, the template 9443",
		},
		"NotThere": {
			reason: "A pod that takes the place of another one must not wait for its ConfigMap.",
			events: []any{
				config(first, 8080, 1), pod("a", first, 8080, 2), endingPod(pod("a", first, 8080, 3)),
				pod("b", second, 9443, 4), config(second, 9443, 5),
			},
			want: "reads ConfigMap " + second + ": that was not there",
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			st := &starts{pods: map[types.UID]*started{}, configs: map[types.UID]*configured{}, stopped: map[types.UID][]int64{}, excused: map[types.UID]bool{}}
			for _, e := range tc.events {
				switch e := e.(type) {
				case *corev1.Pod:
					st.sawPod(e)
				case *corev1.ConfigMap:
					st.sawConfig(e)
				case gone:
					st.deleted(e.Object)
				}
			}

			wrong, _ := st.wrong("")

			got := ""
			if len(wrong) > 0 {
				got = wrong[0].what
			}
			if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%s\nst.wrong(...): want %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
}

// A gone object was deleted.
type gone struct{ metav1.Object }
