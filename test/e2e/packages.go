package e2e

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Where users get the packages from. The tests mirror it.
const publicRegistry = "ghcr.io/dittofs"

// The platform of the functions that the tests run.
var platform = v1.Platform{OS: "linux", Architecture: runtime.GOARCH} //nolint:gochecknoglobals // A constant.

// A mirror is a local registry that Crossplane pulls from in place of the
// public one.
type mirror struct {
	server *httptest.Server
	prefix string
}

func startMirror() *mirror {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	return &mirror{server: s, prefix: strings.TrimPrefix(s.URL, "http://") + "/dittofs"}
}

func (m *mirror) stop() {
	m.server.Close()
}

// imageConfig tells Crossplane to pull from the mirror.
func (m *mirror) imageConfig() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "pkg.crossplane.io/v1beta1",
		"kind":       "ImageConfig",
		"metadata":   map[string]any{"name": "mirror"},
		"spec": map[string]any{
			"matchImages":  []any{map[string]any{"type": "Prefix", "prefix": publicRegistry}},
			"rewriteImage": map[string]any{"prefix": m.prefix},
		},
	}}
}

// rewrite returns where a public repository is in the mirror.
func (m *mirror) rewrite(repo string) string {
	return m.prefix + strings.TrimPrefix(repo, publicRegistry)
}

// rerelease pushes a package again, as a new version: the same content with
// another label, and so another digest.
func (m *mirror) rerelease(ctx context.Context, repo, from, to string) error {
	src, err := name.ParseReference(m.rewrite(repo) + ":" + from)
	if err != nil {
		return fmt.Errorf("cannot parse reference: %w", err)
	}
	dst, err := name.ParseReference(m.rewrite(repo) + ":" + to)
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
