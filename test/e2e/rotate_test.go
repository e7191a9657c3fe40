package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
)

// create creates a server with all its Secrets there.
func create(s *scenario) {
	srv := s.server("create")
	must(s, srv.createSecrets(s.ctx, s.fullSecrets(srv)))
	s.expect("create with all Secrets there", oneRestart, func() string {
		must(s, srv.create(s.ctx, s.fullSpec()))
		must(s, srv.awaitReady(s.ctx))
		return s.restartsOf(srv)
	})
	s.expect("three more reconciles", noRestart, func() string {
		for range 3 {
			must(s, srv.reconcile(s.ctx))
		}
		return s.restartsOf(srv)
	})
}

// How many changes a server sees, one after the other. What one server does not
// wait for, another does meanwhile.
const changesPerServer = 5

// rotate changes everything that the server reads from Secrets, one by one.
func rotate(s *scenario) {
	chunks := slices.Collect(slices.Chunk(s.inputs(), changesPerServer))
	s.each(len(chunks), func(s *scenario, i int) string {
		srv := s.server("rotate-" + strconv.Itoa(i))
		must(s, srv.createSecrets(s.ctx, s.fullSecrets(srv)))
		must(s, srv.create(s.ctx, s.fullSpec()))
		must(s, srv.awaitReady(s.ctx))
		s.restartsOf(srv)
		for _, in := range chunks[i] {
			s.expect("rotate "+in.what, in.restarts, func() string {
				must(s, srv.setSecret(s.ctx, in.secret, in.rotated(s, srv)))
				return s.restartsOf(srv)
			})
		}
		return ""
	})
}

// order is that the server never starts with an old configuration: its
// ConfigMap is written before its StatefulSet.
func order(s *scenario) {
	const servers, changes = 2, 3
	s.expect(fmt.Sprintf("change the configuration %d times", servers*changes), fmt.Sprintf("%d times ConfigMap first, %s each", servers, plural(changes, "restart")), func() string {
		return s.each(servers, func(s *scenario, i int) string {
			srv := s.running("order-"+strconv.Itoa(i), basicSpec(), basicSecrets())
			writes, err := watchWrites(s.ctx, srv)
			must(s, err)

			for n := range changes {
				// A token that lives for another minute is a change of config.yaml
				// and of nothing else.
				must(s, srv.patchSpec(s.ctx, map[string]any{"identity": map[string]any{"jwt": map[string]any{"accessTokenDuration": strconv.Itoa(16+n) + "m"}}}))
				if got := s.restartsOf(srv); got != oneRestart {
					return got
				}
			}
			return writes.order(changes)
		})
	})
}

// together changes what stands both in config.yaml and in the pod template. One of
// them alone would replace the pod once for each.
func together(s *scenario) {
	srv := s.running("together", basicSpec(), basicSecrets())
	must(s, srv.createSecret(s.ctx, "tls", certificate()))
	for what, spec := range map[string]map[string]any{
		"port of the API":  {"controlPlane": map[string]any{"port": 8443}},
		"metrics":          {"metrics": map[string]any{"enabled": true}},
		"TLS":              {"controlPlane": map[string]any{"certSecretName": "tls"}},
		"shutdown timeout": {"shutdownTimeout": "20s"},
	} {
		s.expect("change in config.yaml and pod template: "+what, oneRestart, func() string {
			must(s, srv.patchSpec(s.ctx, spec))
			return s.restartsOf(srv)
		})
	}
}

// Writes are the resource versions at which the ConfigMap and the StatefulSet of
// a server changed what the server reads.
type writes struct {
	mu     sync.Mutex
	config []change
	hash   []change
}

type change struct {
	value   string
	version int64
}

func watchWrites(ctx context.Context, srv *server) (*writes, error) {
	w := &writes{}
	// Only the first write of a value counts: a ConfigMap is written once more when it
	// is no longer needed, to be deleted.
	record := func(cs *[]change, value, version string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if slices.ContainsFunc(*cs, func(c change) bool { return c.value == value }) {
			return
		}
		n, err := strconv.ParseInt(version, 10, 64) // Of etcd, and so comparable between objects.
		if err != nil {
			n = -1
		}
		*cs = append(*cs, change{value: value, version: n})
	}

	f := informers.NewSharedInformerFactoryWithOptions(srv.cluster, 0, informers.WithNamespace(srv.Namespace))
	if err := each(f.Core().V1().ConfigMaps().Informer(), func(cm *corev1.ConfigMap) {
		if cm.Labels[serverLabel] == srv.Name {
			record(&w.config, cm.Data["config.yaml"], cm.ResourceVersion)
		}
	}); err != nil {
		return nil, err
	}
	if err := each(f.Apps().V1().StatefulSets().Informer(), func(ss *appsv1.StatefulSet) {
		record(&w.hash, ss.Spec.Template.Annotations[hashAnnotation], ss.ResourceVersion)
	}); err != nil {
		return nil, err
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	return w, nil
}

// order returns in which order so many changes were written.
func (w *writes) order(changes int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.config) != 1+changes || len(w.hash) != 1+changes {
		return fmt.Sprintf("%s of the ConfigMap, %s of the hash", plural(len(w.config)-1, "write"), plural(len(w.hash)-1, "write"))
	}
	for i := 1; i <= changes; i++ {
		if w.config[i].version >= w.hash[i].version {
			return fmt.Sprintf("change %d: hash at %d, ConfigMap at %d", i, w.hash[i].version, w.config[i].version)
		}
	}
	return fmt.Sprintf("ConfigMap first, %s each", plural(changes, "restart"))
}

// latency is how long it takes from a Secret's write to the new hash, beside
// what the fastest controller would need that does nothing but watch the Secret
// and patch the StatefulSet.
func latency(s *scenario) {
	const servers = 2
	rotations := *times
	var (
		fleet       []*server
		took, floor []time.Duration
	)
	for i := range servers {
		fleet = append(fleet, s.running("latency-"+strconv.Itoa(i), basicSpec(), basicSecrets()))
	}

	start := time.Now()
	s.expect(fmt.Sprintf("rotate the JWT key %d times", servers*rotations), fmt.Sprintf("%d times %s", servers, count{revisions: rotations, pods: rotations}), func() string {
		before, _ := s.watchEvents(s)
		for range rotations {
			for _, srv := range fleet {
				took = append(took, s.untilPatched(srv, "jwt"))
			}
		}
		for _, srv := range fleet {
			must(s, srv.awaitRollout(s.ctx))
			must(s, srv.awaitReady(s.ctx))
		}
		if after, told := s.watchEvents(s); told {
			s.measure("watch events per rotation", fmt.Sprintf("%d, of the 100 that a circuit breaker allows at once", (after-before)/len(took)), 0)
		}

		var seen []string
		for _, srv := range fleet {
			seen = append(seen, s.restartsOf(srv))
		}
		return all(seen)
	})

	// The same again, with Crossplane out of the way.
	for _, srv := range fleet {
		must(s, srv.pause(s.ctx, "true"))
		must(s, srv.awaitPaused(s.ctx))
		for range rotations {
			floor = append(floor, s.floor(srv))
		}
	}
	elapsed := time.Since(start)
	s.measure("Secret written to hash changed", "median "+ms(median(took))+", worst "+ms(slices.Max(took)), elapsed)
	s.measure("the floor: bare watch and patch", "median "+ms(median(floor))+", worst "+ms(slices.Max(floor)), elapsed)
	s.measure("ratio of the medians", fmt.Sprintf("%.1f", float64(median(took))/float64(median(floor))), elapsed)
}

// untilPatched rotates the JWT key in a Secret and returns the time until the hash
// changes, as a watch of the StatefulSet sees it.
func (s *scenario) untilPatched(srv *server, secret string) time.Duration {
	s.Helper()
	must(s, srv.awaitRollout(s.ctx))
	old, err := srv.hash(s.ctx)
	must(s, err)
	w, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Watch(s.ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + srv.Name})
	must(s, err)
	defer w.Stop()

	start := time.Now()
	must(s, srv.setSecret(s.ctx, secret, map[string]string{"key": newKey()}))
	must(s, awaitEvent(s.ctx, w, "a new hash", func(ss *appsv1.StatefulSet) bool {
		return ss.Spec.Template.Annotations[hashAnnotation] != old
	}))
	return time.Since(start)
}

// floor rotates the JWT key, patches the StatefulSet when a watch shows the new
// key, and returns the time until a watch shows the patch.
func (s *scenario) floor(srv *server) time.Duration {
	s.Helper()
	const annotation = "e2e/floor"
	key := newKey()
	secrets, err := s.cluster.CoreV1().Secrets(srv.Namespace).Watch(s.ctx, metav1.ListOptions{FieldSelector: "metadata.name=jwt"})
	must(s, err)
	defer secrets.Stop()
	w, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Watch(s.ctx, metav1.ListOptions{})
	must(s, err)
	defer w.Stop()

	start := time.Now()
	must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": key}))
	must(s, awaitEvent(s.ctx, secrets, "the new key", func(sec *corev1.Secret) bool { return string(sec.Data["key"]) == key }))
	sum := sha256.Sum256([]byte(key))
	must(s, s.cluster.patch(s.ctx, "apps/v1", "StatefulSet", srv.Namespace, srv.Name, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{annotation: hex.EncodeToString(sum[:])}},
	}))
	must(s, awaitEvent(s.ctx, w, "the patch", func(ss *appsv1.StatefulSet) bool { return ss.Annotations[annotation] == hex.EncodeToString(sum[:]) }))
	return time.Since(start)
}

// awaitEvent waits until a watch delivers an object that is as it should be.
func awaitEvent[T any](ctx context.Context, w watch.Interface, what string, is func(T) bool) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	for {
		select {
		case e, ok := <-w.ResultChan():
			if !ok {
				return fmt.Errorf("waited for %s: the watch ended", what)
			}
			if o, ok := e.Object.(T); ok && is(o) {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, ctx.Err())
		}
	}
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func ms(d time.Duration) string {
	return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
}
