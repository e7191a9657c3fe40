package manifests

import (
	"maps"
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

const (
	// preStop keeps the server serving until the Services have stopped sending
	// clients to it.
	preStop = 5 * time.Second

	// graceMargin is what the kubelet needs beside the server's own shutdown.
	graceMargin = 5 * time.Second
)

// statefulSet runs the server. It carries no hash yet: that takes the Secrets.
func statefulSet(ds *v1alpha1.DittoServer, im Immutable) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: meta(ds, ""),
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

			Template: podTemplate(ds, im),
		},
	}
}

func podTemplate(ds *v1alpha1.DittoServer, im Immutable) corev1.PodTemplateSpec {
	t := corev1.PodTemplateSpec{
		Spec: corev1.PodSpec{
			Containers:                    []corev1.Container{container(ds)},
			Volumes:                       volumes(ds),
			SecurityContext:               podSecurityContext(ds.Spec.PodSecurityContext),
			TerminationGracePeriodSeconds: new(gracePeriod(&ds.Spec)),

			// The server does not talk to Kubernetes.
			AutomountServiceAccountToken: new(false),

			// The variables that Kubernetes makes of Services would be taken for
			// configuration: a Service dittofs-metrics sets DITTOFS_METRICS_PORT.
			EnableServiceLinks: new(false),
		},
	}

	t.Labels = labels(ds)
	// A StatefulSet that was not made by this function may select other labels.
	if im.Selector != nil {
		maps.Copy(t.Labels, im.Selector.MatchLabels)
	}

	c := &t.Spec.Containers[0]
	c.VolumeMounts = append(c.VolumeMounts, claimMounts(im)...)

	return t
}

func container(ds *v1alpha1.DittoServer) corev1.Container {
	command, args := dittofs.Command()
	c := corev1.Container{
		Name:            ContainerName,
		Image:           ds.Spec.Image,
		Command:         command,
		Args:            args,
		Env:             env(&ds.Spec),
		Ports:           []corev1.ContainerPort{{Name: portAPI, ContainerPort: *ds.Spec.ControlPlane.Port, Protocol: corev1.ProtocolTCP}},
		SecurityContext: securityContext(ds.Spec.SecurityContext),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: dittofs.ConfigDir, ReadOnly: true},
			{Name: "tmp", MountPath: dittofs.TempDir},
		},
		Lifecycle: &corev1.Lifecycle{
			PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: int64(preStop.Seconds())}},
		},

		// Opening a large metadata store takes long: the server has 150 seconds
		// before liveness is looked at.
		StartupProbe:   probe(dittofs.LivenessPath, 5, 30),
		LivenessProbe:  probe(dittofs.LivenessPath, 10, 3),
		ReadinessProbe: probe(dittofs.ReadinessPath, 5, 3),
	}
	if ds.Spec.Resources != nil {
		c.Resources = *ds.Spec.Resources
	}
	return c
}

// probe asks the API every so many seconds, and gives up after so many failures.
// All numbers are set, so that what is sent is what Kubernetes stores.
func probe(path string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(portAPI), Scheme: corev1.URISchemeHTTP},
		},
		PeriodSeconds:    period,
		FailureThreshold: failures,
		TimeoutSeconds:   5,
		SuccessThreshold: 1,
	}
}

func volumes(ds *v1alpha1.DittoServer) []corev1.Volume {
	return []corev1.Volume{
		{
			Name: "config",
			VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: ds.GetName() + "-config"},
				Items:                []corev1.KeyToPath{{Key: dittofs.ConfigFile, Path: dittofs.ConfigFile}},
				DefaultMode:          new(corev1.ConfigMapVolumeSourceDefaultMode),
			}},
		},
		{
			Name:         "tmp",
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		},
	}
}

// env is what the server reads out of Secrets.
func env(spec *v1alpha1.DittoServerSpec) []corev1.EnvVar {
	e := []corev1.EnvVar{secretEnv(dittofs.EnvJWTSecret, spec.Identity.JWT.SecretRef)}
	if r := spec.Identity.Admin.PasswordSecretRef; r != nil {
		e = append(e, secretEnv(dittofs.EnvAdminPassword, r))
	}
	if r := spec.Database.PostgresSecretRef; r != nil {
		e = append(e, postgresEnv(r.Name)...)
	}
	return e
}

// postgresEnv reads one variable for each key, as the server takes no connection
// string.
func postgresEnv(secret string) []corev1.EnvVar {
	e := []corev1.EnvVar{}
	for _, v := range []struct {
		name, key string
		optional  bool
	}{
		{dittofs.EnvPostgresHost, "host", false},
		{dittofs.EnvPostgresPort, "port", true},
		{dittofs.EnvPostgresDatabase, "database", false},
		{dittofs.EnvPostgresUser, "user", false},
		{dittofs.EnvPostgresPassword, "password", false},
		{dittofs.EnvPostgresSSLMode, "sslmode", true},
	} {
		ev := secretEnv(v.name, &v1alpha1.SecretKeyRef{Name: secret, Key: v.key})
		if v.optional {
			ev.ValueFrom.SecretKeyRef.Optional = new(true)
		}
		e = append(e, ev)
	}
	return e
}

func secretEnv(name string, r *v1alpha1.SecretKeyRef) corev1.EnvVar {
	return corev1.EnvVar{
		Name: name,
		ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: r.Name},
			Key:                  r.Key,
		}},
	}
}

// gracePeriod is the time, in seconds, that the server has to stop in.
func gracePeriod(spec *v1alpha1.DittoServerSpec) int64 {
	if g := spec.TerminationGracePeriodSeconds; g != nil {
		return *g
	}
	return int64((preStop + dittofs.ShutdownBudget(dittofs.ShutdownTimeout) + graceMargin).Seconds())
}
