package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// perconaCRD is as much of Percona's kind as the function looks at, and requires what its
// operator does nothing without. That does not run here (percona_test.go): the test writes
// what it would, and another PostgreSQL is the database.
const perconaCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: perconapgclusters.pgv2.percona.com}
spec:
  group: pgv2.percona.com
  names: {kind: PerconaPGCluster, plural: perconapgclusters, singular: perconapgcluster, listKind: PerconaPGClusterList}
  scope: Namespaced
  versions:
    - name: v2
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          x-kubernetes-preserve-unknown-fields: true
          properties:
            spec:
              type: object
              x-kubernetes-preserve-unknown-fields: true
              required: [image, postgresVersion, instances, proxy, backups]
              properties:
                proxy: {type: object, required: [pgBouncer], properties: {pgBouncer: &component {type: object, x-kubernetes-preserve-unknown-fields: true, required: [image]}}}
                backups: {type: object, x-kubernetes-preserve-unknown-fields: true, required: [pgbackrest], properties: {pgbackrest: *component}}
`

// database moves a running server to a database that takes its time. The account's
// Secret is there long before.
func database(s *scenario) {
	crd, err := parse([]byte(perconaCRD))
	must(s, err)
	must(s, s.cluster.apply(s.ctx, crd...))
	srv := s.running("database", basicSpec(), basicSecrets())
	cluster := srv.Name + "-postgres"
	db := s.databaseOf(srv)
	must(s, srv.createSecret(s.ctx, cluster+"-pguser-dittofs", map[string]string{
		"host": db["host"], "port": db["port"], "dbname": db["database"], "user": db["user"], "password": db["password"],
	}))
	state := func(state string) {
		r, err := s.cluster.kind(perconaAPIVersion, perconaKind, srv.Namespace)
		must(s, err)
		_, err = r.Patch(s.ctx, cluster, types.MergePatchType, fmt.Appendf(nil, `{"status": {"state": %q}}`, state), metav1.PatchOptions{}, "status")
		must(s, err)
	}

	s.expect("held by a database that is new to it, all kinds of changes, and the pod deleted", cameBack, func() string {
		return s.held(srv, func() {
			c := changed()
			c["percona"] = map[string]any{"enabled": true, "deleteWithServer": true}
			must(s, srv.patchSpec(s.ctx, c))
		}, "DatabasePending", "")
	})
	s.expect("the database is ready", oneRestart+", on it, with the changes", func() string {
		state("ready")
		must(s, srv.awaitReason(s.ctx, "DatabaseReady", "Ready"))
		got := s.restartsOf(srv)
		if strings.Contains(s.pod(srv), cluster+"-pguser-dittofs") {
			got += ", on it"
		}
		if strings.Contains(s.pod(srv), "port: 9443") {
			got += ", with the changes"
		}
		return got
	})
	s.expect("it fails over, and the configuration changes meanwhile", oneRestart, func() string {
		state("initializing")
		must(s, srv.awaitReason(s.ctx, "DatabaseReady", "NotReady"))
		must(s, srv.patchSpec(s.ctx, map[string]any{"logging": map[string]any{"level": "DEBUG"}}))
		must(s, await(s.ctx, "the template to name the change", func(context.Context) error {
			if !strings.Contains(s.config(srv), "DEBUG") {
				return errors.New("it does not")
			}
			return nil
		}))
		must(s, srv.awaitReason(s.ctx, "RestartPending", "UpToDate"))
		must(s, srv.awaitRollout(s.ctx))
		got := s.restartsSince(srv)
		state("ready")
		must(s, srv.awaitReady(s.ctx))
		return got
	})
}

// sharedPort has a second field manager own the port that the server is to leave.
func sharedPort(s *scenario) {
	srv := s.running("shared-port", basicSpec(), basicSecrets())
	s.expect("another field manager owns the old port: refused, and the pod deleted", cameBack, func() string {
		return s.held(srv, func() {
			s.applyContainer(srv, holdsPort)
			must(s, srv.patchSpec(s.ctx, changed()))
		}, "Refused", "")
	})
	s.expect("it lets the port go", oneRestart+", "+startedWell, func() string {
		s.applyContainer(srv, holdsNothing)
		must(s, srv.awaitReason(s.ctx, "RestartPending", "UpToDate"))
		return s.restartsOf(srv) + ", " + s.startsOf(srv.Namespace)
	})
}
