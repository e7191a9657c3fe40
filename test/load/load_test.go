// Package load keeps the function busy while what can go wrong around it does.
package load

import (
	"context"
	"flag"
	"fmt"
	"net"
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

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

var loadTime = flag.Duration("load", 6*time.Second, "how long TestLoad keeps the function busy")

const (
	callers = 16

	// A call that is cut off by a replica's end is made again, as Crossplane's next
	// reconcile does. It may fail as often as that has happened meanwhile, and this
	// often beside.
	maxTries = 2

	// What a process may hold more of at the end than after a third of the time. There
	// is room for what a busy machine has not come to clean up; a leak of a kB in each
	// call is more than that within a minute.
	moreGoroutines = 8
	moreMemory     = 64 << 20

	// How long a process may take to let go of what it no longer needs.
	settleTimeout = time.Minute
)

// TestLoad has 16 callers call two replicas over mTLS while certificates, keys and
// CAs are renewed again and again, and one of the replicas is killed or stopped
// and comes back. No call may fail, and the replica that is left alone may not
// grow. It takes as long as -load says, a minute in make load by default, or until each of that
// has happened.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	clients := &renewable{}
	renew := func() {
		ca := host.NewAuthority()
		host.WriteCertificates(t, dir, ca)
		clients.set(ca)
	}
	renew()

	binary, err := functest.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	quiet, shaken := newReplica(t, binary, dir), newReplica(t, binary, dir)
	quiet.start(t)
	shaken.start(t)
	conn := dialReplicas(t, clients, quiet.address, shaken.address)
	c := functest.New(t, functest.Connected(conn))
	c.Settle()
	req := c.Request(c.Required)
	_ = conn.Close()

	var renewals, ends atomic.Int64
	work := func(long time.Duration, enough func() bool) (calls, tries int64) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.AfterFunc(long, func() {
			for !enough() && !t.Failed() {
				time.Sleep(10 * time.Millisecond)
			}
			cancel()
		})
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
					used, err := tryCall(t.Context(), conn, req, &ends)
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
	troubles.Go(func() {
		for every(trouble, *loadTime/12) {
			renew()
			renewals.Add(1)
		}
	})
	troubles.Go(func() {
		for every(trouble, *loadTime/6) {
			// In turn as a node that dies, and as a rollout.
			sig := syscall.SIGKILL
			if ends.Load()%2 == 1 {
				sig = syscall.SIGTERM
			}
			ends.Add(1)
			shaken.end(t, sig)
			shaken.start(t)
		}
	})
	calls, tries := work(*loadTime/3, func() bool { return true })
	before := quiet.settled(t, footprint{})
	more, moreTries := work(*loadTime*2/3, func() bool { return renewals.Load() > 0 && ends.Load() > 1 })
	cancel()
	troubles.Wait()
	most := footprint{goroutines: before.goroutines + moreGoroutines, memory: before.memory*1.5 + moreMemory}
	after := quiet.settled(t, most)

	t.Logf("%d calls, %d of them made again, %d renewals, %d ends of a replica; goroutines %v, then %v; resident MiB %.0f, then %.0f",
		calls+more, tries+moreTries-calls-more, renewals.Load(), ends.Load(), before.goroutines, after.goroutines, before.memory/(1<<20), after.memory/(1<<20))
	if after.goroutines > most.goroutines {
		t.Errorf("Goroutines have grown from %v to %v", before.goroutines, after.goroutines)
	}
	if after.memory > most.memory {
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
func tryCall(ctx context.Context, conn *grpc.ClientConn, req *fnv1.RunFunctionRequest, ends *atomic.Int64) (tries int, err error) {
	before := ends.Load()
	for tries = 1; ; tries++ {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		rsp, err := fnv1.NewFunctionRunnerServiceClient(conn).RunFunction(ctx, req)
		cancel()
		if err == nil && len(rsp.GetDesired().GetResources()) == 0 {
			return tries, fmt.Errorf("the response is empty: %v", rsp.GetResults())
		}
		if status.Code(err) != codes.Unavailable || tries >= maxTries+int(ends.Load()-before) {
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
	binary, dir, address, metrics string

	process *host.Process
}

func newReplica(t *testing.T, binary, dir string) *replica {
	t.Helper()
	return &replica{binary: binary, dir: dir, address: host.FreeAddress(t), metrics: host.FreeAddress(t)}
}

// start the replica, and wait until it takes connections.
func (r *replica) start(t *testing.T) {
	t.Helper()
	p, err := host.Command{
		Path: r.binary,
		Args: []string{"--tls-certs-dir=" + r.dir, "--address=" + r.address, "--metrics-address=" + r.metrics, "--health="},
		Log:  filepath.Join(r.dir, r.address+".log"),
	}.Start()
	if err != nil {
		t.Error(err)
		return
	}
	r.process = p
	t.Cleanup(p.Kill)
	if err := p.AwaitListener(t.Context(), "tcp", r.address); err != nil {
		t.Error(err)
	}
}

// end the replica, and say if it does not end as it should.
func (r *replica) end(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := r.process.Signal(sig); err != nil {
		t.Error(err)
	}
	if err := r.process.Wait(); sig == syscall.SIGTERM && err != nil {
		t.Errorf("A replica that is told to stop should end well: %v", err)
	}
}

// A footprint is what a process holds.
type footprint struct{ goroutines, memory float64 }

// settled is the footprint of a replica that has nothing to do: once it is as small as
// it may be at the most, or no longer gets smaller.
func (r *replica) settled(t *testing.T, most footprint) footprint {
	t.Helper()
	least := r.footprint(t)
	deadline := time.Now().Add(settleTimeout)
	for quiet := 0; quiet < 20 || most != (footprint{}) && least.exceeds(most) && time.Now().Before(deadline); quiet++ {
		time.Sleep(50 * time.Millisecond)
		f := r.footprint(t)
		if f.goroutines < least.goroutines {
			quiet = 0
		}
		least = footprint{goroutines: min(least.goroutines, f.goroutines), memory: min(least.memory, f.memory)}
	}
	return least
}

func (f footprint) exceeds(most footprint) bool {
	return f.goroutines > most.goroutines || f.memory > most.memory
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
