package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
)

// section returns what a file of the documentation says under a heading.
func (s *scenario) section(file, heading string) string {
	s.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	must(s, err)
	_, section, ok := strings.Cut("\n"+string(b), "# "+heading+"\n")
	if !ok {
		s.Fatalf("%s has no heading %q", file, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// documented returns the blocks of commands that a file of the documentation has
// under a heading.
func (s *scenario) documented(file, heading string) []string {
	s.Helper()
	var blocks []string
	for _, rest := range strings.Split(s.section(file, heading), "```shell\n")[1:] {
		block, _, _ := strings.Cut(rest, "```")
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		s.Fatalf("%s has no commands under %q", file, heading)
	}
	return blocks
}

// shell runs commands as a user does, in a directory, with kubectl and crossplane
// on the PATH.
func (s *scenario) shell(dir, kubeconfig, commands string) {
	s.Helper()
	bin, err := filepath.Abs(*binDir)
	must(s, err)
	cmd := exec.CommandContext(s.ctx, "sh", "-eux", "-c", commands)
	cmd.Dir = dir
	// What kubectl remembers of an address may be of another cluster that has had it.
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "KUBECACHEDIR="+s.TempDir(), "PATH="+bin+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
}

// The commands in a running text.
var inline = regexp.MustCompile("`(kubectl [^`]+)`")

// troubleshooting is that the README names the error that withoutRBAC sees, and
// that what it says to do can be done.
func troubleshooting(s *scenario) {
	text := s.section("README.md", "Troubleshooting")
	s.expect("the README names the error of a missing ClusterRole", "yes", func() string {
		if !strings.Contains(text, forbidden) {
			return "no"
		}
		return "yes"
	})

	srv := s.running("troubleshooting", basicSpec(), basicSecrets())
	kubeconfig := s.kubeconfigOf(srv)
	commands := inline.FindAllStringSubmatch(s.section("README.md", "The Composition step")+s.section("README.md", "Conditions and status")+text, -1)
	for _, m := range commands {
		command := strings.ReplaceAll(m[1], "NAME", srv.Name)
		const pause = "paused"
		expected := noRestart
		if strings.Contains(command, pause) {
			expected = pause
		}
		s.expect(m[1], expected, func() string {
			s.shell(root, kubeconfig, command)
			if expected == noRestart {
				return s.restartsOf(srv)
			}
			must(s, srv.awaitPaused(s.ctx))
			return pause
		})
	}
	if len(commands) == 0 {
		s.Error("the README has no commands in its text")
	}
}

// kubeconfigOf returns a kubeconfig for a server's namespace, as a user has it.
func (s *scenario) kubeconfigOf(srv *server) string {
	s.Helper()
	c, err := clientcmd.LoadFromFile(s.kubeconfig)
	must(s, err)
	for _, ctx := range c.Contexts {
		ctx.Namespace = srv.Namespace
	}
	file := filepath.Join(s.TempDir(), "kubeconfig")
	must(s, clientcmd.WriteToFile(*c, file))
	return file
}
