package manifests

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// Immutable has the fields of a StatefulSet that cannot change once it exists. If they
// are sent with other values, Kubernetes refuses the whole StatefulSet, including a new
// image or a rotated credential.
type Immutable struct {
	ServiceName          string
	PodManagementPolicy  appsv1.PodManagementPolicyType
	Selector             *metav1.LabelSelector
	VolumeClaimTemplates []corev1.PersistentVolumeClaim
}

// Claims of the volumes that blocks may be on. That for blocks alone is optional.
const (
	metadataClaim = "metadata"
	contentClaim  = "content"
)

// claims are the volumes that a server may have, in the order of its claim templates.
// PersistentVolumeClaims are named after them.
//
//nolint:gochecknoglobals // A table.
var claims = []struct {
	name, dir  string
	sizeField  string
	size       func(*v1alpha1.StorageSpec) string
	classField string
	class      func(*v1alpha1.StorageSpec) *string
}{
	{
		metadataClaim, dittofs.MetadataDir,
		"metadataSize", func(s *v1alpha1.StorageSpec) string { return s.MetadataSize },
		"metadataStorageClassName", func(s *v1alpha1.StorageSpec) *string { return s.MetadataStorageClassName },
	},
	{
		contentClaim, dittofs.ContentDir,
		"contentSize", func(s *v1alpha1.StorageSpec) string { return s.ContentSize },
		"contentStorageClassName", func(s *v1alpha1.StorageSpec) *string { return s.ContentStorageClassName },
	},
	{
		"controlplane", dittofs.ControlPlaneDir,
		"controlPlaneSize", func(s *v1alpha1.StorageSpec) string { return s.ControlPlaneSize },
		"controlPlaneStorageClassName", func(s *v1alpha1.StorageSpec) *string { return s.ControlPlaneStorageClassName },
	},
}

// Wanted returns the immutable fields of a new StatefulSet. Its pods are managed in
// parallel: with the default, OrderedReady, Kubernetes does not replace a pod that never
// becomes ready, even when its template is repaired.
func Wanted(ds *v1alpha1.DittoServer) Immutable {
	im := Immutable{
		ServiceName:         ds.GetName() + "-headless",
		PodManagementPolicy: appsv1.ParallelPodManagement,
		Selector:            &metav1.LabelSelector{MatchLabels: map[string]string{LabelServer: ds.GetName()}},
	}
	for _, c := range claims {
		if size := c.size(&ds.Spec.Storage); size != "" {
			im.VolumeClaimTemplates = append(im.VolumeClaimTemplates, claimTemplate(c.name, size, cmp.Or(c.class(&ds.Spec.Storage), ds.Spec.Storage.StorageClassName)))
		}
	}
	return im
}

// podLabels returns the labels by which the StatefulSet and the Services find the pod.
func (im *Immutable) podLabels() map[string]string { return maps.Clone(im.Selector.MatchLabels) }

// keep takes over the fields of an existing StatefulSet. A StatefulSet always has a
// selector, but not always a Service.
func (im *Immutable) keep(existing *Immutable) {
	selector := im.Selector
	*im = *existing
	if im.Selector == nil {
		im.Selector = selector
	}
}

func claimTemplate(name, size string, class *string) corev1.PersistentVolumeClaim {
	return corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: class,
			VolumeMode:       new(corev1.PersistentVolumeFilesystem),
			Resources: corev1.VolumeResourceRequirements{
				// Validated: it parses.
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)},
			},
		},
	}
}

// A Drift describes a volume of the StatefulSet that differs from the spec.
type Drift struct {
	// Text says what differs.
	Text string

	// Claim is the name of the claim template if only the Size differs. The claim
	// itself may have that size by now.
	Claim string
	Size  *resource.Quantity
}

// StorageDrift returns every Drift of a DittoServer.
func StorageDrift(ds *v1alpha1.DittoServer, existing *Immutable) []Drift {
	wanted := Wanted(ds)
	drift := []Drift{}
	add := func(format string, args ...any) { drift = append(drift, Drift{Text: fmt.Sprintf(format, args...)}) }

	for _, c := range claims {
		w, h := claimNamed(wanted, c.name), claimNamed(*existing, c.name)
		path := "spec.storage." + c.sizeField
		switch {
		case w == nil && h == nil:
		case h == nil:
			add("%s: the StatefulSet has no such volume (%s)", path, c.size(&ds.Spec.Storage))
		case w == nil:
			add("%s: not set, but the StatefulSet has that volume (%s), which stays mounted", path, storageOf(h))
		case storageOf(w).Cmp(*storageOf(h)) != 0:
			drift = append(drift, Drift{
				Text:  fmt.Sprintf("%s: the volume was created with another size (%s, not %s)", path, storageOf(h), c.size(&ds.Spec.Storage)),
				Claim: c.name, Size: storageOf(w),
			})
		}

		if w == nil || h == nil || className(w) == className(h) {
			continue
		}
		class := "storageClassName"
		if c.class(&ds.Spec.Storage) != nil {
			class = c.classField
		}
		add("spec.storage.%s: the volume %q was created with another class (%s, not %s)", class, c.name, className(h), className(w))
	}

	return drift
}

// A Size is the size that a DittoServer's spec has for one of its volumes.
type Size struct {
	// Field of the spec, and Claim template.
	Field, Claim string
	Quantity     resource.Quantity
}

// Sizes returns the size of each volume of a valid DittoServer, to which the defaults have
// been applied.
func Sizes(ds *v1alpha1.DittoServer) []Size {
	sizes := []Size{}
	for _, c := range claims {
		if size := c.size(&ds.Spec.Storage); size != "" {
			sizes = append(sizes, Size{Field: "spec.storage." + c.sizeField, Claim: c.name, Quantity: resource.MustParse(size)})
		}
	}
	return sizes
}

// ClaimName returns the name of the PersistentVolumeClaim that Kubernetes creates from a
// claim template for the only pod.
func ClaimName(server, template string) string { return template + "-" + server + "-0" }

// DatabaseClaim returns the claim template of the volume with the SQLite database, or
// nothing for another database.
func DatabaseClaim(ds *v1alpha1.DittoServer) string {
	if ds.Spec.Database.Type != v1alpha1.DatabaseSQLite {
		return ""
	}
	for _, c := range claims {
		if strings.HasPrefix(ds.Spec.Database.SQLite.Path, c.dir+"/") {
			return c.name
		}
	}
	return ""
}

func className(c *corev1.PersistentVolumeClaim) string {
	class := c.Spec.StorageClassName
	if class == nil {
		return "the cluster's default"
	}
	return cmp.Or(*class, `""`)
}

func storageOf(c *corev1.PersistentVolumeClaim) *resource.Quantity {
	return c.Spec.Resources.Requests.Storage()
}

func claimNamed(im Immutable, name string) *corev1.PersistentVolumeClaim {
	i := slices.IndexFunc(im.VolumeClaimTemplates, func(c corev1.PersistentVolumeClaim) bool { return c.GetName() == name })
	if i < 0 {
		return nil
	}
	return &im.VolumeClaimTemplates[i]
}

// hasContent says whether there is a volume for local blocks.
func (im *Immutable) hasContent() bool { return claimNamed(*im, contentClaim) != nil }

// claimMounts returns the mounts of the volumes that the StatefulSet really has.
func claimMounts(im Immutable) []corev1.VolumeMount {
	mounts := []corev1.VolumeMount{}
	for _, c := range claims {
		if claimNamed(im, c.name) != nil {
			mounts = append(mounts, corev1.VolumeMount{Name: c.name, MountPath: c.dir})
		}
	}
	return mounts
}

// StorageWayOut says how to correct storage drift.
func StorageWayOut(name string) string {
	return strings.Join([]string{
		"Kubernetes cannot change the volume claims of a StatefulSet. Everything else is still applied.",
		"Set the field back. If only a size differs, you can also resize the PersistentVolumeClaims, yourself or with a Resize. To add or remove a volume, run",
		fmt.Sprintf("kubectl delete statefulset %s --cascade=orphan --wait=false. Crossplane creates it again with the new claims, and it takes over the pod, which restarts at most once.", name),
	}, " ")
}
