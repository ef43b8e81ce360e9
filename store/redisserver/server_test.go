package redisserver_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
	"renga/store"
	"renga/store/redisserver"
	"renga/store/storetest"
)

// supervise starts a server and runs it; stop shuts it down and waits.
func supervise(t *testing.T, dir string) (srv *redisserver.Server, stop func()) {
	t.Helper()
	srv, err := redisserver.New(dir, "", discardLogs())
	check(t, err)
	check(t, srv.Start(t.Context()))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	stop = once(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return srv, stop
}

// once makes f happen once.
func once(f func()) func() {
	done := false
	return func() {
		if !done {
			done = true
			f()
		}
	}
}

func socketOf(srv *redisserver.Server) string { return strings.TrimPrefix(srv.URL(), "unix://") }

func pidOf(t *testing.T, srv *redisserver.Server) int {
	t.Helper()
	raw := redis.NewClient(&redis.Options{Addr: socketOf(srv)})
	defer raw.Close()
	info, err := raw.InfoMap(t.Context(), "server").Result()
	check(t, err)
	pid, err := strconv.Atoi(info["Server"]["process_id"])
	check(t, err)
	return pid
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestServerIsSafeAndEndsInOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "redis")
	srv, stop := supervise(t, dir)
	var lines storetest.LogBuffer
	s, err := store.Open(t.Context(), store.Options{URL: srv.URL(), Log: lines.Logger()})
	check(t, err)
	if strings.Contains(lines.String(), "WARN") {
		t.Fatalf("our own server is badly set up: %s", lines.String())
	}
	check(t, s.Adopt(t.Context(), platform, true))
	a := createApp(t, s, "haiku")
	check(t, s.Close())

	raw := redis.NewClient(&redis.Options{Addr: socketOf(srv)})
	got, err := raw.ConfigGet(t.Context(), "appendfsync").Result()
	check(t, err)
	check(t, raw.Close())
	if got["appendfsync"] != "always" {
		t.Fatalf("appendfsync %v", got)
	}
	pid := pidOf(t, srv)
	stop()
	if alive(pid) {
		t.Fatal("still running")
	}
	srv, _ = supervise(t, dir)
	s = open(t, srv.URL())
	if _, err := s.App(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "redis.sock"): 0o700} {
		info, err := os.Stat(path)
		check(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

func TestServerDoesNotInheritOurSecrets(t *testing.T) {
	t.Setenv("RENGA_TOKEN", secret)
	server, err := exec.LookPath("redis-server")
	check(t, err)
	dir, bin := t.TempDir(), filepath.Join(t.TempDir(), "tell-env")
	check(t, os.WriteFile(bin, []byte("#!/bin/sh\nenv > env\nexec "+server+" \"$@\"\n"), 0o700))
	srv, err := redisserver.New(dir, bin, discardLogs())
	check(t, err)
	check(t, srv.Start(t.Context()))
	check(t, syscall.Kill(pidOf(t, srv), syscall.SIGKILL))
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	check(t, err)
	if !strings.Contains(string(env), "LC_ALL=C") || strings.Contains(string(env), secret) {
		t.Fatalf("environment of the child: %s", env)
	}
}

func TestKilledServerComesBackWithItsData(t *testing.T) {
	srv, _ := supervise(t, t.TempDir())
	s := open(t, srv.URL())
	check(t, s.Adopt(t.Context(), platform, true))
	for i := range 2 {
		a := createApp(t, s, "haiku-"+strconv.Itoa(i))
		pid := pidOf(t, srv)
		check(t, syscall.Kill(pid, syscall.SIGKILL))
		storetest.Poll(t, "redis-server to come back", func() bool { return s.Ping(t.Context()) == nil && pidOf(t, srv) != pid })
		_, err := s.App(t.Context(), a.ID)
		check(t, err)
	}
}

func TestOrphanOfAKilledRengaIsAdoptedWatchedAndShutDown(t *testing.T) {
	dir := t.TempDir()
	orphaned, err := redisserver.New(dir, "", discardLogs())
	check(t, err)
	check(t, orphaned.Start(t.Context())) // whoever started it never runs it
	pid := pidOf(t, orphaned)
	srv, stop := supervise(t, dir)
	if pidOf(t, srv) != pid {
		t.Fatal("a second redis-server was started")
	}
	check(t, syscall.Kill(pid, syscall.SIGKILL))
	storetest.Poll(t, "a new redis-server", func() bool {
		reply, err := storetest.Ping("unix", socketOf(srv))
		return err == nil && reply == "+PONG"
	})
	if pidOf(t, srv) == pid {
		t.Fatal("not replaced")
	}
	stop()

	check(t, orphaned.Start(t.Context()))
	pid = pidOf(t, orphaned)
	_, stop = supervise(t, dir)
	stop()
	storetest.Poll(t, "the adopted server to end", func() bool { return !alive(pid) })
}

func TestNoSecondServerOnTheSameData(t *testing.T) {
	dir := t.TempDir()
	first, err := redisserver.New(dir, "", discardLogs())
	check(t, err)
	check(t, first.Start(t.Context()))
	pid := pidOf(t, first)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	check(t, os.Remove(socketOf(first))) // somebody cleaned up; the server lives on
	second, err := redisserver.New(dir, "", discardLogs())
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := second.Start(ctx); err == nil {
		t.Fatal("started a second one")
	}
	check(t, syscall.Kill(pid, syscall.SIGKILL))
	check(t, second.Start(t.Context())) // the lock went with the process
	pid = pidOf(t, second)              // the clean-up ends this one
}

func TestServerSaysWhyItDoesNotStart(t *testing.T) {
	_, err := redisserver.New(t.TempDir(), "no-such-redis-server", discardLogs())
	wantKind(t, err, renga.Unavailable)
	if !strings.Contains(err.Error(), "is not installed: install it, or set REDIS_URL") {
		t.Fatal(err)
	}
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "appendonlydir"), 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "appendonlydir", "appendonly.aof.manifest"), []byte("rubbish\n"), 0o600))
	srv, err := redisserver.New(dir, "", discardLogs())
	check(t, err)
	err = srv.Start(t.Context())
	wantKind(t, err, renga.Unavailable)
	if !strings.Contains(err.Error(), "redis.log closes with: ") || strings.Contains(err.Error(), "(nothing)") {
		t.Fatal(err)
	}
	if !strings.Contains(err.Error(), "move it away and run `renga recover`") {
		t.Errorf("there is another way out than redis-check-aof: %v", err)
	}
}

func TestLongDataPathGetsAShortSocket(t *testing.T) {
	t.Setenv("TMPDIR", "/tmp")
	dir := filepath.Join(t.TempDir(), strings.Repeat("long directory/", 10))
	srv, stop := supervise(t, dir)
	defer func() { _ = os.Remove(filepath.Dir(socketOf(srv))) }()
	defer stop()
	check(t, open(t, srv.URL()).Adopt(t.Context(), platform, true))

	check(t, os.Chmod(filepath.Dir(socketOf(srv)), 0o755)) // now others may enter
	_, err := redisserver.New(dir, "", discardLogs())
	wantKind(t, err, renga.Invalid)
	t.Setenv("TMPDIR", "/tmp/"+strings.Repeat("x", 100))
	_, err = redisserver.New(dir, "", discardLogs())
	wantKind(t, err, renga.Invalid)
}
