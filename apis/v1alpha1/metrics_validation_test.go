package v1alpha1

import "testing"

// TestValidateMetricsTLS finds what keeps a scraper from the metrics.
func TestValidateMetricsTLS(t *testing.T) {
	validateAll(t, map[string]validateCase{
		"WithoutTLS":         {reason: "Prometheus would speak HTTP to HTTPS, or the other way round.", edit: fields{"metrics.tls": nil}, want: []string{"spec.metrics.serviceMonitor.tls"}},
		"WithoutTLSOff":      {reason: "What is off may be unfinished.", edit: fields{"metrics": fields{"serviceMonitor": fields{"tls": fields{}}}}},
		"NoCertificate":      {reason: "TLS takes a certificate.", edit: fields{"metrics.tls": fields{}, "metrics.serviceMonitor.tls": nil}, want: []string{"spec.metrics.tls.certSecretName"}},
		"DefaultVerifies":    {reason: "The issuer is beside the certificate.", edit: fields{"metrics.tls": fields{"certSecretName": "tls"}, "metrics.serviceMonitor.tls": nil}},
		"NoClientCert":       {reason: "The server refuses whoever shows none.", edit: fields{"metrics.serviceMonitor.tls": nil}, want: []string{"spec.metrics.serviceMonitor.tls.clientCertSecretName"}},
		"NoClientCertOff":    {reason: "Other scrapers may have one.", edit: fields{"metrics.serviceMonitor": nil, "metrics.prometheusRule": nil}},
		"ClientCertNotAsked": {reason: "It does no harm.", edit: fields{"metrics.tls": fields{"certSecretName": "tls"}}},
		"ServerNameOfNobody": {reason: "A certificate is for a name.", edit: fields{"metrics.serviceMonitor.tls.serverName": "a b"}, want: []string{"spec.metrics.serviceMonitor.tls.serverName"}},
		"VersionWithoutTLS":  {reason: "HTTP has no such version.", edit: fields{"controlPlane": fields{"minTLSVersion": "1.3"}}, want: []string{"spec.controlPlane.certSecretName"}},
	})
}
