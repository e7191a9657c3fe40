package manifests

import (
	"path"

	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// secretFileMode lets the server's group read, and nobody else.
const secretFileMode int32 = 0o440

// A secretVolume puts keys of one Secret into a directory. It is mounted as a whole,
// because Kubernetes never updates a file that is mounted by a subPath.
type secretVolume struct {
	name, secret string
	dir          string
	items        []corev1.KeyToPath
}

// secretVolumes returns the volumes with the files that the server reads from Secrets.
func secretVolumes(spec *v1alpha1.DittoServerSpec) []secretVolume {
	vs := []secretVolume{}

	if s := spec.ControlPlane.CertSecretName; s != "" {
		vs = append(vs, certificateFrom("tls", dittofs.TLSCertFile, dittofs.TLSKeyFile, s))
	}
	if s := spec.ControlPlane.ClientCASecretName; s != "" {
		vs = append(vs, fileFrom("tls-client-ca", dittofs.ClientCAFile, &v1alpha1.SecretKeyRef{Name: s, Key: caKey}))
	}
	if r := spec.Metrics.BearerTokenSecret; spec.Metrics.Enabled && r != nil {
		vs = append(vs, fileFrom("metrics-token", dittofs.MetricsTokenFile, r))
	}
	if t := spec.Metrics.TLS; spec.Metrics.Enabled && t != nil {
		vs = append(vs, certificateFrom("metrics-tls", dittofs.MetricsTLSCertFile, dittofs.MetricsTLSKeyFile, t.CertSecretName))
		if s := t.ClientCASecretName; s != "" {
			vs = append(vs, fileFrom("metrics-client-ca", dittofs.MetricsClientCAFile, &v1alpha1.SecretKeyRef{Name: s, Key: caKey}))
		}
	}
	if r := spec.Database.SSLRootCertSecretRef; r != nil {
		vs = append(vs, fileFrom("postgres-ca", dittofs.PostgresCAFile, r))
	}
	if l := spec.Identity.LDAP; l.IsEnabled() && l.CASecretRef != nil {
		vs = append(vs, fileFrom("ldap-ca", dittofs.LDAPCAFile, l.CASecretRef))
	}

	// The files stay while Kerberos is turned off here: if the server's database still
	// says that it is on, the server does not start without them.
	if k := spec.Identity.Kerberos; k != nil {
		if k.KeytabSecretRef != nil {
			vs = append(vs, fileFrom(KeytabVolume, dittofs.KeytabFile, k.KeytabSecretRef))
		}
		if k.Krb5ConfSecretRef != nil {
			vs = append(vs, fileFrom("kerberos-krb5", dittofs.Krb5ConfFile, k.Krb5ConfSecretRef))
		}
	}

	return vs
}

// KeytabVolume is the pod's volume with the keytab.
const KeytabVolume = "kerberos"

// caKey is the key that cert-manager gives a CA.
const caKey = "ca.crt"

// certificateFrom puts a certificate and its key into one directory. The keys have the
// names that Kubernetes and cert-manager give them.
func certificateFrom(name, cert, key, secret string) secretVolume {
	return secretVolume{name: name, secret: secret, dir: path.Dir(cert), items: []corev1.KeyToPath{
		{Key: corev1.TLSCertKey, Path: path.Base(cert)},
		{Key: corev1.TLSPrivateKeyKey, Path: path.Base(key)},
	}}
}

func fileFrom(name, file string, r *v1alpha1.SecretKeyRef) secretVolume {
	return secretVolume{name: name, secret: r.Name, dir: path.Dir(file), items: []corev1.KeyToPath{{Key: r.Key, Path: path.Base(file)}}}
}

func (v *secretVolume) volume() corev1.Volume {
	return corev1.Volume{Name: v.name, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: v.secret, Items: v.items, DefaultMode: new(secretFileMode)},
	}}
}

func (v *secretVolume) mount() corev1.VolumeMount {
	return corev1.VolumeMount{Name: v.name, MountPath: v.dir, ReadOnly: true}
}

const encryptionVolume = "encryption"

// keyFiles is a volume with all key files of encrypted stores.
func keyFiles(keys []v1alpha1.EncryptionKeySpec) corev1.Volume {
	p := &corev1.ProjectedVolumeSource{DefaultMode: new(secretFileMode)}
	for _, k := range keys {
		p.Sources = append(p.Sources, corev1.VolumeProjection{Secret: &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: k.SecretRef.Name},
			Items:                []corev1.KeyToPath{{Key: k.SecretRef.Key, Path: path.Base(dittofs.EncryptionKeyFile(k.Name))}},
		}})
	}
	return corev1.Volume{Name: encryptionVolume, VolumeSource: corev1.VolumeSource{Projected: p}}
}
