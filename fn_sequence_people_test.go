package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/keyfile"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// What people and their tools do in a sequence.

func (w *world) changeSpec() {
	n := func(i int) int { return w.r.IntN(i) }
	changes := []func() (string, any){
		func() (string, any) { return "spec.controlPlane.port", 8080 + n(3) },
		func() (string, any) { return "spec.logging.level", pick(w.r, "DEBUG", "INFO", "WARN") },
		func() (string, any) { return "spec.image", fmt.Sprint("example.com/dittofs:v", n(3)) },
		func() (string, any) { return "spec.resources.limits.memory", fmt.Sprint(1+n(3), "Gi") },
		func() (string, any) { return "spec.metrics.enabled", n(2) == 0 },
		func() (string, any) { return "spec.shutdownTimeout", fmt.Sprint(10+n(3), "s") },
		func() (string, any) { return "spec.controlPlane.certSecretName", pick(w.r, "tls", "") },
		func() (string, any) {
			return "spec.env", []any{map[string]any{"name": "A", "valueFrom": map[string]any{"configMapKeyRef": map[string]any{"name": "extra", "key": pick(w.r, "a", "b")}}}}
		},
		func() (string, any) {
			return "spec.envFrom", []any{map[string]any{"prefix": pick(w.r, "P_", "Q_"), "configMapRef": map[string]any{"name": "extra"}}}
		},
		func() (string, any) { return pick(w.r, "spec.env", "spec.envFrom"), "" },
		func() (string, any) { return "spec.rollout.policy", pick(w.r, "Manual", "Automatic") },
		func() (string, any) { return "spec.replicas", min(n(4), 1) },
	}
	path, value := changes[n(len(changes))]()
	w.sayf("  %s: %v", path, value)
	if value == "" {
		if functest.ValueAt(w.XR, strings.Split(path, ".")...) != nil {
			w.Unset(path)
		}
		return
	}
	w.Set(path, value)
}

func (w *world) takeBack() {
	before := w.XR
	w.changeSpec()
	_ = w.reconciled(nothing)
	if w.r.IntN(2) == 0 {
		w.control()
	}
	crossplane := functest.ValueAt(w.XR, "spec", "crossplane")
	w.XR = functest.SetAt(w.XR, functest.ValueAt(before, "spec"), "spec")
	if crossplane != nil {
		w.XR = functest.SetAt(w.XR, crossplane, "spec", "crossplane")
	}
	w.saw("change taken back")
	_ = w.reconciled(nothing)
}

func (w *world) newToken() {
	w.tokens++
	if w.r.IntN(5) == 0 && functest.ValueAt(w.XR, "spec", "rollout", "restartToken") != nil {
		w.sayf("  none")
		w.Unset("spec.rollout.restartToken")
		return
	}
	w.Set("spec.rollout.restartToken", fmt.Sprint("token-", w.tokens))
}

func (w *world) changeSecret() {
	w.values++
	n := w.r.IntN(12)
	w.sayf("  %d", n)
	switch n {
	case 0, 1:
		w.SetSecret("jwt", "key", fmt.Sprint(strings.Repeat("k", 32), w.values))
	case 2:
		w.SetSecret("admin", "password", fmt.Sprint(functest.AdminPassword, w.values))
	case 3:
		w.DeleteSecret(pick(w.r, "jwt", "admin", "tls"))
	case 4:
		w.SetSecret(pick(w.r, "jwt", "admin"), "key", "short")
		w.SetSecret("admin", "password", "")
	case 5:
		w.SetConfigMap("extra", pick(w.r, "a", "b", "c"), fmt.Sprint(w.values))
	case 6:
		w.DeleteObject("ConfigMap", "extra")
	case 7:
		w.SetSecret("encryption", "passphrase", pick(w.r, "another", "correct horse"))
	case 8:
		w.SetSecret("encryption", "main.key", string(keyfile.New(pick(w.r, "another", "correct horse"), pick(w.r, "key-1", "key-2"))))
	case 9:
		w.databaseKey()
	default:
		w.restoreSecrets()
	}
}

// databaseKey moves the name of the database from one of its keys to the other, by way of
// both.
func (w *world) databaseKey() {
	if !w.postgres() {
		return
	}
	db := w.Objects[functest.ID("Secret", "db")]
	has := func(key string) bool { return functest.ValueAt(db, "data", key) != nil }
	switch {
	case has("database") && has("dbname"):
		w.UnsetSecret("db", pick(w.r, "database", "dbname"))
		w.saw("key of the database gone")
	default:
		w.SetSecret("db", "database", "dittofs")
		w.SetSecret("db", "dbname", "dittofs")
		w.saw("both keys of the database")
	}
}

func (w *world) postgres() bool {
	return functest.ValueAt(w.XR, "spec", "database", "postgresSecretRef") != nil
}

// encrypt gives the server a key of encrypted stores. It is not taken away again, which is
// refused.
func (w *world) encrypt() {
	if functest.ValueAt(w.XR, "spec", "encryption") == nil {
		withEncryption(w.cluster)
		w.saw("encrypted")
	}
}

func (w *world) restoreSecrets() {
	ss, id := w.Objects[functest.ID("StatefulSet", "files")], "key-1"
	if masterKeys(ss) == "main=key-2" {
		id = "key-2"
	}
	w.SetSecret("encryption", "passphrase", "correct horse")
	w.SetSecret("encryption", "main.key", string(keyfile.New("correct horse", id)))
	if w.postgres() {
		w.SetSecret("db", cmp.Or(databaseKeyOf(ss), "database"), "dittofs")
	}
	w.SetSecret("jwt", "key", functest.JWTKey)
	w.SetSecret("admin", "password", functest.AdminPassword)
	w.SetSecret("tls", "tls.crt", string(w.certificate.Cert))
	w.SetSecret("tls", "tls.key", string(w.certificate.Key))
	w.SetConfigMap("extra", "a", "1")
	w.SetConfigMap("extra", "b", "1")
}

// missing says whether a Secret or a ConfigMap that a DittoServer refers to is not as it
// should be.
func (w *world) missing(xr *structpb.Struct) bool {
	has := func(name, key string, least int) bool {
		return len(functest.ValueAt(w.Objects[functest.ID("Secret", name)], "data", key).GetStringValue()) >= least
	}
	return w.extraMissing(xr) || functest.ValueAt(xr, "spec", "encryption") != nil && masterKey(w.Objects[functest.ID("Secret", "encryption")]) == "" || !has("jwt", "key", 44) || !has("admin", "password", 1) ||
		functest.StringOf(xr, "spec", "controlPlane", "certSecretName") != "" && (!has("tls", "tls.crt", 1) || !has("tls", "tls.key", 1)) ||
		functest.ValueAt(xr, "spec", "percona", "enabled").GetBoolValue() && !has("files-postgres-pguser-dittofs", "password", 1)
}

// extraMissing says so of the ConfigMap of the user's own variables.
func (w *world) extraMissing(xr *structpb.Struct) bool {
	extra := w.Objects[functest.ID("ConfigMap", "extra")]
	for _, v := range functest.ValueAt(xr, "spec", "env").GetListValue().GetValues() {
		if functest.ValueAt(extra, "data", functest.StringOf(v.GetStructValue(), "valueFrom", "configMapKeyRef", "key")) == nil {
			return true
		}
	}
	return extra == nil && functest.ValueAt(xr, "spec", "envFrom") != nil
}

// database turns Percona's on, and then has it become ready. It is not turned off
// again, which is refused. A server with a database of its user's keeps that.
func (w *world) database() {
	if w.postgres() {
		w.databaseKey()
		return
	}
	if !functest.ValueAt(w.XR, "spec", "percona", "enabled").GetBoolValue() {
		w.Set("spec.percona", map[string]any{"enabled": true, "deleteWithServer": true})
		w.sayf("  is on")
		return
	}
	w.databaseReady()
}

func (w *world) databaseReady() {
	if w.Composed[manifests.PerconaResource] == nil {
		return
	}
	for key, value := range map[string]string{"host": "db", "port": "5432", "dbname": "dittofs", "user": "dittofs", "password": "battery staple"} {
		w.SetSecret("files-postgres-pguser-dittofs", key, value)
	}
	w.Edit(manifests.PerconaResource, "status.state", "ready")
	w.sayf("  is ready")
	w.saw("database ready")
}

func (w *world) configMaps() []functest.ObjectID {
	ids := []functest.ObjectID{}
	for id, o := range w.Objects {
		if id.Kind == "ConfigMap" && functest.StringOf(o, "metadata", "labels", manifests.LabelServer) == "files" {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b functest.ObjectID) int { return strings.Compare(a.Name, b.Name) })
	return ids
}

func (w *world) deleteConfigMap() {
	if ids := w.configMaps(); len(ids) > 0 {
		id := ids[w.r.IntN(len(ids))]
		w.sayf("  %s", id.Name)
		w.DeleteObject(id.Kind, id.Name)
		w.saw("ConfigMap deleted")
		w.lost[id.Name], w.astray = true, true
	}
}

func (w *world) orphanStatefulSet() {
	if w.Stored("StatefulSet", "files") != nil {
		w.DeleteObject("StatefulSet", "files")
		w.added, w.injected = map[string]string{}, nil
		w.saw("StatefulSet orphaned")
	}
}

// orphanDittoServer deletes the DittoServer and leaves its objects, and creates it
// again.
func (w *world) orphanDittoServer() {
	w.Pull()
	uid := functest.StringOf(w.XR, "metadata", "uid")
	for id, o := range w.Objects {
		if functest.Controller(o) == uid {
			w.Update(id, "kube-controller-manager", func(o *structpb.Struct) *structpb.Struct { return functest.Without(w, o, "metadata.ownerReferences") })
		}
	}
	w.values++
	w.XR = functest.Without(w, functest.SetAt(functest.SetAt(w.XR, fmt.Sprint("uid-", w.values), "metadata", "uid"), 1, "metadata", "generation"), "status")
	w.XR = functest.Without(w, w.XR, "spec.crossplane")
	w.Required, w.past, w.kept = nil, nil, nil
	w.Show()
	w.saw("DittoServer orphaned")
	if w.Stored("StatefulSet", "files") == nil {
		w.leaky = true
	}
}

func (w *world) scale() {
	if w.Stored("StatefulSet", "files") != nil {
		w.UpdateAs("kubectl", "StatefulSet", "files", map[string]any{"spec.replicas": w.r.IntN(2)})
		w.saw("scaled")
	}
}

// addToTemplate has somebody else set a field of the pod template.
func (w *world) addToTemplate(manager, field, value string) {
	w.UpdateAs(manager, "StatefulSet", "files", map[string]any{field: value})
	w.added[field] = value
}

func (w *world) restartByKubectl() {
	if w.Stored("StatefulSet", "files") == nil {
		return
	}
	w.values++
	w.addToTemplate("kubectl-rollout", "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]", fmt.Sprint("at ", w.values))
	w.saw("restarted by kubectl")
}

// webhook adds a variable and a volume, as one does that injects something.
func (w *world) webhook() {
	ss := w.Stored("StatefulSet", "files")
	if ss == nil {
		return
	}
	w.values++
	name := fmt.Sprint("webhook-", w.values)
	env := len(functest.ValueAt(functest.Container(ss), "env").GetListValue().GetValues())
	volumes := len(functest.ValueAt(ss, "spec", "template", "spec", "volumes").GetListValue().GetValues())
	w.UpdateAs("webhook", "StatefulSet", "files", map[string]any{
		fmt.Sprintf("spec.template.spec.containers[0].env[%d]", env): map[string]any{"name": name, "value": "theirs"},
		fmt.Sprintf("spec.template.spec.volumes[%d]", volumes):       map[string]any{"name": name, "emptyDir": map[string]any{}},
	})
	w.injected = append(w.injected, name)
	w.addToTemplate("webhook", "spec.template.metadata.labels[example.com/injected]", name)
	w.addToTemplate("webhook", "spec.template.spec.schedulerName", name)
	w.saw("webhook")
}
