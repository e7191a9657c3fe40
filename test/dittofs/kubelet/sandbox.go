package kubelet

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// A User is who a process runs as.
type User struct {
	UID, GID int64
	Groups   []int64
}

// Sandboxed is a program that runs in the network, as the user, without any
// privilege, and sees only the files that bubblewrap's arguments show to it. It
// dies with this process.
func (n *Network) Sandboxed(ctx context.Context, u User, view []string, argv ...string) *exec.Cmd {
	args := n.enter()
	uid, gid := strconv.FormatInt(u.UID, 10), strconv.FormatInt(u.GID, 10)
	if os.Geteuid() == 0 {
		args = append(args, "setpriv", "--reuid", uid, "--regid", gid)
		if len(u.Groups) > 0 {
			args = append(args, "--groups", join64(u.Groups))
		} else {
			args = append(args, "--clear-groups")
		}
		args = append(args, "--")
	}
	args = append(args, "bwrap",
		"--unshare-user", "--uid", uid, "--gid", gid, "--unshare-pid", "--unshare-ipc", "--unshare-uts",
		"--die-with-parent", "--new-session", "--cap-drop", "ALL")
	args = append(args, view...)
	args = append(args, "--")
	return exec.CommandContext(ctx, "nsenter", append(args, argv...)...) //nolint:gosec // Tests say what is run.
}

// chown gives a file away, as far as this process may. Only root may: for anyone
// else the sandbox's user is the one who runs the tests, so nothing is left to do.
func chown(path string, uid, gid int64) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, int(uid), int(gid))
}

// Own makes the user the owner of a file, for what runs in a sandbox but not in
// a pod.
func (u User) Own(path string) error { return chown(path, u.UID, u.GID) }

func join64(ids []int64) string {
	s := make([]string, 0, len(ids))
	for _, id := range ids {
		s = append(s, strconv.FormatInt(id, 10))
	}
	return strings.Join(s, ",")
}
