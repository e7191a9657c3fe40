package kubelet

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// pollInterval is how often probes are tried. A kubelet waits for a probe's
// period, which would only make the tests slower.
const pollInterval = 20 * time.Millisecond

// WaitReady returns once the container has started, is alive and is ready, by
// its own probes and within the time that a kubelet gives it.
func (p *Pod) WaitReady(ctx context.Context) error {
	c := p.container
	for _, probe := range []struct {
		name  string
		probe *corev1.Probe
	}{
		{"liveness", c.LivenessProbe},
		{"readiness", c.ReadinessProbe},
	} {
		if probe.probe == nil {
			continue
		}
		if err := p.await(ctx, probe.probe); err != nil {
			return errors.Wrapf(err, "%s probe of %s", probe.name, c.Name)
		}
	}
	return nil
}

// Alive asks the liveness probe once.
func (p *Pod) Alive(ctx context.Context) error {
	return errors.Wrap(p.probe(ctx, p.container.LivenessProbe), "liveness probe")
}

// await tries a probe until it succeeds.
func (p *Pod) await(ctx context.Context, probe *corev1.Probe) error {
	patience := time.Duration(probe.InitialDelaySeconds+probe.PeriodSeconds*probe.FailureThreshold) * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	for {
		err := p.probe(ctx, probe)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return errors.Errorf("the process ended: %v", p.exitErr)
		case <-ctx.Done():
			return errors.Wrapf(err, "not within %s", patience)
		case <-time.After(pollInterval):
		}
	}
}

// probe tries a probe once.
func (p *Pod) probe(ctx context.Context, probe *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(probe.TimeoutSeconds)*time.Second)
	defer cancel()

	switch {
	case probe.HTTPGet != nil:
		return p.probeHTTP(ctx, probe.HTTPGet)
	case probe.TCPSocket != nil:
		address, err := p.address(probe.TCPSocket.Port)
		if err != nil {
			return err
		}
		c, err := p.network.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	}
	return errors.New("this is no kind of probe that the function renders")
}

// probeHTTP asks as a kubelet does: it trusts any certificate and has none.
func (p *Pod) probeHTTP(ctx context.Context, get *corev1.HTTPGetAction) error {
	address, err := p.address(get.Port)
	if err != nil {
		return err
	}
	url := fmt.Sprintf("%s://%s%s", strings.ToLower(string(get.Scheme)), address, get.Path)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	transport := p.network.Transport()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // As a kubelet does.
	rsp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer rsp.Body.Close() //nolint:errcheck // It is not read.
	if rsp.StatusCode < http.StatusOK || rsp.StatusCode >= http.StatusBadRequest {
		return errors.Errorf("%s: %s", url, rsp.Status)
	}
	return nil
}

// Port is the number of a port of the container, which may be given by its name.
func (p *Pod) Port(port intstr.IntOrString) (int32, error) {
	if port.Type == intstr.Int {
		return port.IntVal, nil
	}
	for _, cp := range p.container.Ports {
		if cp.Name == port.StrVal {
			return cp.ContainerPort, nil
		}
	}
	return 0, errors.Errorf("container %s has no port %q", p.container.Name, port.StrVal)
}

func (p *Pod) address(port intstr.IntOrString) (string, error) {
	n, err := p.Port(port)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(n))), err
}
