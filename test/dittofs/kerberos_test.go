package dittofs

import "testing"

// TestKerberosStaysOn shows why the function keeps a keytab mounted when Kerberos
// is turned off, and refuses to take it away: the server's database says that
// Kerberos is on, and the server does not start without the keytab.
func TestKerberosStaysOn(t *testing.T) {
	t.Parallel()
	s := start(t, "kerberos")

	s.set(t, "spec.identity.kerberos.enabled", false)
	s.reconcile(t)
	s.replace(t)
	s.stop(t)

	s.set(t, "spec.identity.kerberos", nil)
	if refusal(s.render(t)) == "" {
		t.Error("the function takes the keytab away from a server")
	}

	without := load(t, "secrets")
	without.reconcile(t)
	if err := s.Use(without.statefulSet(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.WaitReady(t.Context()) == nil || s.Running() {
		t.Error("the server runs without the keytab, so there is no need to keep it")
	}
}
