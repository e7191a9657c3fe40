package e2e

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Where users get the packages from.
const publicRegistry = "ghcr.io/dittofs"

// The platform of the functions that the tests run.
var platform = v1.Platform{OS: "linux", Architecture: runtime.GOARCH} //nolint:gochecknoglobals // A constant.

// registry is the cluster's own, which this machine reaches too.
const registry = "10.198.0.1:5000/dittofs"

// rewrite returns where a public repository is in the cluster's registry.
func rewrite(repo string) string { return registry + strings.TrimPrefix(repo, publicRegistry) }

// rerelease pushes a package again, as a new version: the same content with
// another label, and so another digest.
func rerelease(ctx context.Context, repo, from, to string) error {
	src, err := name.ParseReference(rewrite(repo) + ":" + from)
	if err != nil {
		return fmt.Errorf("cannot parse reference: %w", err)
	}
	dst, err := name.ParseReference(rewrite(repo) + ":" + to)
	if err != nil {
		return fmt.Errorf("cannot parse reference: %w", err)
	}
	img, err := remote.Image(src, remote.WithContext(ctx), remote.WithPlatform(platform))
	if err != nil {
		return fmt.Errorf("cannot pull %s: %w", src, err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return fmt.Errorf("cannot read config of %s: %w", src, err)
	}
	cfg = cfg.DeepCopy()
	if cfg.Config.Labels == nil {
		cfg.Config.Labels = map[string]string{}
	}
	cfg.Config.Labels["org.opencontainers.image.version"] = to
	var next v1.Image
	if next, err = mutate.ConfigFile(img, cfg); err != nil {
		return fmt.Errorf("cannot relabel %s: %w", src, err)
	}
	if err := remote.Write(dst, next, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("cannot push %s: %w", dst, err)
	}
	return nil
}
