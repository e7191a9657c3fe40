package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/crane"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/test/dittofs/matrix"
)

// matrixDir has the DittoServers that make test runs in a sandbox.
const matrixDir = root + "/test/dittofs/testdata"

// matrixOfServers runs all of them as pods. Those with PostgreSQL have that of this
// machine; the directories of the others are not asked.
func matrixOfServers(s *scenario) {
	rows, err := matrix.Rows(matrixDir)
	must(s, err)
	for row := range particular() {
		if !slices.Contains(rows, row) {
			s.Errorf("%s has no row %s", matrixDir, row)
		}
	}
	s.surroundings()
	s.each(len(rows), func(s *scenario, i int) string {
		const well = "ready, lets the admin in alone, listens where Services lead"
		s.expect("pod of the DittoServer "+rows[i], well, func() string { return s.row(rows[i], well) })
		return ""
	})
}

// surroundings are what the matrix' clusters have: a class of volumes, a priority, a
// label of nodes, and another registry.
func (s *scenario) surroundings() {
	s.Helper()
	class, err := s.cluster.StorageV1().StorageClasses().List(s.ctx, metav1.ListOptions{})
	must(s, err)
	fast := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "fast"}, Provisioner: class.Items[0].Provisioner}
	_, err = s.cluster.StorageV1().StorageClasses().Create(s.ctx, fast, metav1.CreateOptions{})
	must(s, err)
	_, err = s.cluster.SchedulingV1().PriorityClasses().Create(s.ctx, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "important"}, Value: 1}, metav1.CreateOptions{})
	must(s, err)
	nodes, err := s.cluster.CoreV1().Nodes().List(s.ctx, metav1.ListOptions{})
	must(s, err)
	for _, n := range nodes.Items {
		_, err := s.cluster.CoreV1().Nodes().Patch(s.ctx, n.Name, types.MergePatchType, []byte(`{"metadata": {"labels": {"disk": "ssd"}}}`), metav1.PatchOptions{})
		must(s, err)
	}
	local, _, _ := strings.Cut(registry, "/")
	must(s, crane.Copy(local+"/marmos91c/dittofs:v0.29.0", local+"/dittofs:v0.29.0", crane.Insecure))
}

// row runs a row of the matrix, and says what is not as it should be.
func (s *scenario) row(name, well string) string {
	s.Helper()
	ns := "matrix-" + name
	must(s, s.createNamespace(ns))
	srv := s.suite.server(ns, "files")
	spec := s.rowObjects(name, srv)
	must(s, srv.create(s.ctx, spec))
	if spec["percona"] != nil {
		r, err := s.cluster.kind(perconaAPIVersion, perconaKind, ns)
		must(s, err)
		must(s, await(s.ctx, "the PerconaPGCluster", func(ctx context.Context) error {
			_, err := r.Patch(ctx, srv.Name+"-postgres", types.MergePatchType, []byte(`{"status": {"state": "ready"}}`), metav1.PatchOptions{}, "status")
			return err
		}))
	}
	s.balance(srv)
	must(s, srv.awaitReady(s.ctx))
	s.restartsOf(srv)
	defer func() { // It makes room.
		must(s, srv.xrs().Delete(s.ctx, srv.Name, metav1.DeleteOptions{}))
	}()

	home := s.TempDir()
	client := host.NamedAuthority(matrix.ClientAuthority).Issue("client")
	cert, key := filepath.Join(home, "client.crt"), filepath.Join(home, "client.key")
	must(s, errors.Join(os.WriteFile(cert, client.Cert, 0o600), os.WriteFile(key, client.Key, 0o600)))
	scheme, flags := "http", []string(nil)
	if cp, _, _ := unstructured.NestedMap(spec, "controlPlane"); cp["certSecretName"] != nil {
		scheme, flags = "https", []string{"--tls-skip-verify", "--client-cert", cert, "--client-key", key}
	}
	login := func(password string) (string, error) {
		return s.tryDfsctl(home, append([]string{"login", "--server", scheme + "://" + s.address(srv, "api"), "--username", "admin", "--password", password}, flags...)...)
	}
	password := s.rowPassword(srv, spec)
	must(s, await(s.ctx, srv.String()+" to let the admin in", func(context.Context) error {
		out, err := login(password)
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	}))
	if _, err := login("not the password"); err == nil {
		return "it takes any password"
	}
	switch name { // The server is told by its own API.
	case "adapter-ports":
		s.dfsctl(home, "adapter", "edit", "nfs", "--port", "20490")
	case "clients":
		s.turnPortmapperOn(home)
	}
	log, err := s.cluster.CoreV1().Pods(ns).GetLogs(srv.Name+"-0", &corev1.PodLogOptions{}).DoRaw(s.ctx)
	must(s, err)
	if strings.Contains(string(log), "unknown keys") {
		return "it does not know all keys of its configuration"
	}

	services, err := s.cluster.CoreV1().Services(ns).List(s.ctx, metav1.ListOptions{LabelSelector: serverLabel + "=" + srv.Name})
	must(s, err)
	for _, svc := range services.Items {
		if svc.Spec.ClusterIP == corev1.ClusterIPNone {
			continue
		}
		for _, port := range svc.Spec.Ports {
			if port.Protocol != corev1.ProtocolTCP {
				continue
			}
			address := net.JoinHostPort(svc.Spec.ClusterIP, strconv.Itoa(int(port.Port)))
			err := await(s.ctx, svc.Name+" to lead somewhere", func(ctx context.Context) error {
				c, err := (&net.Dialer{Timeout: tryTimeout}).DialContext(ctx, "tcp", address)
				if err != nil {
					return err
				}
				return c.Close()
			})
			if err != nil {
				return err.Error()
			}
		}
	}
	for _, check := range particular()[name] {
		if wrong := check(s, srv); wrong != "" {
			return wrong
		}
	}
	return well
}

// balance gives each Service that waits for a load balancer an address, as the cluster has
// nobody who does.
func (s *scenario) balance(srv *server) {
	s.Helper()
	must(s, await(s.ctx, "the Services", func(ctx context.Context) error {
		services, err := s.cluster.CoreV1().Services(srv.Namespace).List(ctx, metav1.ListOptions{LabelSelector: serverLabel + "=" + srv.Name})
		if err != nil {
			return err
		}
		if len(services.Items) < 2 { // That of the API, and the headless one.
			return fmt.Errorf("there are %d", len(services.Items))
		}
		for _, svc := range services.Items {
			if svc.Spec.Type != corev1.ServiceTypeLoadBalancer || len(svc.Status.LoadBalancer.Ingress) > 0 {
				continue
			}
			if _, err := s.cluster.CoreV1().Services(srv.Namespace).Patch(ctx, svc.Name, types.MergePatchType,
				[]byte(`{"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}}`), metav1.PatchOptions{}, "status"); err != nil {
				return err
			}
		}
		if xr, err := srv.xr(ctx); err != nil || conditionTrue(xr, "Ready") != nil {
			return errors.Join(err, errors.New("not all are there"))
		}
		return nil
	}))
}

// rowObjects creates what a row has beside its DittoServer, and returns the spec of that.
func (s *scenario) rowObjects(name string, srv *server) map[string]any {
	s.Helper()
	docs, err := matrix.Documents(filepath.Join(matrixDir, name, "xr.yaml"))
	must(s, err)
	xr := map[string]any{}
	must(s, yaml.Unmarshal(docs[0], &xr))
	spec := xr["spec"].(map[string]any)
	if spec["resources"] == nil {
		spec["resources"] = basicSpec()["resources"]
	}

	all, err := matrix.Documents(filepath.Join(matrixDir, name, "secrets.yaml"))
	must(s, err)
	for _, d := range all {
		sec := &corev1.Secret{}
		must(s, yaml.Unmarshal(d, sec))
		sec.Namespace = srv.Namespace
		if strings.Contains(sec.Name, "postgres") {
			s.leadToDatabase(srv, sec)
		}
		_, err := s.cluster.CoreV1().Secrets(srv.Namespace).Create(s.ctx, sec, metav1.CreateOptions{})
		must(s, err)
	}

	all, err = matrix.Documents(filepath.Join(matrixDir, name, "configmaps.yaml"))
	must(s, err)
	for _, d := range all {
		cm := &corev1.ConfigMap{}
		must(s, yaml.Unmarshal(d, cm))
		cm.Namespace = srv.Namespace
		_, err := s.cluster.CoreV1().ConfigMaps(srv.Namespace).Create(s.ctx, cm, metav1.CreateOptions{})
		must(s, err)
	}
	return spec
}

// leadToDatabase gives a Secret of a row the database of this machine, under the keys that
// it has.
func (s *scenario) leadToDatabase(srv *server, sec *corev1.Secret) {
	s.Helper()
	db := s.databaseOf(srv)
	db["dbname"], db["username"] = db["database"], db["user"]
	delete(db, "sslmode") // The row's own counts.
	db["ca.crt"] = string(s.postgres.authority.Certificate())
	for k := range sec.StringData {
		if v, ok := db[k]; ok {
			sec.StringData[k] = v
		}
	}
}

// rowPassword is the admin's in a row.
func (s *scenario) rowPassword(srv *server, spec map[string]any) string {
	s.Helper()
	name, _, _ := unstructured.NestedString(spec, "identity", "admin", "passwordSecretRef", "name")
	if name == "" {
		name = srv.Name + "-admin-bootstrap-credentials"
	}
	sec, err := s.cluster.CoreV1().Secrets(srv.Namespace).Get(s.ctx, name, metav1.GetOptions{})
	must(s, err)
	if p, ok := sec.Data["password"]; ok {
		return string(p)
	}
	s.Fatalf("Secret %s has no password", name)
	return ""
}
