package e2e

import (
	"context"
	"os"
	"path/filepath"

	"github.com/dittofs/function-dittoserver/internal/functest/host"
)

// A command describes a process to start.
type command struct {
	name string
	path string
	args []string
	env  []string // On top of PATH and HOME, which is all that is inherited.
	dir  string   // Its home, where its log goes, too.
}

func (c command) process() host.Command {
	return host.Command{
		Name: c.name, Path: c.path, Args: c.args, Dir: c.dir,
		Env: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}, c.env...),
		Log: filepath.Join(c.dir, c.name+".log"),
	}
}

func (c command) start() (*host.Process, error) { return c.process().Start() }

// run starts the process and waits until it has succeeded.
func (c command) run(ctx context.Context) error { return c.process().Run(ctx) }
