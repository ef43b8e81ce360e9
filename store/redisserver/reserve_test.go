package redisserver_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"renga"
	"renga/durable/durabletest"
	"renga/store"
	"renga/store/storetest"
)

// fill takes all that is left of a disk.
func fill(t *testing.T, dir string) (ballast string) {
	t.Helper()
	var disk syscall.Statfs_t
	check(t, syscall.Statfs(dir, &disk))
	ballast = filepath.Join(dir, "ballast")
	check(t, os.WriteFile(ballast, bytes.Repeat([]byte{1}, int(disk.Bavail)*int(disk.Bsize)), 0o600))
	check(t, syscall.Statfs(dir, &disk))
	if disk.Bavail != 0 {
		t.Fatalf("%d blocks are free on the full disk", disk.Bavail)
	}
	return ballast
}

// reserved waits until redis-server has room ahead.
func reserved(t *testing.T, dir string) {
	t.Helper()
	storetest.Poll(t, "the reserve", func() bool {
		files, err := filepath.Glob(filepath.Join(dir, "appendonlydir", "*.incr.aof"))
		check(t, err)
		var st syscall.Stat_t
		return len(files) == 1 && syscall.Stat(files[0], &st) == nil && st.Blocks*512 >= 8<<20
	})
}

func TestOnAFullDiskReadsGoOnAndAppsCanBeRemoved(t *testing.T) {
	dir := durabletest.SmallDisk(t, 32)
	srv, _ := supervise(t, dir)
	s, err := store.Open(t.Context(), store.Options{URL: srv.URL(), Full: srv.Full, Log: discardLogs()})
	check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	check(t, s.Adopt(t.Context(), platform, true))
	kept := createApp(t, s, "kept")
	var gone []renga.App
	for _, name := range []string{"first", "second"} {
		gone = append(gone, createApp(t, s, name))
	}
	pid := pidOf(t, srv)
	reserved(t, dir)
	ballast := fill(t, dir)

	for range 50 {
		_, err := s.App(t.Context(), kept.ID)
		check(t, err)
		fresh := newApp("fresh")
		wantKind(t, s.CreateApp(t.Context(), fresh, firstRelease(fresh)), renga.NoSpace)
		_, err = s.UpdateApp(t.Context(), kept.ID, func(a *renga.App) error { a.Maintenance = true; return nil })
		wantKind(t, err, renga.NoSpace)
	}
	for _, a := range gone {
		_, err := s.UpdateApp(t.Context(), a.ID, func(a *renga.App) error { a.Deleting = true; return nil })
		check(t, err)
		check(t, s.RemoveApp(t.Context(), a.ID))
	}
	// What Redis writes by itself has room too.
	apps, err := s.Apps(t.Context())
	check(t, err)
	if len(apps) != 1 || apps[0].ID != kept.ID || apps[0].Maintenance {
		t.Errorf("left are %+v", apps)
	}
	if got := pidOf(t, srv); got != pid {
		t.Errorf("redis-server ended and was started again")
	}

	check(t, os.Remove(ballast))
	again := createApp(t, s, "first")
	// Nothing that was acknowledged is lost, also by a server that is killed.
	check(t, syscall.Kill(pid, syscall.SIGKILL))
	storetest.Poll(t, "a new redis-server", func() bool { return s.Ping(context.Background()) == nil })
	for _, a := range []renga.App{kept, again} {
		_, err := s.App(t.Context(), a.ID)
		check(t, err)
	}
}
