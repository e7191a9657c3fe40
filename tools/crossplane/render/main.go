// Command render is what make render needs of the crossplane CLI: its commands
// "composition render" and "operation render", with a Crossplane binary and the flags that
// test/render gives them. It is made of the CLI's own packages and prints what the CLI
// prints, but compiles in a fraction of the time, as it leaves out all else that the CLI can
// do.
package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kong"
	"github.com/spf13/afero"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"

	"github.com/crossplane/cli/v2/cmd/crossplane/render"
	renderv1alpha1 "github.com/crossplane/cli/v2/proto/render/v1alpha1"
	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
)

// timeout of a rendering, as the CLI has it by default.
const timeout = time.Minute

// The command line is the CLI's, so that either of the two can be called.
type cli struct {
	Composition struct {
		Render composition `cmd:"" help:"Render a composite resource (XR)."`
	} `cmd:"" help:"Work with Crossplane Compositions."`
	Operation struct {
		Render operation `cmd:"" help:"Render an Operation."`
	} `cmd:"" help:"Work with Crossplane Operations."`
}

// What both commands take, after their own arguments.
type pipeline struct {
	Functions string `arg:"" help:"File or directory of the Functions." type:"path"`

	CrossplaneBinary    string   `help:"Binary of Crossplane itself."               placeholder:"PATH"      required:"" type:"existingfile"`
	FunctionAnnotations []string `help:"Annotations for all Functions."             placeholder:"KEY=VALUE"`
	RequiredResources   []string `help:"Files or directories of resources to read." placeholder:"PATH"      type:"path"`
}

func main() {
	k := kong.Parse(&cli{}, kong.Name("render"))
	k.FatalIfErrorf(k.Run())
}

// load the Functions, and the resources that they may ask for.
func (p *pipeline) load(fs afero.Fs) ([]pkgv1.Function, []unstructured.Unstructured, error) {
	fns, err := render.LoadFunctions(fs, p.Functions)
	if err != nil {
		return nil, nil, errors.Wrapf(err, "cannot load the Functions %s", p.Functions)
	}
	if err := render.OverrideFunctionAnnotations(fns, p.FunctionAnnotations); err != nil {
		return nil, nil, errors.Wrap(err, "cannot annotate the Functions")
	}

	required := []unstructured.Unstructured{}
	for _, path := range p.RequiredResources {
		loaded, err := render.LoadRequiredResources(fs, path)
		if err != nil {
			return nil, nil, errors.Wrapf(err, "cannot load the required resources %s", path)
		}
		required = append(required, loaded...)
	}
	return fns, required, nil
}

// render has Crossplane answer a request, which is built of the addresses of the Functions.
func (p *pipeline) render(fns []pkgv1.Function, build func(addresses map[string]string) (*renderv1alpha1.RenderRequest, error)) (*renderv1alpha1.RenderResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()

	log := logging.NewNopLogger()
	engine := render.NewEngineFromFlags(&render.EngineFlags{CrossplaneBinary: p.CrossplaneBinary}, log)
	cleanup, err := engine.Setup(ctx, fns)
	if err != nil {
		return nil, err
	}
	defer cleanup()

	running, err := render.StartFunctionRuntimes(ctx, log, fns)
	if err != nil {
		return nil, errors.Wrap(err, "cannot reach the Functions")
	}
	defer render.StopFunctionRuntimes(log, running)

	req, err := build(running.Addresses())
	if err != nil {
		return nil, errors.Wrap(err, "cannot build the request")
	}
	return engine.Render(ctx, req)
}

// write the objects. The times of their conditions are fixed, so that the same input gives
// the same output.
func write[T runtime.Object](w io.Writer, objects ...T) error {
	s := json.NewSerializerWithOptions(json.DefaultMetaFactory, nil, nil, json.SerializerOptions{Yaml: true})
	for _, o := range objects {
		kind := o.GetObjectKind().GroupVersionKind().Kind
		if err := render.ReplaceConditionTimestamps(o); err != nil {
			return errors.Wrapf(err, "cannot fix the times of the %s", kind)
		}
		if _, err := fmt.Fprintln(w, "---"); err != nil {
			return err
		}
		if err := s.Encode(o, w); err != nil {
			return errors.Wrapf(err, "cannot print the %s", kind)
		}
	}
	return nil
}
