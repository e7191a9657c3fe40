package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	applyappsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/yaml"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// What must hold in a sequence.

// record what a response says, and check that what belongs together is in it.
func (w *world) record(c *call) {
	w.Helper()
	ss := functest.Desired(c.Response, manifests.StatefulSetResource)
	if ss == nil || functest.TemplateOf(ss) == nil {
		return
	}
	observed := c.Observed[manifests.StatefulSetResource]
	name := configMapOf(functest.TemplateOf(ss))
	config, found := "", false
	for _, r := range c.Response.GetDesired().GetResources() {
		if o := r.GetResource(); functest.StringOf(o, "kind") == "ConfigMap" && functest.StringOf(o, "metadata", "name") == name {
			config, found = functest.StringOf(o, "data", dittofs.ConfigFile), true
		}
	}
	if !found {
		w.Errorf("The desired pod template names ConfigMap %q, which is not desired", name)
	}
	if noted := functest.StringOf(ss, "metadata", "annotations", manifests.AnnotationConfig); noted != config {
		w.Errorf("The StatefulSet's own annotation should have the configuration that the template names: -annotation, +ConfigMap:\n%s", cmpText(noted, config))
	}
	h := functest.HashOf(ss)
	if before, known := w.rendered[h]; known && before != config {
		w.Errorf("One hash stands for two configurations: -before, +now:\n%s", cmpText(before, config))
	}
	w.rendered[h] = config

	held := strings.TrimPrefix(functest.Condition(c.Response, "RestartPending"), "TRUE ")
	switch {
	case observed == nil:
	case functest.HashOf(observed) != h:
		w.saw("advanced")
		w.sayf("  it advances from %.6s to %.6s", functest.HashOf(observed), h)
	case held == "UNKNOWN SecretsMissing" && strings.Contains(functest.FullCondition(c.Response, "SecretsResolved").GetMessage(), `ConfigMap "extra"`):
		w.saw("held for a ConfigMap")
	case held == "UNKNOWN SecretsMissing" && strings.Contains(functest.FullCondition(c.Response, "SecretsResolved").GetMessage(), `Secret "encryption"`):
		w.saw("held for encryption")
	case held == "UNKNOWN SecretsMissing":
		w.saw("held for Secrets")
	case held == "ManualPolicy":
		w.saw("held by Manual")
	case held == "ConfigMapFirst":
		w.saw("held for its ConfigMap")
	case held == "DatabasePending":
		w.saw("database pending")
	}
}

// checkChange checks why a reconcile has changed what is ours of the pod template, and
// that it has changed nothing else.
func (w *world) checkChange(c *call, before, live *structpb.Struct) {
	w.Helper()
	if live == nil || functest.SameValue(functest.TemplateOf(before), functest.TemplateOf(live)) {
		return
	}
	if before == nil {
		w.saw("created")
		// A server that was held when it was observed is brought back as it was.
		if c.missing && !c.stale {
			w.Errorf("A server was created while Secrets are missing")
		}
		return
	}

	for field, value := range w.added {
		if got := functest.StringAt(w, live, field); got != value {
			w.Errorf("%s, which somebody else has set to %q, is %q", field, value, got)
		}
	}

	for _, name := range w.injected {
		if !named(functest.ValueAt(functest.Container(live), "env"), name) || !named(functest.ValueAt(live, "spec", "template", "spec", "volumes"), name) {
			w.Errorf("Variable or volume %q, which somebody else has added, is gone", name)
		}
	}

	was, is := w.owned(before), w.owned(live)
	if was == is {
		return
	}
	w.sayf("  the template is another one: %s", changedLines(cmpText(was, is)))
	if had, has := masterKeys(before), masterKeys(live); had != "" && has != had && (!c.stale || c.Observed[manifests.StatefulSetResource] != nil) {
		w.Errorf("The server has the master keys %q, and no longer %q, which it could have written with", has, had)
	}
	if key := databaseKeyOf(before); key != databaseKeyOf(live) && key != "" && !c.stale && functest.ValueAt(w.Objects[functest.ID("Secret", "db")], "data", key) != nil {
		w.Errorf("The server reads the database's name from the key %q, and no longer from %q, which is there", databaseKeyOf(live), key)
	}
	policy := functest.ValueAt(c.req.GetObserved().GetComposite().GetResource(), "spec", "rollout", "policy").GetStringValue()
	token := functest.ValueAt(c.req.GetObserved().GetComposite().GetResource(), "spec", "rollout", "restartToken").GetStringValue()
	old := functest.StringOf(before, "spec", "template", "metadata", "annotations", manifests.AnnotationRestartToken)
	runs := functest.ValueAt(before, "spec", "replicas").GetNumberValue() > 0
	switch {
	case c.Observed[manifests.StatefulSetResource] == nil && c.stale:
		// What is to be created cannot know what it meets.
	case c.missing:
		w.Errorf("The pod template changed while Secrets are missing: -before, +now:\n%s", cmpText(was, is))
	case policy == "Manual" && runs && (token == "" || token == old):
		w.Errorf("The pod template changed under the policy Manual without a new token (%q): -before, +now:\n%s", token, cmpText(was, is))
	case c.stale && !c.late && policy != "Manual" && functest.HashOf(w.wanted(before)) == functest.HashOf(before) && functest.HashOf(before) != functest.HashOf(live):
		w.Errorf("The pod template was as wanted, and changed: -before, +now:\n%s", cmpText(was, is))
	case policy == "Manual" && runs:
		w.saw("moved by a token")
	case policy == "Manual":
		w.saw("replaced while stopped")
	}
}

// databaseKeyOf returns the key of the user's Secret from which a StatefulSet's pod has the
// name of its database.
func databaseKeyOf(ss *structpb.Struct) string {
	return refs(ss)[dittofs.EnvPostgresDatabase].Key
}

// owned is what Crossplane owns of the pod template, as YAML.
func (w *world) owned(ss *structpb.Struct) string {
	w.Helper()
	typed := &appsv1.StatefulSet{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(functest.AsUnstructured(ss).Object, typed); err != nil {
		w.Fatal(err)
	}
	a, err := applyappsv1.ExtractStatefulSet(typed, w.Manager())
	if err != nil {
		w.Fatal(err)
	}
	if a.Spec == nil || a.Spec.Template == nil {
		return ""
	}
	y, err := yaml.Marshal(a.Spec.Template)
	if err != nil {
		w.Fatal(err)
	}
	return string(y)
}

// check what must hold at any moment.
func (w *world) check() {
	w.Helper()
	for _, id := range w.configMaps() {
		if w.lost[id.Name] {
			delete(w.lost, id.Name)
			w.saw("ConfigMap restored")
		}
	}
	if w.astray {
		if w.pod != nil && w.Objects[functest.ID("ConfigMap", configMapOf(w.pod.template))] == nil {
			w.lost[configMapOf(w.pod.template)] = true
		}
		return
	}
	// What is stopped, or starts, waits for its ConfigMap.
	if ss := w.Objects[functest.ID("StatefulSet", "files")]; ss != nil && w.pod != nil && w.pod.started {
		w.checkConfigMap("pod template", functest.TemplateOf(ss))
	}
	if w.pod != nil && w.pod.started && !w.lost[configMapOf(w.pod.template)] {
		w.checkConfigMap("pod", w.pod.template)
	}
}

func (w *world) checkConfigMap(what string, tmpl *structpb.Value) {
	w.Helper()
	cm := w.Objects[functest.ID("ConfigMap", configMapOf(tmpl))]
	if cm == nil {
		w.Errorf("The %s names ConfigMap %q, which is not there: the server would not start again", what, configMapOf(tmpl))
	} else if got, want := functest.StringOf(cm, "data", dittofs.ConfigFile), w.rendered[hashOfTemplate(tmpl)]; got != want {
		w.Errorf("The ConfigMap of the %s is not what it was rendered with: -want, +got:\n%s", what, cmpText(want, got))
	}
}

// started checks what a process reads that has just started.
func (w *world) started() {
	w.Helper()
	if want := w.rendered[hashOfTemplate(w.pod.template)]; want != w.pod.config {
		w.Errorf("A server started with a configuration that its pod template was not rendered with: -want, +got:\n%s", cmpText(want, w.pod.config))
	}
	config := struct {
		ControlPlane struct{ Port float64 }
		Metrics      struct{ Port float64 }
	}{}
	if err := yaml.Unmarshal([]byte(w.pod.config), &config); err != nil {
		w.Fatal(err)
	}
	ports := map[string]float64{"api": config.ControlPlane.Port}
	if config.Metrics.Port != 0 {
		ports["metrics"] = config.Metrics.Port
	}
	opened := map[string]float64{}
	for _, c := range functest.ValueAt(w.pod.template.GetStructValue(), "spec", "containers").GetListValue().GetValues() {
		for _, p := range functest.ValueAt(c.GetStructValue(), "ports").GetListValue().GetValues() {
			opened[functest.StringOf(p.GetStructValue(), "name")] = functest.ValueAt(p.GetStructValue(), "containerPort").GetNumberValue()
		}
	}
	if !maps.Equal(ports, opened) {
		w.Errorf("The server listens on %v, and the pod opens %v", ports, opened)
	}
}

func (w *world) checkEnd(ss *structpb.Struct) {
	w.Helper()
	if ss == nil {
		w.Fatalf("There is no StatefulSet in the end:\n%s", functest.AsYAML(w, w.XR))
	}

	wanted := w.wanted(ss)
	asWanted := functest.HashOf(wanted) == functest.HashOf(ss) && functest.StringOf(functest.Container(wanted), "image") == functest.StringOf(functest.Container(ss), "image") &&
		functest.SameValue(functest.ValueAt(functest.Container(wanted), "resources"), functest.ValueAt(functest.Container(ss), "resources"))

	configs := 1
	replicas := functest.ValueAt(ss, "spec", "replicas").GetNumberValue()
	switch manual := functest.StringOf(w.XR, "spec", "rollout", "policy") == "Manual"; {
	case asWanted && replicas > 0:
		w.saw("ended as wanted")
	case asWanted:
		w.saw("ended stopped")
	case manual && replicas > 0:
		w.saw("ended held")
		if got := functest.ConditionOf(w.XR, "RestartPending"); got != "True ManualPolicy" {
			w.Errorf("A server that waits for its user should say so, and RestartPending is %s", got)
		}
		if configMapOf(functest.TemplateOf(ss)) != configMapOf(functest.TemplateOf(wanted)) {
			configs = 2
		}
	default:
		w.Errorf("The server is not as it is wanted: -wanted, +got:\n%s", cmpText(functest.AsYAML(w, functest.TemplateOf(wanted)), functest.AsYAML(w, functest.TemplateOf(ss))))
	}
	if asWanted {
		if got := functest.ConditionOf(w.XR, "RestartPending"); got != "False UpToDate" {
			w.Errorf("The server is as it is wanted, and RestartPending is %s", got)
		}
	}
	if replicas > 0 && (w.pod == nil || !w.pod.started || !functest.SameValue(w.pod.template, functest.TemplateOf(ss))) {
		w.Errorf("The server does not run with its pod template: %v", w.pod)
	}
	if ids := w.configMaps(); len(ids) != configs && !w.leaky {
		w.Errorf("In the end there are %d ConfigMaps, want %d: %v", len(ids), configs, ids)
	}
	observed := 0
	for _, o := range w.Composed {
		if functest.StringOf(o, "kind") == "ConfigMap" {
			observed++
		}
	}
	if observed != configs {
		w.Errorf("In the end %d ConfigMaps are composed, want %d", observed, configs)
	}
}

// wanted is the StatefulSet that a new server would get. A restartToken that has been
// taken away stays the one that it was.
func (w *world) wanted(ss *structpb.Struct) *structpb.Struct {
	w.Helper()
	req := w.Request(&fnv1.Requirements{})
	delete(req.GetObserved().GetResources(), manifests.StatefulSetResource)
	req.RequiredResources = map[string]*fnv1.Resources{}
	token := functest.StringOf(ss, "spec", "template", "metadata", "annotations", manifests.AnnotationRestartToken)
	if token != "" && functest.StringOf(w.XR, "spec", "rollout", "restartToken") == "" {
		req.Observed.Composite.Resource = functest.With(w, req.GetObserved().GetComposite().GetResource(), "spec.rollout.restartToken", token)
	}
	for {
		rsp, err := w.f.RunFunction(w.Context(), req)
		if err != nil {
			w.Fatal(err)
		}
		more := false
		for name, sel := range rsp.GetRequirements().GetResources() {
			if _, answered := req.GetRequiredResources()[name]; answered {
				continue
			}
			more = true
			req.RequiredResources[name] = w.LookUp(sel)
			if sel.GetKind() == "StatefulSet" {
				req.RequiredResources[name] = &fnv1.Resources{}
			}
		}
		if more {
			continue
		}
		if functest.Desired(rsp, manifests.StatefulSetResource) == nil {
			w.Fatalf("A new server would not be created:\n%s", functest.AsYAML(w, rsp))
		}
		return functest.Desired(rsp, manifests.StatefulSetResource)
	}
}

func hashOfTemplate(tmpl *structpb.Value) string {
	return functest.StringOf(tmpl.GetStructValue(), "metadata", "annotations", manifests.AnnotationConfigHash)
}

// named says whether one of a list has a name.
func named(list *structpb.Value, name string) bool {
	return slices.ContainsFunc(list.GetListValue().GetValues(), func(v *structpb.Value) bool { return functest.StringOf(v.GetStructValue(), "name") == name })
}

// cmpText is the difference of two texts.
func cmpText(x, y string) string { return cmp.Diff(strings.Split(x, "\n"), strings.Split(y, "\n")) }

// changedLines are those lines of a difference that differ, as one.
func changedLines(diff string) string {
	lines := []string{}
	for line := range strings.SplitSeq(diff, "\n") {
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(lines, " ")
}
