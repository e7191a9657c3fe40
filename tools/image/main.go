// Command image wraps a static binary in an image tarball, from scratch, as the
// Dockerfile does for those who have a container engine. The same binary gives
// the same bytes.
package main

import (
	"archive/tar"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Where the binary is in the image.
const entrypoint = "/function"

func main() {
	binary := flag.String("binary", "", "static binary to run in the image")
	arch := flag.String("arch", "", "architecture of the binary, as GOARCH has it")
	tag := flag.String("tag", "function-dittoserver:latest", "tag of the image in the tarball")
	out := flag.String("o", "", "tarball to write")
	flag.Parse()

	if err := build(*binary, *arch, *tag, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func build(binary, arch, tag, out string) error {
	ref, err := name.NewTag(tag)
	if err != nil {
		return fmt.Errorf("cannot parse tag: %w", err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return archive(binary) })
	if err != nil {
		return fmt.Errorf("cannot build layer: %w", err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return fmt.Errorf("cannot add layer: %w", err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return fmt.Errorf("cannot read config: %w", err)
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", arch
	cfg.Config = v1.Config{
		Entrypoint:   []string{entrypoint},
		User:         "65532:65532",
		ExposedPorts: map[string]struct{}{"9443/tcp": {}},
	}
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		return fmt.Errorf("cannot set config: %w", err)
	}
	if err := tarball.WriteToFile(out, ref, img); err != nil {
		return fmt.Errorf("cannot write tarball: %w", err)
	}
	return nil
}

// archive returns a layer with nothing but the binary in it.
func archive(binary string) (io.ReadCloser, error) {
	b, err := os.ReadFile(binary) //nolint:gosec // The file is the user's choice.
	if err != nil {
		return nil, fmt.Errorf("cannot read binary: %w", err)
	}
	buf := &bytes.Buffer{}
	w := tar.NewWriter(buf)
	if err := w.WriteHeader(&tar.Header{Name: entrypoint[1:], Mode: 0o755, Size: int64(len(b))}); err != nil {
		return nil, fmt.Errorf("cannot write archive: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("cannot write archive: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot write archive: %w", err)
	}
	return io.NopCloser(buf), nil
}
