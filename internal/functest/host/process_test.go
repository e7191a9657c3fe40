//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func start(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Command{Path: "sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "log")}.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// TestKill kills a process whose child does not end by itself.
func TestKill(t *testing.T) {
	p := start(t, "sleep 600 & echo $!; wait")
	var child int
	for child == 0 {
		child, _ = strconv.Atoi(strings.TrimSpace(p.Output()))
	}

	p.Kill()

	if err := p.Alive(); err == nil {
		t.Error("The process should be gone")
	}
	// It is gone, or waits for somebody to be told so.
	for deadline := time.Now().Add(time.Minute); ; {
		if state := stateOf(child); state == "" || state == "Z" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("Its child should be gone, too, and is in the state %s", state)
		}
	}
}

// TestWait says how a process has ended.
func TestWait(t *testing.T) {
	cases := map[string]struct {
		reason, script string
		fails          bool
	}{
		"Well":  {reason: "A process that succeeds has no error.", script: "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"},
		"Badly": {reason: "A process that fails has one.", script: "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done", fails: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := start(t, tc.script)
			for !strings.Contains(p.Output(), "ready") {
				if err := p.Alive(); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := p.Wait(); (err != nil) != tc.fails {
				t.Errorf("%s Got: %v", tc.reason, err)
			}
		})
	}
}

// TestAwaitListener does not wait for a process that has ended.
func TestAwaitListener(t *testing.T) {
	p := start(t, "echo cannot listen; exit 1")
	err := p.AwaitListener(t.Context(), "unix", filepath.Join(t.TempDir(), "socket"))
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("It should be said that the process has ended, got: %v", err)
	}
	if got := p.Output(); got != "cannot listen\n" {
		t.Errorf("The output should be there, got %q", got)
	}
}

// stateOf is the state of a process, or nothing if there is none.
func stateOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:]))[0]
}
