package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestInvalid gives the function what can never work. The answer should be fatal,
// which leaves everything as it is, and say where it is wrong, what stands there
// and what to do, in the condition and in the result.
func TestInvalid(t *testing.T) {
	set := func(path string, value any) func(*cluster) {
		return func(c *cluster) { c.Set(path, value) }
	}
	unset := func(path string) func(*cluster) {
		return func(c *cluster) { c.Unset(path) }
	}

	cases := map[string]struct {
		reason string
		when   func(c *cluster)
		want   []string
	}{
		"NoMetadataSize":         {reason: "There is no default for how much metadata there will be.", when: unset("spec.storage.metadataSize"), want: []string{"spec.storage.metadataSize", "10Gi"}},
		"NoSpec":                 {reason: "A DittoServer without a spec lacks what is required.", when: unset("spec"), want: []string{"spec.storage.metadataSize", "10Gi"}},
		"SizeThatDoesNotParse":   {reason: "A size must be one.", when: set("spec.storage.metadataSize", "big"), want: []string{"spec.storage.metadataSize", `"big"`, "10Gi"}},
		"SizeWithoutUnit":        {reason: "Ten bytes are not what was meant.", when: set("spec.storage.contentSize", "10"), want: []string{"spec.storage.contentSize", `"10"`, "10Gi"}},
		"SizeZero":               {reason: "A volume cannot be empty.", when: set("spec.storage.controlPlaneSize", "0Gi"), want: []string{"spec.storage.controlPlaneSize", `"0Gi"`, "more than zero"}},
		"SizeNegative":           {reason: "A volume cannot be less than empty.", when: set("spec.storage.metadataSize", "-1Gi"), want: []string{"spec.storage.metadataSize", `"-1Gi"`, "10Gi"}},
		"StorageClass":           {reason: "A class has a name.", when: set("spec.storage.storageClassName", "Fast!"), want: []string{"spec.storage.storageClassName", `"Fast!"`, "StorageClass"}},
		"DatabaseType":           {reason: "There are two types of databases.", when: set("spec.database.type", "mysql"), want: []string{"spec.database.type", `"mysql"`, `"sqlite", "postgres"`}},
		"PostgresWithoutSecret":  {reason: "A database needs credentials.", when: set("spec.database.type", "postgres"), want: []string{"spec.database.postgresSecretRef", "postgres", "sqlite"}},
		"PortZero":               {reason: "Zero is no port.", when: set("spec.controlPlane.port", 0), want: []string{"spec.controlPlane.port", "0", "from 1 to 65535"}},
		"PortTooLarge":           {reason: "Ports have 16 bits.", when: set("spec.controlPlane.port", 65536), want: []string{"spec.controlPlane.port", "65536", "from 1 to 65535"}},
		"PortBeyondInt32":        {reason: "A number that does not fit must not be taken for another one.", when: set("spec.controlPlane.port", 1<<32+8080), want: []string{"spec.controlPlane.port", "4294975376"}},
		"PortFraction":           {reason: "A port is a whole number.", when: set("spec.controlPlane.port", 80.5), want: []string{"spec.controlPlane.port", "80.5"}},
		"ReplicasTwo":            {reason: "Two servers would write to the same data.", when: set("spec.replicas", 2), want: []string{"spec.replicas", "2", "from 0 to 1"}},
		"ReplicasNegative":       {reason: "There are no fewer than no pods.", when: set("spec.replicas", -1), want: []string{"spec.replicas", "-1", "from 0 to 1"}},
		"ReplicasBeyondInt32":    {reason: "A number that does not fit must not be taken for another one.", when: set("spec.replicas", 1<<32+1), want: []string{"spec.replicas", "4294967297"}},
		"DurationInDays":         {reason: "Go has no unit for days.", when: set("spec.identity.jwt.refreshTokenDuration", "7d"), want: []string{"spec.identity.jwt.refreshTokenDuration", `"7d"`, "168h"}},
		"DurationWithoutUnit":    {reason: "The server takes a bare number for nanoseconds.", when: set("spec.identity.jwt.accessTokenDuration", "15"), want: []string{"spec.identity.jwt.accessTokenDuration", `"15"`, "15m"}},
		"DurationNumber":         {reason: "The server takes a bare number for nanoseconds.", when: set("spec.identity.jwt.accessTokenDuration", 15), want: []string{"spec.identity.jwt.accessTokenDuration", "15"}},
		"DurationZero":           {reason: "A token that is never good is none.", when: set("spec.identity.jwt.accessTokenDuration", "0s"), want: []string{"spec.identity.jwt.accessTokenDuration", `"0s"`, "more than zero"}},
		"SQLitePathInTmp":        {reason: "A database must outlive the pod.", when: set("spec.database.sqlite.path", "/tmp/x.db"), want: []string{"spec.database.sqlite.path", `"/tmp/x.db"`, "/data/controlplane"}},
		"SQLitePathRelative":     {reason: "A relative path is below nobody knows what.", when: set("spec.database.sqlite.path", "x.db"), want: []string{"spec.database.sqlite.path", `"x.db"`, "/data/controlplane"}},
		"SQLitePathThatClimbs":   {reason: "A path must not leave the volume it starts on.", when: set("spec.database.sqlite.path", "/data/controlplane/../x.db"), want: []string{"spec.database.sqlite.path", `"/data/controlplane/../x.db"`}},
		"SQLitePathBesideVolume": {reason: "A directory that begins with the same letters is not the volume.", when: set("spec.database.sqlite.path", "/data/controlplane2/x.db"), want: []string{"spec.database.sqlite.path", `"/data/controlplane2/x.db"`}},
		"SQLitePathOffContent": {
			reason: "Without a content volume its directory is lost with the pod.",
			when: func(c *cluster) {
				c.Unset("spec.storage.contentSize")
				c.Set("spec.database.sqlite.path", "/data/store/block/x.db")
			},
			want: []string{"spec.database.sqlite.path", `"/data/store/block/x.db"`},
		},
		"NameTooLong":       {reason: "Kubernetes appends to names, and limits them.", when: set("metadata.name", strings.Repeat("a", 53)), want: []string{"metadata.name", strings.Repeat("a", 53), "at most 52"}},
		"NameNotDNS1035":    {reason: "Services are named after the DittoServer.", when: set("metadata.name", "1files"), want: []string{"metadata.name", `"1files"`, "start with a letter"}},
		"NameUpperCase":     {reason: "Services are named after the DittoServer.", when: set("metadata.name", "Files"), want: []string{"metadata.name", `"Files"`, "a-z"}},
		"NoName":            {reason: "Everything is named after the DittoServer.", when: unset("metadata.name"), want: []string{"metadata.name"}},
		"NoNamespace":       {reason: "Without a namespace Secrets of all namespaces could be asked for.", when: unset("metadata.namespace"), want: []string{"metadata.namespace", "Set metadata.namespace"}},
		"RefWithoutKey":     {reason: "A Secret has many keys.", when: unset("spec.identity.jwt.secretRef.key"), want: []string{"spec.identity.jwt.secretRef.key", `"jwt"`}},
		"RefWithoutName":    {reason: "A selector without a name would select all Secrets.", when: unset("spec.identity.admin.passwordSecretRef.name"), want: []string{"spec.identity.admin.passwordSecretRef.name"}},
		"RefToNoName":       {reason: "A Secret has the name of a Secret.", when: set("spec.identity.jwt.secretRef.name", "kube-system/jwt"), want: []string{"spec.identity.jwt.secretRef.name", `"kube-system/jwt"`, "namespace"}},
		"RefToNoKey":        {reason: "A key has the form of a key.", when: set("spec.identity.jwt.secretRef.key", "a/b"), want: []string{"spec.identity.jwt.secretRef.key", `"a/b"`}},
		"PostgresRefNoName": {reason: "A selector without a name would select all Secrets.", when: set("spec.database.postgresSecretRef", map[string]any{"key": "password"}), want: []string{"spec.database.postgresSecretRef.name"}},
		"AdminUsername":     {reason: "The server creates no other account.", when: set("spec.identity.admin.username", "root"), want: []string{"spec.identity.admin.username", `"root"`, "admin"}},
		"LoggingLevel":      {reason: "The server would not start.", when: set("spec.logging.level", "CHATTY"), want: []string{"spec.logging.level", `"CHATTY"`, `"DEBUG"`}},
		"LoggingFormat":     {reason: "The server would not start.", when: set("spec.logging.format", "xml"), want: []string{"spec.logging.format", `"xml"`, `"json"`}},
		"LoggingOutput":     {reason: "The file system is read-only.", when: set("spec.logging.output", "/var/log/x"), want: []string{"spec.logging.output", `"/var/log/x"`, "stdout"}},
		"ServiceType":       {reason: "There are three types that work.", when: set("spec.service.type", "ExternalName"), want: []string{"spec.service.type", `"ExternalName"`, `"ClusterIP"`}},
		"Image":             {reason: "The API server stores it, and no kubelet reads it.", when: set("spec.image", "ghcr.io/DittoFS/dfs:1"), want: []string{"spec.image", `"ghcr.io/DittoFS/dfs:1"`, "NAME[:TAG]"}},
		"MilliMemory":       {reason: "A slip of one letter makes half a byte of it.", when: set("spec.resources.limits", map[string]any{"memory": "512m"}), want: []string{"spec.resources.limits[memory]", `"512m"`, "512Mi"}},
		"Sysctl":            {reason: "A kubelet refuses the pod.", when: set("spec.podSecurityContext", map[string]any{"sysctls": []any{map[string]any{"name": "vm.swappiness", "value": "0"}}}), want: []string{"spec.podSecurityContext.sysctls[0].name", `"vm.swappiness"`, "net.ipv4.ip_unprivileged_port_start"}},
		"RolloutPolicy":     {reason: "There are two policies.", when: set("spec.rollout.policy", "Never"), want: []string{"spec.rollout.policy", `"Never"`, `"Manual"`}},
		"RestartToken":      {reason: "A token is an annotation, and those have limits.", when: set("spec.rollout.restartToken", strings.Repeat("t", 257)), want: []string{"spec.rollout.restartToken", "256"}},
		"GracePeriod":       {reason: "A server that is killed while it writes loses data.", when: set("spec.terminationGracePeriodSeconds", 30), want: []string{"spec.terminationGracePeriodSeconds", "30", "at least 36"}},

		"WrongType":          {reason: "A word is no number.", when: set("spec.replicas", "one"), want: []string{"spec.replicas", `"one"`}},
		"WrongTypeOfBlock":   {reason: "A list is no block.", when: set("spec.storage", []any{}), want: []string{"spec.storage", "a list"}},
		"WrongTypeDeepInK8s": {reason: "Fields of Kubernetes' own types have paths too.", when: set("spec.resources.limits.memory", "lots"), want: []string{"spec.resources.limits.memory", `"lots"`}},
		"WrongTypeOfObject":  {reason: "A whole block is not repeated.", when: set("spec.logging.level", map[string]any{"is": "DEBUG"}), want: []string{"spec.logging.level", "an object"}},
		"WrongTypeInMap":     {reason: "Keys of maps are part of the path.", when: set("spec.service.annotations", map[string]any{"a": "b", "c": 1}), want: []string{"spec.service.annotations", "c", "1"}},

		"AllAtOnce": {
			reason: "Somebody who has made three mistakes should not have to come back three times.",
			when: func(c *cluster) {
				c.Set("metadata.name", "Files")
				c.Set("spec.storage.metadataSize", "0Gi")
				c.Set("spec.database.type", "mysql")
				c.Set("spec.controlPlane.port", 0)
				c.Set("spec.identity.jwt.refreshTokenDuration", "7d")
				c.Unset("spec.identity.admin.passwordSecretRef.key")
			},
			want: []string{
				"metadata.name", `"Files"`, "spec.storage.metadataSize", `"0Gi"`, "spec.database.type", `"mysql"`, "spec.controlPlane.port",
				"spec.identity.jwt.refreshTokenDuration", `"7d"`, "spec.identity.admin.passwordSecretRef.key",
			},
		},
		"AllWrongTypesAtOnce": {
			reason: "Also values that cannot be read are reported together.",
			when: func(c *cluster) {
				c.Set("spec.replicas", "one")
				c.Set("spec.controlPlane.port", "http")
				c.Set("spec.resources.limits.memory", "lots")
			},
			want: []string{"spec.replicas", `"one"`, "spec.controlPlane.port", `"http"`, "spec.resources.limits.memory", `"lots"`},
		},
		"KerberosRemoved": {
			reason: "A server that has Kerberos in its database does not start without the keytab.",
			when: func(c *cluster) {
				c.Edit(manifests.StatefulSetResource, "spec.template.spec.volumes", []any{map[string]any{"name": manifests.KeytabVolume}})
			},
			want: []string{"spec.identity.kerberos", "enabled: false"},
		},
		"TypeOfInput": {
			reason: "What needs a type must not depend on one that the platform team may change: nothing reaches the server of an invalid spec.",
			when: func(c *cluster) {
				c.SetInput("adapterServices: {type: LoadBalancer}")
				c.Set("spec.adapterServices.externalTrafficPolicy", "Local")
			},
			want: []string{"spec.adapterServices.externalTrafficPolicy", `"Local"`, "NodePort or LoadBalancer", "spec.adapterServices.type is not set", "Set it, or remove"},
		},
		"TypeOfOthers": {
			reason: "A Service of the cluster has no load balancer.",
			when: func(c *cluster) {
				c.Set("spec.service", map[string]any{"type": "ClusterIP", "loadBalancerClass": "internal", "loadBalancerSourceRanges": []any{"10.0.0.0/8"}})
			},
			want: []string{"spec.service.loadBalancerClass", `"internal"`, "spec.service.loadBalancerSourceRanges", "10.0.0.0/8", "spec.service.type is ClusterIP"},
		},
		"CacheWithoutItsVolume": {
			reason: "A server without a volume for blocks has its cache on that for metadata.",
			when: func(c *cluster) {
				c.Edit(manifests.StatefulSetResource, "spec.volumeClaimTemplates", []any{map[string]any{
					"metadata": map[string]any{"name": "metadata"},
					"spec":     map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": "10Gi"}}},
				}})
				c.Set("spec.blockStore.remoteCacheSize", "40Gi")
			},
			want: []string{"spec.blockStore.remoteCacheSize", `"40Gi"`, "(10Gi)", "StorageInSync says how"},
		},
		"ObservedStatefulSet": {
			reason: "A StatefulSet that cannot be read must not be left out: that would delete it.",
			when:   func(c *cluster) { c.Edit(manifests.StatefulSetResource, "spec.volumeClaimTemplates", "none") },
			want:   []string{"cannot read the observed StatefulSet"},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.Settle()
			tc.when(c)
			reason := "InvalidSpec"
			if name == "ObservedStatefulSet" {
				reason = "InternalError"
			}
			rsp := c.Reconcile()
			checkFatal(t, tc.reason, rsp, reason, tc.want)
			if observed := reason == "InvalidSpec"; observed != (len(rsp.GetConditions()) == 2) {
				t.Errorf("%s\nAvailable is about what is observed, and stays true: %v", tc.reason, rsp.GetConditions())
			}
		})
	}
}

// TestInvalidInput gives the function an Input that can never work: a mistake of
// the platform team, which all of its DittoServers should tell of.
func TestInvalidInput(t *testing.T) {
	cases := map[string]struct {
		reason string
		input  string
		want   []string
	}{
		"UnknownField":       {reason: "A field with a slip of the pen would silently have no effect.", input: "imgae: x", want: []string{"input", "imgae"}},
		"UnknownNestedField": {reason: "A field with a slip of the pen would silently have no effect.", input: "service: {typ: NodePort}", want: []string{"input", "typ"}},
		"TTLWithoutUnit":     {reason: "A bare number is of no unit.", input: `ttl: "60"`, want: []string{"input.ttl", `"60"`, "60s"}},
		"TTLNumber":          {reason: "A bare number is of no unit.", input: "ttl: 60", want: []string{"input.ttl", "60"}},
		"TTLTooShort":        {reason: "A function that is run all the time is a load.", input: "pendingTTL: 1ms", want: []string{"input.pendingTTL", `"1ms"`, "at least 1s"}},
		"TTLNegative":        {reason: "Time runs forward.", input: "ttl: -60s", want: []string{"input.ttl", `"-60s"`, "at least 1s"}},
		"MissingSecrets":     {reason: "There are two ways.", input: "missingSecrets: Maybe", want: []string{"input.missingSecrets", `"Maybe"`, `"Hold", "Proceed"`}},
		"ServiceType":        {reason: "There are three types that work.", input: "service: {type: ExternalName}", want: []string{"input.service.type", `"ExternalName"`, `"ClusterIP"`}},
		"Image":              {reason: "No server's pod would be started.", input: "image: Dfs:1", want: []string{"input.image", `"Dfs:1"`, "NAME[:TAG]"}},
		"RolloutPolicy":      {reason: "There are two policies.", input: "rollout: {policy: Never}", want: []string{"input.rollout.policy", `"Never"`, `"Manual"`}},
		"StorageClassName":   {reason: "A class has a name.", input: "storageClassName: Fast!", want: []string{"input.storageClassName", `"Fast!"`, "StorageClass"}},
		"WrongTypeDeepInK8s": {reason: "Fields of Kubernetes' own types have paths too.", input: "resources: {limits: {memory: lots}}", want: []string{"input.resources.limits.memory", "lots"}},
		"AllAtOnce":          {reason: "All mistakes are reported together.", input: "ttl: never\nmissingSecrets: Maybe", want: []string{"input.ttl", `"never"`, "input.missingSecrets", `"Maybe"`}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.Settle()
			c.SetInput(tc.input)
			rsp := c.Reconcile()
			checkFatal(t, tc.reason, rsp, "InvalidInput", tc.want)

			// A message that changes is a write, and a write runs the function again. Go's
			// newer JSON decoder changes its words at random, so once is not enough.
			for range 20 {
				if diff := functest.Diff(rsp, c.Reconcile()); diff != "" {
					t.Fatalf("%s\nAn error should always have the same words.\nf.RunFunction(...): -1st rsp, +later rsp:\n%s", tc.reason, diff)
				}
			}
		})
	}
}

// checkFatal says whether a response is fatal, with a result and a condition that
// both have the words in them, and still says whether the server serves.
func checkFatal(t *testing.T, reason string, rsp *fnv1.RunFunctionResponse, ready string, words []string) {
	t.Helper()

	if diff := cmp.Diff([]string{"SEVERITY_FATAL "}, functest.Results(rsp)); diff != "" {
		t.Fatalf("%s\nf.RunFunction(...): -want results, +got results:\n%s", reason, diff)
	}
	if diff := cmp.Diff("FALSE "+ready, functest.Condition(rsp, "ConfigReady")); diff != "" {
		t.Errorf("%s\nf.RunFunction(...): -want ConfigReady, +got ConfigReady:\n%s", reason, diff)
	}
	if functest.FullCondition(rsp, "Available").GetReason() != "NotCreated" && len(rsp.GetConditions()) > 1 {
		if diff := cmp.Diff("TRUE Serving", functest.Condition(rsp, "Available")); diff != "" {
			t.Errorf("%s\nf.RunFunction(...): -want Available, +got Available:\n%s", reason, diff)
		}
	}
	message := rsp.GetResults()[0].GetMessage()
	if diff := cmp.Diff(message, functest.FullCondition(rsp, "ConfigReady").GetMessage()); diff != "" {
		t.Errorf("%s\nThe condition stays when the event is gone: it should say the same.\nf.RunFunction(...): -result, +condition:\n%s", reason, diff)
	}
	for _, w := range words {
		if !strings.Contains(message, w) {
			t.Errorf("%s\nThe message should have %q in it: %s", reason, w, message)
		}
	}
}

// TestPassThrough leaves alone what earlier steps of the pipeline have said.
func TestPassThrough(t *testing.T) {
	cases := map[string]struct {
		reason string
		when   func(c *cluster)
	}{
		"Composed": {reason: "What others desire should be there beside what we desire.", when: func(*cluster) {}},
		"Withheld": {reason: "What others desire does not depend on our Secrets.", when: func(c *cluster) { c.DeleteSecret("jwt") }},
		"Fatal":    {reason: "What others desire should be there even when we cannot go on.", when: func(c *cluster) { c.Unset("spec.storage.metadataSize") }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.Earlier = &fnv1.State{
				Composite: &fnv1.Resource{
					Resource:          functest.Object(t, "{apiVersion: dittofs.io/v1alpha1, kind: DittoServer, status: {address: files.example, replicas: 7}}"),
					ConnectionDetails: map[string][]byte{"user": []byte("u")},
				},
				Resources: map[string]*fnv1.Resource{
					"theirs": {Resource: functest.Object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs}, data: {}}"), Ready: fnv1.Ready_READY_TRUE},
				},
			}
			tc.when(c)
			req := c.Request(c.Call(c.Request(nil)).GetRequirements())
			req.Context = &structpb.Struct{Fields: map[string]*structpb.Value{"example.com/key": structpb.NewStringValue("value")}}

			rsp := c.Call(req) // Compares the desired resources of earlier steps.

			if diff := functest.Diff(req.GetContext(), rsp.GetContext()); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want context, +got context:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(req.GetMeta().GetTag(), rsp.GetMeta().GetTag()); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want tag, +got tag:\n%s", tc.reason, diff)
			}
			xr := rsp.GetDesired().GetComposite()
			if diff := cmp.Diff(map[string][]byte{"user": []byte("u")}, xr.GetConnectionDetails()); diff != "" {
				t.Errorf("%s\nf.RunFunction(...): -want connection details, +got connection details:\n%s", tc.reason, diff)
			}
			if got := functest.StringAt(t, xr.GetResource(), "status.address"); got != "files.example" {
				t.Errorf("%s\nstatus.address of an earlier step is %q, want it to stay", tc.reason, got)
			}
		})
	}
}

// panicking is a logger that panics as soon as the function has done its work.
type panicking struct{ *recorder }

func (p panicking) Debug(string, ...any) { panic("a panic about " + functest.JWTKey) }

// TestPanic survives a panic: all other DittoServers need the function too.
func TestPanic(t *testing.T) {
	c := newCluster(t)
	c.Settle()
	log := &recorder{}
	c.f.log = panicking{log}

	rsp := c.Call(c.Request(c.Required))

	checkFatal(t, "A panic should be reported as what it is: a defect.", rsp, "InternalError", []string{"defect"})
	if desired := rsp.GetDesired(); len(desired.GetResources()) > 0 {
		t.Errorf("What was half done before a panic should not be desired: %v", desired)
	}
	if !strings.Contains(log.String(), "TestPanic") {
		t.Errorf("The log should have the stack of the panic: %s", log)
	}
	for _, s := range []string{text(t, rsp), log.String()} {
		if strings.Contains(s, functest.JWTKey) {
			t.Errorf("What a panic says may quote Secrets, and should not be repeated: %s", s)
		}
	}
}
