package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAuditLinesAreKeptWhateverTheLogShows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	var shown bytes.Buffer
	errorsOnly := slog.New(slog.NewTextHandler(&shown, &slog.HandlerOptions{Level: slog.LevelError}))
	log := withTrail(errorsOnly, &trail{path: path, max: auditMaxBytes})
	log.With("names", []string{"A", "B"}).Info("audit", "action", "config vars set", "app", "hello")
	log.Info("something else")
	log.Debug("audit of no level")
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var line map[string]any
	if err := json.Unmarshal(kept, &line); err != nil || line["action"] != "config vars set" || line["names"] == nil || line["time"] == nil {
		t.Errorf("%v: kept is %s", err, kept)
	}
	if shown.Len() > 0 {
		t.Errorf("the log shows %s", shown.String())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestALostAuditLineIsTold(t *testing.T) {
	var shown bytes.Buffer
	log := withTrail(slog.New(slog.NewTextHandler(&shown, nil)), &trail{path: filepath.Join(t.TempDir(), "nowhere", "audit.log"), max: 1})
	log.Info("audit", "action", "app created")
	if !strings.Contains(shown.String(), "audit line not kept") || !strings.Contains(shown.String(), "app created") {
		t.Errorf("the log shows %s", shown.String())
	}
}

func TestTheTrailIsRotatedAndLosesNoLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	first := &trail{path: path, max: 300}
	for range 10 {
		if _, err := first.Write([]byte(strings.Repeat("x", 99) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	again := &trail{path: path, max: 300} // as after a restart
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := again.Write([]byte(strings.Repeat("y", 99) + "\n")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) > 300 {
			t.Errorf("%s holds %d bytes: %v", file, len(text), err)
		}
		lines += bytes.Count(text, []byte("\n"))
	}
	if lines != 20 || len(files) != 7 {
		t.Errorf("%d lines in %d files, want 20 in 7", lines, len(files))
	}
	for range 60 {
		if _, err := again.Write([]byte(strings.Repeat("z", 99) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if files, _ = filepath.Glob(path + "*"); len(files) != auditKept+1 {
		t.Errorf("%d files, want %d", len(files), auditKept+1)
	}
}
