package kubelet

import (
	"bytes"
	"cmp"
	"io/fs"
	"maps"
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

// files are the files of a ConfigMap, Secret or projected volume, by their paths in it.
func (p *Pod) files(v *corev1.Volume) (map[string]file, error) {
	switch {
	case v.ConfigMap != nil:
		s := v.ConfigMap
		return p.configMap(s.Name, s.Items, s.DefaultMode, s.Optional).files()
	case v.Secret != nil:
		s := v.Secret
		return p.secret(s.SecretName, s.Items, s.DefaultMode, s.Optional).files()
	case v.Projected != nil:
		all := map[string]file{}
		for _, s := range v.Projected.Sources {
			var pr *projection
			switch {
			case s.ConfigMap != nil:
				pr = p.configMap(s.ConfigMap.Name, s.ConfigMap.Items, v.Projected.DefaultMode, s.ConfigMap.Optional)
			case s.Secret != nil:
				pr = p.secret(s.Secret.Name, s.Secret.Items, v.Projected.DefaultMode, s.Secret.Optional)
			default:
				return nil, errors.New("this is no kind of source that the tests use")
			}
			files, err := pr.files()
			if err != nil {
				return nil, err
			}
			maps.Copy(all, files)
		}
		return all, nil
	}
	return nil, errors.New("this is no kind of volume that the tests use")
}

func (p *Pod) configMap(name string, items []corev1.KeyToPath, mode *int32, optional *bool) *projection {
	pr := &projection{from: "ConfigMap " + name, items: items, mode: mode, optional: ptr.Deref(optional, false), data: map[string][]byte{}}
	if cm, ok := p.store.ConfigMaps[name]; ok {
		pr.found = true
		maps.Copy(pr.data, cm.BinaryData)
		for key, text := range cm.Data {
			pr.data[key] = []byte(text)
		}
	}
	return pr
}

func (p *Pod) secret(name string, items []corev1.KeyToPath, mode *int32, optional *bool) *projection {
	pr := &projection{from: "Secret " + name, items: items, mode: mode, optional: ptr.Deref(optional, false)}
	if secret, ok := p.store.Secrets[name]; ok {
		pr.found, pr.data = true, secret.Data
	}
	return pr
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
		if err := errors.Join(p.makeVolume(filepath.Join(payload, filepath.Dir(name))), p.writeFile(filepath.Join(payload, name), f)); err != nil {
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
	links := map[string]bool{} // A file below a directory is seen through the link of that.
	for name := range files {
		top, _, _ := strings.Cut(name, "/")
		links[top] = true
	}
	for _, e := range entries {
		if !links[e.Name()] && !strings.HasPrefix(e.Name(), "..") {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for name := range links {
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
	payload, err := filepath.EvalSymlinks(filepath.Join(dir, dataLink))
	if err != nil {
		return false
	}
	same := 0
	err = filepath.WalkDir(payload, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(payload, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path) //nolint:gosec // It was written here.
		if f, ok := files[name]; err != nil || !ok || !bytes.Equal(b, f.data) {
			return errors.New("it is another file")
		}
		same++
		return nil
	})
	return err == nil && same == len(files)
}

// mounts shows the container its volumes.
func (p *Pod) mounts() ([]string, error) {
	mounts := slices.Clone(p.container.VolumeMounts)
	// A directory before what is mounted below it.
	slices.SortFunc(mounts, func(a, b corev1.VolumeMount) int { return strings.Compare(a.MountPath, b.MountPath) })

	view := []string{}
	for _, m := range mounts {
		if m.SubPathExpr != "" {
			return nil, errors.Errorf("volume mount %q has a subPathExpr, which the function refuses", m.Name)
		}
		how := "--bind"
		if m.ReadOnly {
			how = "--ro-bind"
		}
		dir := p.volumeDir(m.Name)
		if _, err := os.Stat(dir); err != nil {
			return nil, errors.Errorf("volume mount %q has no volume", m.Name)
		}
		if m.SubPath != "" {
			// What is mounted is the file of this moment, and never another one.
			file, err := filepath.EvalSymlinks(filepath.Join(dir, m.SubPath))
			if err != nil {
				return nil, err
			}
			dir = file
		}
		view = append(view, how, dir, m.MountPath)
	}
	return view, nil
}
