package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

var loadTime = flag.Duration("load", 6*time.Second, "how long TestLoad keeps the function busy")

const (
	callers = 16

	// A call that is cut off by a replica's end is made again, as Crossplane's next
	// reconcile does.
	maxTries = 3

	// What a process may hold more of at the end than after a third of the time.
	moreGoroutines = 8
	moreMemory     = 1.5
)

// TestLoad has 16 callers call two replicas over mTLS while certificates, keys and
// CAs are renewed again and again, and one of the replicas is killed or stopped
// and comes back. No call may fail, and the replica that is left alone may not
// grow. It takes as long as -load says, a minute in make load.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	clients := &renewable{}
	renew := func() {
		ca := host.NewAuthority()
		host.WriteCertificates(t, dir, ca)
		clients.set(ca)
	}
	renew()

	quiet, shaken := newReplica(t, dir), newReplica(t, dir)
	quiet.start(t)
	shaken.start(t)
	c, _ := newRunningCluster(t)
	req := c.Request(c.Required)

	work := func(long time.Duration) (calls, tries int64) {
		ctx, cancel := context.WithTimeout(t.Context(), long)
		defer cancel()
		var nCalls, nTries atomic.Int64
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				conn := dialReplicas(t, clients, quiet.address, shaken.address)
				defer func() { _ = conn.Close() }()
				for n := 1; ctx.Err() == nil && !t.Failed(); n++ {
					// Some callers meet the new certificates all the time.
					if i%4 == 0 && n%100 == 0 {
						_ = conn.Close()
						conn = dialReplicas(t, clients, quiet.address, shaken.address)
					}
					used, err := tryCall(t.Context(), conn, req)
					if err != nil {
						t.Errorf("A call has failed %d times: %v", used, err)
					}
					nCalls.Add(1)
					nTries.Add(int64(used))
				}
			})
		}
		wg.Wait()
		return nCalls.Load(), nTries.Load()
	}

	trouble, cancel := context.WithCancel(t.Context())
	var troubles sync.WaitGroup
	renewals, ends := 0, 0
	troubles.Go(func() {
		for every(trouble, *loadTime/12) {
			renew()
			renewals++
		}
	})
	troubles.Go(func() {
		for every(trouble, *loadTime/6) {
			// In turn as a node that dies, and as a rollout.
			sig := syscall.SIGKILL
			if ends%2 == 1 {
				sig = syscall.SIGTERM
			}
			shaken.end(t, sig)
			shaken.start(t)
			ends++
		}
	})
	calls, tries := work(*loadTime / 3)
	before := quiet.settled(t)
	more, moreTries := work(*loadTime * 2 / 3)
	cancel()
	troubles.Wait()
	after := quiet.settled(t)

	t.Logf("%d calls, %d of them made again, %d renewals, %d ends of a replica; goroutines %v, then %v; resident MiB %.0f, then %.0f",
		calls+more, tries+moreTries-calls-more, renewals, ends, before.goroutines, after.goroutines, before.memory/(1<<20), after.memory/(1<<20))
	if renewals == 0 || ends < 2 {
		t.Errorf("There should be renewals, and ends of both kinds: %d and %d", renewals, ends)
	}
	if after.goroutines > before.goroutines+moreGoroutines {
		t.Errorf("Goroutines have grown from %v to %v", before.goroutines, after.goroutines)
	}
	if after.memory > before.memory*moreMemory {
		t.Errorf("Memory has grown from %.0f to %.0f bytes", before.memory, after.memory)
	}
}

// every waits, and says whether to go on.
func every(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// tryCall calls until the answer is not that the replica was lost. It returns how
// often it has called.
func tryCall(ctx context.Context, conn *grpc.ClientConn, req *fnv1.RunFunctionRequest) (tries int, err error) {
	for tries = 1; ; tries++ {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		rsp, err := fnv1.NewFunctionRunnerServiceClient(conn).RunFunction(ctx, req)
		cancel()
		if err == nil && len(rsp.GetDesired().GetResources()) == 0 {
			return tries, fmt.Errorf("the response is empty: %v", rsp.GetResults())
		}
		if status.Code(err) != codes.Unavailable || tries == maxTries {
			return tries, err
		}
	}
}

// dialReplicas connects as Crossplane does: to all replicas in turn, and waiting
// until one is ready.
func dialReplicas(t *testing.T, creds credentials.TransportCredentials, addresses ...string) *grpc.ClientConn {
	t.Helper()
	r := manual.NewBuilderWithScheme("replicas")
	s := resolver.State{}
	for _, a := range addresses {
		s.Addresses = append(s.Addresses, resolver.Address{Addr: a, ServerName: "127.0.0.1"})
	}
	r.InitialState(s)
	conn, err := grpc.NewClient("replicas:///function", grpc.WithResolvers(r), grpc.WithTransportCredentials(creds),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [{"name": [{}], "waitForReady": true}]}`))
	if err != nil {
		t.Error(err)
	}
	return conn
}

// A renewable is the credentials of a client, of the newest CA at each handshake.
type renewable struct {
	credentials.TransportCredentials

	mu sync.Mutex
}

func (r *renewable) set(ca *host.Authority) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.TransportCredentials = credentials.NewTLS(ca.Client())
}

func (r *renewable) newest() credentials.TransportCredentials {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.TransportCredentials
}

func (r *renewable) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return r.newest().ClientHandshake(ctx, authority, conn)
}

func (r *renewable) Info() credentials.ProtocolInfo { return r.newest().Info() }

func (r *renewable) Clone() credentials.TransportCredentials { return r }

// A replica is the function as a process that can end and come back at its
// address.
type replica struct {
	dir, address, metrics string

	cmd *exec.Cmd
}

func newReplica(t *testing.T, dir string) *replica {
	t.Helper()
	return &replica{dir: dir, address: host.FreeAddress(t), metrics: host.FreeAddress(t)}
}

// start the replica, and wait until it takes connections.
func (r *replica) start(t *testing.T) {
	t.Helper()
	r.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "--tls-certs-dir="+r.dir, "--address="+r.address, "--metrics-address="+r.metrics, "--health=")
	r.cmd.Env = append(os.Environ(), runMain+"=yes")
	log, err := os.OpenFile(filepath.Join(r.dir, r.address+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Error(err)
		return
	}
	defer log.Close()
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	p := r.cmd.Process
	t.Cleanup(func() { _ = p.Kill() })
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.address)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("A replica is not there after 30 seconds: %v", err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// end the replica, and say if it does not end as it should.
func (r *replica) end(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		t.Error(err)
	}
	if err := r.cmd.Wait(); sig == syscall.SIGTERM && err != nil {
		t.Errorf("A replica that is told to stop should end well: %v", err)
	}
}

// A footprint is what a process holds.
type footprint struct{ goroutines, memory float64 }

// settled is the footprint of a replica that has nothing to do: once its
// connections are closed, or after a while.
func (r *replica) settled(t *testing.T) footprint {
	t.Helper()
	least := r.footprint(t)
	for range 20 {
		time.Sleep(50 * time.Millisecond)
		f := r.footprint(t)
		least.goroutines, least.memory = min(least.goroutines, f.goroutines), f.memory
	}
	return least
}

func (r *replica) footprint(t *testing.T) footprint {
	t.Helper()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(host.Metrics(t, r.metrics)))
	if err != nil {
		t.Fatal(err)
	}
	gauge := func(name string) float64 {
		m := families[name].GetMetric()
		if len(m) != 1 {
			t.Fatalf("there are %d metrics %s, want 1", len(m), name)
		}
		return m[0].GetGauge().GetValue()
	}
	return footprint{goroutines: gauge("go_goroutines"), memory: gauge("process_resident_memory_bytes")}
}
