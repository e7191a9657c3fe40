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

// Usage returns the CPU time and the peak resident memory of the process.
func (p *Process) Usage() (cpu time.Duration, peak int64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read CPU time of %s: %w", p.name, err)
	}
	// The second field is the name in parentheses; utime and stime are the
	// 14th and 15th.
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	for _, ticks := range f[11:13] {
		n, err := strconv.ParseInt(string(ticks), 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("cannot parse CPU time of %s: %w", p.name, err)
		}
		cpu += time.Duration(n) * clockTick
	}

	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read memory of %s: %w", p.name, err)
	}
	_, hwm, _ := bytes.Cut(status, []byte("VmHWM:"))
	if _, err := fmt.Fscanf(bytes.NewReader(hwm), "%d kB", &peak); err != nil {
		return 0, 0, fmt.Errorf("cannot parse peak memory of %s: %w", p.name, err)
	}
	return cpu, peak << 10, nil
}
