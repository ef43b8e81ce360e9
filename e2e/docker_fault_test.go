package e2e_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

// gate is a socket that leads to Docker while it is open. Shut, it is what a
// stopped Docker looks like: nobody answers, and what was under way is cut.
type gate struct {
	path string

	mu       sync.Mutex
	listener *net.UnixListener // nil when shut
	conns    []*net.UnixConn
}

func (s *story) newGate() *gate {
	s.Helper()
	dir, err := os.MkdirTemp("", "gate-") // a socket's path must be short
	s.must(err)
	g := &gate{path: filepath.Join(dir, "docker.sock")}
	s.Cleanup(func() {
		g.shut()
		_ = os.RemoveAll(dir) // a temporary directory: the system's to clear
	})
	return g
}

// flag leads a platform through the gate.
func (g *gate) flag() string { return "--docker-host=unix://" + g.path }

func (g *gate) open(s *story) {
	s.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: g.path, Net: "unix"})
	s.must(err)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listener = l
	go func() { // ends when shut closes the listener
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			go g.lead(conn)
		}
	}()
}

// lead copies both ways until one side ends.
func (g *gate) lead(conn *net.UnixConn) {
	daemon, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: "/var/run/docker.sock", Net: "unix"})
	if err != nil {
		_ = conn.Close() // the other side sees the end
		return
	}
	g.mu.Lock()
	g.conns = append(g.conns, conn, daemon)
	g.mu.Unlock()
	var both sync.WaitGroup
	for _, way := range [][2]*net.UnixConn{{conn, daemon}, {daemon, conn}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // either side may end it
			_ = way[0].CloseWrite()        // it may be closed
		})
	}
	both.Wait()
	_, _ = conn.Close(), daemon.Close() // both are done
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		return
	}
	_ = g.listener.Close() // removes the socket
	g.listener = nil
	for _, conn := range g.conns {
		_ = conn.Close() // some have ended before
	}
	g.conns = nil
}

var namesDocker = regexp.MustCompile(`Docker.*\.`)

// TestAPushBeforeDockerIsThereStartsWhenItComes starts the platform first.
func TestAPushBeforeDockerIsThereStartsWhenItComes(t *testing.T) {
	s := newStory(t)
	g := s.newGate()
	s.must(s.w.Launch(quickly(g.flag())...))
	if said := s.unhealthy("engine"); !namesDocker.MatchString(said) {
		t.Errorf("/healthz says %q of Docker", said)
	}
	s.push("hello", "early")
	s.settled("hello", 2, "pending")
	began := time.Now()
	if answer, err := s.w.Get(t.Context(), "hello", "/"); err != nil || answer.Status != http.StatusServiceUnavailable {
		t.Errorf("without Docker the app answers %d, %v, want 503", answer.Status, err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("a request waited %s for an app that may take 10s to boot", took)
	}
	g.open(s)
	s.up("hello", "early")
	s.settled("hello", 2, "succeeded")
	s.must(s.w.WaitHealthy(t.Context()))
}

// TestDockerMayGoAndComeBack takes Docker away from a running platform.
func TestDockerMayGoAndComeBack(t *testing.T) {
	s := newStory(t)
	g := s.newGate()
	g.open(s)
	s.start(g.flag())
	s.push("hello", "before")
	s.up("hello", "before")
	s.settled("hello", 2, "succeeded")
	dynos := s.runs("hello", "web.1 v2")
	g.shut()
	if said := s.unhealthy("engine"); !namesDocker.MatchString(said) {
		t.Errorf("/healthz says %q of Docker", said)
	}
	s.serves("hello", "before")
	s.set("hello", map[string]any{"COLOUR": "red"})
	s.push("hello", "after")
	s.api(http.StatusOK, http.MethodPatch, "/apps/hello/formation", `{"updates":[{"type":"web","quantity":2}]}`)
	s.untouched("hello", dynos)
	for range 20 {
		s.serves("hello", "before")
	}
	s.untouched("hello", dynos)
	g.open(s)
	s.up("hello", "after")
	s.must(s.says("hello", "/env?name=COLOUR", "red"))
	s.runs("hello", "web.1 v4", "web.2 v4")
	s.must(s.w.WaitHealthy(t.Context()))
	if n := len(s.ownedAll("network", "ls")); n != 1 {
		t.Errorf("%d networks, want the app's one", n)
	}
}
