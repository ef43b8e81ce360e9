package store_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"renga"
	"renga/store"
	"renga/store/storetest"
)

// callLimit is how long a call may take while Redis is away.
const callLimit = 3500 * time.Millisecond

// wantAllUnavailable makes every call at once.
func wantAllUnavailable(t *testing.T, s *store.Store, a renga.App) {
	t.Helper()
	var wg sync.WaitGroup
	for name, call := range calls(s, a) {
		wg.Go(func() {
			began := time.Now()
			err := call(t.Context())
			if took := time.Since(began); took > callLimit {
				t.Errorf("%s took %v", name, took)
			}
			if renga.KindOf(err) != renga.Unavailable || !strings.Contains(renga.MessageOf(err, ""), "Redis") {
				t.Errorf("%s: kind %q, %v", name, renga.KindOf(err), err)
			}
		})
	}
	wg.Wait()
}

func TestRedisAwayIsUnavailableAndWorksAgainOnceBack(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	for range 2 {
		p.kill(t)
		wantAllUnavailable(t, s, a)
		p.start(t)
		storetest.Poll(t, "the store to work again", func() bool { return s.Ping(t.Context()) == nil })
		_, err := s.Desired(t.Context(), a.ID)
		check(t, err)
		check(t, s.Restart(t.Context(), a.ID, renga.RestartAll))
	}
}

func TestSilentRedisIsUnavailable(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	check(t, p.cmd.Process.Signal(syscall.SIGSTOP))
	wantAllUnavailable(t, s, a)
	check(t, p.cmd.Process.Signal(syscall.SIGCONT))
	storetest.Poll(t, "the store to work again", func() bool { return s.Ping(t.Context()) == nil })
}

func TestFlushedRedisIsUnavailableNeverEmpty(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	check(t, p.raw(t).FlushAll(t.Context()).Err())
	wantAllUnavailable(t, s, a)
	err := s.Ping(t.Context())
	if !strings.Contains(err.Error(), "run `renga recover`") {
		t.Fatalf("message %q", err)
	}
	if keys := p.raw(t).Keys(t.Context(), "*").Val(); len(keys) != 0 {
		t.Fatalf("written into the empty Redis: %v", keys)
	}
}

func TestCancelledCallIsNotBlamedOnRedis(t *testing.T) {
	s, _ := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Apps(ctx); renga.KindOf(err) != renga.Internal {
		t.Fatalf("got %v", err)
	}
}

func TestNothingAcknowledgedIsLostWhenRedisIsKilled(t *testing.T) {
	s, p := newStore(t)
	apps := make([]renga.App, 4)
	acked := make([]atomic.Int64, len(apps))
	for i := range apps {
		apps[i] = createApp(t, s, fmt.Sprintf("app-%d", i))
		acked[i].Store(1)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i, a := range apps {
		wg.Go(func() {
			for ctx.Err() == nil {
				h, err := s.Head(ctx, a.ID)
				if err != nil {
					continue
				}
				acked[i].Store(int64(h.Version)) // seen counts as acknowledged
				if s.Commit(ctx, deploy(a.ID, h.Version+1), "", nil) == nil {
					acked[i].Store(int64(h.Version + 1))
				}
			}
		})
	}
	for range 5 {
		before := acked[0].Load()
		storetest.Poll(t, "commits", func() bool { return acked[0].Load() > before+20 })
		p.kill(t)
		p.start(t)
	}
	stop()
	wg.Wait()
	fresh := open(t, p.url())
	for i, a := range apps {
		rs, err := fresh.Releases(t.Context(), a.ID, renga.ReleaseQuery{})
		check(t, err)
		if int64(len(rs)) < acked[i].Load() {
			t.Fatalf("app %d: %d releases, v%d was acknowledged", i, len(rs), acked[i].Load())
		}
	}
}

// faultyProxy is a proxy that harms one EXEC.
type faultyProxy struct {
	net.Listener
	target string
	pass   atomic.Int32 // so many EXECs go through unharmed
	fault  atomic.Pointer[fault]
}

// fault deals with a request; it tells whether the connection goes on.
type fault func(client, server net.Conn, request []byte) (goOn bool)

func newFaultyProxy(t *testing.T, p *process) *faultyProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	m := &faultyProxy{Listener: l, target: p.socket()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { m.serve(client) })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return m
}

// breakOne harms one EXEC after letting some pass.
func (m *faultyProxy) breakOne(pass int32, h fault) {
	m.pass.Store(pass)
	m.fault.Store(&h)
}

func (m *faultyProxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", m.target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("exec\r\n")) && m.fault.Load() != nil && m.pass.Add(-1) < 0 {
			h := m.fault.Swap(nil)
			if !(*h)(client, server, bytes.Clone(buf[:n])) {
				return
			}
			continue
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

func TestCommitWhoseAnswerIsLostFindsOutWhatHappened(t *testing.T) {
	late := make(chan struct{})
	for _, test := range []struct {
		name string
		harm fault
		kind renga.Kind
		head int
	}{
		{"the answer is lost", func(client, server net.Conn, request []byte) bool {
			_ = client.(*net.TCPConn).CloseWrite() // no answer will get through
			_, _ = server.Write(request)
			_ = server.(*net.UnixConn).CloseWrite()
			_, _ = io.Copy(io.Discard, server)
			return false
		}, "", 2},
		{"the request is lost", func(net.Conn, net.Conn, []byte) bool { return false }, renga.Unavailable, 1},
		{"the request comes late", func(client, server net.Conn, request []byte) bool {
			_ = client.Close()
			<-late
			_, _ = server.Write(request)
			_ = server.(*net.UnixConn).CloseWrite()
			_, _ = io.Copy(io.Discard, server) // until Redis has dealt with it
			return false
		}, renga.Unavailable, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			direct, p := newStore(t)
			m := newFaultyProxy(t, p)
			s := open(t, "redis://"+m.Addr().String())
			a := createApp(t, s, "haiku")
			done := make(chan struct{})
			m.breakOne(0, func(client, server net.Conn, request []byte) bool {
				defer close(done)
				return test.harm(client, server, request)
			})
			err := s.Commit(t.Context(), deploy(a.ID, 2), "", nil)
			if strings.Contains(test.name, "late") {
				close(late)
			}
			wantKind(t, err, test.kind)
			<-done
			h, err := direct.Head(t.Context(), a.ID)
			check(t, err)
			if h.Version != test.head {
				t.Fatalf("head is v%d, want v%d", h.Version, test.head)
			}
			check(t, s.Commit(t.Context(), deploy(a.ID, 2), "", nil)) // trying again is always right
		})
	}
}

func TestRemovalCutByAFaultIsNoLossAndIsFinished(t *testing.T) {
	direct, p := newStore(t)
	m := newFaultyProxy(t, p)
	s := open(t, "redis://"+m.Addr().String())
	a := createApp(t, s, "haiku")
	m.breakOne(1, func(net.Conn, net.Conn, []byte) bool { return false }) // the step that frees the name
	wantKind(t, s.RemoveApp(t.Context(), a.ID), renga.Unavailable)
	_, err := direct.Desired(t.Context(), a.ID)
	wantKind(t, err, renga.NotFound)
	b := newApp("haiku")
	wantKind(t, direct.CreateApp(t.Context(), b, firstRelease(b)), renga.Conflict)
	check(t, direct.RemoveApp(t.Context(), a.ID))
	createApp(t, direct, "haiku")
}

func TestTakeOverLosesAgainstCreatorWhoWasOnlySlow(t *testing.T) {
	_, p := newStore(t)
	m := newFaultyProxy(t, p)
	s := open(t, "redis://"+m.Addr().String())
	slow, raw := newApp("haiku"), p.raw(t)
	check(t, raw.Set(t.Context(), "renga:{platform}:name:haiku", string(slow.ID), 0).Err())
	m.breakOne(0, func(_, server net.Conn, request []byte) bool { // between look and EXEC he confirms
		err := raw.HSet(t.Context(), "renga:{platform}:apps", string(slow.ID), `{"name":"haiku"}`).Err()
		_, _ = server.Write(request)
		return err == nil
	})
	b := newApp("haiku")
	wantKind(t, s.CreateApp(t.Context(), b, firstRelease(b)), renga.Conflict)
	holder, err := raw.Get(t.Context(), "renga:{platform}:name:haiku").Result()
	check(t, err)
	if holder != string(slow.ID) {
		t.Fatalf("name belongs to %s", holder)
	}
}

// fake answers each command with what reply says, in RESP.
func fake(t *testing.T, reply func(command string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answer(conn, reply)
		}
	}()
	return "redis://user:pass-marker@" + l.Addr().String()
}

func answer(conn net.Conn, reply func(string) string) {
	defer conn.Close()
	for {
		var args int
		if _, err := fmt.Fscanf(conn, "*%d\r\n", &args); err != nil {
			return
		}
		words := make([]string, args)
		for i := range words {
			var n int
			if _, err := fmt.Fscanf(conn, "$%d\r\n", &n); err != nil {
				return
			}
			b := make([]byte, n+2)
			if _, err := io.ReadFull(conn, b); err != nil {
				return
			}
			words[i] = string(b[:n])
		}
		if _, err := io.WriteString(conn, reply(strings.ToLower(words[0]))+"\r\n"); err != nil {
			return
		}
	}
}

// version7 answers the greeting; all else is other.
func version7(other func() string) func(string) string {
	return func(command string) string {
		switch command {
		case "hello":
			return "-ERR unknown command 'hello'"
		case "ping":
			return "+PONG"
		case "info":
			info := "# Server\r\nredis_version:7.0.15\r\n"
			return fmt.Sprintf("$%d\r\n%s", len(info), info)
		case "auth", "client", "unwatch":
			return "+OK"
		case "config":
			return "-NOPERM no CONFIG for you"
		}
		return other()
	}
}

func TestRedisRepliesBecomeSentences(t *testing.T) {
	var current atomic.Value
	current.Store("$-1")
	s := open(t, fake(t, version7(func() string { return current.Load().(string) })))
	for reply, want := range map[string]struct {
		kind renga.Kind
		text string
	}{
		"-READONLY You can't write against a read only replica.": {
			renga.Unavailable, "read-only replica",
		},
		"-OOM command not allowed when used memory > 'maxmemory'.": {
			renga.Unavailable, "maxmemory",
		},
		"-NOAUTH Authentication required.": {
			renga.Unavailable, "password",
		},
		"-WRONGPASS invalid username-password pair or user is disabled.": {
			renga.Unavailable, "refused",
		},
		"-NOPERM this user has no permissions": {renga.Unavailable, "allow"},
		"-LOADING Redis is loading the dataset in memory": {
			renga.Unavailable, "loading",
		},
		"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to": {
			renga.Unavailable, "cannot write",
		},
		"-MISCONF Errors writing to the AOF file: No space left on device": {renga.NoSpace, "full"},
		"-EXECABORT Transaction discarded because of: OOM command not allowed": {
			renga.Unavailable, "maxmemory",
		},
		"-EXECABORT Transaction discarded because of: MISCONF Errors: No space left on device": {renga.NoSpace, "full"},
		"-CLUSTERDOWN The cluster is down":                                                  {renga.Unavailable, "Cluster"},
		"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.": {renga.Unavailable, "primary"},
		"-ERR max number of clients reached": {
			renga.Unavailable, "maxclients",
		},
		"-WRONGTYPE Operation against a key holding the wrong kind of value": {renga.Internal, ""},
	} {
		current.Store(reply)
		err := s.Ping(t.Context())
		if renga.KindOf(err) != want.kind || !strings.Contains(renga.MessageOf(err, ""), want.text) {
			t.Errorf("%s: kind %q, %v", reply, renga.KindOf(err), err)
		}
		if strings.Contains(fmt.Sprint(err), "pass-marker") {
			t.Errorf("%s: password in %v", reply, err)
		}
	}
}

func TestFullOrReadOnlyRedisRefusesWritesWithASentence(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	raw := p.raw(t)
	check(t, raw.ConfigSet(t.Context(), "maxmemory", "1").Err())
	for name, call := range calls(s, a) {
		switch name {
		case "SaveDynos", "Restart", "SetFormation", "UpdateApp", "Commit", "EnsureAccount", "CreateApp":
			if err := call(t.Context()); renga.KindOf(err) != renga.Unavailable || !strings.Contains(err.Error(), "maxmemory") {
				t.Errorf("%s in a full Redis: %v", name, err)
			}
		}
	}
	_, err := s.Desired(t.Context(), a.ID) // reads go on
	check(t, err)
	check(t, raw.ConfigSet(t.Context(), "maxmemory", "0").Err())
	check(t, raw.ReplicaOf(t.Context(), "127.0.0.1", "1").Err())
	err = s.Restart(t.Context(), a.ID, "web")
	if renga.KindOf(err) != renga.Unavailable || !strings.Contains(err.Error(), "replica") {
		t.Fatalf("on a replica: %v", err)
	}
}
