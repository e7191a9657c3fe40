// Package e2e drives the function as its users run it: installed as a package in a real
// Crossplane, which reconciles DittoServers on a real node, whose pods are the real
// DittoFS server.
//
// The tests bring up a cluster of one node for themselves (test/cluster), of which they
// also kill programs, or they use the one that the environment variable KUBECONFIG names
// (userscluster.go). In that one they leave out what takes the machine that it runs on.
//
// What is not real, each said where it is used: many servers at once are run by kwok
// (kwok.go), and PostgreSQL stands for the one that Percona's operator would run.
//
// A restart is counted as the StatefulSet controller and the kubelet see it: every new
// ControllerRevision, every new pod, and every new container in one, watched from before
// the first one on (restarts.go). That there was no restart is only ever said after a
// later reconcile was seen to have taken effect (server.go).
//
// What users do by hand is done by the commands of the documentation, as they
// stand there (docs_test.go).
//
// The run ends with a table of what was expected and what was seen. The cluster's logs
// are kept when it fails, and the cluster itself with -keep.
package e2e

import (
	"flag"
	"time"
)

// The root of the repository, from here.
const root = "../.."

//nolint:gochecknoglobals // Flags.
var (
	binDir         = flag.String("bin", root+"/.cache/bin", "directory with the programs of the cluster and of Crossplane")
	keep           = flag.Bool("keep", false, "leave the cluster as it is in the end")
	crossplane     = flag.String("crossplane", "", "the version of Crossplane, unless the cluster's default")
	crossplaneArgs = flag.String("crossplane-args", "", "arguments for Crossplane, with spaces between them")
	servers        = flag.Int("servers", 40, "how many servers there are at once where many are")
	everyWave      = flag.String("waves", "@every 15s", "when the servers of a fleet are restarted, a few at a time, as a CronOperation says it")
	sizes          = flag.String("sizes", "", "measure so many servers at once, numbers with spaces between them, and nothing else")
	idle           = flag.Duration("idle", 5*time.Minute, "how long nothing happens to them, of which an hour is computed")
	write          = flag.Bool("write", false, "write what is measured of them into the README")
	times          = flag.Int("times", 3, "how often what has a median and a worst case is measured")
)
