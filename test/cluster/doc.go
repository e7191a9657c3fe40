// Command cluster runs a Kubernetes cluster of one node on this machine, with Crossplane
// and the function in it.
//
// The cluster is etcd, the API server, all controllers, the scheduler, a kubelet,
// containerd, kube-proxy, DNS, a storage class, a registry, and Crossplane with the
// function, installed as users install them. One thing stands in for a real one: a
// registry of its own serves all images, which are built from pinned Go modules. Volumes
// are file systems in files, by a driver of its own (volumes.go) and Kubernetes' own
// provisioner and resizer.
//
// All its processes are in a PID, a mount and a network namespace of their own
// (namespaces.go). The kernel takes all of it away with the first of them: processes,
// mounts, interfaces and firewall rules. What is left to delete is a directory and
// control groups. On the host there is one more interface, by which it reaches the node,
// the pods and the Services.
package main
