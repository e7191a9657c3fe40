// Package bench compares the function with one that does nothing.
package bench

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/functest/host"
	"github.com/dittofs/function-dittoserver/internal/functest/markdown"
)

var (
	rounds = flag.Int("rounds", 0, "measure in so many rounds")
	write  = flag.Bool("write", false, "write what is seen into the README and docs/speed.svg")
)

const (
	root    = "../.."
	bin     = root + "/.cache/bin"
	xpkg    = root + "/.cache/xpkg/function-dittoserver-amd64.xpkg"
	example = root + "/example"
)

// gcPercent is that of main.go, for the echo, too.
const gcPercent = 400

// mostOfAnEcho is what the function's process may use of the CPU, as a multiple of what
// an echo's uses. It is 1.7 at most. How long the calls take is shown and not
// judged: that depends on what else the machine has to do.
const mostOfAnEcho = 2.0

// callsPerRound are made of one function, and then of the other.
const callsPerRound = 128

// A comparison is what a call of the function takes, as a multiple of what the
// same call of an echo takes.
type comparison struct {
	what     string
	kb       float64
	callers  int
	p50, p99 float64
}

// TestSpeed compares the function with one that does nothing: it gets the same
// request, with the desired state already in it, and returns that. So both read
// and write the same. The server runs, its Secrets are looked up, and nothing
// changes: by far the most frequent call. Rounds of both alternate, so that what
// else the machine does hits both.
func TestSpeed(t *testing.T) {
	if *rounds == 0 {
		t.Skip("make bench runs it")
	}
	function := startBinary(t, "function", "--insecure", "--health=", "--metrics-address=")
	echo := startBinary(t, "echo")

	var seen []comparison
	for _, s := range []struct {
		what string
		from func(testing.TB, functest.Function) *functest.Cluster
	}{
		{"minimal", functest.Example(example + "/minimal")},
		{"basic", functest.Example(example + "/basic")},
		{"everything", functest.NewWithEverything},
	} {
		req, echoed := steadyRequests(s.from(t, function))
		for _, n := range []int{1, 16} {
			var f, e []time.Duration
			usedBefore, echoUsedBefore := function.usage(t).CPU, echo.usage(t).CPU
			for range *rounds {
				f = append(f, function.took(t, req, n)...)
				e = append(e, echo.took(t, echoed, n)...)
			}
			c := comparison{what: s.what, kb: float64(proto.Size(req)+proto.Size(echoed.GetDesired())) / 1e3, callers: n, p50: ratio(f, e, 0.5), p99: ratio(f, e, 0.99)}
			seen = append(seen, c)
			used := float64(function.usage(t).CPU-usedBefore) / float64(echo.usage(t).CPU-echoUsedBefore)
			if used > mostOfAnEcho {
				t.Errorf("%s, %d callers: the function uses %.2f times the CPU of an echo, and may use %.1f", s.what, n, used, mostOfAnEcho)
			}
			t.Logf("%s, %d callers: p50 %s and %s, p99 %s and %s, CPU %.2f", s.what, n, quantile(f, 0.5), quantile(e, 0.5), quantile(f, 0.99), quantile(e, 0.99), used)
		}
	}

	text := &strings.Builder{}
	fmt.Fprint(text, "| a call, as a multiple of an echo's | read and written | one caller: p50 | p99 | 16 callers: p50 | p99 |\n|---|---|---|---|---|---|\n")
	for pair := range slices.Chunk(seen, 2) {
		fmt.Fprintf(text, "| %s | %.0f kB | %.2f | %.2f | %.2f | %.2f |\n", pair[0].what, pair[0].kb, pair[0].p50, pair[0].p99, pair[1].p50, pair[1].p99)
	}
	fmt.Fprint(text, "\n| a process | function | echo |\n|---|---|---|\n")
	fmt.Fprintf(text, "| start to first answer | %d ms | %d ms |\n", function.started.Milliseconds(), echo.started.Milliseconds())
	fmt.Fprintf(text, "| memory, idle | %d MiB | %d MiB |\n", function.idle>>20, echo.idle>>20)
	fmt.Fprintf(text, "| memory, at most under this load | %d MiB | %d MiB |\n", function.usage(t).Peak>>20, echo.usage(t).Peak>>20)
	fmt.Fprintf(text, "| binary | %s | %s |\n", sizeOf(t, function.path), sizeOf(t, echo.path))
	fmt.Fprintf(text, "| package | %s | |\n", sizeOf(t, xpkg))

	fmt.Print(text)
	if !*write {
		return
	}
	markdown.Rewrite(t, filepath.Join(root, "README.md"), "make bench", text.String())
	if err := os.WriteFile(filepath.Join(root, "docs", "speed.svg"), chart(seen), 0o600); err != nil {
		t.Fatal(err)
	}
}

// steadyRequests are the one that the function gets for a server that runs, and
// the one that an echo answers in the same way.
func steadyRequests(c *functest.Cluster) (req, echoed *fnv1.RunFunctionRequest) {
	c.Helper()
	rsp := c.Settle()
	if got := functest.Condition(rsp, "Available"); got != "TRUE Serving" {
		c.Fatalf("The server does not run: %s", got)
	}
	req = c.Request(c.Required)
	echoed = proto.CloneOf(req)
	echoed.Desired = rsp.GetDesired()
	return req, echoed
}

// A binary is a function that runs as a process of its own.
type binary struct {
	functest.Function

	path    string
	process *host.Process
	started time.Duration
	idle    int64 // In bytes.
}

// startBinary starts a function and waits for its first answer.
func startBinary(t *testing.T, name string, args ...string) *binary {
	t.Helper()
	addr := host.FreeAddress(t)
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(quickly))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	b := &binary{Function: functest.Connected(conn), path: filepath.Join(bin, name)}

	start := time.Now()
	b.process, err = host.Command{
		Path: b.path, Args: append(args, "--address="+addr), Env: append(os.Environ(), fmt.Sprintf("GOGC=%d", gcPercent)),
		Log: filepath.Join(t.TempDir(), name+".log"),
	}.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.process.Kill)
	if _, err := b.RunFunction(t.Context(), &fnv1.RunFunctionRequest{}); err != nil {
		t.Fatal(err)
	}
	b.started = time.Since(start)
	b.idle = b.usage(t).Resident
	return b
}

// quickly connects again and again until the process listens.
var quickly = grpc.ConnectParams{MinConnectTimeout: time.Second, Backoff: backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond}}

// took makes the calls of a round, and returns what each took.
func (b *binary) took(t *testing.T, req *fnv1.RunFunctionRequest, callers int) []time.Duration {
	t.Helper()
	took := make([][]time.Duration, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range callsPerRound / callers {
				start := time.Now()
				if _, err := b.RunFunction(t.Context(), req); err != nil {
					t.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	return slices.Concat(took...)
}

func ratio(f, e []time.Duration, q float64) float64 {
	return float64(quantile(f, q)) / float64(quantile(e, q))
}

func quantile(d []time.Duration, q float64) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[int(q*float64(len(d)-1))]
}

// usage is what the process has used so far.
func (b *binary) usage(t *testing.T) host.Usage {
	t.Helper()
	u, err := b.process.Usage()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func sizeOf(t *testing.T, file string) string {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%.1f MB", float64(info.Size())/1e6)
}

// chart draws the medians as bars, beside the echo, which is 1.
func chart(seen []comparison) []byte {
	const row, left, unit, top = 26, 210, 220, 44
	b := &bytes.Buffer{}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 %d" font-family="system-ui, sans-serif" font-size="13">`+"\n", top+row*len(seen)+24)
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="%d" y="22" font-size="14" font-weight="600">A call of the function, as a multiple of an echo's (p50)</text>`+"\n", 16)
	for i, c := range seen {
		y := top + i*row
		who := "1 caller"
		if c.callers > 1 {
			who = strconv.Itoa(c.callers) + " callers"
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s, %s</text><rect x="%d" y="%d" width="%.0f" height="%d" fill="#3b6ea5"/><text x="%.0f" y="%d">%.2f</text>`+"\n",
			left-10, y+15, c.what, who, left, y+3, c.p50*unit, row-8, left+c.p50*unit+6, y+15, c.p50)
	}
	fmt.Fprintf(b, `<path d="M%d %dV%d" stroke="#c33" stroke-width="2"/><text x="%d" y="%d" fill="#c33" text-anchor="middle">the echo: 1</text>`+"\n</svg>\n", left+unit, top, top+row*len(seen), left+unit, top+row*len(seen)+16)
	return b.Bytes()
}
