package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const (
	driverName   = "volumes.dittofs.io"
	driverSocket = home + "/kubelet/plugins/volumes.sock"

	// The kubelet looks for drivers here.
	registrationSocket = home + "/kubelet/plugins_registry/volumes.sock"
)

const storageClass = `
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: ` + driverName + `}
spec: {attachRequired: false, fsGroupPolicy: File}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: local
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: ` + driverName + `
reclaimPolicy: Delete
allowVolumeExpansion: true
`

// startStorage serves volumes to the kubelet, and to the programs of Kubernetes' own that
// turn claims into volumes and grow them.
func (n *node) startStorage(ctx context.Context) error {
	s := grpc.NewServer()
	d := &driver{dir: home + "/volumes"}
	csi.RegisterIdentityServer(s, d)
	csi.RegisterControllerServer(s, d)
	csi.RegisterNodeServer(s, d)
	if err := serve(ctx, s, driverSocket); err != nil {
		return err
	}
	r := grpc.NewServer()
	registration.RegisterRegistrationServer(r, d)
	if err := serve(ctx, r, registrationSocket); err != nil {
		return err
	}
	for _, program := range []string{"csi-provisioner", "csi-resizer"} {
		if err := n.start(program, "--kubeconfig="+home+"/kubeconfig", "--csi-address="+driverSocket); err != nil {
			return err
		}
	}
	return n.apply(ctx, storageClass)
}

// serve serves calls at a socket.
func serve(ctx context.Context, s *grpc.Server, socket string) error {
	if err := os.MkdirAll(filepath.Dir(socket), 0o750); err != nil {
		return fmt.Errorf("cannot make directory: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	go func() { log.Print("volumes: ", s.Serve(l)) }()
	return nil
}

// A driver makes volumes of files: each is a file system of its own that keeps to its
// size and grows while it is mounted. The kernel lets go of the file with the cluster's
// mounts.
type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedControllerServer
	csi.UnimplementedNodeServer
	registration.UnimplementedRegistrationServer

	dir string
}

// GetInfo tells the kubelet where the driver is.
func (*driver) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{Type: registration.CSIPlugin, Name: driverName, Endpoint: driverSocket, SupportedVersions: []string{"1.0.0"}}, nil
}

// NotifyRegistrationStatus hears what the kubelet makes of it.
func (*driver) NotifyRegistrationStatus(_ context.Context, s *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !s.GetPluginRegistered() {
		log.Print("volumes: ", s.GetError())
	}
	return &registration.RegistrationStatusResponse{}, nil
}

// GetPluginInfo is the driver's name.
func (*driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: driverName, VendorVersion: "1"}, nil
}

// GetPluginCapabilities says that volumes grow while they are mounted.
func (*driver) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{
		{Type: &csi.PluginCapability_Service_{Service: &csi.PluginCapability_Service{Type: csi.PluginCapability_Service_CONTROLLER_SERVICE}}},
		{Type: &csi.PluginCapability_VolumeExpansion_{VolumeExpansion: &csi.PluginCapability_VolumeExpansion{Type: csi.PluginCapability_VolumeExpansion_ONLINE}}},
	}}, nil
}

// Probe says that the driver works.
func (*driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

// ControllerGetCapabilities says what can be done with volumes.
func (*driver) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	rsp := &csi.ControllerGetCapabilitiesResponse{}
	for _, c := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME, csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
	} {
		rsp.Capabilities = append(rsp.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: c}},
		})
	}
	return rsp, nil
}

// NodeGetCapabilities says what the node can do with volumes.
func (*driver) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{Capabilities: []*csi.NodeServiceCapability{{
		Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: csi.NodeServiceCapability_RPC_EXPAND_VOLUME}},
	}}}, nil
}

// NodeGetInfo is the node's name.
func (*driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: nodeName}, nil
}

// ValidateVolumeCapabilities says that a volume can be used in any way.
func (*driver) ValidateVolumeCapabilities(_ context.Context, r *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: r.GetVolumeCapabilities()}}, nil
}

// file holds a volume, which is mounted at its mount.
func (d *driver) file(id string) string  { return filepath.Join(d.dir, filepath.Base(id)+".img") }
func (d *driver) mount(id string) string { return filepath.Join(d.dir, filepath.Base(id)) }

// CreateVolume makes a file system, and mounts it.
func (d *driver) CreateVolume(ctx context.Context, r *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	rsp := &csi.CreateVolumeResponse{Volume: &csi.Volume{VolumeId: r.GetName(), CapacityBytes: r.GetCapacityRange().GetRequiredBytes()}}
	file, mount := d.file(r.GetName()), d.mount(r.GetName())
	if mounted(mount) {
		return rsp, nil
	}
	if err := errors.Join(os.MkdirAll(mount, 0o750), os.WriteFile(file, nil, 0o600), os.Truncate(file, rsp.GetVolume().GetCapacityBytes())); err != nil {
		return nil, internal(err)
	}
	for _, argv := range [][]string{
		// To grow, ext4 wants a capability that not every machine's root has.
		{"mkfs.xfs", "-q", "-K", file},
		{"fallocate", "--dig-holes", file}, // Its log is large, and empty.
		{"mount", "-o", "loop", file, mount},
	} {
		if err := system(ctx, argv); err != nil {
			return nil, err
		}
	}
	return rsp, nil
}

// DeleteVolume removes a volume.
func (d *driver) DeleteVolume(_ context.Context, r *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if err := errors.Join(unmount(d.mount(r.GetVolumeId())), os.RemoveAll(d.file(r.GetVolumeId()))); err != nil {
		return nil, internal(err)
	}
	return &csi.DeleteVolumeResponse{}, nil
}

// ControllerExpandVolume makes a volume larger, and leaves its file system to the node.
func (d *driver) ControllerExpandVolume(ctx context.Context, r *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	size := r.GetCapacityRange().GetRequiredBytes()
	if err := os.Truncate(d.file(r.GetVolumeId()), size); err != nil {
		return nil, internal(err)
	}
	out, err := exec.CommandContext(ctx, "losetup", "--noheadings", "--output=NAME", "--associated="+d.file(r.GetVolumeId())).Output() //nolint:gosec // A file of ours.
	if err != nil {
		return nil, internal(err)
	}
	if err := system(ctx, []string{"losetup", "--set-capacity", strings.TrimSpace(string(out))}); err != nil {
		return nil, err
	}
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: size, NodeExpansionRequired: true}, nil
}

// NodeExpandVolume makes a volume's file system as large as the volume.
func (d *driver) NodeExpandVolume(ctx context.Context, r *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	if err := system(ctx, []string{"xfs_growfs", "-d", d.mount(r.GetVolumeId())}); err != nil {
		return nil, err
	}
	return &csi.NodeExpandVolumeResponse{}, nil
}

// NodePublishVolume shows a pod a volume.
func (d *driver) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	target := r.GetTargetPath()
	if mounted(target) {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	if err := errors.Join(os.MkdirAll(target, 0o750), syscall.Mount(d.mount(r.GetVolumeId()), target, "", syscall.MS_BIND, "")); err != nil {
		return nil, internal(err)
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// NodeUnpublishVolume takes it away again.
func (*driver) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if err := unmount(r.GetTargetPath()); err != nil {
		return nil, internal(err)
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// mounted says whether something is mounted at a directory.
func mounted(dir string) bool {
	b, err := os.ReadFile("/proc/self/mounts")
	return err == nil && strings.Contains(string(b), " "+dir+" ")
}

// unmount ends what is mounted at a directory, if there is something, and removes it.
func unmount(dir string) error {
	if mounted(dir) {
		if err := syscall.Unmount(dir, 0); err != nil {
			return fmt.Errorf("cannot unmount: %w", err)
		}
	}
	return os.RemoveAll(dir)
}

// system runs a program of the system's.
func system(ctx context.Context, argv []string) error {
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil { //nolint:gosec // Constants, and files of ours.
		return internal(fmt.Errorf("%s: %w: %s", argv[0], err, out))
	}
	return nil
}

func internal(err error) error { return status.Error(codes.Internal, err.Error()) }
