package space_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"renga"
	"renga/durable"
	"renga/durable/durabletest"
	"renga/space"
)

// fakeRooms are the registry and the store.
type fakeRooms struct{ asked int }

func (f *fakeRooms) AppContent(context.Context) (map[string]renga.ContentUse, int64, error) {
	f.asked++
	return map[string]renga.ContentUse{"hello": {Alone: 100, Shared: 20, Uploads: 3}, "gone": {Alone: 5}}, 128, nil
}

func (*fakeRooms) Apps(context.Context) ([]renga.App, error) {
	return []renga.App{{ID: "id-hello", Name: "hello", DiskQuota: 900}, {ID: "id-other", Name: "other"}}, nil
}

func (*fakeRooms) Backups(context.Context) ([]renga.Backup, error) {
	return []renga.Backup{{App: "id-hello", StoredBytes: 40}, {App: "id-hello", StoredBytes: 2}, {App: "id-gone", StoredBytes: 7}}, nil
}

func write(t *testing.T, path string, size int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUseTellsWhatTakesUpTheDisk(t *testing.T) {
	dir, rooms := t.TempDir(), &fakeRooms{}
	for path, size := range map[string]int{
		"logs/id-hello/1.log": 11, "logs/id-hello/2.log": 1, "outputs/id-other/3.txt": 13, "redis/appendonlydir/a.aof": 17,
		"audit.log": 19, "audit.log.1": 1,
	} {
		write(t, filepath.Join(dir, path), size)
	}
	now := time.Now()
	s := space.New(space.Options{
		Marks: &durable.Marks{Dir: dir},
		Folders: space.Folders{
			Logs: filepath.Join(dir, "logs"), Outputs: filepath.Join(dir, "outputs"), Redis: filepath.Join(dir, "redis"),
			Audit: []string{filepath.Join(dir, "audit.log"), filepath.Join(dir, "audit.log.*")},
		},
		AddOnData: func() map[renga.AppID]int64 { return map[renga.AppID]int64{"id-other": 23} },
		Quota:     500,
		Now:       func() time.Time { return now },
	}, rooms, rooms)
	use, err := s.Use(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if use.Content != 128 || use.Redis != 17 || use.Audit != 20 || use.Logs != 12 || use.Outputs != 13 || use.Backups != 49 ||
		use.Level != renga.DiskOK || use.Free <= 0 || use.Total < use.Free {
		t.Errorf("all: %+v", use)
	}
	want := []renga.AppDiskUse{
		{App: "id-hello", Name: "hello", Content: renga.ContentUse{Alone: 100, Shared: 20, Uploads: 3}, Logs: 12, Backups: 42, Quota: 900},
		{App: "id-other", Name: "other", Outputs: 13, AddOns: 23, Quota: 500},
	}
	if len(use.Apps) != 2 || use.Apps[0] != want[0] || use.Apps[1] != want[1] {
		t.Errorf("apps: %+v, want %+v", use.Apps, want)
	}
	one, err := s.AppUse(t.Context(), renga.App{ID: "id-hello", Name: "hello", DiskQuota: 800})
	if err != nil || one.Sum() != 177 || one.Quota != 800 {
		t.Errorf("one app: %+v, %v", one, err)
	}
	if rooms.asked != 1 {
		t.Errorf("the registry was asked %d times for what is known", rooms.asked)
	}
	now = now.Add(10 * time.Second)
	if _, err := s.Use(t.Context()); err != nil || rooms.asked != 2 {
		t.Errorf("later the registry was asked %d times, %v", rooms.asked, err)
	}
}

// TestADiskThatFillsIsToldOfAndCollectedEarly on a real file system: one warning and
// one collection for each level that it falls to, and none while it stays there.
func TestADiskThatFillsIsToldOfAndCollectedEarly(t *testing.T) {
	dir, rooms := durabletest.SmallDisk(t, 32), &fakeRooms{}
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		var collections atomic.Int32
		var told lockedBuffer
		var back atomic.Bool // the store is, which is away when it is told first
		s := space.New(space.Options{
			Marks: &durable.Marks{Dir: dir, Low: 16 << 20, Full: 8 << 20},
			Tell: func(_ context.Context, was, is renga.DiskState) error {
				if !back.Swap(true) {
					return renga.Errorf(renga.Unavailable, "Redis is away.")
				}
				_, _ = fmt.Fprintf(&told, "%s-%s ", was.Level, is.Level) // it never fails
				if is.Total != 32<<20 || is.Free <= 0 || is.Free >= is.Total || was.Total != is.Total {
					t.Errorf("webhooks are told of %+v after %+v", is, was)
				}
				return nil
			},
			Collect: func(context.Context) error { collections.Add(1); return nil },
			Log:     slog.New(slog.NewTextHandler(&log, nil)),
		}, rooms, rooms)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		for _, step := range []struct {
			used      int // MiB
			level     renga.DiskLevel
			collected int
			says      string
		}{
			{4, renga.DiskOK, 0, ""},
			{18, renga.DiskLow, 1, "level=WARN"},
			{15, renga.DiskLow, 1, ""}, // a little more room is no news
			{26, renga.DiskFull, 2, "level=ERROR"},
			{18, renga.DiskLow, 2, "renga gc --dry-run"},
			{4, renga.DiskOK, 2, "has room again"},
			{18, renga.DiskLow, 3, "level=WARN"},
		} {
			log.Reset()
			write(t, filepath.Join(dir, "filler"), step.used<<20)
			time.Sleep(time.Minute) // of the bubble's clock
			synctest.Wait()
			if got := int(collections.Load()); s.Level() != step.level || got != step.collected {
				t.Errorf("with %d MiB used: %s, %d collections; want %s, %d", step.used, s.Level(), got, step.level, step.collected)
			}
			got := strings.Join(slices.DeleteFunc(strings.SplitAfter(log.String(), "\n"), func(line string) bool {
				return strings.Contains(line, "webhooks are not told yet")
			}), "")
			if !strings.Contains(got, step.says) || strings.Count(got, "\n") != min(1, len(step.says)) {
				t.Errorf("with %d MiB used the log says %q, want one line with %q", step.used, got, step.says)
			}
		}
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		if got := told.String(); got != "ok-low low-full full-low low-ok ok-low " {
			t.Errorf("webhooks are told of %q", got)
		}
		if got := collections.Load(); got != 5 {
			t.Errorf("%d collections after two hours more, want one for each", got)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}
