package manifests

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// TestPodSecurityContext fills in what the user leaves open, so that it fits what
// the user sets.
func TestPodSecurityContext(t *testing.T) {
	type summary struct {
		User, Group, FSGroup int64
		NonRoot              bool
		Policy               corev1.PodFSGroupChangePolicy
		Seccomp              corev1.SeccompProfileType
	}
	restricted := summary{
		User: dittofs.UserID, Group: dittofs.UserID, FSGroup: dittofs.UserID, NonRoot: true,
		Policy: corev1.FSGroupChangeOnRootMismatch, Seccomp: corev1.SeccompProfileTypeRuntimeDefault,
	}
	but := func(edit func(*summary)) summary {
		s := restricted
		edit(&s)
		return s
	}

	cases := map[string]struct {
		reason    string
		pod       *corev1.PodSecurityContext
		container *corev1.SecurityContext
		want      summary
	}{
		"Default": {reason: "The restricted standard is the default.", want: restricted},
		"User": {
			reason: "The files of the user before are given to the new one with the group.",
			pod:    &corev1.PodSecurityContext{RunAsUser: new(int64(1000))},
			want:   but(func(s *summary) { s.User, s.FSGroup = 1000, 1000 }),
		},
		"UserOfContainer": {
			reason:    "Where both levels say something, the container's counts.",
			pod:       &corev1.PodSecurityContext{RunAsUser: new(int64(1000))},
			container: &corev1.SecurityContext{RunAsUser: new(int64(2000))},
			want:      but(func(s *summary) { s.User, s.FSGroup = 1000, 2000 }),
		},
		"Group": {
			reason: "What is set stays.",
			pod: &corev1.PodSecurityContext{
				RunAsUser: new(int64(1000)), RunAsGroup: new(int64(3000)), FSGroup: new(int64(4000)), FSGroupChangePolicy: new(corev1.FSGroupChangeAlways),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined},
			},
			want: summary{User: 1000, Group: 3000, FSGroup: 4000, NonRoot: true, Policy: corev1.FSGroupChangeAlways, Seccomp: corev1.SeccompProfileTypeUnconfined},
		},
		"Root": {
			reason:    "A container that is root and must not be is never created.",
			container: &corev1.SecurityContext{RunAsUser: new(int64(0))},
			want:      but(func(s *summary) { s.FSGroup, s.NonRoot = 0, false }),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := tc.pod.DeepCopy()
			sc := podSecurityContext(tc.pod, tc.container)
			got := summary{
				User: *sc.RunAsUser, Group: *sc.RunAsGroup, FSGroup: *sc.FSGroup, NonRoot: sc.RunAsNonRoot != nil && *sc.RunAsNonRoot,
				Policy: *sc.FSGroupChangePolicy, Seccomp: sc.SeccompProfile.Type,
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\npodSecurityContext(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(before, tc.pod); diff != "" {
				t.Errorf("The spec should stay as it is: -before, +after:\n%s", diff)
			}
		})
	}
}

// TestSecurityContext fills in what the user leaves open, so that it fits what the
// user sets.
func TestSecurityContext(t *testing.T) {
	type caps = []corev1.Capability
	cases := map[string]struct {
		reason   string
		user     *corev1.SecurityContext
		drop     caps
		escalate *bool
	}{
		"Default":    {reason: "The restricted standard is the default.", drop: caps{"ALL"}, escalate: new(false)},
		"Add":        {reason: "Who adds one has no others.", user: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: caps{"NET_RAW"}}}, drop: caps{"ALL"}, escalate: new(false)},
		"AddAll":     {reason: "Who adds all is not left without any.", user: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: caps{"all"}}}, escalate: new(false)},
		"Drop":       {reason: "What is set stays.", user: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Drop: caps{"NET_RAW"}}}, drop: caps{"NET_RAW"}, escalate: new(false)},
		"Privileged": {reason: "The API server refuses to forbid what it has.", user: &corev1.SecurityContext{Privileged: new(true)}, drop: caps{"ALL"}},
		"Admin":      {reason: "An administrator of the system can escalate.", user: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: caps{"SYS_ADMIN"}}}, drop: caps{"ALL"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := tc.user.DeepCopy()
			sc := securityContext(tc.user)
			if diff := cmp.Diff(tc.drop, sc.Capabilities.Drop); diff != "" {
				t.Errorf("%s\nsecurityContext(...): -want drop, +got drop:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.escalate, sc.AllowPrivilegeEscalation); diff != "" {
				t.Errorf("%s\nsecurityContext(...): -want allowPrivilegeEscalation, +got:\n%s", tc.reason, diff)
			}
			if !*sc.ReadOnlyRootFilesystem {
				t.Errorf("%s\nThe root file system should be read-only", tc.reason)
			}
			if diff := cmp.Diff(before, tc.user); diff != "" {
				t.Errorf("The spec should stay as it is: -before, +after:\n%s", diff)
			}
		})
	}
}
