package monitoring

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Series of everything that alerts look at, by names of our own, when all is well: of a
// server, and of the function.
func well(lasts int) map[string]string {
	const files, pod = `namespace="team-a",name="files"`, `namespace="team-a",service="files-metrics",pod="files-0"`
	const function = `job="crossplane-system/function-dittoserver",pod="function-1"`
	series := map[string]string{
		"up":               `up{` + pod + `} 1`,
		"ready":            `kube_statefulset_status_replicas_ready{namespace="team-a",statefulset="files"} 1`,
		"available":        `kubelet_volume_stats_available_bytes{namespace="team-a",persistentvolumeclaim="metadata-files-0"} 50`,
		"capacity":         `kubelet_volume_stats_capacity_bytes{namespace="team-a",persistentvolumeclaim="metadata-files-0"} 100`,
		"notBefore":        fmt.Sprintf(`dittoserver_certificate_not_before_seconds{%s,certificate="api"} %d`, files, -30*day),
		"notAfter":         fmt.Sprintf(`dittoserver_certificate_not_after_seconds{%s,certificate="api"} %d`, files, 60*day),
		"metricsNotBefore": fmt.Sprintf(`dittoserver_certificate_not_before_seconds{%s,certificate="metrics"} %d`, files, -300*day),
		"metricsNotAfter":  fmt.Sprintf(`dittoserver_certificate_not_after_seconds{%s,certificate="metrics"} %d`, files, 600*day),
		"remote":           `dittofs_remote_up{` + pod + `,share="/export"} 1`,
		"localCorruption":  `dittofs_datapath_local_corruption_total{` + pod + `} 0`,
		"remoteCorruption": `dittofs_datapath_remote_corruption_total{` + pod + `} 0`,

		"functionUp": `up{` + function + `} 1`,
		"calls":      `grpc_server_handled_total{` + function + `,grpc_method="RunFunction",grpc_code="OK"} 0+60`,
		"errors":     `grpc_server_handled_total{` + function + `,grpc_method="RunFunction",grpc_code="Internal"} 0`,
		"fatal":      `function_dittoserver_fatal_results_total{` + function + `} 0`,
		"restarts":   `function_dittoserver_restarts_total{` + function + `} 0`,
		"fast":       `function_dittoserver_run_function_duration_seconds_bucket{` + function + `,le="0.0016"} 0+60`,
		"all":        `function_dittoserver_run_function_duration_seconds_bucket{` + function + `,le="+Inf"} 0+60`,
		"count":      `function_dittoserver_run_function_duration_seconds_count{` + function + `} 0+60`,
	}
	for typ, status := range map[string]string{
		"Synced": "True", "Ready": "True", "ConfigReady": "True", "SecretsResolved": "True", "Available": "True",
		"Progressing": "False", "StorageInSync": "True", "RestartPending": "False", "ServiceMonitorReady": "True", "PrometheusRuleReady": "True",
	} {
		series[typ] = condition(typ, status, "Well")
	}
	for name := range series {
		series[name] += fmt.Sprintf("x%d", lasts)
	}
	return series
}

const day = 24 * 60 * 60

func condition(typ, status, reason string) string {
	return fmt.Sprintf(`dittoserver_condition_info{namespace="team-a",name="files",type=%q,status=%q,reason=%q} 1`, typ, status, reason)
}

// A change of what is well: series that are others, for as long as the test lasts unless
// they say for how long, or that are not there.
type change map[string]string

func (c change) of(series map[string]string, lasts int) string {
	for name, s := range c {
		if _, ok := series[name]; !ok {
			panic(name + " is no series")
		}
		switch _, value, _ := strings.Cut(s, "} "); {
		case s == "":
			delete(series, name)
		case strings.Contains(value, "x"):
			series[name] = s
		default:
			series[name] = fmt.Sprintf("%sx%d", s, lasts)
		}
	}
	lines := strings.Builder{}
	for _, name := range slices.Sorted(maps.Keys(series)) {
		lines.WriteString("  " + series[name] + "\n")
	}
	return lines.String()
}

// values are a series with other values.
func values(name, v string) string {
	s, _, _ := strings.Cut(well(0)[name], "} ")
	return s + "} " + v
}

func TestAlerts(t *testing.T) {
	cases := map[string]struct {
		reason string
		file   string
		change change
		at     time.Duration
		want   []string
	}{
		"Well":       {reason: "When all is well nothing fires.", file: ofServer, at: 2 * time.Hour, want: []string{}},
		"Unreached":  {reason: "A server that Prometheus does not reach is down.", file: ofServer, change: change{"up": values("up", "0")}, at: 4 * time.Minute, want: []string{"DittoServerDown critical"}},
		"Gone":       {reason: "So is one that has no pod.", file: ofServer, change: change{"up": "", "ready": values("ready", "0")}, at: 4 * time.Minute, want: []string{"DittoServerDown critical"}},
		"NotReady":   {reason: "So is one whose pod is not ready, though it tells its metrics.", file: ofServer, change: change{"ready": values("ready", "0")}, at: 4 * time.Minute, want: []string{"DittoServerDown critical"}},
		"Restart":    {reason: "A restart is none, even if the server takes its 150 seconds.", file: ofServer, change: change{"up": values("up", "1x9 0x2 1x50")}, at: 14 * time.Minute, want: []string{}},
		"NoMetrics":  {reason: "Without kube-state-metrics and the kubelet's metrics, up is enough.", file: ofServer, change: change{"ready": "", "available": "", "capacity": ""}, at: time.Hour, want: []string{}},
		"OtherIsUp":  {reason: "Another server that is up does not stand in for this.", file: ofServer, change: change{"up": `up{namespace="team-a",service="other-metrics"} 1`}, at: 4 * time.Minute, want: []string{"DittoServerDown critical"}},
		"Secrets":    {reason: "A Secret that stays missing is somebody's task.", file: ofServer, change: change{"SecretsResolved": condition("SecretsResolved", "False", "Unresolved")}, at: 20 * time.Minute, want: []string{"DittoServerSecretsUnresolved warning"}},
		"SecretSync": {reason: "A controller that deletes and creates a Secret is not.", file: ofServer, change: change{"SecretsResolved": condition("SecretsResolved", "False", "Unresolved") + "x10"}, at: 20 * time.Minute, want: []string{}},
		"SecretsNew": {reason: "Another reason does not start the time anew.", file: ofServer, change: change{
			"SecretsResolved": condition("SecretsResolved", "False", "Unresolved") + "x8",
			"ConfigReady":     condition("SecretsResolved", "False", "GoneForRunning") + "x60",
		}, at: 20 * time.Minute, want: []string{"DittoServerSecretsUnresolved warning"}},
		"Refused":   {reason: "A change that is refused does not mend itself.", file: ofServer, change: change{"RestartPending": condition("RestartPending", "True", "Refused")}, at: 20 * time.Minute, want: []string{"DittoServerRestartStuck warning"}},
		"Manual":    {reason: "A change that waits for its user may wait for the evening.", file: ofServer, change: change{"RestartPending": condition("RestartPending", "True", "ManualPolicy")}, at: 12 * time.Hour, want: []string{}},
		"ManualDay": {reason: "After a day somebody may have forgotten it.", file: ofServer, change: change{"RestartPending": condition("RestartPending", "True", "ManualPolicy")}, at: 25 * time.Hour, want: []string{"DittoServerRestartPending info"}},
		"Storage":   {reason: "Any condition that stays False is named.", file: ofServer, change: change{"StorageInSync": condition("StorageInSync", "False", "Immutable")}, at: 20 * time.Minute, want: []string{"DittoServerNotAsWanted warning type=StorageInSync"}},
		"Two":       {reason: "Each is an alert of its own.", file: ofServer, change: change{"StorageInSync": condition("StorageInSync", "False", "Immutable"), "Synced": condition("Synced", "False", "ReconcileError")}, at: 20 * time.Minute, want: []string{"DittoServerNotAsWanted warning type=StorageInSync", "DittoServerNotAsWanted warning type=Synced"}},
		"Unknown":   {reason: "Unknown is not False.", file: ofServer, change: change{"StorageInSync": condition("StorageInSync", "Unknown", "Pending")}, at: 20 * time.Minute, want: []string{}},
		"OthersSecrets": {reason: "Another server's Secret is another alert.", file: ofServer, change: change{
			"SecretsResolved": strings.Replace(condition("SecretsResolved", "False", "Unresolved"), "files", "other", 1),
		}, at: 20 * time.Minute, want: []string{}},
		"NearlyFull":  {reason: "A tenth is left.", file: ofServer, change: change{"available": values("available", "9")}, at: 20 * time.Minute, want: []string{"DittoServerVolumeNearlyFull warning persistentvolumeclaim=metadata-files-0"}},
		"Full":        {reason: "Nothing is left: that is urgent.", file: ofServer, change: change{"available": values("available", "1")}, at: 20 * time.Minute, want: []string{"DittoServerVolumeNearlyFull critical persistentvolumeclaim=metadata-files-0", "DittoServerVolumeNearlyFull warning persistentvolumeclaim=metadata-files-0"}},
		"FullOther":   {reason: "A volume of a server whose name ends alike is another's.", file: ofServer, change: change{"available": strings.Replace(values("available", "1"), "metadata-files-0", "metadata-my-files-0", 1), "capacity": strings.Replace(values("capacity", "100"), "metadata-files-0", "metadata-my-files-0", 1)}, at: 20 * time.Minute, want: []string{}},
		"Certificate": {reason: "cert-manager should have renewed it 20 days ago.", file: ofServer, change: change{"notBefore": values("notBefore", fmt.Sprint(-80*day)), "notAfter": values("notAfter", fmt.Sprint(10*day))}, at: 20 * time.Minute, want: []string{"DittoServerCertificateExpiring warning certificate=api"}},
		"Expired":     {reason: "No client accepts it.", file: ofServer, change: change{"notBefore": values("notBefore", fmt.Sprint(-90*day)), "notAfter": values("notAfter", "-60")}, at: 20 * time.Minute, want: []string{"DittoServerCertificateExpiring critical certificate=api", "DittoServerCertificateExpiring warning certificate=api"}},
		"ShortLived":  {reason: "A certificate of a day has half of it left.", file: ofServer, change: change{"notBefore": values("notBefore", fmt.Sprint(-day/2)), "notAfter": values("notAfter", fmt.Sprint(day/2))}, at: 20 * time.Minute, want: []string{}},
		"ShortOver":   {reason: "An hour of a day is left, and nobody has renewed it.", file: ofServer, change: change{"notBefore": values("notBefore", fmt.Sprint(-22*day/24)), "notAfter": values("notAfter", fmt.Sprint(2*day/24))}, at: time.Hour, want: []string{"DittoServerCertificateExpiring critical certificate=api", "DittoServerCertificateExpiring warning certificate=api"}},
		"MetricsCertificate": {reason: "The metrics have a certificate of their own, that of the API is renewed.", file: ofServer, change: change{
			"metricsNotBefore": values("metricsNotBefore", fmt.Sprint(-890*day)), "metricsNotAfter": values("metricsNotAfter", fmt.Sprint(10*day)),
		}, at: 20 * time.Minute, want: []string{"DittoServerCertificateExpiring warning certificate=metrics"}},
		"BothExpired": {reason: "Each is an alert of its own.", file: ofServer, change: change{
			"notBefore": values("notBefore", fmt.Sprint(-90*day)), "notAfter": values("notAfter", "-60"),
			"metricsNotBefore": values("metricsNotBefore", fmt.Sprint(-900*day)), "metricsNotAfter": values("metricsNotAfter", "-60"),
		}, at: 20 * time.Minute, want: []string{
			"DittoServerCertificateExpiring critical certificate=api", "DittoServerCertificateExpiring critical certificate=metrics",
			"DittoServerCertificateExpiring warning certificate=api", "DittoServerCertificateExpiring warning certificate=metrics",
		}},
		"LongLived":   {reason: "Of ten years, 100 days are left: time enough.", file: ofServer, change: change{"notBefore": values("notBefore", fmt.Sprint(-3550*day)), "notAfter": values("notAfter", fmt.Sprint(100*day))}, at: 20 * time.Minute, want: []string{}},
		"Remote":      {reason: "What is written is on one volume alone.", file: ofServer, change: change{"remote": values("remote", "0")}, at: 15 * time.Minute, want: []string{"DittoServerRemoteDown critical share=/export"}},
		"RemoteBrief": {reason: "A remote store may be away for a moment.", file: ofServer, change: change{"remote": values("remote", "1x5 0x5 1x60")}, at: 20 * time.Minute, want: []string{}},
		"NoRemote":    {reason: "A server may have no remote store.", file: ofServer, change: change{"remote": ""}, at: 20 * time.Minute, want: []string{}},
		"Corrupt":     {reason: "Corrupt data is never well.", file: ofServer, change: change{"localCorruption": values("localCorruption", "0x9 1x60")}, at: 20 * time.Minute, want: []string{"DittoServerDataCorrupt critical"}},
		"CorruptOnce": {reason: "Two hours later somebody has seen it.", file: ofServer, change: change{"localCorruption": values("localCorruption", "0x9 1x180")}, at: 2 * time.Hour, want: []string{}},

		"FunctionWell":   {reason: "When all is well nothing fires.", file: ofFunction, at: 2 * time.Hour, want: []string{}},
		"FunctionDown":   {reason: "No replica is up.", file: ofFunction, change: change{"functionUp": values("functionUp", "0"), "count": ""}, at: 10 * time.Minute, want: []string{"FunctionDittoServerDown critical"}},
		"FunctionGone":   {reason: "There is none.", file: ofFunction, change: change{"functionUp": ""}, at: 10 * time.Minute, want: []string{"FunctionDittoServerDown critical"}},
		"OneReplicaDown": {reason: "The other answers.", file: ofFunction, change: change{"up": strings.Replace(values("functionUp", "0"), "function-1", "function-2", 1)}, at: 10 * time.Minute, want: []string{}},
		"Errors":         {reason: "Calls that end with an error are not repeated away.", file: ofFunction, change: change{"errors": values("errors", "0+1")}, at: 25 * time.Minute, want: []string{"FunctionDittoServerFailing warning grpc_code=Internal"}},
		"OneError":       {reason: "One call may be cut off with the process.", file: ofFunction, change: change{"errors": values("errors", "0x9 1x60")}, at: 25 * time.Minute, want: []string{}},
		"FatalResults":   {reason: "Somebody has to correct a spec.", file: ofFunction, change: change{"fatal": values("fatal", "0+1")}, at: time.Hour, want: []string{"FunctionDittoServerFatalResults warning"}},
		"FatalOnce":      {reason: "Somebody has corrected it.", file: ofFunction, change: change{"fatal": values("fatal", "0x9 3x120")}, at: time.Hour, want: []string{}},
		"Slow":           {reason: "Calls take more than a tenth of a second.", file: ofFunction, change: change{"fast": values("fast", "0"), "all": values("all", "0+60"), "count": strings.Replace(values("all", "0+60"), "+Inf", "0.4096", 1)}, at: time.Hour, want: []string{"FunctionDittoServerSlow warning"}},
		"Restarts":       {reason: "Something restarts servers again and again.", file: ofFunction, change: change{"restarts": values("restarts", "0+1")}, at: 20 * time.Minute, want: []string{"FunctionDittoServerRestarts warning"}},
		"FewRestarts":    {reason: "A user rotates the Secrets of a server.", file: ofFunction, change: change{"restarts": values("restarts", "0x9 5x60")}, at: 20 * time.Minute, want: []string{}},
		"NoConditions":   {reason: "The function is called, so there are DittoServers.", file: ofFunction, change: without("Synced", "Ready", "ConfigReady", "SecretsResolved", "Available", "Progressing", "StorageInSync", "RestartPending", "ServiceMonitorReady", "PrometheusRuleReady"), at: time.Hour, want: []string{"DittoServerConditionsMissing warning"}},
		"NoDittoServers": {reason: "Where there is none, there are no conditions.", file: ofFunction, change: without("count", "calls", "all", "fast", "Synced", "Ready", "ConfigReady", "SecretsResolved", "Available", "Progressing", "StorageInSync", "RestartPending", "ServiceMonitorReady", "PrometheusRuleReady"), at: time.Hour, want: []string{}},
	}

	fired := map[string]bool{}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			lasts := int(tc.at/time.Minute) + 1
			got := firing(t, tc.file, tc.change.of(well(lasts), lasts), tc.at)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nAlerts after %s: -want, +got:\n%s", tc.reason, tc.at, diff)
			}
		})
		for _, alert := range tc.want {
			fired[strings.Join(strings.Fields(alert)[:2], " ")] = true
		}
	}
	for _, file := range []string{ofServer, ofFunction} {
		for _, a := range alertsOf(t, file) {
			if name := a.Alert + " " + a.Labels["severity"]; !fired[name] {
				t.Errorf("No case has %s fire", name)
			}
		}
	}
}

func without(names ...string) change {
	c := change{}
	for _, name := range names {
		c[name] = ""
	}
	return c
}

// TestStateMetrics has the alerts read what kube-state-metrics is configured to say of a
// DittoServer as Crossplane has it.
func TestStateMetrics(t *testing.T) {
	series := strings.Builder{}
	for l, v := range stateOf(t, server(t)) {
		fmt.Fprintf(&series, "  %s %vx30\n", l, v)
	}
	got := []string{}
	for _, alert := range firing(t, ofServer, series.String(), 20*time.Minute) {
		if !strings.HasPrefix(alert, "DittoServerDown ") {
			got = append(got, alert)
		}
	}
	// It has been rendered, and nothing is applied yet. Tests are at the epoch, when its
	// certificate has decades left.
	want := []string{"DittoServerNotAsWanted warning type=ConfigReady", "DittoServerNotAsWanted warning type=Ready"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Alerts: -want, +got:\n%s", diff)
	}

	// A function does not answer with the name.
	everything := serverOf(t, ofServer)
	everything.SetNamespace("team-a")
	everything.SetName("files")
	for certificate, ds := range map[string]*unstructured.Unstructured{"api": server(t), "metrics": everything} {
		series := labels.FromStrings(model.MetricNameLabel, "dittoserver_certificate_not_after_seconds", "namespace", "team-a", "name", "files", "certificate", certificate)
		if stateOf(t, ds)[series] == 0 {
			t.Errorf("There is no %s", series)
		}
	}
}
