package main

import (
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/functest"
)

// What controllers and the kubelet do in a sequence.

// A pod of the server.
type pod struct {
	// Template is the one that it is made of.
	template *structpb.Value

	// Config is the config.yaml that its process has read, and started is set once
	// there is one. Mounted says that the kubelet has its files.
	config           string
	started, mounted bool
}

// controllers have seen everything, and said so.
func (w *world) controllers() {
	w.control()
	if w.r.IntN(2) == 0 {
		w.control()
	}
	w.kubelet()
	w.status()
}

// control does what the controller of StatefulSets does with pods.
func (w *world) control() {
	ss := w.Objects[functest.ID("StatefulSet", "files")]
	switch {
	case ss == nil: // The pod is an orphan, until there is another one.
	case functest.ValueAt(ss, "spec", "replicas").GetNumberValue() == 0:
		w.pod = nil
	case w.pod == nil:
		w.pod = &pod{template: functest.TemplateOf(ss)}
	case !functest.SameValue(w.pod.template, functest.TemplateOf(ss)):
		w.pod = nil
	}
}

// hesitate has the controller of StatefulSets see the newest template, and not get to
// the pod.
func (w *world) hesitate() {
	if ss := w.Objects[functest.ID("StatefulSet", "files")]; w.pod != nil && ss != nil && !functest.SameValue(w.pod.template, functest.TemplateOf(ss)) {
		w.saw("pod of an older template")
	}
	w.status()
}

// status says what the controller of StatefulSets has done.
func (w *world) status() {
	w.Pull()
	id := functest.ID("StatefulSet", "files")
	ss := w.Objects[id]
	if ss == nil {
		return
	}
	count := map[string]float64{"replicas": 0, "updatedReplicas": 0, "readyReplicas": 0, "currentReplicas": 0, "availableReplicas": 0}
	if w.pod != nil {
		count["replicas"] = 1
		if functest.SameValue(w.pod.template, functest.TemplateOf(ss)) {
			count["updatedReplicas"] = 1
		}
		if w.pod.started {
			count["readyReplicas"], count["availableReplicas"] = 1, 1
		}
	}
	status := functest.RolledOut(ss)
	for name, n := range count {
		status.GetStructValue().Fields[name] = structpb.NewNumberValue(n)
	}
	w.Put(id, functest.SetAt(ss, status, "status"))
	w.Show()
}

// kubelet starts the pod, if all is there that it needs.
func (w *world) kubelet() {
	if w.pod == nil || w.pod.started {
		return
	}
	cm := w.Objects[functest.ID("ConfigMap", configMapOf(w.pod.template))]
	if cm == nil && !w.pod.mounted || !w.secretsOf(w.pod.template) {
		w.saw("pod waits")
		return
	}
	if cm != nil {
		w.pod.config = functest.StringOf(cm, "data", dittofs.ConfigFile)
	}
	w.pod.started, w.pod.mounted = true, true
	w.started()
}

// secretsOf says whether all Secrets are there that a pod cannot start without.
func (w *world) secretsOf(tmpl *structpb.Value) bool {
	there := func(ref *structpb.Struct, name, key string) bool {
		s := w.Objects[functest.ID("Secret", name)]
		return functest.ValueAt(ref, "optional").GetBoolValue() || s != nil && (key == "" || functest.ValueAt(s, "data", key) != nil)
	}
	for _, c := range functest.ValueAt(tmpl.GetStructValue(), "spec", "containers").GetListValue().GetValues() {
		for _, e := range functest.ValueAt(c.GetStructValue(), "env").GetListValue().GetValues() {
			if ref := functest.ValueAt(e.GetStructValue(), "valueFrom", "secretKeyRef").GetStructValue(); ref != nil && !there(ref, functest.StringOf(ref, "name"), functest.StringOf(ref, "key")) {
				return false
			}
		}
	}
	for _, v := range functest.ValueAt(tmpl.GetStructValue(), "spec", "volumes").GetListValue().GetValues() {
		if ref := functest.ValueAt(v.GetStructValue(), "secret").GetStructValue(); ref != nil && !there(ref, functest.StringOf(ref, "secretName"), "") {
			return false
		}
	}
	return true
}

// held says whether the server has yet to become what it is wanted to be.
func (w *world) held() bool {
	switch reason := functest.ConditionOf(w.XR, "RestartPending"); reason {
	case "", "False UpToDate":
		return false
	default:
		return true
	}
}

// restartProcess restarts the server in its pod, whose files stay the same ones.
func (w *world) restartProcess() {
	if w.pod == nil || !w.pod.started {
		return
	}
	if w.held() {
		w.saw("process restarted while held")
	}
	before := w.pod.config
	w.pod.started = false
	w.kubelet()
	if w.pod.config != before {
		w.Errorf("A server restarted by itself and reads another configuration: -before, +now:\n%s", cmpText(before, w.pod.config))
	}
}

// deletePod has the pod made anew, as when its node is drained.
func (w *world) deletePod() {
	ss := w.Objects[functest.ID("StatefulSet", "files")]
	if w.pod == nil || ss == nil || functest.ValueAt(ss, "spec", "replicas").GetNumberValue() == 0 {
		return
	}
	before := w.pod
	unchanged := functest.SameValue(before.template, functest.TemplateOf(ss))
	switch {
	case !unchanged:
		w.saw("pod deleted while replaced")
	case w.held():
		w.saw("pod deleted while held")
	}
	w.pod = &pod{template: functest.TemplateOf(ss)}
	w.kubelet()
	if unchanged && before.started && w.pod.started && w.pod.config != before.config {
		w.Errorf("A pod was made anew and reads another configuration: -before, +now:\n%s", cmpText(before.config, w.pod.config))
	}
}
