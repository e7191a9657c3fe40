package main

import (
	"github.com/alecthomas/kong"
	"github.com/spf13/afero"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/crossplane/cli/v2/cmd/crossplane/render"
	renderv1alpha1 "github.com/crossplane/cli/v2/proto/render/v1alpha1"
	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	opsv1alpha1 "github.com/crossplane/crossplane/apis/v2/ops/v1alpha1"
	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
)

// operation renders an Operation.
type operation struct {
	Operation string `arg:"" help:"File of the Operation, or of a CronOperation." type:"existingfile"`

	Pipeline pipeline `embed:""`

	IncludeFunctionResults bool `help:"Print the results of the Functions, too."`
}

// Run has Crossplane render the Operation, and prints the result.
func (c *operation) Run(k *kong.Context) error {
	fs := afero.NewOsFs()
	in := render.OperationInputs{}
	var err error
	if in.Operation, err = loadOperation(fs, c.Operation); err != nil {
		return errors.Wrapf(err, "cannot load the Operation %s", c.Operation)
	}
	var fns []pkgv1.Function
	if fns, in.RequiredResources, err = c.Pipeline.load(fs); err != nil {
		return err
	}

	rsp, err := c.Pipeline.render(fns, func(addresses map[string]string) (*renderv1alpha1.RenderRequest, error) {
		in.FunctionAddrs = addresses
		return render.BuildOperationRequest(in)
	})
	if err != nil {
		return errors.Wrapf(err, "cannot render %s", c.Operation)
	}
	out, err := render.ParseOperationResponse(rsp.GetOperation())
	if err != nil {
		return errors.Wrap(err, "cannot read the response")
	}
	// As with the CLI, the times of the Operation's own conditions stay as they are, and
	// what is applied comes in any order.
	if err := write(k.Stdout, out.Operation); err != nil {
		return err
	}
	objects := out.AppliedResources
	if c.IncludeFunctionResults {
		objects = append(objects, out.Results...)
	}
	for i := range objects {
		if err := write(k.Stdout, &objects[i]); err != nil {
			return err
		}
	}
	return nil
}

// loadOperation loads an Operation, or makes one of a CronOperation. The CLI's own function
// for it is in a package that takes minutes to compile.
func loadOperation(fs afero.Fs, path string) (*opsv1alpha1.Operation, error) {
	data, err := afero.ReadFile(fs, path)
	if err != nil {
		return nil, err
	}
	kind := metav1.TypeMeta{}
	if err := yaml.Unmarshal(data, &kind); err != nil {
		return nil, err
	}

	op, cron := &opsv1alpha1.Operation{}, &opsv1alpha1.CronOperation{}
	switch kind.GroupVersionKind() {
	case opsv1alpha1.OperationGroupVersionKind:
		return op, yaml.Unmarshal(data, op)
	case opsv1alpha1.CronOperationGroupVersionKind:
		err := yaml.Unmarshal(data, cron)
		op.SetGroupVersionKind(opsv1alpha1.OperationGroupVersionKind)
		op.ObjectMeta, op.Spec = cron.Spec.OperationTemplate.ObjectMeta, cron.Spec.OperationTemplate.Spec
		op.SetName(cron.GetName()) // Crossplane adds a time to it.
		return op, err
	default:
		return nil, errors.Errorf("it is a %s", kind.GroupVersionKind())
	}
}
