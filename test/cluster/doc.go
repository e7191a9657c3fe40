// Command cluster runs a Kubernetes cluster of one node on this machine, with Crossplane
// and the function in it.
//
// The cluster is etcd, the API server, all controllers, the scheduler, a kubelet,
// containerd, kube-proxy, DNS, a storage class, a registry, and Crossplane with the
// function, installed as users install them. Two things stand in for real ones: a
// registry of its own serves all images, which are built from pinned Go modules, and a
// loop makes the volumes, which are directories (volumes.go).
//
// All its processes are in a PID, a mount and a network namespace of their own
// (namespaces.go). The kernel takes all of it away with the first of them: processes,
// mounts, interfaces and firewall rules. What is left to delete is a directory and
// control groups. On the host there is one more interface, by which it reaches the node,
// the pods and the Services.
package main
