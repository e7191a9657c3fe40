package main

import (
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/spf13/afero"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/crossplane/cli/v2/cmd/crossplane/render"
	"github.com/crossplane/cli/v2/pkg/xr"
	renderv1alpha1 "github.com/crossplane/cli/v2/proto/render/v1alpha1"
	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource/unstructured/composed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xcrd"
	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
)

// composition renders a composite resource.
type composition struct {
	CompositeResource string `arg:"" help:"File of the composite resource (XR)." type:"existingfile"`
	Composition       string `arg:"" help:"File of the Composition."             type:"existingfile"`

	Pipeline pipeline `embed:""`

	ObservedResources string `help:"File or directory of composed resources."       placeholder:"PATH" type:"path"`
	XRD               string `help:"File of the CompositeResourceDefinition (XRD)." placeholder:"PATH" required:"" type:"existingfile"`
}

// Run has Crossplane render the composite resource, and prints the result.
func (c *composition) Run(k *kong.Context) error {
	in, fns, err := c.load(afero.NewOsFs())
	if err != nil {
		return err
	}
	rsp, err := c.Pipeline.render(fns, func(addresses map[string]string) (*renderv1alpha1.RenderRequest, error) {
		in.FunctionAddrs = addresses
		return render.BuildCompositeRequest(in)
	})
	if err != nil {
		return errors.Wrapf(err, "cannot render %s", c.CompositeResource)
	}
	out, err := render.ParseCompositeResponse(rsp.GetComposite())
	if err != nil {
		return errors.Wrap(err, "cannot read the response")
	}
	return writeComposed(k.Stdout, out)
}

// load the files, and default what the XRD has defaults for, as the API server would.
func (c *composition) load(fs afero.Fs) (render.CompositionInputs, []pkgv1.Function, error) {
	in := render.CompositionInputs{}
	var err error

	if in.CompositeResource, err = render.LoadCompositeResource(fs, c.CompositeResource); err != nil {
		return in, nil, errors.Wrapf(err, "cannot load the composite resource %s", c.CompositeResource)
	}
	if in.Composition, err = render.LoadComposition(fs, c.Composition); err != nil {
		return in, nil, errors.Wrapf(err, "cannot load the Composition %s", c.Composition)
	}
	ref := in.Composition.Spec.CompositeTypeRef
	if got, want := in.CompositeResource.GroupVersionKind(), schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind); got != want {
		return in, nil, errors.Errorf("%s is a %s, but the Composition %s composes a %s", c.CompositeResource, got, c.Composition, want)
	}

	xrd, err := render.LoadXRD(fs, c.XRD)
	if err != nil {
		return in, nil, errors.Wrapf(err, "cannot load the XRD %s", c.XRD)
	}
	if err := xr.ApplyXRDDefaults(in.CompositeResource.GetUnstructured(), xrd); err != nil {
		return in, nil, errors.Wrapf(err, "cannot default %s by the XRD %s", c.CompositeResource, c.XRD)
	}
	in.XRD = &unstructured.Unstructured{}
	if in.XRD.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(xrd); err != nil {
		return in, nil, errors.Wrapf(err, "cannot convert the XRD %s", c.XRD)
	}

	if c.ObservedResources != "" {
		if in.ObservedResources, err = render.LoadObservedResources(fs, c.ObservedResources); err != nil {
			return in, nil, errors.Wrapf(err, "cannot load the observed resources %s", c.ObservedResources)
		}
	}
	fns, required, err := c.Pipeline.load(fs)
	in.RequiredResources = required
	return in, fns, err
}

// writeComposed writes the composite resource and what is composed of it, by name, so that the same input
// gives the same output.
func writeComposed(w io.Writer, out render.CompositionOutputs) error {
	slices.SortStableFunc(out.ComposedResources, func(a, b composed.Unstructured) int {
		return strings.Compare(
			a.GetAnnotations()[xcrd.AnnotationKeyCompositionResourceName],
			b.GetAnnotations()[xcrd.AnnotationKeyCompositionResourceName],
		)
	})

	objects := []*unstructured.Unstructured{out.CompositeResource.GetUnstructured()}
	for i := range out.ComposedResources {
		objects = append(objects, out.ComposedResources[i].GetUnstructured())
	}
	return write(w, objects...)
}
