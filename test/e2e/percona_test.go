package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	perconaAPIVersion = "pgv2.percona.com/v2"
	perconaKind       = "PerconaPGCluster"
)

// percona has Percona's own operator take up what the function composes, in a cluster of
// the user's own that has it. The operator is in no module that the tests could build it
// from. What it runs need not become ready: all that is looked at comes before that.
func percona(s *scenario) {
	if _, err := s.cluster.kind(perconaAPIVersion, perconaKind, ""); err != nil || s.node != nil {
		s.Skip("it takes a cluster of the user's own with Percona's operator for PostgreSQL")
	}
	srv := s.server("percona")
	must(s, srv.createSecrets(s.ctx, basicSecrets()))
	spec := basicSpec()
	spec["percona"] = map[string]any{"enabled": true, "deleteWithServer": true, "storageSize": "1Gi"}
	name := srv.Name + "-postgres"

	create := func() (account *corev1.Secret) {
		must(s, srv.create(s.ctx, spec))
		must(s, await(s.ctx, "the account's Secret", func(ctx context.Context) (err error) {
			account, err = s.cluster.CoreV1().Secrets(srv.Namespace).Get(ctx, name+"-pguser-dittofs", metav1.GetOptions{})
			return err
		}))
		must(s, await(s.ctx, "the database's StatefulSet", func(ctx context.Context) error {
			l, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).List(ctx, metav1.ListOptions{LabelSelector: perconaLabel + name})
			if err != nil || len(l.Items) == 0 {
				return errors.Join(err, fmt.Errorf("there is none: %s", s.warnings(srv.Namespace)))
			}
			return nil
		}))
		return account
	}
	remove := func() {
		s.deleted(dittoServers.GroupVersion().String(), "DittoServer", srv.Namespace, srv.Name)
		s.gone(perconaAPIVersion, perconaKind, srv.Namespace, name)
		must(s, await(s.ctx, "the database to be gone", func(ctx context.Context) error {
			l, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).List(ctx, metav1.ListOptions{LabelSelector: perconaLabel + name})
			if err != nil || len(l.Items) > 0 {
				return errors.Join(err, fmt.Errorf("there are %s", plural(len(l.Items), "StatefulSet")))
			}
			return nil
		}))
	}

	var account *corev1.Secret
	s.expect("Percona's operator takes up what is composed", "all keys that the server reads, before the database is ready", func() string {
		account = create()
		for _, key := range []string{"host", "port", "dbname", "user", "password"} {
			if len(account.Data[key]) == 0 {
				return "no key " + key
			}
		}
		service, _, _ := strings.Cut(string(account.Data["host"]), ".")
		_, err := s.cluster.CoreV1().Services(srv.Namespace).Get(s.ctx, service, metav1.GetOptions{})
		must(s, err)
		if state := s.perconaState(srv.Namespace, name); state == "ready" {
			return "the database is ready already"
		}
		return "all keys that the server reads, before the database is ready"
	})
	s.expect("the server meanwhile", "not created", func() string {
		must(s, srv.awaitCondition(s.ctx, "SecretsResolved", "True"))
		_, err := s.cluster.AppsV1().StatefulSets(srv.Namespace).Get(s.ctx, srv.Name, metav1.GetOptions{})
		switch state := s.perconaState(srv.Namespace, name); {
		case state == "ready":
			return "the database is ready already"
		case !kerrors.IsNotFound(err):
			return fmt.Sprintf("created, or %v", err)
		}
		must(s, srv.awaitReason(s.ctx, "DatabaseReady", "NotReady"))
		return "not created"
	})
	s.expect("the DittoServer deleted", "the database is gone, its volume and its account are kept", func() string {
		before := s.perconaVolumes(srv.Namespace, name)
		remove()
		return "the database is gone, " + s.keptDatabase(srv.Namespace, name, before, account)
	})
	s.expect("the DittoServer created again", "its volume and its account are kept", func() string {
		before := s.perconaVolumes(srv.Namespace, name)
		create()
		return s.keptDatabase(srv.Namespace, name, before, account)
	})
	remove() // While the operator can: nothing else ends what it has made.
}

// The label that the operator puts onto all that a database is made of.
const perconaLabel = "app.kubernetes.io/managed-by=percona-postgresql-operator,app.kubernetes.io/instance="

// perconaState is what the operator says of a database, "ready" in the end.
func (s *scenario) perconaState(ns, name string) string {
	s.Helper()
	o, err := s.cluster.get(s.ctx, perconaAPIVersion, perconaKind, ns, name)
	must(s, err)
	state, _, err := unstructured.NestedString(o.Object, "status", "state")
	must(s, err)
	return state
}

// perconaVolumes are the UIDs of the claims of a database.
func (s *scenario) perconaVolumes(ns, name string) (uids []string) {
	s.Helper()
	l, err := s.cluster.CoreV1().PersistentVolumeClaims(ns).List(s.ctx, metav1.ListOptions{LabelSelector: perconaLabel + name})
	must(s, err)
	for _, c := range l.Items {
		if c.DeletionTimestamp == nil {
			uids = append(uids, string(c.UID))
		}
	}
	return uids
}

// keptDatabase says whether a database has the volumes and the account that it had.
func (s *scenario) keptDatabase(ns, name string, volumes []string, account *corev1.Secret) string {
	s.Helper()
	if after := s.perconaVolumes(ns, name); fmt.Sprint(after) != fmt.Sprint(volumes) {
		return fmt.Sprintf("its claims were %v, are %v", volumes, after)
	}
	got, err := s.cluster.CoreV1().Secrets(ns).Get(s.ctx, account.Name, metav1.GetOptions{})
	switch {
	case err != nil:
		return err.Error()
	case !bytes.Equal(got.Data["password"], account.Data["password"]):
		return "its account has another password"
	}
	return "its volume and its account are kept"
}

// warnings are the messages of all warnings in a namespace.
func (s *scenario) warnings(ns string) (messages []string) {
	s.Helper()
	l, err := s.cluster.CoreV1().Events(ns).List(s.ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
	must(s, err)
	for _, e := range l.Items {
		messages = append(messages, e.InvolvedObject.Kind+" "+e.InvolvedObject.Name+": "+e.Message)
	}
	return messages
}
