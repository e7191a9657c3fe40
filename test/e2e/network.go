package e2e

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// A network stands for the cluster's DNS and Services. Crossplane dials its
// functions by the names of their Services; told to do so through this HTTP
// proxy, it needs neither a hosts file nor the right to change one. TLS is from
// end to end, so the certificates are checked against the names of the Services.
type network struct {
	cluster *cluster
	kubelet *kubelet
	server  *httptest.Server
	file    *os.File
	log     *log.Logger
}

func startNetwork(c *cluster, k *kubelet, dir string) (*network, error) {
	f, err := os.Create(filepath.Join(dir, "network.log")) //nolint:gosec // The tests' own directory.
	if err != nil {
		return nil, fmt.Errorf("cannot create log: %w", err)
	}
	n := &network{cluster: c, kubelet: k, file: f, log: log.New(f, "", log.LstdFlags|log.Lmicroseconds)}
	n.server = httptest.NewServer(n)
	return n, nil
}

func (n *network) stop() {
	n.server.Close()
	_ = n.file.Close()
}

// ServeHTTP connects the caller to one of a Service's pods.
func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT is served", http.StatusMethodNotAllowed)
		return
	}
	backend, err := n.dial(r.Context(), r.Host)
	n.log.Println(r.Host, err)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer backend.Close() //nolint:errcheck // Both ends are closed, whoever closes first.

	client, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer client.Close() //nolint:errcheck // As above.
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}

	var wg sync.WaitGroup
	pipe := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}
	wg.Go(func() { pipe(backend, buf) })
	wg.Go(func() { pipe(client, backend) })
	wg.Wait()
}

// dial connects to a process behind a Service.
func (n *network) dial(ctx context.Context, hostport string) (net.Conn, error) {
	addr, err := n.resolve(ctx, hostport)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
}

// resolve returns the address of a process that is selected by a Service.
func (n *network) resolve(ctx context.Context, hostport string) (string, error) {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", fmt.Errorf("cannot parse %s: %w", hostport, err)
	}
	name, ns, _ := strings.Cut(host, ".")
	svc, err := n.cluster.CoreV1().Services(ns).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("cannot get Service of %s: %w", host, err)
	}
	pods, err := n.cluster.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: labels.FormatLabels(svc.Spec.Selector)})
	if err != nil {
		return "", fmt.Errorf("cannot list pods of %s: %w", host, err)
	}
	var addrs []string
	for _, p := range pods.Items {
		if a := n.kubelet.addr(p.UID); a != "" {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) == 0 {
		return "", fmt.Errorf("no pod of %s runs", host)
	}
	return addrs[rand.IntN(len(addrs))], nil //nolint:gosec // Not a secret.
}
