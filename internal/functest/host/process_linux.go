package host

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// childAttributes puts a child in a process group of its own, so that Ctrl-C
// reaches the tests alone and they stop their children in order.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// The kernel's USER_HZ, which is 100 on every architecture Go runs on.
const clockTick = time.Second / 100

// Usage returns what the process has used, and uses, as Linux tells it.
func (p *Process) Usage() (Usage, error) {
	u, err := UsageOf(p.cmd.Process.Pid)
	if err != nil {
		return Usage{}, fmt.Errorf("%s: %w", p.name, err)
	}
	return u, nil
}

// UsageOf returns what a process of any kind has used, and uses, as Linux tells it.
func UsageOf(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("cannot read CPU time: %w", err)
	}
	u := Usage{}
	// The second field is the name in parentheses; utime and stime are the
	// 14th and 15th.
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	for _, ticks := range f[11:13] {
		n, err := strconv.ParseInt(string(ticks), 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("cannot parse CPU time: %w", err)
		}
		u.CPU += time.Duration(n) * clockTick
	}

	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("cannot read memory: %w", err)
	}
	for field, to := range map[string]*int64{"VmRSS:": &u.Resident, "VmHWM:": &u.Peak} {
		_, rest, _ := bytes.Cut(status, []byte(field))
		if _, err := fmt.Fscanf(bytes.NewReader(rest), "%d kB", to); err != nil {
			return Usage{}, fmt.Errorf("cannot parse %s: %w", field, err)
		}
		*to <<= 10
	}
	return u, nil
}
