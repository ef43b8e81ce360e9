package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/runtime/docker"
	"renga/runtime/engine"
)

func TestDaemonThatIsAwayMakesEveryCallUnavailable(t *testing.T) {
	w := newWorld(t)
	p := newProxy(t, w.raw.DaemonHost())
	w.options.Host = "unix://" + p.socket
	e := newEngine(t, w.options)
	s := w.spec("serve")

	mustBeAway(t, e, w, "before it was ever there") // the proxy does not listen yet
	p.connect()
	in, err := e.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	watched := make(chan error, 1)
	woken := make(chan renga.AppID, 100)
	go func() { watched <- e.Watch(t.Context(), func(ev engine.Event) { woken <- ev.App }) }()
	until(t, "the watch has begun", func() bool {
		w.start(again(s, "exit")) // past the proxy
		select {
		case <-woken:
			return true
		case <-time.After(time.Second):
			return false
		}
	})

	p.cut()
	select {
	case err := <-watched:
		if renga.KindOf(err) != renga.Unavailable {
			t.Errorf("watch ended with %v of kind %q", err, renga.KindOf(err))
		}
	case <-time.After(20 * time.Second):
		t.Fatal("watch does not notice that the daemon went away")
	}
	mustBeAway(t, e, w, "after it went away")

	p.connect()
	if err := e.Ping(t.Context()); err != nil {
		t.Errorf("ping when it is back: %v", err)
	}
	all, err := e.List(t.Context(), s.App)
	if err != nil || !slices.ContainsFunc(all, func(i engine.Instance) bool { return i.ID == in.ID && i.State == engine.Running }) {
		t.Errorf("list when it is back: %v, %v", all, err)
	}
}

func mustBeAway(t *testing.T, e *docker.Engine, w *world, when string) {
	t.Helper()
	ctx := t.Context()
	_, listErr := e.List(ctx, "")
	_, startErr := e.Start(ctx, w.spec("serve"))
	_, tailErr := e.Tail(ctx, "x", 1)
	_, portsErr := e.Ports(ctx, "x")
	for call, err := range map[string]error{
		"ping": e.Ping(ctx), "list": listErr, "start": startErr, "tail": tailErr, "ports": portsErr,
		"stop": e.Stop(ctx, "x", 0), "kill": e.Kill(ctx, "x"), "forget": e.Forget(ctx, "x"),
		"watch": e.Watch(ctx, func(engine.Event) {}),
	} {
		message := renga.MessageOf(err, "")
		if renga.KindOf(err) != renga.Unavailable || !strings.Contains(message, w.options.Host) || !strings.Contains(message, "start dockerd") {
			t.Errorf("%s: %s: error %v of kind %q; want an unavailable one with the address and what to do", when, call, err, renga.KindOf(err))
		}
	}
}

// proxy stands before the daemon's socket and can be cut.
type proxy struct {
	t              *testing.T
	socket, daemon string
	mu             sync.Mutex
	listener       net.Listener
	open           []net.Conn
	wg             sync.WaitGroup
}

func newProxy(t *testing.T, daemon string) *proxy {
	t.Helper()
	p := &proxy{t: t, socket: filepath.Join(t.TempDir(), "docker.sock"), daemon: strings.TrimPrefix(daemon, "unix://")}
	t.Cleanup(p.cut)
	return p
}

func (p *proxy) connect() {
	p.t.Helper()
	l, err := net.Listen("unix", p.socket)
	if err != nil {
		p.t.Fatal(err)
	}
	p.listener = l
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.forward(conn)
		}
	})
}

func (p *proxy) forward(near net.Conn) {
	far, err := net.Dial("unix", p.daemon)
	if err != nil {
		_ = near.Close() // the client notices
		return
	}
	p.mu.Lock()
	p.open = append(p.open, near, far)
	p.mu.Unlock()
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		p.wg.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // ends in an error when it is cut
			_ = way[0].Close()
		})
	}
}

// cut ends all connections and listens no more.
func (p *proxy) cut() {
	if p.listener != nil {
		_ = p.listener.Close() // again at the test's end
	}
	p.mu.Lock()
	for _, c := range p.open {
		_ = c.Close()
	}
	p.open = nil
	p.mu.Unlock()
	p.wg.Wait()
}

func TestNewestVersionThatBothKnowIsSpoken(t *testing.T) {
	for _, c := range []struct{ offered, spoken string }{
		{"1.41", "1.41"}, {"1.44", "1.44"}, {"1.51", "1.51"}, {"1.99", "1.51"},
	} {
		d := newFake(t)
		d.offer(c.offered, "1.24")
		if c.offered == "1.99" {
			d.offer(c.offered, "1.44") // as Engine 29 does
		}
		e := newEngine(t, docker.Options{Host: d.host, Platform: "p"})
		if _, err := e.List(t.Context(), ""); err != nil {
			t.Errorf("%s: %v", c.offered, err)
		}
		if want := []string{"/_ping", "/v" + c.spoken + "/containers/json"}; !slices.Equal(d.paths(), want) {
			t.Errorf("%s: asked for %v; want %v", c.offered, d.paths(), want)
		}
	}
}

func TestDaemonThatIsTooOldIsToldToBeUpgraded(t *testing.T) {
	d := newFake(t)
	d.offer("1.40", "1.12")
	e := newEngine(t, docker.Options{Host: d.host, Platform: "p"})
	_, err := e.List(t.Context(), "")
	for _, err := range []error{err, e.Ping(t.Context())} {
		if renga.KindOf(err) != renga.Unavailable || !strings.Contains(renga.MessageOf(err, ""), "upgrade") {
			t.Errorf("error %v of kind %q", err, renga.KindOf(err))
		}
	}
}

func TestDaemonUpgradedUnderneathIsSpokenToAnew(t *testing.T) {
	for name, notice := range map[string]func(*docker.Engine) error{
		"by a refused call": func(e *docker.Engine) error {
			_, err := e.List(context.Background(), "")
			if renga.KindOf(err) != renga.Unavailable {
				return fmt.Errorf("the refused call said %w", err)
			}
			return nil
		},
		"by a ping": func(e *docker.Engine) error { return e.Ping(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newFake(t)
			d.offer("1.41", "1.12")
			e := newEngine(t, docker.Options{Host: d.host, Platform: "p"})
			if _, err := e.List(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			d.offer("1.52", "1.44")
			if err := notice(e); err != nil {
				t.Error(err)
			}
			if _, err := e.List(t.Context(), ""); err != nil {
				t.Errorf("after the upgrade: %v", err)
			}
			if all := d.paths(); all[len(all)-1] != "/v1.51/containers/json" {
				t.Errorf("asked for %v", all)
			}
		})
	}
}

// fake is a daemon that knows its versions, and has no containers.
type fake struct {
	host           string
	mu             sync.Mutex
	newest, oldest string
	asked          []string
}

func newFake(t *testing.T) *fake {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	d := &fake{host: "unix://" + socket}
	server := &http.Server{Handler: d, ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return d
}

func (d *fake) offer(newest, oldest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newest, d.oldest = newest, oldest
}

func (d *fake) paths() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

func (d *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r.URL.Path)
	w.Header().Set("Api-Version", d.newest)
	w.Header().Set("Content-Type", "application/json")
	version, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
	switch {
	case r.URL.Path == "/_ping":
		return
	case minor(version) < minor(d.oldest):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"message":"client version %s is too old. Minimum supported API version is %s, please upgrade your client to a newer version"}`, version, d.oldest)
	default:
		_, _ = io.WriteString(w, "[]")
	}
}

// minor is the second number of a version like 1.41.
func minor(version string) (n int) {
	_, _ = fmt.Sscanf(version, "1.%d", &n) // 0 when there is none
	return n
}

func TestWrongAddressIsSaidAtOnce(t *testing.T) {
	if _, err := docker.New(docker.Options{Platform: "p", Host: "nonsense"}); err == nil {
		t.Error("no error")
	}
}

func TestZstdNeedsEngine23(t *testing.T) {
	d := newFake(t)
	d.offer("1.41", "1.12")
	e := newEngine(t, docker.Options{Host: d.host, Platform: "p"})
	err := e.UnpacksZstd(t.Context())
	if renga.KindOf(err) != renga.Invalid || !strings.Contains(renga.MessageOf(err, ""), "Docker Engine 23.0") {
		t.Errorf("API 1.41: %v", err)
	}
	d.offer("1.42", "1.12") // it was upgraded meanwhile
	if err := e.UnpacksZstd(t.Context()); err != nil {
		t.Errorf("API 1.42: %v", err)
	}
}
