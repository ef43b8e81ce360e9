package registry_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"

	"renga"
	"renga/children"
	"renga/registry"
)

// The environment of a process that is a registry and nothing else: what is measured
// from outside, or killed.
const (
	childKind = "RENGA_TEST_REGISTRY"
	childDir  = "RENGA_TEST_REGISTRY_DIR"
)

// The kinds of such processes.
const (
	kindRenga      = "renga"
	kindBare       = "bare"       // distribution alone, with its own filesystem driver
	kindCollecting = "collecting" // as renga, and collects all the time
	kindFiles      = "files"      // no registry: net/http's file server, as quick as a pull can be
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(childKind); kind != "" {
		if err := serveChild(kind, os.Getenv(childDir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serveChild serves a registry until its standard input ends, and prints where.
func serveChild(kind, dir string) error {
	handler, begin, err := childHandler(kind, dir)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go begin()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(l, handler)
}

// childHandler makes a registry, and what it begins once it serves.
func childHandler(kind, dir string) (h http.Handler, begin func(), err error) {
	begin = func() {}
	if kind == kindFiles {
		return http.FileServer(http.Dir(dir)), begin, nil
	}
	if kind == kindBare {
		bare := &configuration.Configuration{Storage: configuration.Storage{
			"filesystem":  {"rootdirectory": dir},
			"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
		}}
		bare.HTTP.RelativeURLs = true
		return handlers.NewApp(context.Background(), bare), begin, nil
	}
	ledger, err := registry.OpenLedger(filepath.Join(dir, "registry"), openSealer{})
	if err != nil {
		return nil, nil, err
	}
	app := renga.App{ID: "app-hello", Name: "hello", Owner: "alice", Retention: renga.Retention{Releases: 100_000}}
	known := &fakeDirectory{apps: map[string]renga.App{"hello": app}}
	for n := range figurePushers { // apps of their own
		name := fmt.Sprintf("app-%d", n)
		known.apps[name] = renga.App{ID: renga.AppID(name), Name: name, Owner: "alice"}
	}
	store := &fakeHistory{fakeDirectory: known, ledger: ledger, records: map[renga.AppID][]renga.ReleaseRecord{}}
	chain, err := ledger.Chain(context.Background(), "hello")
	if err != nil {
		return nil, nil, err
	}
	for _, r := range chain {
		store.records[app.ID] = append(store.records[app.ID], r.Record())
	}
	reg, err := registry.New(registry.Options{
		Dir: filepath.Join(dir, "registry"), IntentDir: filepath.Join(dir, "pushes"), Secret: bytes.Repeat([]byte("s"), 32),
		PullToken: "pull-secret", Gate: ledger.Gate(),
	}, store, store)
	if err != nil {
		return nil, nil, err
	}
	if err := reg.Recover(context.Background()); err != nil {
		return nil, nil, err
	}
	if kind == kindCollecting {
		begin = func() { collectAlways(reg, ledger, store) }
	}
	return reg, begin, nil
}

// collectAlways collects what was not used for two seconds, again and again, and
// prints how much that was.
func collectAlways(reg *registry.Registry, ledger *registry.Ledger, store *fakeHistory) {
	collector, err := registry.NewCollector(registry.CollectOptions{
		Grace:   2 * time.Second,
		Running: func(context.Context) (map[renga.AppID][]int, error) { return nil, nil },
	}, reg, ledger, store)
	for err == nil {
		var got renga.Collection
		got, err = collector.Collect(context.Background(), false)
		fmt.Println("removed", got.Removed)
	}
	fmt.Fprintln(os.Stderr, "collect:", err)
	os.Exit(1)
}

// openSealer seals nothing, so that a process that is started anew reads what the one
// before it wrote.
type openSealer struct{}

func (openSealer) Seal(plain, _ []byte) ([]byte, error)  { return plain, nil }
func (openSealer) Open(sealed, _ []byte) ([]byte, error) { return sealed, nil }

// process is a registry that runs by itself.
type process struct {
	cmd  *exec.Cmd
	host string
	in   io.Closer
	out  *bufio.Scanner
	fail *bytes.Buffer
}

// startChild starts one. Before are a command and its arguments that run it, if any.
func startChild(t testing.TB, kind, dir string, before ...string) *process {
	t.Helper()
	args := append(before, os.Args[0])
	c := &process{cmd: exec.Command(args[0], args[1:]...), fail: &bytes.Buffer{}}
	c.cmd.Env = append(os.Environ(), childKind+"="+kind, childDir+"="+dir)
	c.cmd.Stderr = c.fail
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		c.in, err = c.cmd.StdinPipe()
	}
	if err == nil {
		err = children.Start(c.cmd, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	if !c.out.Scan() {
		_ = c.cmd.Wait()
		t.Fatalf("the registry does not start: %s", c.fail)
	}
	c.host = c.out.Text()
	return c
}

// removed reads what a killed child had printed, to its end: how much it collected.
func (c *process) removed() int {
	sum := 0
	for c.out.Scan() {
		var n int
		if _, err := fmt.Sscanf(c.out.Text(), "removed %d", &n); err == nil {
			sum += n
		}
	}
	return sum
}

// end has it end by itself.
func (c *process) end(t testing.TB) {
	t.Helper()
	if err := c.in.Close(); err != nil {
		t.Error(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the registry ends with %v: %s", err, strings.TrimSpace(c.fail.String()))
	}
}
