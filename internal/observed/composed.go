package observed

import (
	"cmp"
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"
	corev1 "k8s.io/api/core/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/manifests"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// Composed has the composed resources of a DittoServer that exist.
type Composed struct {
	// StatefulSet is nil if there is none.
	StatefulSet *StatefulSet

	// ConfigMaps of the server by the names of the composed resources.
	ConfigMaps map[string]ConfigMap

	// Exists has the names of all composed resources that exist.
	Exists map[string]bool

	// Services that a user can expose, by the names of the composed resources, and the
	// addresses of their load balancers.
	Services      map[string]manifests.ExistingService
	LoadBalancers map[string]string

	// Secrets that the function has generated, by the names of the composed resources.
	Secrets map[string]*structpb.Struct

	// Usage is set once Crossplane protects the DittoServer because of its Usage.
	Usage bool

	// PerconaReady is set once the PerconaPGCluster is ready. PerconaOwner is the UID
	// of its controller.
	PerconaReady bool
	PerconaOwner string
}

// A ConfigMap holds a configuration that a server reads, or has read.
type ConfigMap struct {
	Name string

	// Config is its config.yaml. Immutable is set if that cannot change.
	Config    string
	Immutable bool
}

// Existing returns what limits how a DittoServer can change.
func (c *Composed) Existing(xr Identity) manifests.Existing {
	e := manifests.Existing{Database: c.PerconaOwner != "" && c.PerconaOwner == xr.UID}
	if ss := c.StatefulSet; ss != nil {
		e.Immutable, e.Keytab = &ss.Immutable, ss.Keytab
		e.EncryptionKeys = slices.Sorted(maps.Keys(ss.MasterKeys))
	}
	return e
}

// HasConfig says whether a config.yaml is in the ConfigMap that is named after it.
func (c *Composed) HasConfig(config string) bool {
	cm, ok := c.ConfigMaps[manifests.ConfigMapResource(config)]
	return ok && cm.Config == config
}

// NewComposed reads the composed resources that exist.
func NewComposed(resources map[string]*fnv1.Resource) (*Composed, error) {
	c := &Composed{
		ConfigMaps: map[string]ConfigMap{}, Exists: map[string]bool{}, Secrets: map[string]*structpb.Struct{},
		Services: map[string]manifests.ExistingService{}, LoadBalancers: map[string]string{},
	}
	for name, r := range resources {
		if err := c.add(name, r.GetResource()); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Composed) add(name string, o *structpb.Struct) error {
	c.Exists[name] = true
	switch name {
	case manifests.StatefulSetResource:
		ss, err := newStatefulSet(o)
		if err != nil {
			return errors.Wrap(err, "cannot read the observed StatefulSet")
		}
		c.StatefulSet = ss
	case manifests.APIServiceResource, manifests.NFSServiceResource, manifests.SMBServiceResource:
		c.Services[name] = existingService(o)
		if address := loadBalancerOf(o); address != "" {
			c.LoadBalancers[name] = address
		}
	case manifests.JWTSecretResource, manifests.AdminSecretResource:
		c.Secrets[name] = o
	case manifests.UsageResource:
		c.Usage = ConditionsOf(o)["Ready"].Status == True
	case manifests.PerconaResource:
		c.PerconaReady = structs.Text(o, "status", "state") == "ready"
		if owner := structs.ControllerOf(o); owner != nil {
			c.PerconaOwner = owner.UID
		}
	default:
		if manifests.IsConfigMapResource(name) {
			c.ConfigMaps[name] = ConfigMap{
				Name:      structs.Name(o),
				Config:    structs.Text(o, "data", dittofs.ConfigFile),
				Immutable: structs.At(o, "immutable").GetBoolValue(),
			}
		}
	}
	return nil
}

func existingService(o *structpb.Struct) manifests.ExistingService {
	s := manifests.ExistingService{
		Type:              corev1.ServiceType(structs.Text(o, "spec", "type")),
		LoadBalancerClass: structs.Text(o, "spec", "loadBalancerClass"),
		IPFamilyPolicy:    corev1.IPFamilyPolicy(structs.Text(o, "spec", "ipFamilyPolicy")),
	}
	for _, v := range structs.At(o, "spec", "ipFamilies").GetListValue().GetValues() {
		s.IPFamilies = append(s.IPFamilies, corev1.IPFamily(v.GetStringValue()))
	}
	return s
}

// loadBalancerOf returns the first address of a Service's load balancer, or nothing.
func loadBalancerOf(o *structpb.Struct) string {
	for _, in := range structs.Objects(o, "status", "loadBalancer", "ingress") {
		if address := cmp.Or(structs.Text(in, "ip"), structs.Text(in, "hostname")); address != "" {
			return address
		}
	}
	return ""
}
