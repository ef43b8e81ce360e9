package builds_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/builds"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	room "renga/builds"
	"renga/output"
	"renga/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

type fixture struct {
	*wiretest.Fixture
	outputs *output.Outputs
	dir     string
}

// newFixture serves the family over the store. Nothing is built, for the room does not run.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Fixture: wiretest.New(), dir: t.TempDir()}
	f.outputs = output.New(output.Options{Dir: filepath.Join(f.dir, "outputs")})
	space := func() error { return nil }
	builder := room.New(room.Options{
		Dir: filepath.Join(f.dir, "sources"), Builder: "acme/builder:1", MaxSource: 1 << 20, CheckSpace: space,
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}, room.Parts{Store: f.DB, Platform: f.DB, Outputs: f.outputs, Maker: noMaker{}})
	uploads := &room.Uploads{
		Dir: filepath.Join(f.dir, "uploads"), MaxBytes: 4096, MaxAll: 3 * 4096, CheckSpace: space, Now: time.Now,
	}
	f.Mount(func(d *wire.Door) []wire.Route {
		return builds.New(d, builds.Parts{Builds: f.DB, Builder: builder, Uploads: uploads}).Routes()
	})
	return f
}

// noMaker keeps nothing.
type noMaker struct{ room.Maker }

func (noMaker) Forget(context.Context, renga.AppID) error { return nil }

func archive(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "app.js", Typeflag: tar.TypeReg, Size: 2, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "42"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// urls gives those of a new source.
func (f *fixture) urls(t *testing.T) (get, put string) {
	t.Helper()
	res, body := f.Ask("POST", "/sources", "", nil)
	var made struct {
		Blob struct {
			Get string `json:"get_url"`
			Put string `json:"put_url"`
		} `json:"source_blob"`
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s, %v", res.StatusCode, body, err)
	}
	return made.Blob.Get, made.Blob.Put
}

// send sends a source without a token, as clients do.
func (f *fixture) send(at string, content []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPut, at, bytes.NewReader(content))
	rec := httptest.NewRecorder()
	f.Handler.ServeHTTP(rec, req)
	return rec
}

func (f *fixture) start(t *testing.T, at string) (int, string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"source_blob": map[string]string{"url": at, "version": "v1"}})
	if err != nil {
		t.Fatal(err)
	}
	res, body := f.Ask("POST", "/apps/hello/builds", string(text), nil)
	return res.StatusCode, body
}

func TestUploadedSourceIsBuilt(t *testing.T) {
	f := newFixture(t)
	get, put := f.urls(t)
	if code, body := f.start(t, get); code != http.StatusNotFound {
		t.Errorf("before it was sent: %d %s", code, body)
	}
	if rec := f.send(put, archive(t)); rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if rec := f.Get(get); rec.Code != http.StatusOK || !bytes.Equal(rec.Body.Bytes(), archive(t)) {
		t.Errorf("it is read as %d, %d bytes", rec.Code, rec.Body.Len())
	}
	code, body := f.start(t, get)
	if code != http.StatusCreated || !strings.Contains(body, `"status":"pending"`) || !strings.Contains(body, `"version":"v1"`) {
		t.Fatalf("%d %s", code, body)
	}
	all, err := f.DB.Builds(t.Context(), wiretest.Hello)
	if err != nil || len(all) != 1 || all[0].Builder != "acme/builder:1" || all[0].By != wiretest.Ada.ID {
		t.Fatalf("builds %+v, %v", all, err)
	}
	if strings.Contains(all[0].Source.URL, "key=") {
		t.Errorf("the record has a key: %s", all[0].Source.URL)
	}
}

func TestURLOfASourceIsForOneThingAndATime(t *testing.T) {
	f := newFixture(t)
	get, put := f.urls(t)
	_, other := f.urls(t)
	key := func(at string) string { return at[strings.Index(at, "?"):] }
	path := func(at string) string { return at[:strings.Index(at, "?")] }
	for name, at := range map[string]string{
		"the key to read": path(put) + key(get), "none": path(put), "another source's": path(put) + key(other),
		"a changed one": put + "x",
	} {
		if rec := f.send(at, archive(t)); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
	if rec := f.send(put, make([]byte, 5000)); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("too large: %d %s", rec.Code, rec.Body)
	}
	f.Late = 2 * time.Hour
	if rec := f.send(put, archive(t)); rec.Code != http.StatusForbidden {
		t.Errorf("too late: %d %s", rec.Code, rec.Body)
	}
	f.Late = 0
	if left, err := os.ReadDir(filepath.Join(f.dir, "uploads")); err != nil || len(left) != 0 {
		t.Errorf("%d files are kept, %v", len(left), err)
	}
}

func TestSourcesThatWaitAreBounded(t *testing.T) {
	f := newFixture(t)
	last := 0
	for range 4 {
		_, put := f.urls(t)
		last = f.send(put, make([]byte, 4000)).Code
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the fourth is answered by %d", last)
	}
}

func TestWhoMayBuild(t *testing.T) {
	for name, headers := range map[string]map[string]string{
		"nobody": {"Authorization": ""}, "a stranger": wiretest.Bearer("bob-token"),
	} {
		f := newFixture(t)
		res, body := f.Ask("POST", "/apps/hello/builds", `{"source_blob":{"url":"https://example.com/a.tgz"}}`, headers)
		if res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
		if all, err := f.DB.Builds(t.Context(), wiretest.Hello); err != nil || len(all) > 0 {
			t.Errorf("%s: builds %v, %v", name, all, err)
		}
	}
}

func TestOutputIsReadByItsURLAlone(t *testing.T) {
	f := newFixture(t)
	build := renga.Build{
		ID: "b0000000-0000-4000-8000-000000000001", App: wiretest.Hello, By: wiretest.Ada.ID, State: renga.BuildFailed,
		Reason: "It was cancelled.", CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born,
	}
	b, err := f.DB.AddBuild(t.Context(), build)
	if err != nil {
		t.Fatal(err)
	}
	to, err := f.outputs.Record(b.App, b.Number)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(to, "-----> Building\n"); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	_, body := f.Ask("GET", "/apps/hello/builds/"+b.ID, "", nil)
	var seen struct {
		URL    string `json:"output_stream_url"`
		Reason string `json:"failure_message"`
	}
	if err := json.Unmarshal([]byte(body), &seen); err != nil || seen.Reason != "It was cancelled." {
		t.Fatalf("%s, %v", body, err)
	}
	if rec := f.Get(seen.URL); rec.Code != http.StatusOK || rec.Body.String() != "-----> Building\n" {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
	at, err := url.Parse(seen.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{at.Path, strings.Replace(seen.URL, b.ID, "b0000000-0000-4000-8000-000000000002", 1)} {
		if rec := f.Get(wrong); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d", wrong, rec.Code)
		}
	}
	if res, body := f.Ask("DELETE", "/apps/hello/builds/"+b.ID, "", nil); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("cancelled again: %d %s", res.StatusCode, body)
	}
}

func TestSourceThatDoesNotComeIsGivenUp(t *testing.T) {
	builds.SetUploadTime(t, 100*time.Millisecond)
	f := newFixture(t)
	_, put := f.urls(t)
	at, err := url.Parse(put)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(f.Handler)
	defer server.Close()
	body, hold := io.Pipe()
	defer func() { _ = hold.Close() }() // so that the client ends, too
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+at.RequestURI(), body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		defer func() { _ = res.Body.Close() }() // only its status counts
		if res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("it is answered by %d", res.StatusCode)
		}
	}
	storetest.Poll(t, "what came to be removed", func() bool {
		left, err := os.ReadDir(filepath.Join(f.dir, "uploads"))
		return err == nil && len(left) == 0
	})
}
