// Command reconcile is what make render needs of Crossplane itself: its command
// "internal render", by which the CLI has it reconcile. It is that command's own package,
// and compiles in half the time, as it leaves out all else that Crossplane can do.
package main

import (
	"github.com/alecthomas/kong"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane/v2/cmd/crossplane/render"
)

// The command line is Crossplane's.
type cli struct {
	Internal struct {
		Render render.Command `cmd:"" help:"Render what stdin has, for the CLI."`
	} `cmd:"" help:"What the CLI calls."`
}

func main() {
	k := kong.Parse(&cli{}, kong.Name("reconcile"), kong.BindTo(logging.NewNopLogger(), (*logging.Logger)(nil)))
	k.FatalIfErrorf(k.Run())
}
