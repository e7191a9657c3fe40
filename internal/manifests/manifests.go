// Package manifests renders a DittoServer into the Kubernetes objects that run
// it. It is pure: a spec goes in, typed objects come out.
package manifests

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
)

// Names of the composed resources. Crossplane knows a composed resource by its name:
// renaming one deletes the object and creates another. ConfigMapResource returns the
// names of ConfigMaps.
const (
	StatefulSetResource     = "statefulset"
	HeadlessServiceResource = "headless-service"
	APIServiceResource      = "api-service"
	NFSServiceResource      = "nfs-service"
	SMBServiceResource      = "smb-service"
	MetricsServiceResource  = "metrics-service"
	ServiceMonitorResource  = "service-monitor"
	PrometheusRuleResource  = "prometheus-rule"
	NetworkPolicyResource   = "network-policy"
	PerconaResource         = "percona-cluster"
	JWTSecretResource       = "jwt-secret"
	AdminSecretResource     = "admin-credentials"

	PodDisruptionBudgetResource = "pod-disruption-budget"
	UsageResource               = "deletion-protection"
)

// Annotations of the pod template. A new value of one replaces the pod.
const (
	// AnnotationConfigHash is the hash of what the server read at its start.
	AnnotationConfigHash = v1alpha1.AnnotationConfigHash

	// AnnotationRestartToken is the spec.rollout.restartToken that the hash includes.
	AnnotationRestartToken = v1alpha1.AnnotationRestartToken

	// AnnotationEncryptionKeys names the master keys that the pod has, by the names of
	// the key files. A master key's name is in every block that it has encrypted, so it is
	// no secret.
	AnnotationEncryptionKeys = v1alpha1.AnnotationEncryptionKeys
)

// AnnotationConfig of the StatefulSet holds the config.yaml that its template names. If
// somebody deletes the ConfigMap, the function can write it again.
const AnnotationConfig = "dittofs.io/config"

// Labels of every object.
const (
	labelName = v1alpha1.LabelName

	// LabelServer has the name of the DittoServer. It is the only label in selectors,
	// because claims inherit those: tools that track their objects by
	// app.kubernetes.io/instance would prune claims with that label.
	LabelServer = v1alpha1.LabelServer
)

// Objects are the Kubernetes objects of a DittoServer, except for its Secrets.
type Objects struct {
	// Config is the config.yaml that the server is to read.
	Config string

	ConfigMap   *corev1.ConfigMap
	StatefulSet *appsv1.StatefulSet

	// Supporting are all other objects by the names of the composed resources.
	Supporting map[string]runtime.Object

	// ServiceDrift says what about existing Services is not as wanted, because
	// Kubernetes cannot change it.
	ServiceDrift []string
}

// Options are what the objects depend on besides the DittoServer.
type Options struct {
	// Existing is what the existing StatefulSet cannot change, or nil if there is none.
	Existing *Immutable

	// Services are the existing Services by the names of the composed resources.
	Services map[string]ExistingService

	// ServiceMonitor, PrometheusRule and Percona are set if the cluster knows the kind.
	ServiceMonitor, PrometheusRule, Percona bool

	// PostgresKeys are the keys of the database's Secret by the variables that they are
	// read as. Without one, it is the first of the PostgresInput.
	PostgresKeys map[string]string
}

// Build renders a valid DittoServer that has its defaults.
func Build(ds *v1alpha1.DittoServer, o Options) (Objects, error) {
	im := Wanted(ds)
	if o.Existing != nil {
		im.keep(o.Existing)
	}
	cfg, err := config(&ds.Spec, im).Render()
	if err != nil {
		return Objects{}, errors.Wrap(err, "cannot render the server's configuration")
	}

	objects := Objects{
		Config:      string(cfg),
		ConfigMap:   ConfigMap(ds, string(cfg)),
		StatefulSet: statefulSet(ds, im, string(cfg), &o),
		Supporting:  services(ds, im.podLabels()),
	}
	objects.ServiceDrift = keepServices(objects.Supporting, o.Services)
	if ds.Spec.NetworkPolicy.Enabled {
		objects.Supporting[NetworkPolicyResource] = networkPolicy(ds, im.podLabels())
	}
	if ds.Spec.PodDisruptionBudget.Enabled {
		objects.Supporting[PodDisruptionBudgetResource] = podDisruptionBudget(ds, im.podLabels())
	}
	if ds.Spec.DeletionProtection {
		objects.Supporting[UsageResource] = usage(ds)
	}
	if ds.Spec.Metrics.ServiceMonitor.Enabled && o.ServiceMonitor {
		objects.Supporting[ServiceMonitorResource] = serviceMonitor(ds)
	}
	if ds.Spec.Metrics.PrometheusRule.Enabled && o.PrometheusRule {
		objects.Supporting[PrometheusRuleResource] = prometheusRule(ds, im)
	}
	if ds.Spec.Percona.Enabled && o.Percona {
		objects.Supporting[PerconaResource] = perconaCluster(ds)
	}
	return objects, nil
}

func meta(ds *v1alpha1.DittoServer, suffix string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:      ds.GetName() + suffix,
		Namespace: ds.GetNamespace(),
		Labels:    labels(ds),
	}
}

// labels returns the labels of every object.
func labels(ds *v1alpha1.DittoServer) map[string]string {
	return map[string]string{labelName: "dittofs", LabelServer: ds.GetName()}
}
