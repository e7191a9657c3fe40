package v1alpha1

import (
	"fmt"
	"strings"
	"testing"
)

// eachPath returns the mountPath of each of the first n volumeMounts.
func eachPath(n int) []string {
	all := []string{}
	for i := range n {
		all = append(all, fmt.Sprintf("spec.volumeMounts[%d].mountPath", i))
	}
	return all
}

// TestValidateVolumes accepts what the restricted Pod Security Standard does, and refuses
// what would hide something of the server's.
func TestValidateVolumes(t *testing.T) {
	volumes := func(v ...any) fields { return fields{"volumes": v} }
	mounts := func(paths ...string) fields {
		all := []any{}
		for _, p := range paths {
			all = append(all, fields{"name": "v", "mountPath": p})
		}
		return fields{"volumes": []any{fields{"name": "v", "emptyDir": fields{}}}, "volumeMounts": all}
	}
	with := func(mount fields) fields {
		mount["name"], mount["mountPath"] = "v", "/extra"
		return fields{"volumes": []any{fields{"name": "v", "secret": fields{"secretName": "s"}}}, "volumeMounts": []any{mount}}
	}
	item := fields{"key": "k", "path": "dir/f", "mode": 256}
	validateAll(t, map[string]validateCase{
		"Kinds": {reason: "All kinds that a volume may be of.", edit: volumes(
			fields{"name": "a", "secret": fields{"secretName": "s", "items": []any{item}, "optional": true, "defaultMode": 256}},
			fields{"name": "b", "configMap": fields{"name": "m", "items": []any{item}}},
			fields{"name": "c", "projected": fields{"sources": []any{
				fields{"secret": fields{"name": "s", "items": []any{fields{"key": "k", "path": "a"}}}},
				fields{"configMap": fields{"name": "m"}},
				fields{"serviceAccountToken": fields{"path": "token", "audience": "sts.example.com", "expirationSeconds": 600}},
			}}},
			fields{"name": "d", "emptyDir": fields{"medium": "Memory", "sizeLimit": "1Gi"}},
			fields{"name": "e", "persistentVolumeClaim": fields{"claimName": "c", "readOnly": true}})},
		"HostPath":       {reason: "What opens the node is no kind of volume here.", edit: volumes(fields{"name": "a", "hostPath": fields{"path": "/"}}), want: []string{"spec.volumes[0]"}},
		"TwoKinds":       {reason: "A volume is of one kind.", edit: volumes(fields{"name": "a", "emptyDir": fields{}, "secret": fields{"secretName": "s"}}), want: []string{"spec.volumes[0]"}},
		"Names":          {reason: "Volumes have names of their own.", edit: volumes(fields{"emptyDir": fields{}}, fields{"name": "A", "emptyDir": fields{}}, fields{"name": "a", "emptyDir": fields{}}, fields{"name": "a", "emptyDir": fields{}}), want: []string{"spec.volumes[0].name", "spec.volumes[1].name", "spec.volumes[3].name"}},
		"Reserved":       {reason: "The function's volumes have these names, and so do the claims.", edit: volumes(fields{"name": "config", "emptyDir": fields{}}, fields{"name": "controlplane", "emptyDir": fields{}}, fields{"name": "tls-client-ca", "emptyDir": fields{}}), want: []string{"spec.volumes[0].name", "spec.volumes[1].name", "spec.volumes[2].name"}},
		"Nameless":       {reason: "A reference names something.", edit: volumes(fields{"name": "a", "secret": fields{}}, fields{"name": "b", "configMap": fields{}}, fields{"name": "c", "persistentVolumeClaim": fields{"claimName": ""}}), want: []string{"spec.volumes[0].secret.secretName", "spec.volumes[1].configMap.name", "spec.volumes[2].persistentVolumeClaim.claimName"}},
		"Items":          {reason: "A file is in its volume.", edit: volumes(fields{"name": "a", "configMap": fields{"name": "m", "items": []any{fields{}, fields{"key": "a b", "path": "../x"}, fields{"key": "k", "path": "/x", "mode": 512}}}}), want: []string{"spec.volumes[0].configMap.items[0].key", "spec.volumes[0].configMap.items[0].path", "spec.volumes[0].configMap.items[1].key", "spec.volumes[0].configMap.items[1].path", "spec.volumes[0].configMap.items[2].mode", "spec.volumes[0].configMap.items[2].path"}},
		"Mode":           {reason: "Permissions have nine bits.", edit: volumes(fields{"name": "a", "secret": fields{"secretName": "s", "defaultMode": -1}}, fields{"name": "b", "projected": fields{"defaultMode": 512, "sources": []any{fields{"secret": fields{"name": "s"}}}}}), want: []string{"spec.volumes[0].secret.defaultMode", "spec.volumes[1].projected.defaultMode"}},
		"Projected":      {reason: "A volume of nothing is a mistake, and so is a source of two kinds.", edit: volumes(fields{"name": "a", "projected": fields{}}, fields{"name": "b", "projected": fields{"sources": []any{fields{}, fields{"secret": fields{"name": "s"}, "configMap": fields{"name": "m"}}}}}), want: []string{"spec.volumes[0].projected.sources", "spec.volumes[1].projected.sources[0]", "spec.volumes[1].projected.sources[1]"}},
		"ProjectedTwice": {reason: "Kubernetes refuses two files of one path.", edit: volumes(fields{"name": "a", "projected": fields{"sources": []any{fields{"secret": fields{"name": "s", "items": []any{item}}}, fields{"configMap": fields{"name": "m", "items": []any{item}}}}}}), want: []string{"spec.volumes[0].projected.sources[1].configMap.items[0].path"}},
		"ProjectedNames": {reason: "A reference names something, and a token is valid for a while.", edit: volumes(fields{"name": "a", "projected": fields{"sources": []any{fields{"secret": fields{}}, fields{"configMap": fields{}}, fields{"serviceAccountToken": fields{"path": "", "expirationSeconds": 599}}}}}), want: []string{"spec.volumes[0].projected.sources[0].secret.name", "spec.volumes[0].projected.sources[1].configMap.name", "spec.volumes[0].projected.sources[2].serviceAccountToken.expirationSeconds", "spec.volumes[0].projected.sources[2].serviceAccountToken.path"}},
		"EmptyDir":       {reason: "Huge pages are not for files.", edit: volumes(fields{"name": "a", "emptyDir": fields{"medium": "HugePages", "sizeLimit": "-1"}}), want: []string{"spec.volumes[0].emptyDir.medium", "spec.volumes[0].emptyDir.sizeLimit"}},
		"TooMany":        {reason: "The schema has a limit.", edit: fields{"volumes": make([]any, 65), "volumeMounts": make([]any, 65)}, want: []string{"spec.volumeMounts", "spec.volumes"}},
		"TooManySources": {reason: "The schema has a limit.", edit: volumes(fields{"name": "a", "projected": fields{"sources": make([]any, 33)}}), want: []string{"spec.volumes[0].projected.sources"}},

		"Mounted":    {reason: "Where nothing of the server's is.", edit: mounts("/extra", "/data/extra", "/etc/ssl/certs", "/kerberosx", "/app/extra")},
		"Hides":      {reason: "The server would not find what it needs.", edit: mounts("/config", "/data/store", "/tls", "/tmp/x", "/app", "/etc", "/proc"), want: eachPath(7)},
		"HidesAll":   {reason: "Nothing would be left.", edit: mounts("/"), want: eachPath(1)},
		"NotAPath":   {reason: "A path is absolute and clean.", edit: mounts("", "extra", "/a/../b", "/c/", "/d:ro", "/e\n", "/"+strings.Repeat("f", 256)), want: eachPath(7)},
		"Twice":      {reason: "One would hide the other.", edit: mounts("/a", "/b/c", "/a", "/b"), want: []string{"spec.volumeMounts[2].mountPath", "spec.volumeMounts[3].mountPath"}},
		"NoVolume":   {reason: "What is mounted is a volume.", edit: fields{"volumeMounts": []any{fields{"name": "w", "mountPath": "/w"}}}, want: []string{"spec.volumeMounts[0].name"}},
		"OfFunction": {reason: "The function's volumes are where they are.", edit: fields{"volumeMounts": []any{fields{"name": "metadata", "mountPath": "/w"}}}, want: []string{"spec.volumeMounts[0].name"}},
		"SubPath":    {reason: "One file of a volume.", edit: with(fields{"subPath": "dir/f", "readOnly": true})},
		"SubPathUp":  {reason: "A file is in its volume.", edit: with(fields{"subPath": "../f"}), want: []string{"spec.volumeMounts[0].subPath"}},
		"Others":     {reason: "What the server has no use for is refused, and not ignored.", edit: with(fields{"subPathExpr": "$(A)", "mountPropagation": "Bidirectional", "recursiveReadOnly": "Enabled"}), want: []string{"spec.volumeMounts[0].mountPropagation", "spec.volumeMounts[0].recursiveReadOnly", "spec.volumeMounts[0].subPathExpr"}},
	})
}
