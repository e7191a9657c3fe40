package kubelet

import (
	"bytes"
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// dataLink is where the current files of a ConfigMap or Secret volume are. Every
// file is a symbolic link through it, so all of them change at once.
const dataLink = "..data"

// A file is one file of a ConfigMap or Secret volume.
type file struct {
	data []byte
	mode fs.FileMode
}

// writeVolumes brings every volume of the pod up to date. A new pod gets new
// empty directories; claims keep what is in them.
func (p *Pod) writeVolumes(newPod bool) error {
	for _, v := range p.spec.Volumes {
		dir := p.volumeDir(v.Name)
		if v.EmptyDir != nil {
			if !newPod {
				continue
			}
			if err := errors.Join(os.RemoveAll(dir), p.makeDir(dir, 0o777)); err != nil {
				return err
			}
			continue
		}
		files, err := p.files(&v)
		if err != nil {
			return errors.Wrapf(err, "cannot set up volume %q", v.Name)
		}
		if err := p.writeFiles(dir, files); err != nil {
			return errors.Wrapf(err, "cannot write volume %q", v.Name)
		}
	}
	for _, name := range p.claims {
		if err := p.makeDir(p.volumeDir(name), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// volumeDir is where a volume is on this machine.
func (p *Pod) volumeDir(name string) string { return filepath.Join(p.dir, "volumes", name) }

// makeDir makes the directory of a volume that the pod may write to.
func (p *Pod) makeDir(dir string, mode fs.FileMode) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // Others must get through.
		return err
	}
	if p.fsGroup != nil {
		mode |= fs.ModeSetgid | 0o770
	}
	return errors.Join(chown(dir, 0, ptr.Deref(p.fsGroup, 0)), os.Chmod(dir, mode))
}

// files are the files of a ConfigMap or Secret volume, by their paths in it.
func (p *Pod) files(v *corev1.Volume) (map[string]file, error) {
	switch {
	case v.ConfigMap != nil:
		s := v.ConfigMap
		pr := projection{from: "ConfigMap " + s.Name, items: s.Items, mode: s.DefaultMode, optional: ptr.Deref(s.Optional, false), data: map[string][]byte{}}
		if cm, ok := p.store.ConfigMaps[s.Name]; ok {
			pr.found = true
			for key, text := range cm.Data {
				pr.data[key] = []byte(text)
			}
		}
		return pr.files()
	case v.Secret != nil:
		s := v.Secret
		pr := projection{from: "Secret " + s.SecretName, items: s.Items, mode: s.DefaultMode, optional: ptr.Deref(s.Optional, false)}
		if secret, ok := p.store.Secrets[s.SecretName]; ok {
			pr.found, pr.data = true, secret.Data
		}
		return pr.files()
	}
	return nil, errors.New("this is no kind of volume that the function renders")
}

// A projection puts keys of an object into files.
type projection struct {
	from     string
	found    bool
	data     map[string][]byte
	items    []corev1.KeyToPath
	mode     *int32
	optional bool
}

func (pr *projection) files() (map[string]file, error) {
	if !pr.found && !pr.optional {
		return nil, errors.Errorf("%s not found", pr.from)
	}
	items := pr.items
	if len(items) == 0 {
		for key := range pr.data {
			items = append(items, corev1.KeyToPath{Key: key, Path: key})
		}
	}
	files := map[string]file{}
	for _, i := range items {
		data, ok := pr.data[i.Key]
		if !ok && pr.optional {
			continue
		}
		if !ok {
			return nil, errors.Errorf("%s has no key %q", pr.from, i.Key)
		}
		mode := ptr.Deref(first(i.Mode, pr.mode), corev1.SecretVolumeSourceDefaultMode)
		files[i.Path] = file{data: data, mode: fs.FileMode(mode)} //nolint:gosec // Modes are small.
	}
	return files, nil
}

// writeFiles swaps the files of a volume for others, all at once. It leaves a
// volume alone that has them already, so that its times do not change.
func (p *Pod) writeFiles(dir string, files map[string]file) error {
	if current(dir, files) {
		return nil
	}
	if err := p.makeVolume(dir); err != nil {
		return err
	}
	payload, err := os.MkdirTemp(dir, "..")
	if err != nil {
		return err
	}
	if err := p.makeVolume(payload); err != nil {
		return err
	}
	for name, f := range files {
		if err := p.writeFile(filepath.Join(payload, name), f); err != nil {
			return err
		}
	}

	old, _ := os.Readlink(filepath.Join(dir, dataLink))
	link := filepath.Join(dir, "..data_tmp")
	if err := errors.Join(os.Symlink(filepath.Base(payload), link), os.Rename(link, filepath.Join(dir, dataLink))); err != nil {
		return err
	}
	if old != "" {
		if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
			return err
		}
	}
	return relink(dir, files)
}

// relink makes the links of a volume those of its files.
func relink(dir string, files map[string]file) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := files[e.Name()]; !ok && !strings.HasPrefix(e.Name(), "..") {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for name := range files {
		err := os.Symlink(filepath.Join(dataLink, name), filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// makeVolume makes a directory that the pod may read.
func (p *Pod) makeVolume(dir string) error {
	mode := fs.FileMode(0o755)
	if p.fsGroup != nil {
		mode |= fs.ModeSetgid
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	return errors.Join(chown(dir, 0, ptr.Deref(p.fsGroup, 0)), os.Chmod(dir, mode))
}

// writeFile writes a file of root's. The pod's group may read it, whatever its
// mode, if the pod has one.
func (p *Pod) writeFile(path string, f file) error {
	mode := f.mode
	if p.fsGroup != nil {
		mode |= 0o440
	}
	return cmp.Or(
		os.WriteFile(path, f.data, 0o600),
		chown(path, 0, ptr.Deref(p.fsGroup, 0)),
		os.Chmod(path, mode),
	)
}

// current says whether a volume has just these files.
func current(dir string, files map[string]file) bool {
	entries, err := os.ReadDir(filepath.Join(dir, dataLink))
	if err != nil || len(entries) != len(files) {
		return false
	}
	return !slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		b, err := os.ReadFile(filepath.Join(dir, dataLink, e.Name())) //nolint:gosec // It was written here.
		f, ok := files[e.Name()]
		return err != nil || !ok || !bytes.Equal(b, f.data)
	})
}

// mounts shows the container its volumes.
func (p *Pod) mounts() ([]string, error) {
	mounts := slices.Clone(p.container.VolumeMounts)
	// A directory before what is mounted below it.
	slices.SortFunc(mounts, func(a, b corev1.VolumeMount) int { return strings.Compare(a.MountPath, b.MountPath) })

	view := []string{}
	for _, m := range mounts {
		if m.SubPath != "" || m.SubPathExpr != "" {
			return nil, errors.Errorf("volume mount %q has a sub path: the files in it would never change", m.Name)
		}
		how := "--bind"
		if m.ReadOnly {
			how = "--ro-bind"
		}
		dir := p.volumeDir(m.Name)
		if _, err := os.Stat(dir); err != nil {
			return nil, errors.Errorf("volume mount %q has no volume", m.Name)
		}
		view = append(view, how, dir, m.MountPath)
	}
	return view, nil
}
