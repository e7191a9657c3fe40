// Package e2e drives the function as its users run it: installed as a package
// in a real Crossplane, which reconciles DittoServers against a real API server
// and the real StatefulSet controller. There are no containers. Everything runs
// as a process of the user who runs the tests, on loopback, in a temporary
// directory, and is stopped at the end.
//
// What is real: etcd, kube-apiserver, kube-controller-manager, Crossplane and
// its RBAC manager under their own ServiceAccounts with the rights of their own
// chart, the crossplane CLI, the function's package, and the process that is
// unpacked from it and serves with the certificate Crossplane issued.
//
// What is not: pods of DittoServers are not run. kwok reports them Ready, and
// the tests bind and end them (node.go). The pods of Crossplane's own
// namespace are run as processes (kubelet.go), which find each other through a
// proxy that knows the Services (network.go).
//
// A restart is counted as the StatefulSet controller sees it: every new
// ControllerRevision and every new pod, watched from before the first one on
// (restarts.go). That there was no restart is only ever said after a later
// reconcile was seen to have taken effect (server.go).
//
// What users do by hand is done by the commands of the documentation, as they
// stand there (docs_test.go).
//
// The run ends with a table of what was expected and what was seen. Logs and
// the API server's data are kept when it fails, or with -keep.
package e2e

import "flag"

// The root of the repository, from here.
const root = "../.."

//nolint:gochecknoglobals // Flags.
var (
	binDir = flag.String("bin", root+"/.cache/bin", "directory with the binaries of the control plane and of Crossplane")
	keep   = flag.Bool("keep", false, "keep the temporary directory, even if nothing fails")
)
