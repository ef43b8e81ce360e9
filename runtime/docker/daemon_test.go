package docker_test

import (
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/docker"
	dockerengine "renga/runtime/docker"
	"renga/runtime/engine"
)

func TestDaemonThatIsAwayMakesEveryCallUnavailable(t *testing.T) {
	w := newFixture(t)
	p := newProxy(t, w.raw.DaemonHost())
	w.options.Host = "unix://" + p.socket
	e, client := newEngine(t, w.options)
	s := w.spec("serve")

	mustBeAway(t, e, client, w, "before it was ever there") // the proxy does not listen yet
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
	mustBeAway(t, e, client, w, "after it went away")

	p.connect()
	if err := client.Ping(t.Context()); err != nil {
		t.Errorf("ping when it is back: %v", err)
	}
	all, err := e.List(t.Context(), s.App)
	there := func(i engine.Instance) bool { return i.ID == in.ID && i.State == engine.Running }
	if err != nil || !slices.ContainsFunc(all, there) {
		t.Errorf("list when it is back: %v, %v", all, err)
	}
}

func mustBeAway(t *testing.T, e *dockerengine.Engine, client *docker.Client, w *fixture, when string) {
	t.Helper()
	ctx := t.Context()
	_, listErr := e.List(ctx, "")
	_, startErr := e.Start(ctx, w.spec("serve"))
	_, tailErr := e.Tail(ctx, "x", 1)
	_, portsErr := e.Ports(ctx, "x")
	for call, err := range map[string]error{
		"ping": client.Ping(ctx), "list": listErr, "start": startErr, "tail": tailErr, "ports": portsErr,
		"stop": e.Stop(ctx, "x", 0), "kill": e.Kill(ctx, "x"), "forget": e.Forget(ctx, "x"),
		"watch": e.Watch(ctx, func(engine.Event) {}),
	} {
		message := renga.MessageOf(err, "")
		if renga.KindOf(err) != renga.Unavailable || !strings.Contains(message, w.options.Host) ||
			!strings.Contains(message, "start dockerd") {
			t.Errorf("%s: %s: error %v of kind %q; want an unavailable one with the address and what to do",
				when, call, err, renga.KindOf(err))
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
