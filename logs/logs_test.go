package logs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/logs"
)

const app renga.AppID = "6c1b0f9e-0000-4000-8000-000000000001"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 820000000, time.UTC)

func open(t *testing.T, dir string) *logs.Logs {
	t.Helper()
	l, err := logs.New(logs.Options{Dir: dir, MaxBytes: logs.MinMaxBytes, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func line(dyno, text string) renga.LogLine {
	return renga.LogLine{Time: noon, Source: renga.SourceApp, Dyno: dyno, Text: text}
}

// last gives the texts of the newest lines.
func last(t *testing.T, l *logs.Logs, n int, f renga.LogFilter) []string {
	t.Helper()
	lines, _, err := l.Last(app, n, f)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{}
	for _, line := range lines {
		texts = append(texts, line.Text)
	}
	return texts
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLinesAreInHerokusForm(t *testing.T) {
	l := open(t, t.TempDir())
	l.Line(app, renga.SourceHeroku, "web.1", "State changed from starting to up")
	lines, end, err := l.Last(app, 10, renga.LogFilter{})
	if err != nil || len(lines) != 1 || end != 1 || lines[0].ID != 1 {
		t.Fatalf("%v, end %d, %v", lines, end, err)
	}
	if got, want := lines[0].String(),
		"2026-11-22T12:00:00.820000+00:00 heroku[web.1]: State changed from starting to up"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLastChooses(t *testing.T) {
	l := open(t, t.TempDir())
	for _, dyno := range []string{"web.1", "web.10", "web.2", "worker.1", "webhooks.1"} {
		l.Keep(app, dyno, []renga.LogLine{line(dyno, dyno)}, renga.LogMark{Count: 1, Since: noon})
	}
	l.Line(app, renga.SourceHeroku, "web.1", "platform")
	same(t, last(t, l, 2, renga.LogFilter{}), "webhooks.1", "platform")
	same(t, last(t, l, -1, renga.LogFilter{Dyno: "web"}), "web.1", "web.10", "web.2", "platform")
	same(t, last(t, l, 9, renga.LogFilter{Dyno: "web.1"}), "web.1", "platform")
	same(t, last(t, l, 9, renga.LogFilter{Dyno: "web", Source: "heroku"}), "platform")
	same(t, last(t, l, 1, renga.LogFilter{Source: "app"}), "webhooks.1")
	same(t, last(t, l, 0, renga.LogFilter{}))
}

func TestALogNobodyWroteIsEmpty(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	same(t, last(t, l, 9, renga.LogFilter{}))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("reading made %v, %v", entries, err)
	}
}

func TestLongLinesAreSplit(t *testing.T) {
	l := open(t, t.TempDir())
	l.Keep(app, "i", []renga.LogLine{line("web.1", strings.Repeat("ä", 10_001)+"\r\nend\xff")}, renga.LogMark{})
	got := last(t, l, 9, renga.LogFilter{})
	if len(got) != 3 || len(got[0]) != 10_000 || len(got[1]) != 10_000 || got[2] != "ä  end\uFFFD" {
		t.Errorf("%d pieces, the last %q", len(got), got[len(got)-1])
	}
}

func TestTheRingIsCapped(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	const n = 40_000
	for i := 0; i < n; i += 100 {
		var lines []renga.LogLine
		for k := range 100 {
			lines = append(lines, line("web.1", fmt.Sprintf("line %d %s", i+k, strings.Repeat("x", 40))))
		}
		l.Keep(app, "i", lines, renga.LogMark{Since: noon, Count: i + 100})
		if size := sizeOf(t, dir); size > logs.MinMaxBytes {
			t.Fatalf("%d bytes on disk after %d lines", size, i)
		}
	}
	kept, end, err := l.Last(app, -1, renga.LogFilter{})
	if err != nil || end != n || kept[len(kept)-1].ID != n {
		t.Fatalf("end %d, %v", end, err)
	}
	for i, line := range kept {
		if want := kept[0].ID + uint64(i); line.ID != want || !strings.HasPrefix(line.Text, fmt.Sprintf("line %d ", want-1)) {
			t.Fatalf("line %d is %d %q", want, line.ID, line.Text)
		}
	}
	if least := logs.MinMaxBytes * 3 / 4 / 120; len(kept) < least {
		t.Errorf("only %d lines are kept; want %d", len(kept), least)
	}
	if got := l.Mark(app, "i").Count; got != n {
		t.Errorf("mark %d, want %d", got, n)
	}
}

func sizeOf(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestWhateverIsTornIsCut cuts the file after every byte, as a crash may.
func TestWhateverIsTornIsCut(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	l.Keep(app, "i", []renga.LogLine{line("web.1", "one"), line("web.1", "two")}, renga.LogMark{Since: noon, Count: 2})
	whole := sizeOf(t, dir)
	l.Keep(app, "i", []renga.LogLine{line("web.1", "three"), line("web.1", "four")}, renga.LogMark{Since: noon, Count: 4})
	file := filepath.Join(dir, string(app), "00000000000000000001.log")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for cut := whole; cut < int64(len(content)); cut++ {
		torn := t.TempDir()
		if err := os.MkdirAll(filepath.Join(torn, string(app)), 0o700); err != nil {
			t.Fatal(err)
		}
		// A machine that lost its power may leave zeros where bytes should be.
		damaged := append(content[:cut:cut], make([]byte, cut%2*7)...)
		if err := os.WriteFile(filepath.Join(torn, string(app), filepath.Base(file)), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, torn)
		if got := l.Mark(app, "i").Count; got != 2 {
			t.Fatalf("cut at %d: mark %d, want 2", cut, got)
		}
		l.Keep(app, "i", []renga.LogLine{line("web.1", "again")}, renga.LogMark{Since: noon, Count: 3})
		same(t, last(t, l, 9, renga.LogFilter{}), "one", "two", "again")
	}
}

func TestARingIsFoundAgain(t *testing.T) {
	dir := t.TempDir()
	mark := renga.LogMark{Since: noon, Until: noon.Add(time.Second + 1), Count: 7, Ended: true}
	l := open(t, dir)
	l.Keep(app, "i", []renga.LogLine{line("web.1", "one")}, mark)
	l.Keep(app, "gone", nil, mark)
	if err := l.Forget(app, "gone"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	if got := l.Mark(app, "i"); got != mark {
		t.Errorf("mark %v, want %v", got, mark)
	}
	if got := l.Mark(app, "gone"); got != (renga.LogMark{}) {
		t.Errorf("the mark of what is gone: %v", got)
	}
	l.Line(app, "app", "api", "two")
	lines, _, err := l.Last(app, 9, renga.LogFilter{})
	if err != nil || len(lines) != 2 || lines[1].ID != 2 {
		t.Errorf("%v, %v", lines, err)
	}
}

func TestForgetRemovesTheLog(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	l.Line(app, "app", "api", "one")
	if apps, err := l.Apps(); err != nil || len(apps) != 1 || apps[0] != app {
		t.Errorf("apps %v, %v", apps, err)
	}
	for range 2 {
		if err := l.Forget(app, ""); err != nil {
			t.Fatal(err)
		}
	}
	if apps, err := l.Apps(); err != nil || len(apps) != 0 {
		t.Errorf("apps %v, %v", apps, err)
	}
	same(t, last(t, l, 9, renga.LogFilter{}))
	if err := l.Forget("../../etc", ""); err == nil {
		t.Error("what is no id became a path")
	}
}

// follow collects what a follower is told until there are n lines or it ends.
func follow(ctx context.Context, l *logs.Logs, after uint64, n int) (lines []renga.LogLine, missed uint64, err error) {
	enough := errors.New("enough")
	err = l.Follow(ctx, app, after, func(some []renga.LogLine, m uint64) error {
		lines, missed = append(lines, some...), missed+m
		if len(lines) >= n {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return lines, missed, err
}

func TestFollowersMissNothing(t *testing.T) {
	l := open(t, t.TempDir())
	l.Line(app, "app", "api", "before")
	const writers, each = 8, 500
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			lines, missed, err := follow(t.Context(), l, 0, writers*each+1)
			if err != nil || missed != 0 {
				t.Errorf("missed %d, %v", missed, err)
			}
			for i, line := range lines {
				if line.ID != uint64(i+1) {
					t.Errorf("line %d has id %d", i, line.ID)
					return
				}
			}
		})
	}
	for w := range writers {
		all.Go(func() {
			for n := range each {
				l.Line(app, "app", renga.DynoName("web", w+1), fmt.Sprint(n))
			}
		})
	}
	all.Wait()
}

func TestFollowersThatAreTooSlowAreTold(t *testing.T) {
	l := open(t, t.TempDir())
	text := strings.Repeat("x", 1000)
	for range 3000 { // three times what fits
		l.Line(app, "app", "web.1", text)
	}
	kept, end, err := l.Last(app, -1, renga.LogFilter{})
	if err != nil {
		t.Fatal(err)
	}
	lines, missed, err := follow(t.Context(), l, 5, len(kept))
	if err != nil || lines[0].ID != kept[0].ID || missed != kept[0].ID-6 {
		t.Errorf("from %d on, missed %d, %v; want from %d on, missed %d", lines[0].ID, missed, err, kept[0].ID, kept[0].ID-6)
	}
	if got := lines[len(lines)-1].ID; got != end {
		t.Errorf("up to %d; want %d", got, end)
	}
}

func TestFollowEndsWithTheLog(t *testing.T) {
	l := open(t, t.TempDir())
	l.Line(app, "app", "api", "one")
	ended, told := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- l.Follow(t.Context(), app, 0, func([]renga.LogLine, uint64) error {
			close(told)
			return nil
		})
	}()
	<-told
	if err := l.Forget(app, ""); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("following a log that was removed ends without an error")
	}
}

type text string

func (s text) String() string { return string(s) }

func TestOfferedLinesAreWrittenOrCounted(t *testing.T) {
	l := open(t, t.TempDir())
	const n = 10_000
	for i := range n { // nobody runs, so nothing is written
		l.Offer(app, renga.SourceHeroku, "router", text(fmt.Sprint(i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	got := last(t, l, -1, renga.LogFilter{})
	dropped := l.Stats().Dropped
	if uint64(len(got)-1)+dropped != n || dropped == 0 {
		t.Errorf("%d lines and %d dropped", len(got), dropped)
	}
	want := fmt.Sprintf("Error L12 (Local buffer overflow) -> %d messages dropped since 2026-11-22T12:00:00Z.", dropped)
	if got[len(got)-1] != want {
		t.Errorf("got  %s\nwant %s", got[len(got)-1], want)
	}
}
