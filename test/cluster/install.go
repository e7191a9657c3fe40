package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

const crossplaneNamespace = "crossplane-system"

//go:embed dns.yaml
var dns string

// The API server asks the kubelet for logs.
const kubeletAccess = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: kube-apiserver}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:kubelet-api-admin"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: kube-apiserver}]
`

// installBasics installs what every cluster has.
func (n *node) installBasics(ctx context.Context) error {
	if err := n.startStorage(ctx); err != nil {
		return err
	}
	if err := n.apply(ctx, kubeletAccess, strings.NewReplacer("IMAGE", dnsImage, "ADDRESS", dnsAddress).Replace(dns)); err != nil {
		return err
	}
	return n.available(ctx, "kube-system", "coredns")
}

// installCrossplane installs the chart that comes with Crossplane's source, as helm does.
func (n *node) installCrossplane(ctx context.Context) error {
	source, err := n.crossplaneModule(ctx)
	if err != nil {
		return err
	}
	ch, err := loader.Load(filepath.Join(source, "cluster", "charts", "crossplane"))
	if err != nil {
		return fmt.Errorf("cannot load Crossplane's chart: %w", err)
	}
	vals, err := chartutil.ToRenderValues(ch, map[string]any{
		"image": map[string]any{"repository": crossplaneImage, "tag": "v" + n.version},
		// A killed leader's lease is a minute.
		"leaderElection": false,
		"rbacManager":    map[string]any{"leaderElection": false},
		"metrics":        map[string]any{"enabled": true},
		// Each version that this cluster runs knows Operations, as a feature in alpha.
		"args": append([]string{"--enable-operations"}, n.crossplane...),
		// It may use what there is, as everything else here.
		"resourcesCrossplane":  map[string]any{"limits": map[string]any{"cpu": "2"}},
		"resourcesRBACManager": map[string]any{"limits": map[string]any{"cpu": "2"}},
	}, chartutil.ReleaseOptions{Name: "crossplane", Namespace: crossplaneNamespace}, nil)
	if err != nil {
		return fmt.Errorf("cannot compute the values of Crossplane's chart: %w", err)
	}
	files, err := engine.Render(ch, vals)
	if err != nil {
		return fmt.Errorf("cannot render Crossplane's chart: %w", err)
	}
	docs := []string{"apiVersion: v1\nkind: Namespace\nmetadata: {name: " + crossplaneNamespace + "}\n"}
	for _, f := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(f, ".yaml") && strings.TrimSpace(files[f]) != "" {
			docs = append(docs, files[f])
		}
	}
	if err := n.apply(ctx, docs...); err != nil {
		return err
	}
	if err := n.available(ctx, crossplaneNamespace, "crossplane", "crossplane-rbac-manager"); err != nil {
		return err
	}
	return n.await(func() error { return n.apply(ctx, imageConfig) })
}

// Packages of the public registry come from the cluster's own.
const imageConfig = `
apiVersion: pkg.crossplane.io/v1beta1
kind: ImageConfig
metadata: {name: registry}
spec:
  matchImages: [{type: Prefix, prefix: ` + publicPackages + `}]
  rewriteImage: {prefix: ` + registry + `/dittofs}
`

// installFunction installs the function as the README says: rights, then the
// Configuration, which brings it along.
func (n *node) installFunction(ctx context.Context) error {
	if err := n.pushPackages(ctx); err != nil {
		return err
	}
	rbac, err := os.ReadFile(filepath.Join(n.root, "example", "rbac.yaml"))
	if err != nil {
		return fmt.Errorf("cannot read rights: %w", err)
	}
	if err := n.apply(ctx, string(rbac), `
apiVersion: pkg.crossplane.io/v1
kind: Configuration
metadata: {name: dittofs-configuration-dittoserver}
spec: {package: "`+publicPackages+`/configuration-dittoserver:`+functionVersion+`"}
`); err != nil {
		return err
	}
	for _, healthy := range []string{
		"configuration.pkg.crossplane.io/dittofs-configuration-dittoserver", "function.pkg.crossplane.io/dittofs-function-dittoserver",
	} {
		if err := n.await(func() error {
			return n.kubectl(ctx, "", "wait", "--for=condition=Healthy", "--timeout=10s", healthy)
		}); err != nil {
			return err
		}
	}
	return n.kubectl(ctx, "", "wait", "--for=condition=Established", "--timeout=1m", "xrd/dittoservers.dittofs.io")
}

// available waits until deployments are.
func (n *node) available(ctx context.Context, namespace string, deployments ...string) error {
	for _, d := range deployments {
		if err := n.await(func() error {
			return n.kubectl(ctx, "", "wait", "-n", namespace, "--for=condition=Available", "--timeout=10s", "deployment/"+d)
		}); err != nil {
			return err
		}
	}
	return nil
}

// apply applies manifests in the order given.
func (n *node) apply(ctx context.Context, docs ...string) error {
	return n.kubectl(ctx, strings.Join(docs, "\n---\n"), "apply", "--server-side", "--force-conflicts", "-f", "-")
}

// kubectl runs kubectl as the admin.
func (n *node) kubectl(ctx context.Context, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(n.bin, "kubectl"), args...) //nolint:gosec // Constants.
	cmd.Stdin, cmd.Env = strings.NewReader(stdin), []string{"KUBECONFIG=" + home + "/kubeconfig", "HOME=" + home}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}
