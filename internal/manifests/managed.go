package manifests

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// A ManagedSecret is a Secret that the function generates because the DittoServer does
// not name one. Its value is generated once and then kept.
type ManagedSecret struct {
	// Resource is the name of the composed resource.
	Resource string

	// Needed says whether the pod reads it.
	Needed bool

	// Name of the Secret, and the Key of its generated value.
	Name, Key string

	// InDatabase is set if the server copies the value into its database. A new value
	// is then of no use to an existing database.
	InDatabase bool

	meta metav1.ObjectMeta

	// extra is what else the Secret holds.
	extra map[string][]byte
}

// ManagedSecrets returns the managed Secrets that a DittoServer may have.
func ManagedSecrets(ds *v1alpha1.DittoServer) []ManagedSecret {
	jwt, admin := managedJWT(ds), managedAdmin(ds)
	return []ManagedSecret{
		{Resource: JWTSecretResource, Needed: ds.Spec.Identity.JWT.SecretRef == nil, Name: jwt.Name, Key: jwt.Key, meta: meta(ds, jwtSuffix)},
		{
			Resource: AdminSecretResource, Needed: ds.Spec.Identity.Admin.PasswordSecretRef == nil, Name: admin.Name, Key: admin.Key, meta: meta(ds, adminSuffix),
			InDatabase: true, extra: map[string][]byte{"username": []byte(ds.Spec.Identity.Admin.Username)},
		},
	}
}

// Secret renders the Secret with a value, or without any.
func (m *ManagedSecret) Secret(value []byte) *corev1.Secret {
	s := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: m.meta,
		Type:       corev1.SecretTypeOpaque,
		Data:       map[string][]byte{},
	}
	if len(value) > 0 {
		s.Data[m.Key] = value
	}
	maps.Copy(s.Data, m.extra)
	return s
}

const (
	jwtSuffix   = "-jwt-secret"
	adminSuffix = "-admin-bootstrap-credentials"
)

func managedJWT(ds *v1alpha1.DittoServer) *v1alpha1.SecretKeyRef {
	return &v1alpha1.SecretKeyRef{Name: ds.GetName() + jwtSuffix, Key: "jwt-secret"}
}

func managedAdmin(ds *v1alpha1.DittoServer) *v1alpha1.SecretKeyRef {
	return &v1alpha1.SecretKeyRef{Name: ds.GetName() + adminSuffix, Key: "password"}
}
