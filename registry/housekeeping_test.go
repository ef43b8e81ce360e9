package registry_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"renga/registry"
)

func TestUploadGoesOnAfterARestart(t *testing.T) {
	w := newFixture(t)
	halves := [][]byte{bytes.Repeat([]byte("a"), 1<<20), bytes.Repeat([]byte("b"), 1<<20)}
	res, _ := w.do(t, "alice-token", "POST", "/v2/hello/web/blobs/uploads/", nil, nil)
	for i, half := range halves {
		res, _ = w.do(t, "alice-token", "PATCH", res.Header.Get("Location"), nil, half)
		if res.StatusCode != http.StatusAccepted {
			t.Fatalf("half %d: %s", i, res.Status)
		}
		w.restart(t) // with the same secret
	}
	sum := sha256.Sum256(bytes.Join(halves, nil))
	res, body := w.do(t, "alice-token", "PUT", res.Header.Get("Location")+fmt.Sprintf("&digest=sha256:%x", sum), nil, nil)
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	path := fmt.Sprintf("/v2/hello/web/blobs/sha256:%x", sum)
	if _, got := w.do(t, "alice-token", "GET", path, nil, nil); got != string(bytes.Join(halves, nil)) {
		t.Error("the blob is another")
	}
	if res, got := w.do(t, "alice-token", "GET", path, http.Header{"Range": {"bytes=0-3"}},
		nil); res.StatusCode != http.StatusPartialContent || got != "aaaa" {
		t.Errorf("range: %d %q", res.StatusCode, got)
	}
	if res, _ := w.do(t, "bob-token", "GET", "/v2/other/web"+path[len("/v2/hello/web"):], nil,
		nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("another repository has it too: %d", res.StatusCode)
	}
}

func TestTornUploadDoesNotGetADigestItHasNot(t *testing.T) {
	w := newFixture(t)
	content := bytes.Repeat([]byte("a"), 1<<20)
	res, _ := w.do(t, "alice-token", "POST", "/v2/hello/web/blobs/uploads/", nil, nil)
	res, _ = w.do(t, "alice-token", "PATCH", res.Header.Get("Location"), nil, content)
	w.restart(t)
	data := uploads(t, w, "data")[0]
	f, err := os.OpenFile(data, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(make([]byte, 4096), 4096) // as a power cut leaves it
	if closeErr := f.Close(); err != nil || closeErr != nil {
		t.Fatal(err, closeErr)
	}
	res, body := w.do(t, "alice-token", "PUT", res.Header.Get("Location")+
		fmt.Sprintf("&digest=sha256:%x", sha256.Sum256(content)), nil, nil)
	if res.StatusCode != http.StatusBadRequest || ociCode(t, body) != "DIGEST_INVALID" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestRunPurgesOldUploadsOnly(t *testing.T) {
	w := newFixture(t)
	for range 2 {
		w.do(t, "alice-token", "POST", "/v2/hello/web/blobs/uploads/", nil, nil)
	}
	all := uploads(t, w, "")
	old := time.Now().Add(-25 * time.Hour)
	for _, path := range []string{filepath.Join(all[0], "data"), all[0]} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.reg.Run(ctx) }()
	deadline := time.Now().Add(10 * time.Second)
	for len(uploads(t, w, "")) > 1 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if left := uploads(t, w, ""); len(left) != 1 || left[0] != all[1] {
		t.Errorf("left %v of %v", left, all)
	}
}

func TestNewTellsWhatIsWrong(t *testing.T) {
	w := newFixture(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*registry.Options){
		"no directory":        func(o *registry.Options) { o.Dir = "" },
		"directory is a file": func(o *registry.Options) { o.Dir = file },
		"intents below file":  func(o *registry.Options) { o.IntentDir = filepath.Join(file, "x") },
		"bad platform":        func(o *registry.Options) { o.Platform = "linux" },
		"no secret":           func(o *registry.Options) { o.Secret = nil },
		"bad tag":             func(o *registry.Options) { o.ReleaseTag = "a b" },
	} {
		o := w.options
		change(&o)
		if _, err := registry.New(o, w.fakeDirectory, w.fakeDirectory); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func uploads(t testing.TB, w *fixture, file string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(w.options.Dir, "docker/registry/v2/repositories/*/*/_uploads/*", file))
	if err != nil || len(all) == 0 {
		t.Fatalf("no uploads: %v", err)
	}
	return all
}
