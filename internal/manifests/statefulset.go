package manifests

import (
	"maps"
	"math"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// ContainerName is the name of the server's container.
const ContainerName = "dittofs"

// graceMargin is what the kubelet needs in addition to the server's own shutdown.
const graceMargin = 5 * time.Second

// statefulSet renders the StatefulSet that runs the server with a config.yaml. It has no
// hash yet, because that needs the Secrets.
func statefulSet(ds *v1alpha1.DittoServer, im Immutable, config string, o *Options) *appsv1.StatefulSet {
	m := meta(ds, "")
	m.Annotations = map[string]string{AnnotationConfig: config}
	return &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: m,
		Spec: appsv1.StatefulSetSpec{
			Replicas: ds.Spec.Replicas,

			ServiceName:          im.ServiceName,
			PodManagementPolicy:  im.PodManagementPolicy,
			Selector:             im.Selector,
			VolumeClaimTemplates: im.VolumeClaimTemplates,

			// A server that is deleted or stopped by mistake must find its data again.
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
				WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
				WhenScaled:  appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
			},

			Template: podTemplate(ds, im, config, o),
		},
	}
}

func podTemplate(ds *v1alpha1.DittoServer, im Immutable, config string, o *Options) corev1.PodTemplateSpec {
	t := corev1.PodTemplateSpec{
		Spec: corev1.PodSpec{
			Containers:                    []corev1.Container{container(ds, o)},
			Volumes:                       volumes(ds, config),
			SecurityContext:               podSecurityContext(ds.Spec.PodSecurityContext, ds.Spec.SecurityContext),
			TerminationGracePeriodSeconds: new(gracePeriod(&ds.Spec)),
			ImagePullSecrets:              ds.Spec.ImagePullSecrets,
			NodeSelector:                  ds.Spec.NodeSelector,
			Tolerations:                   ds.Spec.Tolerations,
			Affinity:                      ds.Spec.Affinity,
			TopologySpreadConstraints:     ds.Spec.TopologySpreadConstraints,
			PriorityClassName:             ds.Spec.PriorityClassName,

			// Kubernetes stores the name in both fields, and takes it from the old one once
			// the new one is gone. So both are sent, and both go.
			ServiceAccountName:       ds.Spec.ServiceAccountName,
			DeprecatedServiceAccount: ds.Spec.ServiceAccountName,

			// The server does not talk to Kubernetes.
			AutomountServiceAccountToken: new(false),

			// The server would take the variables that Kubernetes sets for Services for
			// configuration: a Service dittofs-metrics sets DITTOFS_METRICS_PORT.
			EnableServiceLinks: new(false),
		},
	}

	t.Annotations = maps.Clone(ds.Spec.PodAnnotations)
	t.Labels = labels(ds)
	maps.Copy(t.Labels, ds.Spec.PodLabels)
	// An adopted StatefulSet may select other labels.
	maps.Copy(t.Labels, im.podLabels())

	c := &t.Spec.Containers[0]
	c.VolumeMounts = append(c.VolumeMounts, claimMounts(im)...)
	for _, v := range secretVolumes(&ds.Spec) {
		c.VolumeMounts = append(c.VolumeMounts, v.mount())
	}
	if len(ds.Spec.Encryption.Used()) > 0 {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: encryptionVolume, MountPath: dittofs.EncryptionDir, ReadOnly: true})
	}
	c.VolumeMounts = append(c.VolumeMounts, ds.Spec.VolumeMounts...)

	return t
}

func container(ds *v1alpha1.DittoServer, o *Options) corev1.Container {
	command, args := dittofs.Command()
	c := corev1.Container{
		Name:            ContainerName,
		Image:           ds.Spec.Image,
		Command:         command,
		Args:            args,
		Env:             append(env(ds, o), extraEnv(&ds.Spec)...),
		EnvFrom:         ds.Spec.EnvFrom,
		ImagePullPolicy: ds.Spec.ImagePullPolicy,
		Ports:           containerPorts(&ds.Spec),
		SecurityContext: securityContext(ds.Spec.SecurityContext),
		VolumeMounts: []corev1.VolumeMount{
			{Name: ConfigVolume, MountPath: dittofs.ConfigDir, ReadOnly: true},
			{Name: "tmp", MountPath: dittofs.TempDir},
		},

		// No preStop: with one replica there is no other pod to send clients to, and the
		// old credentials would stay valid for longer.

		// Clients wait for the server to be seen to be up, so it is asked every second, and
		// for no startup probe first: the kubelet takes a second more for two.
		ReadinessProbe: probe(ds, dittofs.ReadinessPath, 1),
		LivenessProbe:  probe(ds, dittofs.LivenessPath, 10),
	}
	// Opening a large metadata store takes long: the third failure comes after 150 seconds.
	c.LivenessProbe.InitialDelaySeconds = 130
	if ds.Spec.Resources != nil {
		c.Resources = *ds.Spec.Resources
	}
	return c
}

// probe returns a probe that asks the API every period seconds, and gives up after three
// failures. All numbers are explicit, so what is sent is what Kubernetes stores. The
// kubelet has no client certificate: if the API asks for one, the probe only connects.
func probe(ds *v1alpha1.DittoServer, path string, period int32) *corev1.Probe {
	p := &corev1.Probe{
		PeriodSeconds:    period,
		FailureThreshold: 3,
		TimeoutSeconds:   5,
		SuccessThreshold: 1,
	}
	switch cp := ds.Spec.ControlPlane; {
	case cp.ClientCASecretName != "":
		p.TCPSocket = &corev1.TCPSocketAction{Port: intstr.FromString(portAPI)}
	case cp.CertSecretName != "":
		p.HTTPGet = &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(portAPI), Scheme: corev1.URISchemeHTTPS}
	default:
		p.HTTPGet = &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(portAPI), Scheme: corev1.URISchemeHTTP}
	}
	return p
}

// containerPorts returns the ports that the configuration sets. The adapters' ports are
// not among them: users set those through the server's API, and a change must not
// replace the pod.
func containerPorts(spec *v1alpha1.DittoServerSpec) []corev1.ContainerPort {
	ports := []corev1.ContainerPort{{Name: portAPI, ContainerPort: *spec.ControlPlane.Port, Protocol: corev1.ProtocolTCP}}
	if spec.Metrics.Enabled {
		ports = append(ports, corev1.ContainerPort{Name: portMetrics, ContainerPort: *spec.Metrics.Port, Protocol: corev1.ProtocolTCP})
	}
	return ports
}

// ConfigVolume is the pod's volume with the configuration.
const ConfigVolume = "config"

func volumes(ds *v1alpha1.DittoServer, config string) []corev1.Volume {
	vs := []corev1.Volume{
		{
			Name: ConfigVolume,
			VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: ConfigMapName(ds.GetName(), config)},
				Items:                []corev1.KeyToPath{{Key: dittofs.ConfigFile, Path: dittofs.ConfigFile}},
				DefaultMode:          new(corev1.ConfigMapVolumeSourceDefaultMode),
			}},
		},
		{
			Name:         "tmp",
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		},
	}
	for _, v := range secretVolumes(&ds.Spec) {
		vs = append(vs, v.volume())
	}
	if used := ds.Spec.Encryption.Used(); len(used) > 0 {
		vs = append(vs, keyFiles(used))
	}
	return append(vs, extraVolumes(&ds.Spec)...)
}

// gracePeriod returns how long the server may take to stop, in seconds.
func gracePeriod(spec *v1alpha1.DittoServerSpec) int64 {
	if g := spec.TerminationGracePeriodSeconds; g != nil {
		return *g
	}
	timeout, _ := time.ParseDuration(spec.ShutdownTimeout) // Validated: it parses.
	return int64(math.Ceil((dittofs.ShutdownBudget(timeout) + graceMargin).Seconds()))
}
