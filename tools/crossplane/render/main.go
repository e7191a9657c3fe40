// Command render is what make render needs of the crossplane CLI: its command
// "composition render", with a Crossplane binary and the flags that test/render gives it.
// It is made of the CLI's own packages and prints what the CLI prints, but compiles in a
// fraction of the time, as it leaves out all else that the CLI can do.
package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/spf13/afero"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"

	"github.com/crossplane/cli/v2/cmd/crossplane/render"
	"github.com/crossplane/cli/v2/pkg/xr"
	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource/unstructured/composed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xcrd"
	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
)

// timeout of a rendering, as the CLI has it by default.
const timeout = time.Minute

// The command line is the CLI's, so that either of the two can be called.
type cli struct {
	Composition struct {
		Render command `cmd:"" help:"Render a composite resource (XR)."`
	} `cmd:"" help:"Work with Crossplane Compositions."`
}

type command struct {
	CompositeResource string `arg:"" help:"File of the composite resource (XR)." type:"existingfile"`
	Composition       string `arg:"" help:"File of the Composition."             type:"existingfile"`
	Functions         string `arg:"" help:"File or directory of the Functions."  type:"path"`

	CrossplaneBinary    string   `help:"Binary of Crossplane itself."                   placeholder:"PATH"      required:"" type:"existingfile"`
	FunctionAnnotations []string `help:"Annotations for all Functions."                 placeholder:"KEY=VALUE"`
	ObservedResources   string   `help:"File or directory of composed resources."       placeholder:"PATH"      type:"path"`
	RequiredResources   []string `help:"Files or directories of resources to read."     placeholder:"PATH"      type:"path"`
	XRD                 string   `help:"File of the CompositeResourceDefinition (XRD)." placeholder:"PATH"      required:"" type:"existingfile"`
}

func main() {
	k := kong.Parse(&cli{}, kong.Name("render"))
	k.FatalIfErrorf(k.Run())
}

// Run has Crossplane render the composite resource, and prints the result.
func (c *command) Run(k *kong.Context) error {
	in, fns, err := c.load(afero.NewOsFs())
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()

	log := logging.NewNopLogger()
	engine := render.NewEngineFromFlags(&render.EngineFlags{CrossplaneBinary: c.CrossplaneBinary}, log)
	cleanup, err := engine.Setup(ctx, fns)
	if err != nil {
		return err
	}
	defer cleanup()

	running, err := render.StartFunctionRuntimes(ctx, log, fns)
	if err != nil {
		return errors.Wrap(err, "cannot reach the Functions")
	}
	defer render.StopFunctionRuntimes(log, running)
	in.FunctionAddrs = running.Addresses()

	req, err := render.BuildCompositeRequest(in)
	if err != nil {
		return errors.Wrap(err, "cannot build the request")
	}
	rsp, err := engine.Render(ctx, req)
	if err != nil {
		return errors.Wrapf(err, "cannot render %s", c.CompositeResource)
	}
	out, err := render.ParseCompositeResponse(rsp.GetComposite())
	if err != nil {
		return errors.Wrap(err, "cannot read the response")
	}
	return write(k.Stdout, out)
}

// load the files, and default what the XRD has defaults for, as the API server would.
func (c *command) load(fs afero.Fs) (render.CompositionInputs, []pkgv1.Function, error) {
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

	fns, err := render.LoadFunctions(fs, c.Functions)
	if err != nil {
		return in, nil, errors.Wrapf(err, "cannot load the Functions %s", c.Functions)
	}
	if err := render.OverrideFunctionAnnotations(fns, c.FunctionAnnotations); err != nil {
		return in, nil, errors.Wrap(err, "cannot annotate the Functions")
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
	for _, path := range c.RequiredResources {
		loaded, err := render.LoadRequiredResources(fs, path)
		if err != nil {
			return in, nil, errors.Wrapf(err, "cannot load the required resources %s", path)
		}
		in.RequiredResources = append(in.RequiredResources, loaded...)
	}
	return in, fns, nil
}

// write the composite resource and what is composed of it, by name and with the time
// of conditions fixed, so that the same input gives the same output.
func write(w io.Writer, out render.CompositionOutputs) error {
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

	s := json.NewSerializerWithOptions(json.DefaultMetaFactory, nil, nil, json.SerializerOptions{Yaml: true})
	for _, o := range objects {
		if err := render.ReplaceConditionTimestamps(o); err != nil {
			return errors.Wrapf(err, "cannot fix the times of %s %s", o.GetKind(), o.GetName())
		}
		if _, err := fmt.Fprintln(w, "---"); err != nil {
			return err
		}
		if err := s.Encode(o, w); err != nil {
			return errors.Wrapf(err, "cannot print %s %s", o.GetKind(), o.GetName())
		}
	}
	return nil
}
