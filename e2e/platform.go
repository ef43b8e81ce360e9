package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"renga/children"
)

// waitTimeout bounds every wait for something that should take seconds.
const waitTimeout = 90 * time.Second

// Platform is a data directory, ports on 127.0.0.1 and a `renga serve` that is
// started, stopped and killed at will. All methods may be called at once from
// several goroutines. When the test ends, the platform is stopped and everything it
// made on the engine is removed.
type Platform struct {
	// Dir is the data directory.
	Dir string
	// Addr is where the platform listens: 127.0.0.1:port.
	Addr string
	// TLSAddr is where it serves HTTPS: 127.0.0.1:port, or port 443 of an address
	// of its own for a platform with hosts.
	TLSAddr string
	// Metrics is where it serves metrics.
	Metrics string
	// Domain is below which apps have their hosts.
	Domain string

	kit    *Kit
	hosts  bool     // whether the machine resolves its names
	apps   []string // that have a host in /etc/hosts
	files  int      // that the platform may open; 0 for the usual limit
	listen string   // all addresses for HTTP
	home   string   // beside Dir: the log, docker's settings
	id     string   // on every image this platform makes
	client *http.Client

	mu    sync.Mutex
	proc  *process   // nil when it does not run
	args  []string   // of the last start
	token string     // once it was asked for
	undos [][]string // see Undo
}

// process is a running `renga serve`.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once err is set
	err   error
}

// Platform makes a platform, which does not run yet.
func (k *Kit) Platform(tb testing.TB, options ...Option) *Platform {
	tb.Helper()
	home := tb.TempDir()
	w := &Platform{
		Dir: filepath.Join(home, "data"), Addr: freeAddr(tb), TLSAddr: freeAddr(tb), Metrics: freeAddr(tb),
		Domain: "renga.localhost", kit: k, home: home, id: fmt.Sprintf("%x", rand.Uint64()),
	}
	w.listen = w.Addr
	for _, option := range options {
		option(tb, w)
	}
	w.client = &http.Client{
		Timeout:       waitTimeout,
		Transport:     &http.Transport{DialContext: w.dial, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if err := w.note(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.end(tb) })
	return w
}

// Renga is the platform's binary.
func (w *Platform) Renga() string { return w.kit.Renga }

// App is the test app's program, static.
func (w *Platform) App() string { return w.kit.App }

// freeAddr finds a free port below those that the system gives to outgoing
// connections, which could take it while the platform is restarted.
func freeAddr(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close() // nothing was accepted
			return addr
		}
	}
	tb.Fatal("no free port found in 100 tries")
	return ""
}

// Start starts the platform and waits until it is healthy. An argument is a
// flag of `renga serve`, or NAME=value for its environment. The error says how
// the log ends when the platform ends instead.
func (w *Platform) Start(ctx context.Context, args ...string) error {
	if err := w.Launch(args...); err != nil {
		return err
	}
	if err := errors.Join(w.WaitHealthy(ctx), w.note()); err != nil || !w.hosts {
		return err
	}
	return w.tellHosts(ctx)
}

// Launch is Start without waiting.
func (w *Platform) Launch(args ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.proc != nil {
		return errors.New("the platform runs already")
	}
	log, err := os.OpenFile(w.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own descriptor
	flags, env := split(args)
	cmd := w.serve(flags)
	cmd.Env = append(w.Env(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := children.Start(cmd, syscall.SIGTERM); err != nil {
		return err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() { // waited for by stop, kill and end
		p.err = cmd.Wait()
		close(p.ended)
	}()
	w.proc, w.args = p, args
	return nil
}

// serve is the command of `renga serve`.
func (w *Platform) serve(flags []string) *exec.Cmd {
	args := append([]string{"serve"}, flags...)
	if w.files == 0 {
		return exec.Command(w.kit.Renga, args...)
	}
	limited := []string{"-c", `ulimit -n "$0" && exec "$@"`, strconv.Itoa(w.files), w.kit.Renga}
	return exec.Command("sh", append(limited, args...)...)
}

// WaitHealthy waits until /healthz answers 200.
func (w *Platform) WaitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	p := w.running()
	if p == nil {
		return errors.New("the platform does not run")
	}
	return poll(ctx, func() error {
		select {
		case <-p.ended:
			w.forget(p)
			return final{fmt.Errorf("renga ended: %w\n%s", orClean(p.err), tail(w.Log(), 20))}
		default:
		}
		answer, err := w.Do(ctx, Request{Path: "/healthz"})
		if err == nil && answer.Status != http.StatusOK {
			err = fmt.Errorf("/healthz: %d %s", answer.Status, answer.Body)
		}
		return err
	})
}

// Stop ends the platform with SIGTERM and waits for it. The error says when it
// did not end well.
func (w *Platform) Stop() error { return w.signal(syscall.SIGTERM) }

// Kill ends the platform with SIGKILL, as a crash would.
func (w *Platform) Kill() error {
	err := w.signal(syscall.SIGKILL)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil // killed, as asked for
	}
	return err
}

// Restart stops the platform and starts it as before.
func (w *Platform) Restart(ctx context.Context) error {
	if err := w.Stop(); err != nil {
		return err
	}
	return w.Start(ctx, w.lastArgs()...)
}

// Replace has the platform replaced by another one on the same ports, with
// SIGUSR2, and waits until that one is healthy.
func (w *Platform) Replace(ctx context.Context) error {
	p := w.running()
	if p == nil {
		return errors.New("the platform does not run")
	}
	const served = "renga serves"
	before := strings.Count(w.Log(), served)
	if err := p.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		return err
	}
	err := poll(ctx, func() error {
		if !w.Running() {
			return final{fmt.Errorf("renga ended: %w\n%s", orClean(p.err), tail(w.Log(), 20))}
		}
		if strings.Count(w.Log(), served) == before {
			return errors.New("the next Renga does not serve yet")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.WaitHealthy(ctx)
}

// Running tells whether the platform runs.
func (w *Platform) Running() bool {
	p := w.running()
	if p == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Pid is the platform's process; 0 when it does not run.
func (w *Platform) Pid() int {
	if p := w.running(); p != nil {
		return p.cmd.Process.Pid
	}
	return 0
}

// Run runs the binary with other arguments on the same data, for instance
// "token" or "verify", "hello".
func (w *Platform) Run(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	var out, errOut strings.Builder
	cmd := exec.CommandContext(ctx, w.kit.Renga, args...)
	cmd.Env = w.Env()
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = children.Run(cmd, syscall.SIGTERM)
	return out.String(), errOut.String(), err
}

// Log is all that the platform logged, over all its starts.
func (w *Platform) Log() string {
	text, err := os.ReadFile(w.logFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	return string(text)
}

// Env is the environment of the platform's own commands, and of its
// users' programs. It is the same wherever the tests run: CI and TERM, for
// instance, would change how the Heroku CLI draws its tables.
func (w *Platform) Env() []string {
	env := []string{"LANG=C.UTF-8", "TERM=xterm"}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if slices.Contains([]string{"PATH", "HOME", "USER", "TMPDIR", "DOCKER_HOST"}, name) || strings.HasPrefix(name, "GO") {
			env = append(env, entry)
		}
	}
	// Built with the race detector, a command sleeps for a second when it ends unless told otherwise.
	return append(env, "GORACE=atexit_sleep_ms=100 "+os.Getenv("GORACE"),
		"RENGA_DATA="+w.Dir, "RENGA_LISTEN="+w.listen, "RENGA_LISTEN_TLS="+w.TLSAddr, "RENGA_METRICS_LISTEN="+w.Metrics,
		"RENGA_DOMAIN="+w.Domain, "RENGA_RATE_LIMIT=1000000000", "DOCKER_CONFIG="+filepath.Join(w.home, "docker"))
}

func (w *Platform) logFile() string { return filepath.Join(w.home, "renga.log") }

func (w *Platform) running() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.proc
}

func (w *Platform) lastArgs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.args
}

// forget notes that p has ended.
func (w *Platform) forget(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.proc == p {
		w.proc = nil
	}
}

func (w *Platform) signal(s syscall.Signal) error {
	p := w.running()
	if p == nil {
		return errors.New("the platform does not run")
	}
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(waitTimeout):
		return fmt.Errorf("renga did not end within %s of %s", waitTimeout, s)
	}
	w.forget(p)
	return p.err
}

var assignment = regexp.MustCompile(`^[A-Z][A-Z0-9_]*=`)

// split tells flags from environment.
func split(args []string) (flags, env []string) {
	for _, arg := range args {
		if assignment.MatchString(arg) {
			env = append(env, arg)
		} else {
			flags = append(flags, arg)
		}
	}
	return flags, env
}
