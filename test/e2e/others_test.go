package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// names of others are in the way of a new server: they are left alone.
func names(s *scenario) {
	srv := s.server("names")
	must(s, srv.createSecrets(s.ctx, basicSecrets()))
	foreign := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: srv.Name + "-api", Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "shop"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}
	before, err := s.cluster.CoreV1().Services(srv.Namespace).Create(s.ctx, foreign, metav1.CreateOptions{})
	must(s, err)

	s.expect("a Service of others in the way", "the condition names it, the pod runs, the Service is as it was", func() string {
		must(s, srv.create(s.ctx, basicSpec()))
		must(s, srv.awaitReason(s.ctx, "NamesAvailable", "Taken"))
		must(s, srv.awaitRollout(s.ctx))
		xr, err := srv.xr(s.ctx)
		must(s, err)
		if msg := fmt.Sprint(condition(xr, "NamesAvailable")["message"]); !strings.Contains(msg, fmt.Sprintf("%q", foreign.Name)) {
			return "the condition says " + msg
		}
		after, err := s.cluster.CoreV1().Services(srv.Namespace).Get(s.ctx, foreign.Name, metav1.GetOptions{})
		must(s, err)
		if after.ResourceVersion != before.ResourceVersion {
			return "the Service was written"
		}
		return "the condition names it, the pod runs, the Service is as it was"
	})
	s.expect("the Service of others deleted", "ready, 0 revisions, 0 pods", func() string {
		s.restartsSince(srv)
		must(s, s.cluster.CoreV1().Services(srv.Namespace).Delete(s.ctx, foreign.Name, metav1.DeleteOptions{}))
		must(s, srv.awaitReady(s.ctx))
		must(s, srv.awaitReason(s.ctx, "NamesAvailable", "Available"))
		return "ready, " + s.restartsOf(srv)
	})
}

// kinds that the cluster does not know are not sent: Crossplane would be stuck with
// them for good.
func kinds(s *scenario) {
	srv := s.running("kinds", basicSpec(), basicSecrets())
	s.expect("percona without its kind, and a rotation", "DatabaseReady=KindMissing, 0 revisions, 0 pods", func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"percona": map[string]any{"enabled": true, "deleteWithServer": true}}))
		must(s, srv.awaitReason(s.ctx, "DatabaseReady", "KindMissing"))
		must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		must(s, srv.reconcile(s.ctx))
		return "DatabaseReady=KindMissing, " + s.restartsSince(srv)
	})
	s.expect("percona taken back", "the rotation arrives: "+oneRestart, func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"percona": nil}))
		must(s, srv.awaitReason(s.ctx, "DatabaseReady", "NotUsed"))
		return "the rotation arrives: " + s.restartsOf(srv)
	})
	s.expect("a ServiceMonitor without its kind", "ServiceMonitorReady=KindMissing, and ready", func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"metrics": map[string]any{"enabled": true, "serviceMonitor": map[string]any{"enabled": true}}}))
		must(s, srv.awaitReason(s.ctx, "ServiceMonitorReady", "KindMissing"))
		s.restartsOf(srv)
		return "ServiceMonitorReady=KindMissing, and ready"
	})
	s.expect("a PrometheusRule without its kind", "PrometheusRuleReady=KindMissing, "+noRestart, func() string {
		must(s, srv.patchSpec(s.ctx, map[string]any{"metrics": map[string]any{"prometheusRule": map[string]any{"enabled": true}}}))
		must(s, srv.awaitReason(s.ctx, "PrometheusRuleReady", "KindMissing"))
		return "PrometheusRuleReady=KindMissing, " + s.restartsSince(srv)
	})
}

// refused is an advance that the API server says no to.
func refused(s *scenario) {
	srv := s.running("refused", basicSpec(), basicSecrets())
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "no-next"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: srv.Namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"statefulsets"}},
				}}},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: "object.spec.template.spec.containers.all(c, c.image != '" + imageNext + "')", Message: "not this image"}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec:       admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}},
	}
	s.expect("an admission policy refuses the image, all kinds of changes, and the pod deleted", cameBack+", 2 ConfigMaps", func() string {
		_, err := s.cluster.AdmissionregistrationV1().ValidatingAdmissionPolicies().Create(s.ctx, policy, metav1.CreateOptions{})
		must(s, err)
		_, err = s.cluster.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Create(s.ctx, binding, metav1.CreateOptions{})
		must(s, err)
		// A policy works a while after it is there.
		must(s, await(s.ctx, "the policy to work", func(ctx context.Context) error {
			patch := []byte(`[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "` + imageNext + `"}]`)
			_, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Patch(ctx, srv.Name, types.JSONPatchType, patch, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
			if err == nil {
				return fmt.Errorf("it lets the image in")
			}
			return nil
		}))
		got := s.held(srv, func() { must(s, srv.patchSpec(s.ctx, changed())) }, "Refused", "")
		return got + ", " + plural(len(s.configMaps(srv)), "ConfigMap")
	})
	s.expect("the admission policy gone", oneRestart+", "+startedWell+", 1 ConfigMap", func() string {
		must(s, s.cluster.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(s.ctx, policy.Name, metav1.DeleteOptions{}))
		must(s, s.cluster.AdmissionregistrationV1().ValidatingAdmissionPolicies().Delete(s.ctx, policy.Name, metav1.DeleteOptions{}))
		must(s, srv.awaitReason(s.ctx, "RestartPending", "UpToDate"))
		got := s.restartsOf(srv)
		must(s, srv.reconcile(s.ctx))
		return got + ", " + s.startsOf(srv.Namespace) + ", " + plural(len(s.configMaps(srv)), "ConfigMap")
	})
}

// additions are what a webhook has added to the StatefulSet when it was created, and
// a user's restart later. A hold neither takes them over nor loses them.
func additions(s *scenario) {
	srv := s.server("additions")
	startWebhook(s, srv.Namespace)
	must(s, srv.createSecrets(s.ctx, basicSecrets()))
	must(s, srv.create(s.ctx, basicSpec()))
	must(s, srv.awaitReady(s.ctx))
	s.restartsOf(srv)

	const all = "variable, volume, sidecar, restart"
	added := func() string {
		p, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(s.ctx, srv.Name+"-0", metav1.GetOptions{})
		must(s, err)
		var seen []string
		if slices.ContainsFunc(p.Spec.Containers[0].Env, func(e corev1.EnvVar) bool { return e.Name == "INJECTED" }) {
			seen = append(seen, "variable")
		}
		if slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == "injected" }) {
			seen = append(seen, "volume")
		}
		if slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool { return c.Name == "sidecar" }) {
			seen = append(seen, "sidecar")
		}
		if p.Annotations["kubectl.kubernetes.io/restartedAt"] != "" {
			seen = append(seen, "restart")
		}
		return strings.Join(seen, ", ")
	}
	s.expect("another manager's sidecar beside a webhook's additions", oneRestart+": variable, volume, sidecar", func() string {
		_, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Patch(s.ctx, srv.Name, types.ApplyPatchType, fmt.Appendf(nil, `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: %s}
spec:
  template:
    spec:
      containers:
        - name: sidecar
          image: registry.k8s.io/pause:3.10
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`, srv.Name), metav1.PatchOptions{FieldManager: "injector"})
		must(s, err)
		return s.restartsOf(srv) + ": " + added()
	})
	s.expect("and a user's rollout restart", oneRestart+": "+all, func() string {
		s.shell(root, s.kubeconfigOf(srv), "kubectl rollout restart statefulset "+srv.Name)
		return s.restartsOf(srv) + ": " + added()
	})
	sec := srv.jwt(s)
	s.expect("a Secret goes away under it, and the pod is deleted", cannotStart+": "+all, func() string {
		return s.held(srv, func() { must(s, srv.deleteJWT(s.ctx)) }, "SecretsMissing", "") + ": " + added()
	})
	s.expect("and comes back with the same bytes", noRestart+": "+all, func() string {
		must(s, srv.createSecret(s.ctx, "jwt", sec))
		must(s, srv.awaitCondition(s.ctx, "SecretsResolved", "True"))
		return s.restartsOf(srv) + ": " + added()
	})
	s.expect("then a rotation", oneRestart+": "+all, func() string {
		must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
		return s.restartsOf(srv) + ": " + added()
	})
}

// startWebhook adds a variable and a volume to each StatefulSet that is created in a
// namespace, and to none that is updated.
func startWebhook(s *scenario, ns string) {
	s.Helper()
	patch, err := json.Marshal([]any{
		map[string]any{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": map[string]any{"name": "INJECTED", "value": "x"}},
		map[string]any{"op": "add", "path": "/spec/template/spec/volumes/-", "value": map[string]any{"name": "injected", "emptyDir": map[string]any{}}},
	})
	must(s, err)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := &admissionv1.AdmissionReview{}
		if err := json.NewDecoder(r.Body).Decode(review); err != nil || review.Request == nil {
			http.Error(w, "no review", http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true, Patch: patch, PatchType: new(admissionv1.PatchTypeJSONPatch)}
		review.Request = nil
		_ = json.NewEncoder(w).Encode(review)
	}))
	listener, err := (&net.ListenConfig{}).Listen(s.ctx, "tcp", machine+":0")
	must(s, err)
	srv.Listener = listener
	authority := host.NewAuthority()
	crt, ca := authority.Issue("webhook", machine).TLS(), authority.Certificate()
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{crt}, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	s.Cleanup(srv.Close)

	_, err = s.cluster.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(s.ctx, &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: ns},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    "inject.example.org",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: &srv.URL, CABundle: ca},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}},
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"statefulsets"}},
			}},
		}},
	}, metav1.CreateOptions{})
	must(s, err)
	s.Cleanup(func() {
		_ = s.cluster.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(context.WithoutCancel(s.ctx), ns, metav1.DeleteOptions{})
	})
	// A webhook works a while after it is there.
	must(s, await(s.ctx, "the webhook to work", func(ctx context.Context) error {
		probe := map[string]any{
			"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "probe", "namespace": ns},
			"spec": map[string]any{
				"selector": map[string]any{"matchLabels": map[string]any{"a": "b"}},
				"template": map[string]any{
					"metadata": map[string]any{"labels": map[string]any{"a": "b"}},
					"spec": map[string]any{
						"volumes":    []any{map[string]any{"name": "v", "emptyDir": map[string]any{}}},
						"containers": []any{map[string]any{"name": "c", "image": "i", "env": []any{map[string]any{"name": "A", "value": "b"}}}},
					},
				},
			},
		}
		r, err := s.cluster.kind("apps/v1", "StatefulSet", ns)
		if err != nil {
			return err
		}
		got, err := r.Create(ctx, &unstructured.Unstructured{Object: probe}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return err
		}
		if b, _ := got.MarshalJSON(); !strings.Contains(string(b), "INJECTED") {
			return fmt.Errorf("nothing is added")
		}
		return nil
	}))
}

// recreated is a server whose DittoServer is deleted and created again on its claims.
func recreated(s *scenario) {
	const secret = "recreated-admin-bootstrap-credentials"
	spec := map[string]any{"storage": map[string]any{"metadataSize": "1Gi"}}
	srv := s.running("recreated", spec, nil)
	secrets := s.cluster.CoreV1().Secrets(srv.Namespace)
	saved, err := secrets.Get(s.ctx, secret, metav1.GetOptions{})
	must(s, err)
	back := func() {
		_, err := secrets.Create(s.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secret}, Data: saved.Data}, metav1.CreateOptions{})
		must(s, err)
	}

	s.expect("the managed Secret of a running server deleted", "SecretsResolved names it, no other is made", func() string {
		// A reconcile that is under way has observed it, and writes it again as it was.
		must(s, await(s.ctx, "the Secret to stay away", func(ctx context.Context) error {
			if err := secrets.Delete(ctx, secret, metav1.DeleteOptions{}); err != nil && !kerrors.IsNotFound(err) {
				return err
			}
			xr, err := srv.xr(ctx)
			if err != nil {
				return err
			}
			if c := condition(xr, "SecretsResolved"); c["reason"] != "Unresolved" {
				return fmt.Errorf("condition SecretsResolved is %v", c)
			}
			return nil
		}))
		return s.withoutPassword(srv, secret)
	})
	s.expect("and brought back", noRestart, func() string {
		back()
		must(s, srv.awaitReason(s.ctx, "SecretsResolved", "Resolved"))
		return s.restartsOf(srv)
	})
	s.expect("deleted and created again on its claims", "SecretsResolved names it, no other is made", func() string {
		must(s, srv.xrs().Delete(s.ctx, srv.Name, metav1.DeleteOptions{}))
		s.gone(dittoServers.GroupVersion().String(), "DittoServer", srv.Namespace, srv.Name)
		s.gone("apps/v1", "StatefulSet", srv.Namespace, srv.Name)
		if err := secrets.Delete(s.ctx, secret, metav1.DeleteOptions{}); err != nil && !kerrors.IsNotFound(err) {
			must(s, err)
		}
		must(s, srv.create(s.ctx, spec))
		must(s, srv.awaitReason(s.ctx, "SecretsResolved", "Unresolved"))
		return s.withoutPassword(srv, secret)
	})
	s.expect("with the Secret brought back", "ready, with the old password", func() string {
		back()
		must(s, srv.awaitReady(s.ctx))
		got, err := secrets.Get(s.ctx, secret, metav1.GetOptions{})
		must(s, err)
		if !bytes.Equal(got.Data["password"], saved.Data["password"]) {
			return "another password"
		}
		s.restartsOf(srv)
		return "ready, with the old password"
	})
}

// withoutPassword says whether a server waits for a Secret, and none was made.
func (s *scenario) withoutPassword(srv *server, secret string) string {
	s.Helper()
	must(s, srv.reconcile(s.ctx))
	xr, err := srv.xr(s.ctx)
	must(s, err)
	if msg := fmt.Sprint(condition(xr, "SecretsResolved")["message"]); !strings.Contains(msg, fmt.Sprintf("%q", secret)) {
		return "the condition says " + msg
	}
	if _, err := s.cluster.CoreV1().Secrets(srv.Namespace).Get(s.ctx, secret, metav1.GetOptions{}); !kerrors.IsNotFound(err) {
		return fmt.Sprintf("the Secret: %v", err)
	}
	return "SecretsResolved names it, no other is made"
}
