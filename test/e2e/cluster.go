package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// The field manager of what the tests apply, as a user's kubectl would.
const fieldManager = "e2e"

// A cluster is a client for an API server.
type cluster struct {
	kubernetes.Interface

	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
	config  *rest.Config
}

func newCluster(cfg *rest.Config) (*cluster, error) {
	k, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot create client: %w", err)
	}
	d, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot create dynamic client: %w", err)
	}
	return &cluster{
		Interface: k,
		dynamic:   d,
		mapper:    restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(k.Discovery())),
		config:    cfg,
	}, nil
}

// resource returns the client for an object's kind and namespace.
func (c *cluster) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := o.GroupVersionKind()
	m, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		c.mapper.Reset() // It may be a CustomResourceDefinition's, and new.
		m, err = c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find resource of %s: %w", gvk, err)
	}
	return c.dynamic.Resource(m.Resource).Namespace(o.GetNamespace()), nil
}

// apply applies objects in the order given.
func (c *cluster) apply(ctx context.Context, objs ...*unstructured.Unstructured) error {
	for _, o := range objs {
		r, err := c.resource(o)
		if err != nil {
			return err
		}
		if _, err := r.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: fieldManager, Force: true}); err != nil {
			return fmt.Errorf("cannot apply %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

// kind returns the client for a kind of object.
func (c *cluster) kind(apiVersion, kind, namespace string) (dynamic.ResourceInterface, error) {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	return c.resource(o)
}

// get returns an object.
func (c *cluster) get(ctx context.Context, apiVersion, kind, namespace, name string) (*unstructured.Unstructured, error) {
	r, err := c.kind(apiVersion, kind, namespace)
	if err != nil {
		return nil, err
	}
	o, err := r.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot get %s %s: %w", kind, name, err)
	}
	return o, nil
}

// patch changes an object, as a JSON merge patch.
func (c *cluster) patch(ctx context.Context, apiVersion, kind, namespace, name string, p map[string]any) error {
	r, err := c.kind(apiVersion, kind, namespace)
	if err != nil {
		return err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("cannot marshal patch: %w", err)
	}
	if _, err := r.Patch(ctx, name, types.MergePatchType, b, metav1.PatchOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("cannot patch %s %s: %w", kind, name, err)
	}
	return nil
}

// parse returns the objects in a stream of YAML documents.
func parse(y []byte) ([]*unstructured.Unstructured, error) {
	var objs []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(y), 4096); ; {
		o := &unstructured.Unstructured{}
		switch err := d.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return objs, nil
		case err != nil:
			return nil, fmt.Errorf("cannot parse manifest: %w", err)
		case len(o.Object) > 0:
			objs = append(objs, o)
		}
	}
}

// conditionTrue returns an error unless the object has every one of the
// conditions with status True, for its latest generation.
func conditionTrue(o *unstructured.Unstructured, all ...string) error {
	for _, t := range all {
		if c := condition(o, t); c["status"] != "True" {
			return fmt.Errorf("%s %s: condition %s is %v", o.GetKind(), o.GetName(), t, c)
		}
	}
	return nil
}

// condition returns a condition of an object, or nil.
func condition(o *unstructured.Unstructured, typ string) map[string]any {
	cs, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range cs {
		if m, ok := c.(map[string]any); ok && m["type"] == typ {
			return m
		}
	}
	return nil
}

// How often a condition that cannot be watched is looked at: often at first, so
// that what is quick is seen to be, and then less and less.
const (
	minPollInterval = 10 * time.Millisecond
	maxPollInterval = 500 * time.Millisecond
)

// await waits until a condition holds. The condition returns an error that
// says what is missing.
func await(ctx context.Context, what string, cond func(context.Context) error) error {
	return awaitFor(ctx, awaitTimeout, what, cond)
}

// awaitFor is await with another limit.
func awaitFor(ctx context.Context, limit time.Duration, what string, cond func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %s", limit))
	defer cancel()
	for wait := minPollInterval; ; wait = min(wait*3/2, maxPollInterval) {
		err := cond(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w: %w", what, context.Cause(ctx), err)
		}
	}
}
