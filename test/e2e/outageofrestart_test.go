package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Clients try so often, and give up a try after so long.
const (
	tryInterval = 100 * time.Millisecond
	tryTimeout  = time.Second
)

// A pod is settled after so long. The kubelet ends one that has just become ready up to a
// second and a half later: it looks at its containers first, as it does every second.
const settled = 3 * time.Second

// A try is one of a client's, by when it was begun. What it saw is nothing if nobody
// answered.
type try struct {
	at   time.Time
	seen string
}

// tries are those of a client that tries again and again.
type tries struct {
	mu  sync.Mutex
	all []try
}

// keepTrying tries until the context is done. A try that hangs holds up no other.
func keepTrying(ctx context.Context, try1 func(ctx context.Context) string) *tries {
	t := &tries{}
	go func() {
		for tick := time.Tick(tryInterval); ctx.Err() == nil; {
			go func() {
				ctx, cancel := context.WithTimeout(ctx, tryTimeout)
				defer cancel()
				at := time.Now()
				seen := try1(ctx)
				t.mu.Lock()
				defer t.mu.Unlock()
				t.all = append(t.all, try{at: at, seen: seen})
			}()
			<-tick
		}
	}()
	return t
}

// since returns the tries that were begun after a time, in that order.
func (t *tries) since(start time.Time) []try {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(t.all), func(one try) bool { return one.at.Before(start) })
	slices.SortFunc(all, func(a, b try) int { return a.at.Compare(b.at) })
	return all
}

// away returns the longest time for which nobody was answered: when the last try before it
// was begun, and the first after it.
func away(all []try) (from, to time.Time) {
	answered := slices.DeleteFunc(slices.Clone(all), func(t try) bool { return t.seen == "" })
	for i := 1; i < len(answered); i++ {
		if a, b := answered[i-1].at, answered[i].at; b.Sub(a) > to.Sub(from) {
			from, to = a, b
		}
	}
	return from, to
}

// served says whether the last tries of a client were all answered.
func served(all []try) bool {
	const last = 5
	return len(all) >= last && !slices.ContainsFunc(all[len(all)-last:], func(t try) bool { return t.seen == "" })
}

// outageOfRestart is what clients see of a restart.
func outageOfRestart(s *scenario) {
	srv := s.running("outage", basicSpec(), basicSecrets())
	share := s.share(srv)
	s.changePassword(srv)

	dir, err := os.MkdirTemp("", "outage")
	must(s, err)
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(s, os.Chmod(dir, 0o755))
	small := filepath.Join(dir, "small")
	must(s, os.WriteFile(small, []byte("a line that is written again and again\n"), 0o644))
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var files atomic.Int64 // nfs-cp writes none that is there.
	writer := keepTrying(ctx, func(ctx context.Context) string {
		if nfs(ctx, "nfs-cp", small, share(fmt.Sprintf("small-%d", files.Add(1)))).Run() != nil {
			return ""
		}
		return "written"
	})

	var old, apiAway, nfsAway []time.Duration
	const well = "the old key is taken until the outage, and refused ever after"
	s.expect(fmt.Sprintf("rotate the JWT key %d times under an NFS client that writes and a client of the API", *times), fmt.Sprintf("%d times %s; %s", *times, well, count{revisions: *times, pods: *times}), func() string {
		var seen []string
		for range *times {
			must(s, srv.awaitRollout(s.ctx))
			token, api := s.login(srv, ownPassword), s.api(srv)
			ctx, cancel := context.WithCancel(s.ctx)
			clients := keepTrying(ctx, func(ctx context.Context) string { return get(ctx, api+"/users", token) })
			start := time.Now()
			time.Sleep(settled) // Also so that both are seen to be answered before.

			before, err := srv.hash(s.ctx)
			must(s, err)
			pod := s.podOf(srv)
			w, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Watch(s.ctx, metav1.ListOptions{})
			must(s, err)
			must(s, srv.setSecret(s.ctx, "jwt", map[string]string{"key": newKey()}))
			must(s, awaitEvent(s.ctx, w, "a new hash", func(ss *appsv1.StatefulSet) bool { return ss.Spec.Template.Annotations[hashAnnotation] != before }))
			hashed := time.Now()
			w.Stop()

			must(s, await(s.ctx, "another pod", func(ctx context.Context) error {
				p, err := s.cluster.CoreV1().Pods(srv.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
				if err == nil && p.UID == pod.UID {
					err = errors.New("it is the old one")
				}
				return err
			}))
			must(s, srv.awaitRollout(s.ctx))
			back := time.Now()
			must(s, await(s.ctx, "clients to be served again", func(context.Context) error {
				if !served(clients.since(back)) || !served(writer.since(back)) {
					return fmt.Errorf("the API answers %q, NFS %q", story(clients.since(back)), story(writer.since(back)))
				}
				return nil
			}))
			cancel()
			from, to := away(clients.since(start))
			nfsFrom, nfsTo := away(writer.since(start))
			old = append(old, from.Sub(hashed))
			apiAway = append(apiAway, to.Sub(from))
			nfsAway = append(nfsAway, nfsTo.Sub(nfsFrom))
			seen = append(seen, story(clients.since(start)))
		}
		return all(seen) + "; " + s.restartsOf(srv)
	})
	if len(old) == 0 {
		return
	}
	s.measure("new hash to the old key's last answer", spread(old), 0)
	s.measure("the API is away for", spread(apiAway), 0)
	s.measure("NFS is away for", spread(nfsAway), 0)
}

// longWrite is a file that a client is writing when the pod is deleted. The client connects
// again at once. If kube-proxy still leads it to the pod that is gone, nobody answers, and it
// tries another time when its system has given up: after two minutes.
//
// The server may answer the write that it is at when it is told to end with an error: it
// cancels what is under way. Then the client knows, and another file is written.
func longWrite(s *scenario) {
	spec := basicSpec()
	spec["storage"] = map[string]any{"metadataSize": "1Gi", "contentSize": "3Gi"}
	srv := s.running("long-write", spec, basicSecrets())
	share := s.share(srv)
	dir, err := os.MkdirTemp("", "long-write")
	must(s, err)
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(s, os.Chmod(dir, 0o755))
	large := filepath.Join(dir, "large")
	content := strings.Repeat("A line that must survive a restart of the server.\n", 6<<20)
	must(s, os.WriteFile(large, []byte(content), 0o644))

	const well = "ends well, and the bytes are right"
	var seen []string
	var took time.Duration
	s.expect("a long write that is under way when the pod is deleted", well, func() string {
		for i := range 6 {
			start := time.Now()
			file := fmt.Sprintf("large-%d", i)
			var said strings.Builder
			cmd := nfs(s.ctx, "nfs-cp", large, share(file))
			cmd.Stderr = &said
			must(s, cmd.Start())
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			must(s, await(s.ctx, "the file to be there", func(ctx context.Context) error {
				out, err := nfs(ctx, "nfs-ls", strings.Replace(share(""), "/?", "?", 1)).Output()
				if err == nil && !strings.Contains(string(out), file) {
					err = errors.New("it is not")
				}
				return err
			}))
			if len(ended) > 0 {
				seen = append(seen, "too soon")
				continue
			}
			s.replacePod(srv)
			err := <-ended
			took = time.Since(start)
			if err != nil && strings.Contains(said.String(), "Failed to write") {
				seen = append(seen, "told of an error")
				continue
			}
			if err != nil {
				return fmt.Sprintf("%v: %s", err, said.String())
			}
			got, err := nfs(s.ctx, "nfs-cat", share(file)).Output()
			must(s, err)
			if string(got) != content {
				return fmt.Sprintf("%d bytes of %d", len(got), len(content))
			}
			seen = append(seen, well)
			return well
		}
		return fmt.Sprintf("%q", seen)
	})
	s.measure("from its beginning to its end", fmt.Sprintf("%.0f s (%s)", took.Seconds(), strings.Join(seen, ", ")), took)
	s.restartsOf(srv)
}

// story says in which order a client was answered what.
func story(all []try) string {
	var seen []string
	for _, t := range all {
		if t.seen != "" && (len(seen) == 0 || seen[len(seen)-1] != t.seen) {
			seen = append(seen, t.seen)
		}
	}
	if slices.Equal(seen, []string{"200 OK", "401 Unauthorized"}) {
		return "the old key is taken until the outage, and refused ever after"
	}
	return fmt.Sprintf("%q", seen)
}

// get asks a server as the bearer of a token, and returns the status of the answer, or
// nothing if there is none.
func get(ctx context.Context, url, token string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return ""
	}
	req.Close = true // Each try by a connection of its own.
	req.Header.Set("Authorization", "Bearer "+token)
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer rsp.Body.Close()
	return rsp.Status
}

// spread says how long something took, of several times.
func spread(d []time.Duration) string {
	return "median " + ms(median(d)) + ", worst " + ms(slices.Max(d))
}
