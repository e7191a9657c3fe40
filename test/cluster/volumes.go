package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const storageClass = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: local
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: cluster.dittofs.io/local
reclaimPolicy: Delete
`

// provisionVolumes makes a volume for each claim that waits for one, and deletes those
// whose claim is gone. It is a loop and no driver: the volumes are directories of the
// node, which do not keep to their size and cannot grow. But they are of the kind
// "local", of which the kubelet sets the group.
func provisionVolumes(ctx context.Context, c kubernetes.Interface) {
	for ; ctx.Err() == nil; time.Sleep(time.Second) {
		if err := provision(ctx, c); err != nil {
			log.Print("volumes: ", err)
		}
	}
}

func provision(ctx context.Context, c kubernetes.Interface) error {
	claims, err := c.CoreV1().PersistentVolumeClaims("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("cannot list claims: %w", err)
	}
	for i := range claims.Items {
		claim := &claims.Items[i]
		if claim.Status.Phase != corev1.ClaimPending || claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName != "local" {
			continue
		}
		v := volume(claim)
		if err := os.MkdirAll(v.Spec.Local.Path, 0o755); err != nil { //nolint:gosec // As a new file system is.
			return fmt.Errorf("cannot make volume: %w", err)
		}
		if _, err := c.CoreV1().PersistentVolumes().Create(ctx, v, metav1.CreateOptions{}); err != nil && !kerrors.IsAlreadyExists(err) {
			return fmt.Errorf("cannot create volume: %w", err)
		}
	}

	volumes, err := c.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("cannot list volumes: %w", err)
	}
	for _, v := range volumes.Items {
		if v.Status.Phase != corev1.VolumeReleased || v.Spec.Local == nil {
			continue
		}
		if err := c.CoreV1().PersistentVolumes().Delete(ctx, v.Name, metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("cannot delete volume: %w", err)
		}
		if err := os.RemoveAll(v.Spec.Local.Path); err != nil {
			return fmt.Errorf("cannot remove volume: %w", err)
		}
	}
	return nil
}

// volume returns the volume for a claim.
func volume(claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			StorageClassName:              "local",
			ClaimRef:                      &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: filepath.Join(home, "volumes", name)},
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{nodeName}}},
			}}}},
		},
	}
}
