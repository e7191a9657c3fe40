package v1alpha1

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// minRemoteCache leaves a share something to free. It has 16 segments of 256Mi open for
// writing, and frees only whole segments that are closed. With 64Mi, a server was seen to
// refuse all writes once these were written, although all of it was in the remote store.
const minRemoteCache = "5Gi"

func (s *BlockStoreSpec) validate(p *field.Path, storage *StorageSpec) field.ErrorList {
	if s.RemoteCacheSize == "" {
		return nil
	}
	p = p.Child("remoteCacheSize")
	errs := append(validateSize(p, s.RemoteCacheSize), validateLength(p, s.RemoteCacheSize, maxCacheSize)...)
	size, err := resource.ParseQuantity(s.RemoteCacheSize)
	if err != nil || len(errs) > 0 {
		return errs
	}
	if size.Cmp(resource.MustParse(minRemoteCache)) < 0 {
		errs = append(errs, field.Invalid(p, s.RemoteCacheSize, fmt.Sprintf("must be at least %s: with less, a share can run out of space that it could free, and refuses writes from then on", minRemoteCache)))
	}
	name, volume := "contentSize", storage.ContentSize
	if volume == "" {
		name, volume = "metadataSize", storage.MetadataSize
	}
	if v, err := resource.ParseQuantity(volume); err == nil && size.Cmp(v) > 0 {
		errs = append(errs, field.Invalid(p, s.RemoteCacheSize, fmt.Sprintf("must be at most spec.storage.%s (%s), the volume that it is on. Choose less, or leave it out for a size that fits", name, volume)))
	}
	return errs
}
