package v1alpha1

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
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

// Default fills in what the DittoServer leaves open, so that every block of the
// spec is there. The defaults that the XRD's schema has too are the same here:
// the function may run where no API server has applied them.
func (s *DittoServer) Default(d Defaults) {
	spec := &s.Spec

	spec.Image = or(spec.Image, d.Image)
	spec.Replicas = orPtr(spec.Replicas, new(int32(1)))
	spec.Resources = orPtr(spec.Resources, d.Resources)

	spec.Storage.ControlPlaneSize = or(spec.Storage.ControlPlaneSize, "1Gi")
	spec.Storage.StorageClassName = orPtr(spec.Storage.StorageClassName, d.StorageClassName)

	db := ensure(&spec.Database)
	if db.PostgresSecretRef != nil || spec.Percona.IsEnabled() {
		db.Type = DatabasePostgres
	}
	db.Type = or(db.Type, DatabaseSQLite)
	ensure(&db.SQLite)
	db.SQLite.Path = or(db.SQLite.Path, "/data/controlplane/controlplane.db")

	cp := ensure(&spec.ControlPlane)
	cp.Port = orPtr(cp.Port, new(int32(8080)))
	cp.RequireInitialPasswordChange = orPtr(cp.RequireInitialPasswordChange, new(true))

	id := ensure(&spec.Identity)
	id.Type = or(id.Type, "memory")
	ensure(&id.JWT)
	id.JWT.AccessTokenDuration = or(id.JWT.AccessTokenDuration, "15m")
	id.JWT.RefreshTokenDuration = or(id.JWT.RefreshTokenDuration, "168h")
	ensure(&id.Admin)
	id.Admin.Username = or(id.Admin.Username, "admin")

	log := ensure(&spec.Logging)
	log.Level = or(log.Level, "INFO")
	log.Format = or(log.Format, "json")
	log.Output = or(log.Output, "stdout")

	svc := ensure(&spec.Service)
	svc.Type = or(svc.Type, or(d.ServiceType, corev1.ServiceTypeClusterIP))

	if spec.Adapters == nil {
		spec.Adapters = []AdapterSpec{{Type: AdapterNFS}, {Type: AdapterSMB}}
	}
	for i := range spec.Adapters {
		a := &spec.Adapters[i]
		a.Port = cmp.Or(a.Port, adapterPorts()[a.Type])
	}

	as := ensure(&spec.AdapterServices)
	as.Enabled = orPtr(as.Enabled, new(true))
	as.Type = or(as.Type, or(d.AdapterServices, corev1.ServiceTypeClusterIP))

	m := ensure(&spec.Metrics)
	m.Port = orPtr(m.Port, new(int32(9090)))
	m.Path = or(m.Path, "/metrics")
	ensure(&m.ServiceMonitor)

	ensure(&spec.NetworkPolicy)

	p := ensure(&spec.Percona)
	p.Replicas = orPtr(p.Replicas, new(int32(1)))
	p.StorageSize = or(p.StorageSize, "10Gi")
	p.DatabaseName = or(p.DatabaseName, "dittofs")
	b := ensure(&p.Backup)
	b.Region = or(b.Region, "eu-west-1")
	b.FullSchedule = or(b.FullSchedule, "0 2 * * *")
	b.IncrSchedule = or(b.IncrSchedule, "0 * * * *")
	b.RetentionDays = orPtr(b.RetentionDays, new(int32(7)))

	spec.ShutdownTimeout = or(spec.ShutdownTimeout, "30s")

	ro := ensure(&spec.Rollout)
	ro.Policy = or(ro.Policy, or(d.RolloutPolicy, RolloutAutomatic))
}

// adapterPorts are those that a new server's adapters listen on.
func adapterPorts() map[string]int32 { return map[string]int32{AdapterNFS: 12049, AdapterSMB: 1445} }

// IsEnabled says whether there is to be a PerconaPGCluster.
func (s *PerconaSpec) IsEnabled() bool { return s != nil && s.Enabled }

// IsEnabled says whether users are looked up in a directory.
func (s *LDAPSpec) IsEnabled() bool { return s != nil && s.Enabled }

// IsEnabled says whether clients are authenticated by Kerberos.
func (s *KerberosSpec) IsEnabled() bool { return s != nil && s.Enabled }

// IsEnabled says whether NTLM logons are checked with a domain controller.
func (s *MachineAccountSpec) IsEnabled() bool { return s != nil && s.Enabled }

// or returns v, or the default if v is empty.
func or[T ~string](v, def T) T {
	if v == "" {
		return def
	}
	return v
}

// orPtr returns p, or the default if p is nil.
func orPtr[T any](p, def *T) *T {
	if p == nil {
		return def
	}
	return p
}

// ensure makes *p point to something.
func ensure[T any](p **T) *T {
	if *p == nil {
		*p = new(T)
	}
	return *p
}
