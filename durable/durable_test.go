package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"renga/durable"
)

func TestWriteFileReplacesContentAndMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("a longer old content"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "new", 0o600)
	wantNothingElse(t, path)
}

func TestCreateFileLeavesOneThatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := durable.CreateFile(path, []byte("first"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := durable.CreateFile(path, []byte("second"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second CreateFile: %v, want fs.ErrExist", err)
	}
	wantFile(t, path, "first", 0o640)
	wantNothingElse(t, path)
}

// TestReadersNeverSeeAPart writes two contents in turns while others read.
func TestReadersNeverSeeAPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	contents := map[string]bool{"": false, "a": true, "bbbbbbbbbbbbbbbb": true}
	var writers sync.WaitGroup
	for _, content := range []string{"a", "bbbbbbbbbbbbbbbb"} {
		writers.Go(func() {
			for range 50 {
				if err := durable.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		content, err := os.ReadFile(path)
		if err == nil && !contents[string(content)] {
			t.Fatalf("a reader saw %q", content)
		}
	}
	wantNothingElse(t, path)
}

func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "folder")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("x"), 0o600); err == nil {
		t.Error("a folder was replaced by a file")
	}
	wantNothingElse(t, path)
}

func TestPartialFindsWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, ".partial-1")
	for _, name := range []string{left, filepath.Join(dir, "whole.json")} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := durable.Partial(dir)
	if err != nil || len(got) != 1 || got[0] != left {
		t.Errorf("Partial = %v, %v; want %s alone", got, err, left)
	}
}

func wantFile(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, content)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
		t.Errorf("%s: %v, %v; want mode %v", path, info, err, mode)
	}
}

// wantNothingElse looks whether path is alone in its folder.
func wantNothingElse(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("beside %s: %v, %v", path, entries, err)
	}
}

func TestFreeBytesAreThoseOfTheDisk(t *testing.T) {
	if free, err := durable.FreeBytes(t.TempDir()); err != nil || free <= 0 {
		t.Errorf("free are %d bytes, %v", free, err)
	}
	if _, err := durable.FreeBytes(filepath.Join(t.TempDir(), "away")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v, want one that says that the folder is not there", err)
	}
}
