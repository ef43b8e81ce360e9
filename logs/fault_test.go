package logs_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"renga"
	"renga/children"
	"renga/durable/durabletest"
	"renga/logs"
)

func TestAFullDiskLosesLinesAndNothingElse(t *testing.T) {
	dir := durabletest.SmallDisk(t, 1)
	var said bytes.Buffer
	l, err := logs.New(logs.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	l.Line(app, "app", "web.1", "before")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 900<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	const n = 300
	for i := range n {
		l.Line(app, "app", "web.1", fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000)))
	}
	lost := l.Stats().Lost
	if lost == 0 || lost == n {
		t.Fatalf("%d of %d lines were lost", lost, n)
	}
	if got := strings.Count(said.String(), "logs cannot be written"); got != 1 {
		t.Errorf("it was told %d times: %s", got, said.String())
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	l.Line(app, "app", "web.1", "after")
	got := last(t, l, -1, renga.LogFilter{})
	kept, told := 0, 0
	for _, text := range got {
		var some int
		if _, err := fmt.Sscanf(text, "Error L13 (Local delivery error) -> %d messages could not be written since ",
			&some); err == nil {
			told += some
			continue
		}
		kept++
	}
	if uint64(told) != lost || uint64(kept) != 1+n-lost+1 || got[0] != "before" || got[len(got)-1] != "after" {
		t.Errorf("%d kept and %d told of, with %d lost of %d", kept, told, lost, n)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestAKillLosesNothingThatWasMarked kills a process that writes line n with
// mark n, again and again.
func TestAKillLosesNothingThatWasMarked(t *testing.T) {
	dir := os.Getenv("RENGA_LOGS_WRITE")
	if dir != "" {
		write(t, dir)
		return
	}
	dir = t.TempDir()
	for range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "RENGA_LOGS_WRITE="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := children.Start(cmd, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it writes
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // so that it is somewhere
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
	}
	l := open(t, dir)
	kept, end, err := l.Last(app, -1, renga.LogFilter{})
	if err != nil || len(kept) == 0 {
		t.Fatalf("%d lines, %v", len(kept), err)
	}
	if got := l.Mark(app, "i").Count; uint64(got) != end {
		t.Errorf("mark %d, and the newest line is %d", got, end)
	}
	for i, line := range kept {
		if want := fmt.Sprint(line.ID); line.Text != want || line.ID != kept[0].ID+uint64(i) {
			t.Fatalf("line %d is %q", line.ID, line.Text)
		}
	}
}

// TestASegmentThatWasNeverFilledTakesNoMarks has what is left when the machine
// stops while a segment begins.
func TestASegmentThatWasNeverFilledTakesNoMarks(t *testing.T) {
	for _, content := range []string{"", "#3 0 0 00000000 i=0,0,"} {
		dir := t.TempDir()
		l := open(t, dir)
		l.Keep(app, "i", []renga.LogLine{line("web.1", "1"), line("web.1", "2")}, renga.LogMark{Since: noon, Count: 2})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(filepath.Join(dir, string(app), "*.log"))
		if err != nil || len(found) != 1 {
			t.Fatalf("segments: %v, %v", found, err)
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(found[0]), fmt.Sprintf("%020d.log", 3)), []byte(content),
			0o600); err != nil {
			t.Fatal(err)
		}
		l = open(t, dir)
		if got := l.Mark(app, "i").Count; got != 2 {
			t.Errorf("after %q the mark is %d, want 2", content, got)
		}
		l.Keep(app, "i", []renga.LogLine{line("web.1", "3")}, renga.LogMark{Since: noon, Count: 3})
		kept, end, err := l.Last(app, -1, renga.LogFilter{})
		if err != nil || end != 3 || len(kept) != 3 || kept[2].Text != "3" || kept[2].ID != 3 {
			t.Errorf("after %q: %v up to %d, %v", content, kept, end, err)
		}
	}
}

// write is the process: it goes on from the mark, as a follower does.
func write(t *testing.T, dir string) {
	l := open(t, dir)
	n := l.Mark(app, "i").Count
	fmt.Println("writing")
	for {
		var lines []renga.LogLine
		for range 1 + n%50 {
			n++
			lines = append(lines, line("web.1", fmt.Sprint(n)))
		}
		l.Keep(app, "i", lines, renga.LogMark{Since: noon, Count: n})
	}
}
