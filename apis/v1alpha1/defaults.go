package v1alpha1

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// Defaults are the platform team's choices for what a DittoServer leaves open.
type Defaults struct {
	Image            string
	StorageClassName *string
	Resources        *corev1.ResourceRequirements
	ServiceType      corev1.ServiceType
	AdapterServices  corev1.ServiceType
	RolloutPolicy    string
}

// Default fills in what the DittoServer leaves open, so that every block of the spec
// exists. It repeats the defaults of the XRD's schema, because the function may run where
// no API server has applied them.
func (s *DittoServer) Default(d Defaults) {
	spec := &s.Spec

	spec.Image = cmp.Or(spec.Image, d.Image)
	spec.Replicas = cmp.Or(spec.Replicas, new(int32(1)))
	spec.Resources = cmp.Or(spec.Resources, d.Resources)

	spec.Storage.ControlPlaneSize = cmp.Or(spec.Storage.ControlPlaneSize, "1Gi")
	spec.Storage.StorageClassName = cmp.Or(spec.Storage.StorageClassName, d.StorageClassName)

	ensure(&spec.BlockStore)

	db := ensure(&spec.Database)
	if db.PostgresSecretRef != nil || spec.Percona.IsEnabled() {
		db.Type = DatabasePostgres
	}
	db.Type = cmp.Or(db.Type, DatabaseSQLite)
	ensure(&db.SQLite)
	db.SQLite.Path = cmp.Or(db.SQLite.Path, dittofs.ControlPlaneDir+"/controlplane.db")

	cp := ensure(&spec.ControlPlane)
	cp.Port = cmp.Or(cp.Port, new(dittofs.APIPort))
	cp.RequireInitialPasswordChange = cmp.Or(cp.RequireInitialPasswordChange, new(true))

	id := ensure(&spec.Identity)
	id.Type = cmp.Or(id.Type, "memory")
	ensure(&id.JWT)
	id.JWT.AccessTokenDuration = cmp.Or(id.JWT.AccessTokenDuration, "15m")
	id.JWT.RefreshTokenDuration = cmp.Or(id.JWT.RefreshTokenDuration, "168h")
	ensure(&id.Admin)
	id.Admin.Username = cmp.Or(id.Admin.Username, "admin")

	log := ensure(&spec.Logging)
	log.Level = cmp.Or(log.Level, "INFO")
	log.Format = cmp.Or(log.Format, "json")
	log.Output = cmp.Or(log.Output, "stdout")

	svc := ensure(&spec.Service)
	svc.defaultType(d.ServiceType)

	if spec.Adapters == nil {
		spec.Adapters = []AdapterSpec{{Type: AdapterNFS}, {Type: AdapterSMB}}
	}
	for i := range spec.Adapters {
		a := &spec.Adapters[i]
		a.Port = cmp.Or(a.Port, adapterPorts()[a.Type])
		a.ServicePort = cmp.Or(a.ServicePort, map[string]int32{AdapterNFS: NFSServicePort, AdapterSMB: SMBServicePort}[a.Type])
		if a.Portmapper != nil {
			a.Portmapper.Port = cmp.Or(a.Portmapper.Port, dittofs.PortmapperPort)
		}
	}

	as := ensure(&spec.AdapterServices)
	as.Enabled = cmp.Or(as.Enabled, new(true))
	as.defaultType(d.AdapterServices)

	m := ensure(&spec.Metrics)
	m.Port = cmp.Or(m.Port, new(dittofs.MetricsPort))
	m.Path = cmp.Or(m.Path, "/metrics")
	ensure(&m.ServiceMonitor)
	if m.TLS != nil {
		t := ensure(&m.ServiceMonitor.TLS)
		t.ServerName = cmp.Or(t.ServerName, s.GetName()+"-metrics."+s.GetNamespace()+".svc")
	}
	ensure(&m.PrometheusRule)

	ensure(&spec.NetworkPolicy)
	ensure(&spec.PodDisruptionBudget)

	p := ensure(&spec.Percona)
	p.Replicas = cmp.Or(p.Replicas, new(int32(1)))
	p.StorageSize = cmp.Or(p.StorageSize, "10Gi")
	p.DatabaseName = cmp.Or(p.DatabaseName, "dittofs")
	b := ensure(&p.Backup)
	b.Region = cmp.Or(b.Region, "eu-west-1")
	b.FullSchedule = cmp.Or(b.FullSchedule, "0 2 * * *")
	b.IncrSchedule = cmp.Or(b.IncrSchedule, "0 * * * *")
	b.RetentionDays = cmp.Or(b.RetentionDays, new(int32(7)))

	spec.ShutdownTimeout = cmp.Or(spec.ShutdownTimeout, "30s")

	ro := ensure(&spec.Rollout)
	ro.Policy = cmp.Or(ro.Policy, cmp.Or(d.RolloutPolicy, RolloutAutomatic))
}

// defaultType leaves the type open where the spec has what not all types have: such a spec
// is invalid, whatever the platform team chooses. Otherwise their next choice could make
// it so, and nothing reaches the server of an invalid one.
func (s *ServiceSpec) defaultType(platform corev1.ServiceType) {
	if !s.needsType() {
		s.Type = cmp.Or(s.Type, platform, corev1.ServiceTypeClusterIP)
	}
}

// adapterPorts returns the ports on which a new server's adapters listen.
func adapterPorts() map[string]int32 {
	return map[string]int32{AdapterNFS: dittofs.NFSPort, AdapterSMB: dittofs.SMBPort}
}

// IsEnabled says whether the Service leads to the server's portmapper.
func (s *PortmapperSpec) IsEnabled() bool { return s != nil && s.Enabled }

// IsEnabled says whether the function composes a PerconaPGCluster.
func (s *PerconaSpec) IsEnabled() bool { return s != nil && s.Enabled }

// IsEnabled says whether users are looked up in a directory.
func (s *LDAPSpec) IsEnabled() bool { return s != nil && s.Enabled }

// IsEnabled says whether clients are authenticated by Kerberos.
func (s *KerberosSpec) IsEnabled() bool { return s != nil && s.Enabled }

// IsEnabled says whether NTLM logons are checked with a domain controller.
func (s *MachineAccountSpec) IsEnabled() bool { return s != nil && s.Enabled }

// ensure makes *p point to a value if it is nil.
func ensure[T any](p **T) *T {
	if *p == nil {
		*p = new(T)
	}
	return *p
}
