// Package podinputs finds out what a pod reads from Secrets and ConfigMaps, and what else
// has to be there before it starts. It derives
// that from the finished pod template. So nothing can be forgotten: not in what the
// function asks of Crossplane, not in the hash, and not in what it reports as missing.
package podinputs

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
	corev1 "k8s.io/api/core/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// An Input is something that a process of the pod reads from a Secret or a
// ConfigMap: a variable or a file. A ServiceAccount or a PersistentVolumeClaim is one of
// which nothing is read.
type Input struct {
	// Container that reads the input.
	Container string

	// Env is the name of a variable, or File the path of a file. Without a Key it is
	// the prefix of all names.
	Env, File string

	// Source and Key say where the input comes from. Without a Key, the input is every
	// key.
	Source Ref
	Key    string

	// Optional inputs may be missing.
	Optional bool

	// SubPath is set for files that are mounted by a subPath. The kubelet never updates
	// those.
	SubPath bool
}

// Name is the name of the input in the hash. It is what the process sees, so the object
// behind it can be renamed without a restart. Names of containers have no blanks, so
// different inputs have different names.
func (i Input) Name() string {
	if i.isFile() {
		return i.Container + " file " + i.File
	}
	return i.Container + " env " + i.Env
}

func (i Input) isFile() bool { return i.Env == "" && i.File != "" }

// Live says whether a change reaches the process without a restart. Where a process reads
// nothing, none has to.
func (i Input) Live() bool {
	return !i.Source.hasBytes() || i.File != "" && !i.SubPath && dittofs.IsLive(i.File)
}

// From returns the inputs of a pod template, sorted by name: variables (env, envFrom)
// and files (secret, configMap and projected volumes) of all containers. If one input
// hides another, both count. Without its ServiceAccount, Kubernetes does not create the
// pod, and without its claims, it does not start it.
func From(t *corev1.PodTemplateSpec) []Input {
	inputs := map[Input]bool{}
	if name := t.Spec.ServiceAccountName; name != "" {
		inputs[Input{Source: ServiceAccount(name)}] = true
	}
	for _, c := range slices.Concat(t.Spec.InitContainers, t.Spec.Containers) {
		for _, in := range env(&c) {
			inputs[in] = true
		}
	}

	for _, v := range t.Spec.Volumes {
		if c := v.PersistentVolumeClaim; c != nil {
			inputs[Input{Source: Claim(c.ClaimName)}] = true
		}
		for _, f := range files(&v) {
			seen := false
			for _, c := range slices.Concat(t.Spec.InitContainers, t.Spec.Containers) {
				for i := range c.VolumeMounts {
					if c.VolumeMounts[i].Name != v.Name {
						continue
					}
					if in, visible := mount(&c.VolumeMounts[i], f); visible {
						in.Container = c.Name
						inputs[in] = true
						seen = true
					}
				}
			}
			if !seen {
				// No container mounts it, but the pod does not start without it. The blank
				// keeps the name apart from those of containers.
				f.Container = "volume " + v.Name
				f.File = "/" + f.File
				f.SubPath = true
				inputs[f] = true
			}
		}
	}

	return byName(inputs)
}

// byName returns inputs sorted by their names, each of which is made once.
func byName(inputs map[Input]bool) []Input {
	type named struct {
		name string
		in   Input
	}
	all := make([]named, 0, len(inputs))
	for in := range inputs {
		all = append(all, named{in.Name(), in})
	}
	slices.SortFunc(all, func(a, b named) int {
		return cmp.Or(strings.Compare(a.name, b.name), a.in.Source.compare(b.in.Source), strings.Compare(a.in.Key, b.in.Key))
	})

	var ins []Input
	for i := range all {
		ins = append(ins, all[i].in)
	}
	return ins
}

// OfStored returns the inputs of a pod template as Kubernetes has stored it.
func OfStored(template *structpb.Value) ([]Input, error) {
	t := &corev1.PodTemplateSpec{}
	if err := structs.Into(template, t); err != nil {
		return nil, errors.Wrap(err, "cannot read the observed StatefulSet's pod template")
	}
	return From(t), nil
}

// Without returns the inputs that come from other objects than the given ones.
func Without(inputs []Input, sources ...Ref) []Input {
	return slices.DeleteFunc(inputs, func(i Input) bool { return slices.Contains(sources, i.Source) })
}

// env returns the variables of a container that come from Secrets and ConfigMaps.
func env(c *corev1.Container) []Input {
	ins := []Input{}
	for _, f := range c.EnvFrom {
		if r := f.SecretRef; r != nil {
			ins = append(ins, Input{Container: c.Name, Env: f.Prefix, Source: Secret(r.Name), Optional: isTrue(r.Optional)})
		}
		if r := f.ConfigMapRef; r != nil {
			ins = append(ins, Input{Container: c.Name, Env: f.Prefix, Source: ConfigMap(r.Name), Optional: isTrue(r.Optional)})
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			continue
		}
		if r := e.ValueFrom.SecretKeyRef; r != nil {
			ins = append(ins, Input{Container: c.Name, Env: e.Name, Source: Secret(r.Name), Key: r.Key, Optional: isTrue(r.Optional)})
		}
		if r := e.ValueFrom.ConfigMapKeyRef; r != nil {
			ins = append(ins, Input{Container: c.Name, Env: e.Name, Source: ConfigMap(r.Name), Key: r.Key, Optional: isTrue(r.Optional)})
		}
	}
	return ins
}

// files returns the files of a volume with their paths in the volume.
func files(v *corev1.Volume) []Input {
	switch {
	case v.Secret != nil:
		return items(Secret(v.Secret.SecretName), v.Secret.Items, isTrue(v.Secret.Optional))
	case v.ConfigMap != nil:
		return items(ConfigMap(v.ConfigMap.Name), v.ConfigMap.Items, isTrue(v.ConfigMap.Optional))
	case v.Projected != nil:
		ins := []Input{}
		for _, s := range v.Projected.Sources {
			if s.Secret != nil {
				ins = append(ins, items(Secret(s.Secret.Name), s.Secret.Items, isTrue(s.Secret.Optional))...)
			}
			if s.ConfigMap != nil {
				ins = append(ins, items(ConfigMap(s.ConfigMap.Name), s.ConfigMap.Items, isTrue(s.ConfigMap.Optional))...)
			}
		}
		return ins
	}
	return nil
}

func items(source Ref, items []corev1.KeyToPath, optional bool) []Input {
	if len(items) == 0 {
		return []Input{{Source: source, Optional: optional}}
	}
	ins := make([]Input, 0, len(items))
	for _, i := range items {
		ins = append(ins, Input{File: i.Path, Source: source, Key: i.Key, Optional: optional})
	}
	return ins
}

// mount returns a file of a volume as a container sees it, and whether the container sees
// it.
func mount(m *corev1.VolumeMount, f Input) (in Input, visible bool) {
	in = f
	in.SubPath = m.SubPath != "" || m.SubPathExpr != ""

	switch sub := strings.TrimSuffix(m.SubPath, "/"); {
	case sub == "" && f.Key == "":
		in.File = strings.TrimSuffix(m.MountPath, "/") + "/"
	case sub == "":
		// Only the kubelet knows what a subPathExpr leaves visible. It may be everything.
		in.File = path.Join(m.MountPath, f.File)
	case f.Key == "":
		// Every key is a file, and the subPath names one.
		in.Key, in.File = sub, m.MountPath
	case sub == f.File:
		in.File = m.MountPath
	default:
		rest, below := strings.CutPrefix(f.File, sub+"/")
		if !below {
			return Input{}, false
		}
		in.File = path.Join(m.MountPath, rest)
	}
	return in, true
}

func isTrue(b *bool) bool { return b != nil && *b }
