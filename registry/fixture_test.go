package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"renga"
	"renga/registry"
)

// fakeDirectory is a Directory and a Releaser in memory. Tokens are
// "<account>-token", "<account>-<scope>-token" for less than all, and
// "<account>-robot:<app's id>:<scope>-token" for a robot.
type fakeDirectory struct {
	mu     sync.Mutex
	apps   map[string]renga.App
	pushes []renga.Push
	newest map[renga.ProcessType]renga.Image // of the app hello, as a push leaves it or a test
	former map[string]string                 // names of apps that have another now
	fail   error                             // what Push answers
	shown  renga.ShownToken                  // the last one
}

func (t *fakeDirectory) Holder(_ context.Context, shown renga.ShownToken) (renga.Bearer, error) {
	t.mu.Lock()
	t.shown = shown
	t.mu.Unlock()
	id, ok := strings.CutSuffix(shown.Token, "-token")
	if !ok {
		return renga.Bearer{}, renga.Errorf(renga.Unauthorized, "no such token")
	}
	id, scope, scoped := strings.Cut(id, "-")
	if !scoped {
		scope = string(renga.ScopeGlobal)
	}
	app := ""
	if robot, ok := strings.CutPrefix(scope, "robot:"); ok {
		app, scope, _ = strings.Cut(robot, ":")
	}
	return renga.Bearer{
		Account:       renga.Account{ID: renga.AccountID(id)},
		Authorization: renga.Authorization{Scopes: renga.Scopes{renga.Scope(scope)}, App: renga.AppID(app)},
	}, nil
}

func (t *fakeDirectory) AppByRepository(_ context.Context, name string) (renga.App, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now, ok := t.former[name]; ok {
		name = now
	}
	if app, ok := t.apps[name]; ok {
		return app, nil
	}
	return renga.App{}, renga.Errorf(renga.NotFound, "no such app")
}

func (t *fakeDirectory) Apps(context.Context) ([]renga.App, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.apps)), nil
}

func (t *fakeDirectory) Push(_ context.Context, p renga.Push) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fail == nil {
		t.pushes = append(t.pushes, p)
		t.newest = maps.Clone(p.Images)
	}
	return t.fail
}

func (t *fakeDirectory) Head(context.Context, renga.AppID) (renga.ReleaseRecord, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return renga.ReleaseRecord{Images: t.newest}, nil
}

// runs makes a new release of images that were pushed before, as a rollback does.
func (t *fakeDirectory) runs(images map[renga.ProcessType]renga.Image) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest = images
}

func (t *fakeDirectory) set(app renga.App) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.apps[app.Name] = app
}

// rename does what the store does in the middle of a rename.
func (t *fakeDirectory) rename(from, to string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	app := t.apps[from]
	app.Name = to
	delete(t.apps, from)
	t.apps[to] = app
	t.former = map[string]string{from: to}
}

func (t *fakeDirectory) failWith(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail = err
}

func (t *fakeDirectory) released() []renga.Push {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]renga.Push(nil), t.pushes...)
}

// fixture is a registry that serves, with the apps hello and other.
type fixture struct {
	*fakeDirectory
	reg     *registry.Registry
	options registry.Options
	host    string
	log     *lockedBuffer
}

func newFixture(t testing.TB, change ...func(*registry.Options)) *fixture {
	t.Helper()
	dir := t.TempDir()
	w := &fixture{
		fakeDirectory: &fakeDirectory{apps: map[string]renga.App{
			"hello": {ID: "app-hello", Name: "hello", Owner: "alice"},
			"other": {ID: "app-other", Name: "other", Owner: "bob"},
		}},
		log: &lockedBuffer{},
	}
	w.options = registry.Options{
		Dir: filepath.Join(dir, "registry"), IntentDir: filepath.Join(dir, "pushes"),
		Secret: bytes.Repeat([]byte("s"), 32), CreateOnPush: true, PullToken: "pull-secret",
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&w.options)
	}
	w.restart(t)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.reg.ServeHTTP(rw, r) }))
	t.Cleanup(srv.Close)
	w.host = strings.TrimPrefix(srv.URL, "http://")
	return w
}

// restart opens the registry anew on the same directories.
func (w *fixture) restart(t testing.TB) {
	t.Helper()
	reg, err := registry.New(w.options, w.fakeDirectory, w.fakeDirectory)
	if err != nil {
		t.Fatal(err)
	}
	w.reg = reg
}

func (w *fixture) ref(t testing.TB, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(w.host+"/"+s, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// as are the options of a client that holds that token and never tries twice.
func as(token string) []remote.Option {
	return []remote.Option{
		remote.WithAuth(&authn.Basic{Username: "_", Password: token}),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
	}
}

// do makes a request as the holder of token; any user name will do.
func (w *fixture) do(t testing.TB, token, method, path string, header http.Header,
	body []byte) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+w.host+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	if token != "" {
		req.SetBasicAuth("anybody", token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(raw)
}

// ociCode is the code of an OCI error body.
func ociCode(t testing.TB, body string) string {
	t.Helper()
	var e struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || len(e.Errors) == 0 {
		t.Fatalf("no OCI error body: %q", body)
	}
	return e.Errors[0].Code
}

// image is a small random image with a command; change may edit its config.
func image(t testing.TB, change ...func(*v1.ConfigFile)) v1.Image {
	t.Helper()
	img, err := random.Image(512, 2)
	if err != nil {
		t.Fatal(err)
	}
	return configured(t, img, append([]func(*v1.ConfigFile){func(c *v1.ConfigFile) {
		c.OS, c.Architecture = "linux", "amd64"
		c.Config.Entrypoint, c.Config.Cmd = []string{"/app"}, []string{"serve"}
	}}, change...)...)
}

func configured(t testing.TB, img v1.Image, change ...func(*v1.ConfigFile)) v1.Image {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	for _, c := range change {
		c(config)
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

func (w *fixture) push(t testing.TB, ref string, img v1.Image) {
	t.Helper()
	if err := remote.Write(w.ref(t, ref), img, as("alice-token")...); err != nil {
		t.Fatalf("push %s: %v", ref, err)
	}
}

// put sends the manifest of an image whose blobs are there already to the tag
// latest, without asking first, as docker does.
func (w *fixture) put(t testing.TB, repository string, img v1.Image) (*http.Response, string) {
	t.Helper()
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	mediaType, err := img.MediaType()
	if err != nil {
		t.Fatal(err)
	}
	return w.do(t, "alice-token", "PUT", "/v2/"+repository+"/manifests/latest",
		http.Header{"Content-Type": {string(mediaType)}}, raw)
}

// tagOf is the digest that a tag names; empty when there is no such tag.
func (w *fixture) tagOf(t testing.TB, ref string) string {
	t.Helper()
	desc, err := remote.Head(w.ref(t, ref), as("pull-secret")...)
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return desc.Digest.String()
}

func digestOf(t testing.TB, d interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// status checks that err is an answer of the registry with that status, and
// that its text has all the given parts.
func wantRefusal(t testing.TB, err error, status int, parts ...string) {
	t.Helper()
	var answer *transport.Error
	if !errors.As(err, &answer) || answer.StatusCode != status {
		t.Fatalf("got %v, want status %d", err, status)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
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
