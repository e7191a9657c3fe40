package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const containerdSocket = home + "/containerd.sock"

// All images come from the cluster's own registry, whatever registry their name has.
// restrict_oom_score_adj is for machines without CAP_SYS_RESOURCE, on which runc could not
// start anything otherwise.
const containerdConfig = `version = 2
root = "` + home + `/containerd"
state = "/run/containerd"
[grpc]
  address = "` + containerdSocket + `"
[plugins."io.containerd.internal.v1.opt"]
  path = "` + home + `/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + pauseImage + `"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "` + home + `/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "` + home + `/registries"
`

const registryHosts = `[host."http://` + registry + `"]
  capabilities = ["pull", "resolve"]
`

// With ptp, also what goes from a pod to another passes the node, so that answers of a
// Service come back from its address.
const cniConfig = `{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipam": {
    "type": "host-local", "dataDir": "/run/cni",
    "ranges": [[{"subnet": "` + podCIDR + `"}]], "routes": [{"dst": "0.0.0.0/0"}]
  }}
]}
`

func (n *node) startContainerd(ctx context.Context) error {
	for name, content := range map[string]string{
		"registries/_default/hosts.toml": registryHosts, "cni/pods.conflist": cniConfig,
	} {
		if _, err := n.write(name, content); err != nil {
			return err
		}
	}
	cfg, err := n.write("containerd.toml", containerdConfig)
	if err != nil {
		return err
	}
	if err := n.start("containerd", "--config="+cfg); err != nil {
		return err
	}
	// The kubelet ends if it is not there, and nobody would start that again yet.
	return n.await(func() error {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", containerdSocket)
		if err != nil {
			return fmt.Errorf("cannot connect to containerd: %w", err)
		}
		return c.Close()
	})
}

const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://` + containerdSocket + `
cgroupRoot: /` + clusterName + `
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
evictionHard: {}
oomScoreAdj: 0
makeIPTablesUtilChains: false
resolvConf: ` + home + `/resolv.conf
clusterDomain: cluster.local
clusterDNS: [` + dnsAddress + `]
podLogsDir: ` + home + `/logs
volumePluginDir: ` + home + `/flexvolumes
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: ` + home + `/kubelet-ca.crt}
authorization: {mode: Webhook}
`

const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: ` + podCIDR + `
oomScoreAdj: 0
conntrack: {maxPerCore: 0}
clientConnection: {kubeconfig: `

func (n *node) startKubelet(ctx context.Context) error {
	// DNS asks no other for what it does not know.
	if _, err := n.write("resolv.conf", "nameserver 127.0.0.1\n"); err != nil {
		return err
	}
	cfg, err := n.write("kubelet.yaml", kubeletConfig)
	if err != nil {
		return err
	}
	if err := n.start("kubelet", "--config="+cfg, "--root-dir="+home+"/kubelet", "--cert-dir="+home+"/kubelet/pki",
		"--kubeconfig="+home+"/"+kubeconfig("system:node:"+nodeName),
		"--hostname-override="+nodeName, "--node-ip="+nodeAddress); err != nil {
		return err
	}
	if cfg, err = n.write("kube-proxy.yaml", proxyConfig+home+"/"+kubeconfig("system:kube-proxy")+"}\n"); err != nil {
		return err
	}
	if err := n.start("kube-proxy", "--config="+cfg, "--hostname-override="+nodeName); err != nil {
		return err
	}
	return n.await(func() error {
		node, err := n.client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("cannot get node: %w", err)
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return nil
			} else if c.Type == corev1.NodeReady {
				return errors.New(c.Message)
			}
		}
		return errors.New("the node is not ready")
	})
}
