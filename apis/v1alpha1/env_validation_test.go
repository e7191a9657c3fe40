package v1alpha1

import (
	"strings"
	"testing"
)

// TestValidateEnv refuses variables that Kubernetes refuses, and those of other fields.
func TestValidateEnv(t *testing.T) {
	env := func(e ...any) fields { return fields{"env": e} }
	from := func(source string, ref fields) fields {
		return env(fields{"name": "A", "valueFrom": fields{source: ref}})
	}
	validateAll(t, map[string]validateCase{
		"Values":         {reason: "Values may be empty, and refer to each other.", edit: env(fields{"name": "GOMEMLIMIT", "value": "1GiB"}, fields{"name": "EMPTY"}, fields{"name": "AGAIN", "value": "$(GOMEMLIMIT)"})},
		"Setting":        {reason: "A setting that no field sets is the user's.", edit: env(fields{"name": "DITTOFS_GC_AUTO_INTERVAL", "value": "5m"})},
		"SettingOfField": {reason: "It would beat config.yaml.", edit: env(fields{"name": "DITTOFS_LOGGING_LEVEL", "value": "DEBUG"}, fields{"name": "DITTOFS_METRICS", "value": "x"}), want: []string{"spec.env[0].name", "spec.env[1].name"}},
		"SecretOfField":  {reason: "Only one of the two would count.", edit: env(fields{"name": "DITTOFS_CONTROLPLANE_SECRET", "value": "x"}), want: []string{"spec.env[0].name"}},
		"Names":          {reason: "Older clusters refuse what is no C identifier, dots and dashes aside.", edit: env(fields{"value": "x"}, fields{"name": "1A"}, fields{"name": "a b"}, fields{"name": "A=B"}, fields{"name": "a.b-c"}), want: []string{"spec.env[0].name", "spec.env[1].name", "spec.env[2].name", "spec.env[3].name"}},
		"Twice":          {reason: "Only one of the two would count.", edit: env(fields{"name": "A", "value": "1"}, fields{"name": "A", "value": "2"}), want: []string{"spec.env[1].name"}},
		"Zero":           {reason: "No process can have such a variable.", edit: env(fields{"name": "A", "value": "a\x00b"}), want: []string{"spec.env[0].value"}},
		"Long":           {reason: "Linux passes no more to a process.", edit: env(fields{"name": "A", "value": strings.Repeat("a", 128<<10)}), want: []string{"spec.env[0].value"}},
		"Secret":         {reason: "A key of a Secret, which may be missing.", edit: from("secretKeyRef", fields{"name": "s", "key": "k", "optional": true})},
		"ConfigMap":      {reason: "A key of a ConfigMap.", edit: from("configMapKeyRef", fields{"name": "m", "key": "k.yaml"})},
		"SecretNoKey":    {reason: "A variable has one value.", edit: from("secretKeyRef", fields{"name": "s"}), want: []string{"spec.env[0].valueFrom.secretKeyRef.key"}},
		"ConfigMapNoKey": {reason: "A variable has one value.", edit: from("configMapKeyRef", fields{"name": "m"}), want: []string{"spec.env[0].valueFrom.configMapKeyRef.key"}},
		"ConfigMapOther": {reason: "A reference cannot reach into another namespace.", edit: from("configMapKeyRef", fields{"name": "ns/m", "key": "a/b"}), want: []string{"spec.env[0].valueFrom.configMapKeyRef.key", "spec.env[0].valueFrom.configMapKeyRef.name"}},
		"ConfigMapNone":  {reason: "A reference names something.", edit: from("configMapKeyRef", fields{"key": "k"}), want: []string{"spec.env[0].valueFrom.configMapKeyRef.name"}},
		"Field":          {reason: "A pod may know of itself.", edit: env(fields{"name": "A", "valueFrom": fields{"fieldRef": fields{"fieldPath": "status.podIP"}}}, fields{"name": "B", "valueFrom": fields{"fieldRef": fields{"fieldPath": "metadata.labels['team']"}}}, fields{"name": "C", "valueFrom": fields{"fieldRef": fields{"apiVersion": "v1", "fieldPath": "metadata.annotations['example.com/Team']"}}})},
		"FieldOther":     {reason: "The API server knows no other.", edit: from("fieldRef", fields{"apiVersion": "v2", "fieldPath": "spec.containers"}), want: []string{"spec.env[0].valueFrom.fieldRef.apiVersion", "spec.env[0].valueFrom.fieldRef.fieldPath"}},
		"FieldSubscript": {reason: "Only labels and annotations have keys.", edit: env(fields{"name": "A", "valueFrom": fields{"fieldRef": fields{"fieldPath": "metadata.labels['a b']"}}}, fields{"name": "B", "valueFrom": fields{"fieldRef": fields{"fieldPath": "metadata.name['a']"}}}, fields{"name": "C", "valueFrom": fields{"fieldRef": fields{"fieldPath": "metadata.labels['a"}}}), want: []string{"spec.env[0].valueFrom.fieldRef.fieldPath", "spec.env[1].valueFrom.fieldRef.fieldPath", "spec.env[2].valueFrom.fieldRef.fieldPath"}},
		"Resource":       {reason: "A pod may know what it is given.", edit: env(fields{"name": "A", "valueFrom": fields{"resourceFieldRef": fields{"resource": "limits.memory", "divisor": "1Mi"}}}, fields{"name": "B", "valueFrom": fields{"resourceFieldRef": fields{"containerName": "dittofs", "resource": "limits.cpu", "divisor": "1m"}}})},
		"ResourceOther":  {reason: "The API server knows no other.", edit: from("resourceFieldRef", fields{"containerName": "c", "resource": "limits.gpu", "divisor": "3"}), want: []string{"spec.env[0].valueFrom.resourceFieldRef.containerName", "spec.env[0].valueFrom.resourceFieldRef.divisor", "spec.env[0].valueFrom.resourceFieldRef.resource"}},
		"ResourceMilli":  {reason: "Only CPUs have thousandths.", edit: from("resourceFieldRef", fields{"resource": "limits.memory", "divisor": "1m"}), want: []string{"spec.env[0].valueFrom.resourceFieldRef.divisor"}},
		"File":           {reason: "What is in a file the function cannot see.", edit: from("fileKeyRef", fields{"volumeName": "v", "path": "p", "key": "k"}), want: []string{"spec.env[0].valueFrom.fileKeyRef"}},
		"NoSource":       {reason: "A source is one.", edit: env(fields{"name": "A", "valueFrom": fields{}}), want: []string{"spec.env[0].valueFrom"}},
		"TwoSources":     {reason: "A source is one.", edit: env(fields{"name": "A", "valueFrom": fields{"secretKeyRef": fields{"name": "s", "key": "k"}, "configMapKeyRef": fields{"name": "m", "key": "k"}}}), want: []string{"spec.env[0].valueFrom"}},
		"ValueAndSource": {reason: "A variable has one value.", edit: env(fields{"name": "A", "value": "1", "valueFrom": fields{"secretKeyRef": fields{"name": "s", "key": "k"}}}), want: []string{"spec.env[0].valueFrom"}},
		"TooMany":        {reason: "The schema has a limit.", edit: fields{"env": make([]any, 257)}, want: []string{"spec.env"}},

		"FromTooMany":     {reason: "The schema has a limit.", edit: fields{"envFrom": make([]any, 65)}, want: []string{"spec.envFrom"}},
		"FromBoth":        {reason: "All keys of both, behind a prefix or none.", edit: fields{"envFrom": []any{fields{"prefix": "DITTOFS_", "configMapRef": fields{"name": "m"}}, fields{"secretRef": fields{"name": "s", "optional": true}}}}},
		"FromNone":        {reason: "A source is one.", edit: fields{"envFrom": []any{fields{"prefix": "A_"}}}, want: []string{"spec.envFrom[0]"}},
		"FromTwo":         {reason: "A source is one.", edit: fields{"envFrom": []any{fields{"secretRef": fields{"name": "s"}, "configMapRef": fields{"name": "m"}}}}, want: []string{"spec.envFrom[0]"}},
		"FromNameless":    {reason: "A reference names something.", edit: fields{"envFrom": []any{fields{"secretRef": fields{}}, fields{"configMapRef": fields{}}}}, want: []string{"spec.envFrom[0].secretRef.name", "spec.envFrom[1].configMapRef.name"}},
		"FromOtherPrefix": {reason: "It starts the names of variables.", edit: fields{"envFrom": []any{fields{"prefix": "1 ", "secretRef": fields{"name": "s"}}}}, want: []string{"spec.envFrom[0].prefix"}},

		"ServiceAccount": {reason: "It has a name.", edit: fields{"serviceAccountName": "Not One"}, want: []string{"spec.serviceAccountName"}},
	})
}
