package e2e

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// fields asks the API server about fields of all kinds. What the function accepts,
// the schema of the DittoServer has to accept too, and the API server what is made
// of it, a pod included: nothing is created, so this is quick.
func fields(s *scenario) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "fields", Labels: map[string]string{namespaceLabel: ""}}} // No Pod Security Standard: what it forbids the namespace's owner decides.
	_, err := s.cluster.CoreV1().Namespaces().Create(s.ctx, ns, metav1.CreateOptions{})
	must(s, err)
	must(s, await(s.ctx, "the service account of pods", func(ctx context.Context) error {
		_, err := s.cluster.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	}))

	quiet := rest.CopyConfig(s.cluster.config)
	quiet.WarningHandler = rest.NoWarnings{}
	c, err := newCluster(quiet)
	must(s, err)
	o := &oracle{scenario: s, cluster: c}

	s.expect("valid fields", verdictAccepted, func() string { return o.judge(s.decode(validFields()...), verdictAccepted) })
	s.expect("invalid fields", verdictRefused, func() string { return o.judge(s.decode(invalidFields()...), verdictRefused) })
	s.expect("each field with odd values", strings.Join([]string{verdictAccepted, verdictRefused, verdictSchema}, " or "), func() string {
		spec := s.decode(everyField)[0]
		var specs []map[string]any
		for name, value := range spec {
			for _, mutated := range mutations(value) {
				m := maps.Clone(spec)
				m[name] = mutated
				specs = append(specs, m)
			}
		}
		s.Logf("%d specs", len(specs))
		return o.judge(specs, verdictAccepted, verdictRefused, verdictSchema)
	})
}

// An oracle is an API server that is asked about specs.
type oracle struct {
	*scenario

	cluster *cluster // Without the warnings of the scenario's.
}

// odd are values that a field may not have thought of.
func odd(value any) []any {
	switch value.(type) {
	case string:
		return []any{"", " ", "Ab", "a/b/c", "-", "é", "a\n", "-1", "../a", strings.Repeat("a", 64), strings.Repeat("a", 300)}
	case bool:
		return []any{true, false}
	case int64:
		return []any{int64(-1), int64(0), int64(101), int64(65536), int64(math.MaxInt32)}
	}
	return nil
}

// mutations are the specs that differ from one in one value, in one name or in a
// part that is left out.
func mutations(spec any) []any {
	var all []any
	switch v := spec.(type) {
	case map[string]any:
		for name, value := range v {
			with := func(name string, value any) {
				m := maps.Clone(v)
				m[name] = value
				all = append(all, m)
			}
			for _, mutated := range mutations(value) {
				with(name, mutated)
			}
			less := maps.Clone(v)
			delete(less, name)
			all = append(all, less)
		}
	case []any:
		for i, value := range v {
			for _, mutated := range mutations(value) {
				l := slices.Clone(v)
				l[i] = mutated
				all = append(all, l)
			}
			all = append(all, slices.Concat(v, []any{value}), slices.Delete(slices.Clone(v), i, i+1))
		}
	default:
		all = odd(v)
	}
	return all
}

// judge says of which specs the verdict is none of those, or that it is of none.
func (s *oracle) judge(specs []map[string]any, verdicts ...string) string {
	var mu sync.Mutex
	var others []string
	var wg sync.WaitGroup
	next := make(chan map[string]any)
	for range 8 {
		wg.Go(func() {
			for spec := range next {
				if got := s.verdict(spec); !slices.Contains(verdicts, got) {
					mu.Lock()
					others = append(others, fmt.Sprintf("%v: %s", spec, got))
					mu.Unlock()
				}
			}
		})
	}
	for _, spec := range specs {
		next <- spec
	}
	close(next)
	wg.Wait()
	if len(others) == 0 {
		return strings.Join(verdicts, " or ")
	}
	for _, o := range others {
		s.Log(o)
	}
	return fmt.Sprintf("%d of %d are not, see above", len(others), len(specs))
}

// decode reads specs, with whole numbers as those.
func (s *scenario) decode(specs ...string) []map[string]any {
	s.Helper()
	all := make([]map[string]any, len(specs))
	for i, spec := range specs {
		b, err := yaml.YAMLToJSON([]byte(spec))
		must(s, err)
		must(s, utiljson.Unmarshal(b, &all[i]))
	}
	return all
}

// everyField is a spec with the fields that come to stand in the pod, the Services
// and the NetworkPolicy.
const everyField = `
image: registry.example:5000/a/b:1
imagePullPolicy: Always
imagePullSecrets: [{name: a}]
storage: {metadataSize: 1Gi, contentSize: 10Gi, controlPlaneSize: 1Gi, storageClassName: fast, metadataStorageClassName: a, contentStorageClassName: b, controlPlaneStorageClassName: c}
blockStore: {remoteCacheSize: 5Gi}
encryption: {passphraseSecretRef: {name: a, key: b}, keys: [{name: a, secretRef: {name: a, key: b}}, {name: b, retired: true}]}
controlPlane: {port: 8443, certSecretName: tls, clientCASecretName: ca, minTLSVersion: "1.3", requireInitialPasswordChange: false}
metrics: {enabled: true, port: 9100, path: /m, bearerTokenSecret: {name: a, key: b}, tls: {certSecretName: a, clientCASecretName: b, minVersion: "1.2"}}
service:
  type: LoadBalancer
  annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: 10.0.0.0/8}
  loadBalancerClass: example.com/a
  loadBalancerSourceRanges: [10.0.0.0/8]
  externalTrafficPolicy: Local
  ipFamilyPolicy: PreferDualStack
  ipFamilies: [IPv4]
adapters: [{type: nfs, port: 2049, servicePort: 2050, portmapper: {enabled: true, port: 10112}}, {type: smb, port: 445, servicePort: 446}]
adapterServices: {enabled: true, type: NodePort, annotations: {a: b}, externalTrafficPolicy: Cluster}
networkPolicy:
  enabled: true
  from:
  - {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}
  - {podSelector: {matchLabels: {a: b}}, namespaceSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}}
podDisruptionBudget: {enabled: true}
deletionProtection: true
logging: {level: INFO, format: json, output: /tmp/a, rotation: {maxSize: 1, maxBackups: 1, maxAge: 1, compress: true}}
identity:
  jwt: {secretRef: {name: a, key: b}, accessTokenDuration: 1m, refreshTokenDuration: 1h}
  admin: {username: admin, passwordSecretRef: {name: a, key: b}}
  ldap: {enabled: true, url: "ldap://a:389", startTLS: true, baseDN: a, bindDN: b, bindPasswordSecretRef: {name: a, key: b}, userAttr: uid, realm: A, idmap: rid, caSecretRef: {name: a, key: b}}
  kerberos:
    enabled: true
    servicePrincipal: nfs/a@B
    realm: B
    netbiosDomain: B
    dnsDomain: b
    keytabSecretRef: {name: a, key: b}
    krb5ConfSecretRef: {name: a, key: b}
    machineAccount: {enabled: true, accountName: A$, secretRef: {name: a, key: b}, dcAddress: ["dc:135"]}
database: {sqlite: {path: /data/controlplane/a}}
resources: {requests: {cpu: 100m, memory: 1Gi, example.com/gpu: "1", hugepages-2Mi: 2Mi}, limits: {memory: 2Gi, example.com/gpu: "1", hugepages-2Mi: 2Mi}}
securityContext:
  runAsUser: 1000
  runAsGroup: 1000
  runAsNonRoot: true
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  procMount: Default
  capabilities: {add: [NET_RAW], drop: [ALL]}
  seLinuxOptions: {level: s0, role: a, type: b, user: c}
  seccompProfile: {type: Localhost, localhostProfile: a}
  appArmorProfile: {type: Localhost, localhostProfile: a}
podSecurityContext:
  runAsUser: 1000
  runAsGroup: 1000
  runAsNonRoot: true
  fsGroup: 1000
  fsGroupChangePolicy: Always
  supplementalGroups: [1000]
  supplementalGroupsPolicy: Merge
  seLinuxChangePolicy: Recursive
  seccompProfile: {type: Localhost, localhostProfile: a}
  appArmorProfile: {type: Localhost, localhostProfile: a}
  sysctls: [{name: net.ipv4.tcp_syncookies, value: "1"}]
podLabels: {a: b}
podAnnotations: {controller.kubernetes.io/pod-deletion-cost: "1"}
nodeSelector: {a: b}
tolerations: [{key: a, operator: Equal, value: b, effect: NoExecute, tolerationSeconds: 1}]
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Gt, values: ["1"]}], matchFields: [{key: metadata.name, operator: In, values: [a]}]}]}
    preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a, operator: In, values: [b]}]}}]
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaces: [b], namespaceSelector: {matchLabels: {a: b}}, labelSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}, matchLabelKeys: [c], mismatchLabelKeys: [d]}]
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: a, labelSelector: {matchLabels: {a: b}}}}]
topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, minDomains: 1, nodeAffinityPolicy: Honor, nodeTaintsPolicy: Honor, labelSelector: {matchLabels: {a: b}}, matchLabelKeys: [c]}]
env:
- {name: A, value: b}
- {name: B, valueFrom: {secretKeyRef: {name: a, key: b, optional: true}}}
- {name: C, valueFrom: {configMapKeyRef: {name: a, key: b, optional: true}}}
- {name: D, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: status.podIP}}}
- {name: E, valueFrom: {resourceFieldRef: {containerName: dittofs, resource: limits.memory, divisor: 1Mi}}}
envFrom:
- {prefix: A_, secretRef: {name: a, optional: true}}
- {prefix: B_, configMapRef: {name: a, optional: true}}
volumes:
- {name: a, secret: {secretName: a, defaultMode: 256, optional: true, items: [{key: a, path: b/c, mode: 256}]}}
- {name: b, configMap: {name: a, defaultMode: 256, optional: true, items: [{key: a, path: b/c, mode: 256}]}}
- name: c
  projected:
    defaultMode: 256
    sources:
    - {secret: {name: a, optional: true, items: [{key: a, path: a, mode: 256}]}}
    - {configMap: {name: a, optional: true, items: [{key: a, path: b, mode: 256}]}}
    - {serviceAccountToken: {path: c, audience: d, expirationSeconds: 600}}
- {name: d, emptyDir: {medium: Memory, sizeLimit: 1Gi}}
- {name: e, persistentVolumeClaim: {claimName: a, readOnly: true}}
volumeMounts:
- {name: a, mountPath: /a, readOnly: true, subPath: b/c}
- {name: b, mountPath: /b, mountPropagation: None, recursiveReadOnly: Disabled}
shutdownTimeout: 20s
terminationGracePeriodSeconds: 60
rollout: {policy: Manual, restartToken: a}
`

// verdict is what the function and the API server say of basicSpec with other
// fields.
func (s *oracle) verdict(other map[string]any) string {
	spec := basicSpec()
	maps.Copy(spec, other)
	b, err := yaml.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return err.Error()
	}
	ds := &v1alpha1.DittoServer{}
	if err := yaml.UnmarshalStrict(b, ds); err != nil {
		return verdictRefused // It reports what it cannot read.
	}
	ds.Name, ds.Namespace = "fields", "fields"
	ds.Default(v1alpha1.Defaults{Image: "example.org/dittofs:1"})
	if len(ds.Validate()) > 0 {
		return verdictRefused
	}

	xr := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	xr.SetAPIVersion(dittoServers.GroupVersion().String())
	xr.SetKind("DittoServer")
	xr.SetName(ds.Name)
	xr.SetNamespace(ds.Namespace)
	if err := s.dryRun(xr); err != nil {
		// To Go, what is empty is not set.
		return verdictSchema
	}

	want, err := manifests.Build(ds, manifests.Options{})
	if err != nil {
		return err.Error()
	}
	objects := []runtime.Object{want.ConfigMap, want.StatefulSet, podOf(&want)}
	for _, name := range slices.Sorted(maps.Keys(want.Supporting)) {
		objects = append(objects, want.Supporting[name])
	}
	for _, o := range objects {
		u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return err.Error()
		}
		unstructured.RemoveNestedField(u, "status")
		if err := s.dryRun(&unstructured.Unstructured{Object: u}); err != nil {
			return fmt.Sprintf("refused by the API server: %v", err)
		}
	}
	return verdictAccepted
}

// What is said of a spec.
const (
	verdictAccepted = "accepted"
	verdictRefused  = "refused by the function"
	verdictSchema   = "refused by the schema"
)

// podOf is the pod that the StatefulSet controller makes of a template.
func podOf(o *manifests.Objects) *corev1.Pod {
	t := o.StatefulSet.Spec.Template.DeepCopy()
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: t.ObjectMeta, Spec: t.Spec}
	pod.Name, pod.Namespace = o.StatefulSet.Name+"-0", o.StatefulSet.Namespace
	for _, c := range o.StatefulSet.Spec.VolumeClaimTemplates {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: c.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c.Name + "-" + pod.Name},
		}})
	}
	return pod
}

// dryRun applies an object as Crossplane does, but for storing it.
func (s *oracle) dryRun(o *unstructured.Unstructured) error {
	r, err := s.cluster.resource(o)
	if err != nil {
		return err
	}
	_, err = r.Apply(s.ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: fieldManager, Force: true, DryRun: []string{metav1.DryRunAll}})
	return err
}

// validFields are at the edge of what there can be.
func validFields() []string {
	return []string{
		`{}`,
		`image: registry.example:5000/a/b__c:v1@sha256:` + strings.Repeat("0a", 32),
		`image: "[2001:db8::1]:5000/dfs"`,
		`imagePullSecrets: [{name: a}, {name: b}]`,
		`storage: {metadataSize: 1Gi, storageClassName: ""}`,
		`storage: {metadataSize: 1Gi, storageClassName: fast.example}`,
		`storage: {metadataSize: 1Gi, contentSize: 1Gi, metadataStorageClassName: "", contentStorageClassName: fast.example, controlPlaneStorageClassName: a}`,
		`{storage: {metadataSize: 1Gi, contentSize: 5120Mi}, blockStore: {remoteCacheSize: 5Gi}}`,
		`{storage: {metadataSize: 1Ti}, blockStore: {remoteCacheSize: 1024Gi}}`,

		`resources: {limits: {memory: 16Mi}}`,
		`resources: {limits: {memory: "0"}}`,
		`resources: {requests: {cpu: 1m, memory: 1Mi}, limits: {cpu: 500m, memory: 1.5Gi, ephemeral-storage: 1G}}`,
		`resources: {limits: {example.com/gpu: "1", hugepages-2Mi: 4Mi, memory: 1Gi}}`,
		`resources: {requests: {example.com/gpu: "1", hugepages-1Gi: 1Gi, cpu: "1"}, limits: {example.com/gpu: "1", hugepages-1Gi: 1Gi}}`,
		`resources: {limits: {kubernetes.io/x: "1"}}`,

		`securityContext: {capabilities: {add: [ALL]}, runAsUser: 0}`,
		`securityContext: {capabilities: {add: [SYS_ADMIN, net_raw], drop: [CHOWN]}}`,
		`securityContext: {seccompProfile: {type: Localhost, localhostProfile: a/b.json}, appArmorProfile: {type: Localhost, localhostProfile: /a b}}`,
		`securityContext: {seLinuxOptions: {level: "s0:c1,c2"}, procMount: Default, runAsUser: 1000, runAsGroup: 0}`,
		`podSecurityContext: {runAsUser: 0, supplementalGroups: [0, 2147483647], supplementalGroupsPolicy: Strict, seLinuxChangePolicy: Recursive, fsGroupChangePolicy: Always}`,
		`podSecurityContext: {sysctls: [{name: net/ipv4/ip_unprivileged_port_start, value: "0"}, {name: net.ipv4.tcp_rmem, value: "4096 131072 6291456"}]}`,
		`podSecurityContext: {seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}}`,

		`nodeSelector: {kubernetes.io/os: linux, a: ""}`,
		`tolerations: [{operator: Exists}, {key: a, operator: Equal, value: b, effect: NoExecute, tolerationSeconds: -1}, {key: a}]`,
		`affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{}, {matchFields: [{key: metadata.name, operator: NotIn, values: [a.b]}]}]}}}`,
		`affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: [{key: a, operator: Gt, values: ["8"]}, {key: b, operator: Exists}]}}]}}`,
		`affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaces: [b], namespaceSelector: {}, labelSelector: {matchLabels: {c: d}}, matchLabelKeys: [e], mismatchLabelKeys: [f]}]}}`,
		`affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: a}}]}}`,
		`topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, minDomains: 1, nodeAffinityPolicy: Ignore, nodeTaintsPolicy: Honor, labelSelector: {}, matchLabelKeys: [pod-template-hash]}, {maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway}]`,
		`podLabels: {example.com/a: ""}`,
		`podAnnotations: {controller.kubernetes.io/pod-deletion-cost: "-5", A_b.c: "anything\n"}`,
		`rollout: {restartToken: "` + strings.Repeat("é", 256) + `"}`,
		`serviceAccountName: default`,
		`env: [{name: A}, {name: B.c-d, value: "$(A)é\n"}, {name: C, valueFrom: {fieldRef: {fieldPath: "metadata.labels['a.b/c']"}}}, {name: D, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['a.b/C_d']"}}}, {name: E, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m}}}]`,
		`envFrom: [{secretRef: {name: a}}, {prefix: _, configMapRef: {name: a.b}}]`,
		`{volumes: [{name: "0", emptyDir: {}}, {name: b, projected: {sources: [{serviceAccountToken: {path: a}}]}}], volumeMounts: [{name: "0", mountPath: /data/é}, {name: b, mountPath: /etc/b, subPath: a}]}`,

		`controlPlane: {port: 65535}`,
		`{controlPlane: {port: 443}, podSecurityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "443"}]}}`,
		`metrics: {enabled: true, port: 1024, path: "/a:b/%41/"}`,
		`metrics: {port: 12049}`,
		`metrics: {enabled: true, serviceMonitor: {enabled: true, interval: 1m30s}, prometheusRule: {enabled: true, labels: {release: prometheus}}}`,
		`adapters: []`,
		`adapters: [{type: smb, port: 445}]`,
		`adapters: [{type: nfs, servicePort: 12049, portmapper: {enabled: true, port: 111}}, {type: smb, servicePort: 2049}]`,
		`adapters: [{type: nfs, port: 2049, portmapper: {enabled: true}}, {type: smb, portmapper: {enabled: false, port: 111}}]`,
		`{service: {type: NodePort, externalTrafficPolicy: Local}, adapterServices: {ipFamilyPolicy: SingleStack, ipFamilies: [IPv4]}}`,
		`adapterServices: {type: LoadBalancer, loadBalancerClass: internal, loadBalancerSourceRanges: ["2001:db8::/32", 10.0.0.0/8], ipFamilyPolicy: PreferDualStack}`,
		`{adapterServices: {enabled: false}, adapters: [{type: nfs}]}`,
		`service: {type: LoadBalancer, annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: " 10.0.0.0/8 , 2001:db8::/32 "}}`,
		`service: {type: LoadBalancer, annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: " "}}`,
		`service: {annotations: {a: b}, loadBalancerSourceRanges: []}`,
		`networkPolicy: {enabled: true, from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 10.1.0.0/16]}}, {podSelector: {}, namespaceSelector: {matchExpressions: [{key: a, operator: NotIn, values: [b]}]}}]}`,
		`networkPolicy: {enabled: true, from: [{ipBlock: {cidr: "2001:db8::/32", except: ["2001:db8:1::/48"]}}]}`,

		`logging: {output: /tmp/a b.log, rotation: {maxAge: 36500, maxSize: 2147483647}}`,
		`logging: {output: /data/controlplane/é/log}`,
		`database: {sqlite: {path: "/data/store/block/a#b c.db"}}`,
		`identity: {jwt: {accessTokenDuration: 1s, refreshTokenDuration: 1.5h30m}}`,
		`identity: {ldap: {enabled: true, url: "LDAPS://dc:636", baseDN: a, bindDN: b, bindPasswordSecretRef: {name: a, key: b}}}`,
		`identity: {ldap: {enabled: true, url: "ldap://[2001:db8::1]", startTLS: true, baseDN: a, bindDN: b, bindPasswordSecretRef: {name: a, key: b}, caCertFile: /etc/ca.crt}}`,
		`identity: {ldap: {enabled: false, url: "", baseDN: "", bindDN: ""}}`,
		`identity: {kerberos: {enabled: true, servicePrincipal: nfs/a@B, keytabSecretRef: {name: a, key: b}, krb5Conf: /etc/krb5.conf, netbiosDomain: B, machineAccount: {enabled: true, accountName: A$, secretRef: {name: a, key: b}, dcAddress: ["dc:135"]}}}`,
		`shutdownTimeout: 1h`,
		`{shutdownTimeout: 100ns, terminationGracePeriodSeconds: 36}`,
		`percona: {enabled: true, deleteWithServer: true, storageClassName: "", backup: {enabled: true, bucket: b, endpoint: e, credentialsSecretRef: {name: s}, fullSchedule: "@daily", incrSchedule: "*/5 0-6,22 ? jan-MAR 1", retentionDays: 9999999}}`,
	}
}

// invalidFields are what the API server, the kubelet, the container runtime, the
// kernel or the server refuses.
func invalidFields() []string {
	return []string{
		`image: "dfs:1 "`,
		`image: ghcr.io/DittoFS/dfs`,
		`image: https://ghcr.io/a/b`,
		`image: dfs@sha256:0a`,
		`image: ` + strings.Repeat("0a", 32),
		`imagePullSecrets: [{name: a}, {name: a}]`,
		`imagePullSecrets: [{}]`,
		`storage: {metadataSize: 1Gi, storageClassName: Fast}`,
		`storage: {metadataSize: 1Gi, metadataStorageClassName: Fast}`,
		`storage: {metadataSize: 1Gi, contentStorageClassName: fast}`,
		`{storage: {metadataSize: 10Gi, contentSize: 6Gi}, blockStore: {remoteCacheSize: 7Gi}}`,
		`blockStore: {remoteCacheSize: 4Gi}`,

		`resources: {limits: {memory: 8Mi}}`,
		`resources: {limits: {memory: 512m}}`,
		`resources: {limits: {gpu: "1"}}`,
		`resources: {limits: {requests.example.com/gpu: "1"}}`,
		`resources: {limits: {example.com/gpu: 500m}}`,
		`resources: {requests: {example.com/gpu: "1"}}`,
		`resources: {requests: {example.com/gpu: "1"}, limits: {example.com/gpu: "2"}}`,
		`resources: {limits: {hugepages-2Mi: 2Mi}}`,
		`resources: {limits: {hugepages-2Mi: 3Mi, memory: 1Gi}}`,
		`resources: {limits: {hugepages-x: 2Mi, memory: 1Gi}}`,
		`resources: {requests: {hugepages-2Mi: 2Mi, memory: 1Gi}}`,
		`resources: {claims: [{name: a}]}`,

		`securityContext: {capabilities: {add: [CAP_CHOWN]}}`,
		`securityContext: {capabilities: {drop: [EVERYTHING]}}`,
		`securityContext: {procMount: Unmasked}`,
		`securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../a}}`,
		`securityContext: {appArmorProfile: {type: Localhost, localhostProfile: "a "}}`,
		`securityContext: {privileged: true, allowPrivilegeEscalation: false}`,
		`podSecurityContext: {seccompProfile: {type: Localhost, localhostProfile: /a}}`,
		`podSecurityContext: {supplementalGroupsPolicy: None}`,
		`podSecurityContext: {seLinuxChangePolicy: None}`,
		`podSecurityContext: {sysctls: [{name: vm.swappiness, value: "0"}]}`,
		`podSecurityContext: {sysctls: [{name: net.core.somaxconn, value: "1024"}]}`,
		`podSecurityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: "1"}, {name: net/ipv4/tcp_syncookies, value: "0"}]}`,
		`podSecurityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "40000"}]}`,

		`affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: a, operator: In, values: [b]}]}]}}}`,
		`affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Gt, values: [b]}]}]}}}`,
		`affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a, operator: In, values: ["b c"]}]}}]}}`,
		`affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, matchLabelKeys: [b]}]}}`,
		`affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, labelSelector: {}, matchLabelKeys: [b], mismatchLabelKeys: [b]}]}}`,
		`affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaces: [A]}]}}`,
		`topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule}, {maxSkew: 2, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]`,
		`topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway, minDomains: 1}]`,
		`topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, nodeTaintsPolicy: Maybe}]`,
		`topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {b: c}}, matchLabelKeys: [b]}]`,
		`podAnnotations: {kubernetes.io/config.mirror: a}`,
		`serviceAccountName: A`,
		`env: [{name: "1"}]`,
		`env: [{name: A, value: b, valueFrom: {secretKeyRef: {name: a, key: b}}}]`,
		`env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.containers}}}]`,
		`env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: "3"}}}]`,
		`env: [{name: DITTOFS_CONTROLPLANE_PORT, value: "1"}]`,
		`envFrom: [{prefix: A_}]`,
		`volumes: [{name: a}]`,
		`volumes: [{name: config, emptyDir: {}}]`,
		`volumes: [{name: a, emptyDir: {medium: HugePages}}]`,
		`volumes: [{name: a, projected: {sources: [{serviceAccountToken: {path: ../a}}]}}]`,
		`volumeMounts: [{name: metadata, mountPath: /a}]`,
		`{volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: /data}]}`,
		`podAnnotations: {controller.kubernetes.io/pod-deletion-cost: much}`,

		`controlPlane: {port: 12049}`,
		`metrics: {enabled: true, port: 1445}`,
		`{controlPlane: {port: 9090}, metrics: {enabled: true}}`,
		`metrics: {enabled: true, port: 8080}`,
		`metrics: {enabled: true, path: //a}`,
		`metrics: {enabled: true, path: /a/..}`,
		`metrics: {enabled: true, path: "/{a"}`,
		`metrics: {enabled: true, serviceMonitor: {enabled: true, interval: 30s1m}}`,
		`metrics: {enabled: true, prometheusRule: {enabled: true}}`,
		`service: {annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: 10.0.0.0/8}}`,
		`service: {loadBalancerClass: internal}`,
		`service: {type: LoadBalancer, loadBalancerClass: a/b/c}`,
		`service: {externalTrafficPolicy: Local}`,
		`service: {externalTrafficPolicy: Cluster}`,
		`service: {loadBalancerSourceRanges: [10.0.0.0/8]}`,
		`service: {ipFamilies: [IPv4, IPv6]}`,
		`service: {ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv4, IPv4]}`,
		`adapterServices: {type: NodePort, loadBalancerSourceRanges: [10.0.0.0/8]}`,
		`adapterServices: {type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0]}`,
		`adapters: [{type: smb, portmapper: {enabled: true}}]`,
		`adapters: [{type: nfs, servicePort: 111, portmapper: {enabled: true}}]`,
		`adapters: [{type: nfs, portmapper: {enabled: true, port: 8080}}]`,
		`adapters: [{type: nfs, servicePort: 445}, {type: smb}]`,
		`adapterServices: {type: LoadBalancer, annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: "10.0.0.0"}}`,
		`networkPolicy: {enabled: true, from: [{ipBlock: {cidr: 10.0.0.0/8, except: [192.168.0.0/16]}}]}`,
		`networkPolicy: {enabled: true, from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}`,

		`logging: {output: "/tmp/a\nb"}`,
		`logging: {output: /tmp/a, rotation: {maxAge: 106752}}`,
		`database: {sqlite: {path: "/data/controlplane/a?b"}}`,
		`identity: {jwt: {accessTokenDuration: 999ms}}`,
		`identity: {ldap: {enabled: true, url: "ldaps://:636", baseDN: a, bindDN: b, bindPasswordSecretRef: {name: a, key: b}}}`,
		`identity: {ldap: {enabled: true, url: "ldaps://a:65536", baseDN: a, bindDN: b, bindPasswordSecretRef: {name: a, key: b}}}`,
		`identity: {ldap: {enabled: true, url: "ldaps://a", baseDN: " ", bindDN: b, bindPasswordSecretRef: {name: a, key: b}}}`,
		`identity: {kerberos: {enabled: true, servicePrincipal: nfs/a@B, keytabSecretRef: {name: a, key: b}, krb5Conf: /}}`,
		`shutdownTimeout: 61m`,
		`percona: {enabled: true, deleteWithServer: true, storageClassName: Fast}`,
		`percona: {enabled: true, deleteWithServer: true, backup: {enabled: true, bucket: b, endpoint: e, credentialsSecretRef: {name: s}, fullSchedule: "60 2 * * *"}}`,
	}
}
