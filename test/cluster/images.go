package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ociregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

const (
	pauseImage      = "registry.k8s.io/pause:3.10"
	dnsImage        = "registry.k8s.io/coredns/coredns:v1.13.1"
	crossplaneImage = "xpkg.crossplane.io/crossplane/crossplane"

	functionVersion = "v0.1.0"
	publicPackages  = "ghcr.io/dittofs"
)

// startRegistry serves the images of the cluster, each made from scratch of a static
// program.
func (n *node) startRegistry(ctx context.Context) error {
	if err := os.MkdirAll(home+"/blobs", 0o700); err != nil {
		return fmt.Errorf("cannot make directory: %w", err)
	}
	server := &http.Server{
		Addr: ":5000", ReadHeaderTimeout: time.Minute,
		Handler: ociregistry.New(ociregistry.Logger(log.New(io.Discard, "", 0)), ociregistry.WithBlobHandler(ociregistry.NewDiskBlobHandler(home+"/blobs"))),
	}
	go func() { log.Print("registry: ", server.ListenAndServe()) }()
	if err := retry(10*time.Second, func() error {
		rsp, err := http.Get("http://" + registry + "/v2/") //nolint:noctx // Our own, and at once.
		if err != nil {
			return fmt.Errorf("the registry does not answer: %w", err)
		}
		return rsp.Body.Close()
	}); err != nil {
		return err
	}

	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	crossplane, err := n.crossplaneModule(ctx)
	if err != nil {
		return err
	}
	for _, i := range []struct {
		image      string
		entrypoint []string
		files      map[string]string // Files and directories, by where they are in the image.
	}{
		{pauseImage, []string{"/cluster", "pause"}, map[string]string{"cluster": self}},
		{dnsImage, []string{"/coredns"}, map[string]string{"coredns": filepath.Join(n.bin, "coredns")}},
		{dittofs.DefaultImage, []string{"/app/dfs"}, map[string]string{"app/dfs": filepath.Join(n.bin, "dfs")}},
		{crossplaneImage + ":v" + n.version, []string{"/crossplane"}, map[string]string{
			"crossplane": n.crossplaneBinary(),
			"crds":       filepath.Join(crossplane, "cluster", "crds"), "webhookconfigurations": filepath.Join(crossplane, "cluster", "webhookconfigurations"),
		}},
	} {
		if err := push(ctx, i.image, i.entrypoint, i.files); err != nil {
			return err
		}
	}
	return nil
}

// pushPackages puts what make xpkg has built into the registry.
func (n *node) pushPackages(ctx context.Context) error {
	for file, repository := range map[string]string{
		"function-dittoserver-" + runtime.GOARCH: "function-dittoserver", "configuration-dittoserver": "configuration-dittoserver",
	} {
		if err := (host.Command{
			Path: filepath.Join(n.bin, "crossplane"), Dir: home, Log: home + "/push.log",
			Env: []string{"HOME=" + home},
			Args: []string{
				"xpkg", "push", "-f", filepath.Join(n.root, ".cache", "xpkg", file+".xpkg"),
				registry + "/dittofs/" + repository + ":" + functionVersion,
			},
		}).Run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// push puts an image into the registry, under the path that it has in the one of its name.
func push(ctx context.Context, image string, entrypoint []string, files map[string]string) error {
	public, err := name.NewTag(image)
	if err != nil {
		return fmt.Errorf("cannot parse image %s: %w", image, err)
	}
	tag, err := name.NewTag(registry + "/" + public.RepositoryStr() + ":" + public.TagStr())
	if err != nil {
		return fmt.Errorf("cannot parse image %s: %w", image, err)
	}
	b, err := archive(files)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil })
	if err != nil {
		return fmt.Errorf("cannot build layer of %s: %w", image, err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return fmt.Errorf("cannot add layer of %s: %w", image, err)
	}
	if img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{must(layer.DiffID())}},
		Config: v1.Config{Entrypoint: entrypoint, User: "65532:65532"},
	}); err != nil {
		return fmt.Errorf("cannot set config of %s: %w", image, err)
	}
	if err := remote.Write(tag, img, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("cannot push %s: %w", image, err)
	}
	return nil
}

// archive returns a layer with the files in it.
func archive(files map[string]string) ([]byte, error) {
	buf := &bytes.Buffer{}
	w := tar.NewWriter(buf)
	for to, from := range files {
		if err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path) //nolint:gosec // A file of ours.
			if err != nil {
				return err
			}
			inside := strings.TrimSuffix(to+"/"+strings.TrimPrefix(strings.TrimPrefix(path, from), "/"), "/")
			if err := w.WriteHeader(&tar.Header{Name: inside, Mode: 0o755, Size: int64(len(b))}); err != nil {
				return err
			}
			_, err = w.Write(b)
			return err
		}); err != nil {
			return nil, fmt.Errorf("cannot archive %s: %w", from, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot write archive: %w", err)
	}
	return buf.Bytes(), nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // What was read from memory cannot be missing.
	}
	return v
}

// defaultCrossplane is the version of Crossplane that runs if no other is asked for.
const defaultCrossplane = "2.4.0"

// crossplaneModule returns where the source of the Crossplane is that runs.
func (n *node) crossplaneModule(ctx context.Context) (string, error) {
	module := "crossplane"
	if n.version != defaultCrossplane {
		module += "-" + n.version
	}
	out, err := exec.CommandContext(ctx, "go", "-C", filepath.Join(n.root, "tools", module), //nolint:gosec // A path of ours.
		"list", "-m", "-f", "{{.Dir}}", "github.com/crossplane/crossplane/v2").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the source of Crossplane %s: %w", n.version, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// crossplaneBinary returns the Crossplane that runs.
func (n *node) crossplaneBinary() string {
	if n.version != defaultCrossplane {
		return filepath.Join(n.bin, "crossplane-"+n.version)
	}
	return filepath.Join(n.bin, "crossplane-core")
}
