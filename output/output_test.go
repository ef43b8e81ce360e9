package output_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"renga"
	"renga/output"
)

const app renga.AppID = "6c1b0f9e-0000-4000-8000-000000000001"

func always(context.Context) (bool, error) { return true, nil }

func record(t *testing.T, s *output.Outputs, version int) io.WriteCloser {
	t.Helper()
	w, err := s.Record(app, version)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func say(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func shut(t *testing.T, w io.Closer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s *output.Outputs, version int) string {
	t.Helper()
	var all strings.Builder
	if err := s.Follow(t.Context(), app, version, &all, always); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestWhatWasRecordedIsReadByTheNextProcess(t *testing.T) {
	dir := t.TempDir()
	w := record(t, output.New(output.Options{Dir: dir}), 3)
	say(t, w, "migrating\n")
	shut(t, w)
	if got := read(t, output.New(output.Options{Dir: dir}), 3); got != "migrating\n" {
		t.Errorf("read %q", got)
	}
	if got := read(t, output.New(output.Options{Dir: dir}), 4); got != "" {
		t.Errorf("of another release: %q", got)
	}
}

// TestFollowersGetEveryByteAsItComes: each line is read before the next is
// written, from before the recording begins until after its end.
func TestFollowersGetEveryByteAsItComes(t *testing.T) {
	s := output.New(output.Options{Dir: t.TempDir()})
	var over atomic.Bool
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := s.Follow(t.Context(), app, 1, in, func(context.Context) (bool, error) { return over.Load(), nil })
		ended <- errors.Join(err, in.Close())
	}()
	w := record(t, s, 1)
	for n := range 100 {
		line := fmt.Sprintf("line %d\n", n)
		say(t, w, line)
		got := make([]byte, len(line))
		if _, err := io.ReadFull(out, got); err != nil || string(got) != line {
			t.Fatalf("read %q, %v; want %q", got, err, line)
		}
	}
	say(t, w, "last\n")
	shut(t, w)
	over.Store(true)
	rest, err := io.ReadAll(out)
	if string(rest) != "last\n" || err != nil {
		t.Errorf("the end is %q, %v", rest, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestLongOutputIsCutFromTheFrontAtALine(t *testing.T) {
	s := output.New(output.Options{Dir: t.TempDir(), MaxBytes: 1000})
	w := record(t, s, 1)
	for n := range 1000 {
		say(t, w, fmt.Sprintf("line %d\n", n))
	}
	while := read(t, s, 1)
	shut(t, w)
	got := read(t, s, 1)
	if len(got) > 1000 || len(got) < 400 || !strings.HasPrefix(got, "line ") ||
		!strings.HasSuffix(got, "line 998\nline 999\n") {
		t.Errorf("%d bytes are left: %q", len(got), got)
	}
	if while != got {
		t.Errorf("while it was written %q was read, and then %q", while, got)
	}
}

func TestLongOutputWithoutLinesIsCutBetweenCharacters(t *testing.T) {
	for _, first := range []string{"", "a", "ab"} {
		s := output.New(output.Options{Dir: t.TempDir(), MaxBytes: 1000})
		w := record(t, s, 1)
		say(t, w, first+strings.Repeat("€", 340))
		shut(t, w)
		if got := read(t, s, 1); len(got) < 400 || !strings.HasPrefix(got, "€") || strings.Trim(got, "€") != "" {
			t.Errorf("%d bytes are left: %q…", len(got), got[:10])
		}
	}
}

func TestARecordingThatBeginsAnewReplacesTheOld(t *testing.T) {
	s := output.New(output.Options{Dir: t.TempDir()})
	w := record(t, s, 1)
	say(t, w, "half of it and a long")
	again := record(t, s, 1)
	shut(t, w)
	say(t, again, "all\n")
	shut(t, again)
	if got := read(t, s, 1); got != "all\n" {
		t.Errorf("read %q", got)
	}
}

func TestOldOutputsAndGoneAppsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	s := output.New(output.Options{Dir: dir, Keep: 2})
	for version := range 5 {
		w := record(t, s, version+1)
		say(t, w, "hello")
		shut(t, w)
	}
	files, err := filepath.Glob(filepath.Join(dir, string(app), "*"))
	if err != nil || len(files) != 2 || read(t, s, 5) != "hello" || read(t, s, 4) != "hello" {
		t.Errorf("kept %q, %v", files, err)
	}
	if err := s.Forget(app); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestFollowEndsWithItsReaderAndWithAFault(t *testing.T) {
	s := output.New(output.Options{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(context.Context) (bool, error) { return false, nil }
	if err := s.Follow(ctx, app, 1, io.Discard, never); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	fault := errors.New("no redis")
	if err := s.Follow(t.Context(), app, 1, io.Discard,
		func(context.Context) (bool, error) { return false, fault }); !errors.Is(err, fault) {
		t.Errorf("error is %v", err)
	}
}
