package manifests

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// Existing is what an existing server has that limits how it can change.
type Existing struct {
	// Immutable is nil if there is no StatefulSet.
	Immutable *Immutable

	// Keytab is set if the running server has one.
	Keytab bool

	// EncryptionKeys are the names of the key files that the running server has.
	EncryptionKeys []string

	// Database is set if the DittoServer owns a PerconaPGCluster.
	Database bool
}

// ValidateChange returns the errors of a DittoServer that would be valid for a new
// server, but is not for the existing one.
func ValidateChange(ds *v1alpha1.DittoServer, existing Existing) field.ErrorList {
	spec := field.NewPath("spec")
	errs := field.ErrorList{}

	if existing.Database && !ds.Spec.Percona.Enabled {
		name := PerconaName(ds)
		errs = append(errs, field.Invalid(spec.Child("percona", "enabled"), false, fmt.Sprintf(
			"would delete PerconaPGCluster %q, and end the database. To keep it, remove its metadata.ownerReferences: Crossplane 2.4 or later then leaves it alone. To end it, delete it yourself. Until then, set enabled to true", name)))
	}

	if existing.Immutable == nil {
		return errs
	}
	if existing.Keytab && ds.Spec.Identity.Kerberos == nil {
		errs = append(errs, field.Required(spec.Child("identity", "kerberos"),
			"the running server keeps in its database that Kerberos is on, and does not start without the keytab. "+
				"Keep the block with its references, turn Kerberos off through the server's API, and then reduce the block to enabled: false"))
	}
	for _, name := range existing.EncryptionKeys {
		if s := ds.Spec.Encryption; s == nil || !slices.ContainsFunc(s.Keys, func(k v1alpha1.EncryptionKeySpec) bool { return k.Name == name }) {
			errs = append(errs, field.Required(spec.Child("encryption", "keys"), fmt.Sprintf(
				"the running server has the key %q, and without it nothing in its stores can be read. Keep it in the list. If no store uses it any more, set its retired to true, and remove it once the server has restarted", name)))
		}
	}
	if !existing.Immutable.hasContent() {
		const why = "the running server has no volume there: contentSize was not set when it was created. Choose another directory"
		if ds.Spec.Database.Type == v1alpha1.DatabaseSQLite && inContent(ds.Spec.Database.SQLite.Path) {
			errs = append(errs, field.Invalid(spec.Child("database", "sqlite", "path"), ds.Spec.Database.SQLite.Path, why))
		}
		if inContent(ds.Spec.Logging.Output) {
			errs = append(errs, field.Invalid(spec.Child("logging", "output"), ds.Spec.Logging.Output, why))
		}
		errs = append(errs, validateRemoteCache(ds, existing.Immutable, spec.Child("blockStore", "remoteCacheSize"))...)
	}
	return errs
}

// validateRemoteCache fits the cache of a server that lacks the volume for blocks to the
// one for metadata, where it is then. That may have been resized to what the spec says.
func validateRemoteCache(ds *v1alpha1.DittoServer, existing *Immutable, p *field.Path) field.ErrorList {
	metadata := claimNamed(*existing, metadataClaim)
	if metadata == nil || ds.Spec.Storage.ContentSize == "" {
		return nil
	}
	volume := *storageOf(metadata)
	if wanted, err := resource.ParseQuantity(ds.Spec.Storage.MetadataSize); err == nil && wanted.Cmp(volume) > 0 {
		volume = wanted
	}
	cache := ds.Spec.BlockStore.RemoteCacheSize
	if size, err := resource.ParseQuantity(cache); err != nil || size.Cmp(volume) <= 0 {
		return nil // What is no size is told by itself.
	}
	return field.ErrorList{field.Invalid(p, cache, fmt.Sprintf(
		"the running server has no volume for blocks: contentSize was not set when it was created. So they are on the volume for metadata (%s). Choose no more than that, or leave it out until the server has the other volume: StorageInSync says how", volume.String()))}
}

func inContent(file string) bool { return strings.HasPrefix(file, dittofs.ContentDir+"/") }
