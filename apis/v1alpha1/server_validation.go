package v1alpha1

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

func (s *ControlPlaneSpec) validate(p *field.Path) field.ErrorList {
	errs := validateRange(p.Child("port"), *s.Port, 1, 65535, "it is a TCP port")

	switch {
	case s.CertSecretName != "":
		errs = append(errs, validateSecretName(p.Child("certSecretName"), s.CertSecretName)...)
	case s.TLS:
		errs = append(errs, field.Required(p.Child("certSecretName"), "tls is true, which needs a Secret with tls.crt and tls.key. Name one, or remove tls"))
	}
	if s.ClientCASecretName != "" {
		errs = append(errs, validateSecretName(p.Child("clientCASecretName"), s.ClientCASecretName)...)
		if s.CertSecretName == "" {
			errs = append(errs, field.Required(p.Child("certSecretName"), "clients are asked for a certificate only over TLS. Name the Secret with the API's own, or remove clientCASecretName"))
		}
	}
	if s.MinTLSVersion != "" {
		errs = append(errs, validateEnum(p.Child("minTLSVersion"), s.MinTLSVersion, tlsVersions())...)
		if s.CertSecretName == "" {
			errs = append(errs, field.Required(p.Child("certSecretName"), "without TLS there is no version of it. Name the Secret with the API's certificate, or remove minTLSVersion"))
		}
	}

	return errs
}

// tlsVersions are those that the server knows.
func tlsVersions() []string { return []string{"1.2", "1.3"} }

func (s *LoggingSpec) validate(p *field.Path, dirs []string) field.ErrorList {
	errs := validateEnum(p.Child("level"), s.Level, []string{"DEBUG", "INFO", "WARN", "ERROR"})
	errs = append(errs, validateEnum(p.Child("format"), s.Format, []string{"text", "json"})...)

	dirs = append(slices.Clone(dirs), dittofs.TempDir)
	if s.Output != "stdout" && s.Output != "stderr" && !within(s.Output, dirs) {
		errs = append(errs, field.Invalid(p.Child("output"), s.Output,
			"must be stdout, stderr, or a file under "+strings.Join(dirs, ", ")+": the rest of the file system is read-only"))
	} else {
		errs = append(errs, validateFile(p.Child("output"), s.Output)...)
	}

	if r := s.Rotation; r != nil {
		for name, n := range map[string]struct{ value, highest int32 }{
			"maxSize": {r.MaxSize, math.MaxInt32}, "maxBackups": {r.MaxBackups, math.MaxInt32}, "maxAge": {r.MaxAge, maxLogAge},
		} {
			errs = append(errs, validateRange(p.Child("rotation", name), n.value, 0, n.highest, "0 is the default")...)
		}
	}
	if s.Rotation != nil && (s.Output == "stdout" || s.Output == "stderr") {
		errs = append(errs, field.Forbidden(p.Child("rotation"), fmt.Sprintf("only files are rotated, and output is %s. Remove the block", s.Output)))
	}

	return errs
}

// maxLogAge is a century, in days. The server counts ages in nanoseconds, which overflow
// before three centuries.
const maxLogAge = 36500

// validatePorts finds ports that are out of range or taken twice.
func (s *DittoServerSpec) validatePorts(spec *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	taken := map[int32]string{}
	take := func(p *field.Path, port int32, name string) {
		errs = append(errs, validateRange(p, port, 1, 65535, "it is a TCP port")...)
		if other, ok := taken[port]; ok {
			errs = append(errs, field.Invalid(p, port, "must not be the port of spec."+other))
		}
		taken[port] = name
	}
	// A new server opens the default ports of its adapters, regardless of the Services.
	listen := func(p *field.Path, port int32, name string) {
		for typ, adapter := range adapterPorts() {
			if port == adapter {
				errs = append(errs, field.Invalid(p, port, "is where a new server's adapter for "+typ+" listens. Choose another port"))
				return
			}
		}
		take(p, port, name)
	}

	listen(spec.Child("controlPlane", "port"), *s.ControlPlane.Port, "controlPlane.port")
	if s.Metrics.Enabled {
		listen(spec.Child("metrics", "port"), *s.Metrics.Port, "metrics.port")
	}

	types := map[string]bool{}
	for i, a := range s.Adapters {
		p := spec.Child("adapters").Index(i)
		if types[a.Type] {
			errs = append(errs, field.Duplicate(p.Child("type"), a.Type))
		}
		types[a.Type] = true
		if unsupported := validateEnum(p.Child("type"), a.Type, []string{AdapterNFS, AdapterSMB}); len(unsupported) > 0 {
			errs = append(errs, unsupported...)
			continue
		}
		take(p.Child("port"), a.Port, fmt.Sprintf("adapters[%d].port", i))
		if m := a.Portmapper; m.IsEnabled() {
			take(p.Child("portmapper", "port"), m.Port, fmt.Sprintf("adapters[%d].portmapper.port", i))
		} else if m != nil {
			errs = append(errs, validateRange(p.Child("portmapper", "port"), m.Port, 1, 65535, "it is a TCP port")...)
		}
	}

	return append(errs, s.validateServicePorts(spec)...)
}

// validateServicePorts finds ports of the adapters' Services that are out of range or
// taken twice.
func (s *DittoServerSpec) validateServicePorts(spec *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	taken := map[int32]int{}
	for i, a := range s.Adapters {
		p := spec.Child("adapters").Index(i)
		at := p.Child("servicePort")
		errs = append(errs, validateRange(at, a.ServicePort, 1, 65535, "it is a TCP port")...)
		// The Services may share the address of one load balancer.
		if other, ok := taken[a.ServicePort]; ok && s.Adapters[other].Type != a.Type {
			errs = append(errs, field.Invalid(at, a.ServicePort, fmt.Sprintf("must not be the servicePort of spec.adapters[%d]", other)))
		}
		taken[a.ServicePort] = i

		switch {
		case !a.Portmapper.IsEnabled():
		case a.Type != AdapterNFS:
			errs = append(errs, field.Forbidden(p.Child("portmapper", "enabled"), "only NFS has a portmapper. Remove it"))
		default:
			// The Service has these ports, too.
			const why = "is where clients look for the portmapper. Choose another port"
			if a.ServicePort == PortmapperServicePort {
				errs = append(errs, field.Invalid(at, a.ServicePort, why))
			}
			if a.Port == PortmapperServicePort {
				errs = append(errs, field.Invalid(p.Child("port"), a.Port, why))
			}
		}
	}
	return errs
}

func (s *MetricsSpec) validate(p *field.Path) field.ErrorList {
	errs := field.ErrorList{}
	if !metricsPathPattern.MatchString(s.Path) || path.Clean(s.Path) != s.Path && path.Clean(s.Path)+"/" != s.Path {
		errs = append(errs, field.Invalid(p.Child("path"), s.Path, "must be a path such as /metrics, without '//', '.' and '..', and without blanks and any of {}?#: the server reads it as a pattern"))
	}
	errs = append(errs, validateTexts(p, map[string]string{"path": s.Path})...)
	if s.BearerTokenSecret != nil {
		errs = append(errs, s.BearerTokenSecret.validate(p.Child("bearerTokenSecret"))...)
	}
	if s.TLS != nil {
		errs = append(errs, s.TLS.validate(p.Child("tls"))...)
	}
	if m := s.ServiceMonitor; m.Enabled {
		errs = append(errs, m.validateTLS(p.Child("serviceMonitor"), s.TLS)...)
		if !s.Enabled {
			errs = append(errs, field.Required(p.Child("enabled"), "there is nothing to scrape. Set enabled to true, or serviceMonitor.enabled to false"))
		}
		if m.Interval != "" && !intervalPattern.MatchString(m.Interval) {
			errs = append(errs, field.Invalid(p.Child("serviceMonitor", "interval"), m.Interval, "must be a duration as Prometheus has it, such as 30s or 1m30s, the largest unit first"))
		}
	}
	if s.PrometheusRule.Enabled && !s.ServiceMonitor.Enabled {
		errs = append(errs, field.Required(p.Child("serviceMonitor", "enabled"), "the alerts know the server's metrics by the labels that they get by the ServiceMonitor. Set serviceMonitor.enabled to true, or prometheusRule.enabled to false"))
	}
	return errs
}

func (s *MetricsTLSSpec) validate(p *field.Path) field.ErrorList {
	errs := validateSecretName(p.Child("certSecretName"), s.CertSecretName)
	if s.ClientCASecretName != "" {
		errs = append(errs, validateSecretName(p.Child("clientCASecretName"), s.ClientCASecretName)...)
	}
	if s.MinVersion != "" {
		errs = append(errs, validateEnum(p.Child("minVersion"), s.MinVersion, tlsVersions())...)
	}
	return errs
}

func (s *ServiceMonitorSpec) validateTLS(p *field.Path, server *MetricsTLSSpec) field.ErrorList {
	t := s.TLS
	switch {
	case t == nil:
		return nil
	case server == nil:
		return field.ErrorList{field.Forbidden(p.Child("tls"), "the metrics are served over HTTP. Remove it, or name a certificate in spec.metrics.tls")}
	}
	errs := field.ErrorList{}
	if r := t.CASecretRef; r != nil {
		errs = append(errs, r.validate(p.Child("tls", "caSecretRef"))...)
	}
	if len(validation.IsDNS1123Subdomain(t.ServerName)) > 0 {
		errs = append(errs, field.Invalid(p.Child("tls", "serverName"), t.ServerName, "must be a DNS name that the server's certificate is for"))
	}
	switch {
	case t.ClientCertSecretName != "":
		errs = append(errs, validateSecretName(p.Child("tls", "clientCertSecretName"), t.ClientCertSecretName)...)
	case server.ClientCASecretName != "":
		errs = append(errs, field.Required(p.Child("tls", "clientCertSecretName"), "the metrics refuse a Prometheus without a certificate (spec.metrics.tls.clientCASecretName). Name the Secret with its certificate, or set serviceMonitor.enabled to false"))
	}
	return errs
}

var (
	// metricsPathPattern excludes what has a meaning in the patterns of Go's ServeMux,
	// and what the path of a request cannot have.
	metricsPathPattern = regexp.MustCompile(`^/[^\s{}?#]*$`)

	// intervalPattern is the Prometheus operator's own.
	intervalPattern = regexp.MustCompile(`^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$`)
)

// validateShutdown checks that the grace period leaves time for a shutdown.
func (s *DittoServerSpec) validateShutdown(spec *field.Path) field.ErrorList {
	errs := validateDuration(spec.Child("shutdownTimeout"), s.ShutdownTimeout, 0, MaxShutdownTimeout)
	g := s.TerminationGracePeriodSeconds
	if g == nil {
		return errs
	}
	p := spec.Child("terminationGracePeriodSeconds")
	if *g < MinTerminationGracePeriodSeconds {
		return append(errs, field.Invalid(p, *g,
			fmt.Sprintf("must be at least %d: the server has to flush its metadata before it is killed. Leave it out for a safe value", MinTerminationGracePeriodSeconds)))
	}
	if *g > MaxTerminationGracePeriodSeconds {
		return append(errs, field.Invalid(p, *g, fmt.Sprintf("must be at most %d, which is a day", MaxTerminationGracePeriodSeconds)))
	}
	if timeout, err := time.ParseDuration(s.ShutdownTimeout); err == nil && time.Duration(*g)*time.Second <= timeout {
		errs = append(errs, field.Invalid(p, *g,
			fmt.Sprintf("must be more than spec.shutdownTimeout (%s), which bounds one stage of the shutdown. Leave it out for a safe value", s.ShutdownTimeout)))
	}
	return errs
}
