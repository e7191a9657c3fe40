package e2e

import (
	"flag"
	"testing"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestMain(m *testing.M) {
	// The scenarios mostly wait.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	m.Run()
}

func TestEndToEnd(t *testing.T) {
	var args []string
	if hasBreaker(*crossplane) {
		args = append(args, manyChanges)
	}
	s := newSuite(t, args...)

	// How users get there.
	if !s.run(t, 0, "Start", needsNode(start)) || !s.run(t, 0, "Configuration", needsNode(configuration)) ||
		!s.run(t, 0, "Install", needsNode(install)) || !s.run(t, 11, "WithoutRBAC", needsNode(withoutRBAC)) {
		return
	}

	// Before Migrate brings the operator's kind, which kubectl knows by the same name.
	s.run(t, 11, "Troubleshooting", troubleshooting)

	// What has nothing to do with each other, all at once.
	t.Run("Concurrent", func(t *testing.T) {
		t.Run("Kinds", func(t *testing.T) {
			t.Parallel()
			// They are away, and then there, which all servers of the matrix need.
			s.run(t, 14, "Kinds", needsNode(kinds))
			s.run(t, 13, "Database", needsNode(database))
			s.run(t, 13, "Percona", percona)
			s.run(t, 17, "Matrix", needsNode(matrixOfServers))
		})
		for _, c := range []struct {
			number int
			name   string
			f      func(*scenario)
		}{
			// They wait: for the kubelet, which looks at Secrets and claims every minute or so,
			// and for a client.
			{16, "Live", needsNode(live)},
			{18, "Domain", needsNode(domainAccount)},
			{18, "Kerberos", needsNode(kerberos)},
			{18, "LDAP", needsNode(ldap)},
			{16, "LongWrite", needsNode(longWrite)},
			{7, "Resized", needsNode(resized)},
			{7, "ResizedByOperation", needsNode(resizedByOperation)},
			{11, "Delete", deleteServer},
			{12, "Migrate", needsNode(migrate)},
			{12, "Older", older},
			{15, "WithoutSecret", needsNode(withoutSecret)},
			{1, "Create", create},
			{18, "Clients", needsNode(clients)},
			{18, "LoadBalancers", loadBalancers},
			{2, "Rotate", rotate},
			{3, "Order", order},
			{3, "Together", together},
			{4, "Quiet", quiet},
			{5, "MissingAtFirst", missingAtFirst},
			{6, "MissingForAWhile", missingForAWhile},
			{6, "Extras", needsNode(extras)},
			{7, "Storage", storage},
			{7, "Scaled", scaled},
			{7, "Drained", drained},
			{11, "Protected", protected},
			{7, "BadSpec", badSpec},
			{7, "Fields", fields},
			{9, "Manual", manual},
			{13, "Held", held},
			{13, "Waiting", waiting},
			{13, "Orphaned", orphaned},
			{13, "Quota", quota},
			{13, "Hurry", hurry},
			{14, "Additions", needsNode(additions)},
			{14, "Names", names},
			{14, "Foreign", foreign},
			{14, "Managers", managers},
			{14, "Saved", saved},
			{14, "Again", again},
			{14, "Refused", refused},
			{14, "Recreated", recreated},
			{14, "SharedPort", sharedPort},
		} {
			s.run(t, c.number, c.name, func(s *scenario) {
				s.Parallel()
				c.f(s)
			})
		}
	})

	s.aftermath(t, "Concurrent")

	// What mostly waits for schedules, and has as many servers as all else. Crossplane may
	// resize claims by then.
	t.Run("Operations", func(t *testing.T) {
		for name, f := range map[string]func(*scenario){"Waves": waves, "DayTwo": dayTwoDocs} {
			s.run(t, 19, name, needsNode(func(s *scenario) {
				s.Parallel()
				f(s)
			}))
		}
	})

	s.aftermath(t, "Operations")

	// What needs the machine, or breaks it, for itself.
	s.run(t, 16, "OutageOfRestart", needsNode(outageOfRestart))
	s.run(t, 16, "Revoked", needsNode(revoked))
	s.run(t, 15, "Unplanned", needsNode(unplanned))
	s.run(t, 2, "Latency", latency)
	s.run(t, 2, "Breaker", needsNode(breaker))
	s.run(t, 4, "Upheaval", needsNode(upheaval))
	s.run(t, 8, "Outages", needsNode(outages))
	s.run(t, 8, "Replica", needsNode(replica))
	s.run(t, 8, "Behind", needsNode(behind))
	s.run(t, 11, "OldRBAC", needsNode(oldRBAC))
	s.run(t, 10, "Scale", needsNode(scale))

	s.aftermath(t, "Alone")
}

// aftermath is that nothing has happened to any server since it was last looked at, which
// came too late for the scenario that it belongs to. They make room for the next ones.
func (s *suite) aftermath(t *testing.T, of string) {
	t.Helper()
	s.run(t, 99, "AftermathOf"+of, func(s *scenario) {
		s.expect("any server, after its last scenario", noRestart, func() string {
			for _, srv := range s.servers {
				if got := s.restartsSince(srv); got != noRestart {
					return srv.String() + ": " + got
				}
			}
			return noRestart
		})
		s.expect("any pod of any server, ever started", startedWell, func() string { return s.startsOf("") })
		for _, srv := range s.servers {
			if err := srv.xrs().Delete(s.ctx, srv.Name, metav1.DeleteOptions{}); !kerrors.IsNotFound(err) {
				must(s, err)
			}
			must(s, s.cluster.CoreV1().PersistentVolumeClaims(srv.Namespace).DeleteCollection(s.ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
		}
		s.servers = nil
	})
}
