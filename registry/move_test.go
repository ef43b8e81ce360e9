package registry_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
)

var rename = renga.Rename{App: "app-hello", From: "hello", To: "world"}

// moved is a fixture with one image in hello/web, and with what the ledger would
// have made beside it.
func moved(t *testing.T) (w *fixture, digest string) {
	w = newFixture(t)
	img := image(t)
	w.push(t, "hello/web:latest", img)
	if err := os.MkdirAll(w.dirOf("hello", "releases"), 0o700); err != nil {
		t.Fatal(err)
	}
	return w, digestOf(t, img)
}

// dirOf is where a repository, or all of an app's, lies.
func (w *fixture) dirOf(parts ...string) string {
	return filepath.Join(append([]string{w.options.Dir, "docker/registry/v2/repositories"}, parts...)...)
}

// pulls wants a repository's tag latest to give a whole image.
func (w *fixture) pulls(t *testing.T, repository, digest string, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		img, err := remote.Image(w.ref(t, repository+":latest"), as(token)...)
		if err != nil {
			t.Errorf("pull %s with %s: %v", repository, token, err)
			continue
		}
		if _, err := img.RawConfigFile(); err != nil || digestOf(t, img) != digest {
			t.Errorf("pull %s with %s: %s, %v; want %s", repository, token, digestOf(t, img), err, digest)
		}
	}
}

func TestRepositoriesAreThereAllTheWayThroughARename(t *testing.T) {
	w, digest := moved(t)
	ctx := t.Context()
	err := w.reg.Hold(ctx, "hello", "world", func() error { return w.reg.BeginMove(ctx, rename) })
	if err != nil {
		t.Fatal(err)
	}
	w.pulls(t, "hello/web", digest, "alice-token", "pull-secret")
	w.pulls(t, "world/web", digest, "pull-secret")
	w.rename("hello", "world")
	w.pulls(t, "hello/web", digest, "alice-token", "pull-secret")
	w.pulls(t, "world/web", digest, "alice-token", "pull-secret")
	for range 2 { // ending it twice is no error
		if err := w.reg.EndMove(ctx, rename); err != nil {
			t.Fatal(err)
		}
	}
	w.pulls(t, "hello/web", digest, "alice-token", "pull-secret")
	w.pulls(t, "world/web", digest, "alice-token", "pull-secret")
	w.ended(t, "world")
}

// ended wants an app's repositories under that name and nothing of the rename.
func (w *fixture) ended(t *testing.T, name string) {
	t.Helper()
	if left, err := w.reg.Moves(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("renames %v, %v", left, err)
	}
	for _, other := range []string{"hello", "world"} {
		info, err := os.Lstat(w.dirOf(other))
		if other == name && (err != nil || !info.IsDir()) || other != name && !os.IsNotExist(err) {
			t.Errorf("%s: %v, %v; want the repositories under %s", other, info, err, name)
		}
	}
}

func TestARenameCutShortAnywhereIsEndedOrUndone(t *testing.T) {
	for name, crash := range map[string]func(*testing.T, *fixture){
		"before the link": func(t *testing.T, w *fixture) { must(t, os.Remove(w.dirOf("world"))) },
		"after the link":  func(*testing.T, *fixture) {},
	} {
		t.Run("undone "+name, func(t *testing.T) {
			w := begun(t, crash)
			must(t, w.reg.UndoMove(t.Context(), rename))
			w.ended(t, "hello")
		})
		t.Run("ended "+name, func(t *testing.T) {
			w := begun(t, crash)
			must(t, w.reg.EndMove(t.Context(), rename))
			w.ended(t, "world")
		})
	}
	t.Run("ended after the directory", func(t *testing.T) {
		w := begun(t, func(t *testing.T, w *fixture) {
			must(t, os.Remove(w.dirOf("world")))
			must(t, os.Rename(w.dirOf("hello"), w.dirOf("world")))
		})
		must(t, w.reg.EndMove(t.Context(), rename))
		w.ended(t, "world")
	})
}

// begun is a fixture that was killed in the middle of a rename, and came back.
func begun(t *testing.T, crash func(*testing.T, *fixture)) *fixture {
	t.Helper()
	w, _ := moved(t)
	must(t, w.reg.BeginMove(t.Context(), rename))
	crash(t, w)
	w.restart(t)
	left, err := w.reg.Moves(t.Context())
	if err != nil || !slices.Equal(left, []renga.Rename{rename}) {
		t.Fatalf("after the crash renames %v, %v", left, err)
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPushToAFormerNameIsOneToTheApp(t *testing.T) {
	w, _ := moved(t)
	must(t, w.reg.BeginMove(t.Context(), rename))
	w.rename("hello", "world")
	must(t, w.reg.EndMove(t.Context(), rename))
	img := image(t)
	w.push(t, "hello/web:latest", img)
	w.pulls(t, "world/web", digestOf(t, img), "alice-token")
	pushes := w.released()
	last := pushes[len(pushes)-1]
	if last.App != "world" || last.AppID != "app-hello" || last.Images["web"].Repository != "world/web" {
		t.Errorf("it asks for the release %+v", last)
	}
	w.ended(t, "world")
	if err := remote.Write(w.ref(t, "hello/web:latest"), image(t), as("bob-token")...); err == nil {
		t.Error("somebody else could push to the former name")
	}
}

func TestAPushThatWaitsIsReleasedUnderTheNewName(t *testing.T) {
	w, _ := moved(t)
	w.failWith(renga.Errorf(renga.Unavailable, "Redis is away."))
	img := image(t)
	err := remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...)
	wantRefusal(t, err, http.StatusServiceUnavailable)
	must(t, w.reg.BeginMove(t.Context(), rename))
	w.rename("hello", "world")
	must(t, w.reg.EndMove(t.Context(), rename))
	w.failWith(nil)
	w.restart(t)
	must(t, w.reg.Recover(t.Context()))
	pushes := w.released()
	if last := pushes[len(pushes)-1]; last.App != "world" || last.AppID != "app-hello" ||
		last.Images["web"].Digest != digestOf(t, img) {
		t.Errorf("released %+v", last)
	}
	if stats := w.reg.Stats(); stats.Waiting != 0 {
		t.Errorf("%d pushes still wait", stats.Waiting)
	}
}

func TestARenameIsNotBegunOverOthersReleases(t *testing.T) {
	w, digest := moved(t)
	must(t, os.MkdirAll(w.dirOf("world", "releases"), 0o700))
	if err := w.reg.BeginMove(t.Context(), rename); renga.KindOf(err) != renga.Conflict {
		t.Errorf("got %v", err)
	}
	must(t, os.RemoveAll(w.dirOf("world")))
	must(t, os.MkdirAll(w.dirOf("world", "web", "_uploads", "left"), 0o700)) // by a first push that never ended
	must(t, w.reg.BeginMove(t.Context(), rename))
	w.pulls(t, "world/web", digest, "pull-secret")
}

func TestNothingOfARemovedAppAnswers(t *testing.T) {
	w, _ := moved(t)
	must(t, w.reg.RemoveApp(t.Context(), "hello"))
	w.mu.Lock()
	delete(w.apps, "hello")
	w.mu.Unlock()
	for _, path := range []string{
		"/v2/hello/web/manifests/latest", "/v2/hello/web/tags/list", "/v2/hello/releases/manifests/v1",
	} {
		if res, body := w.do(t, "alice-token", "GET", path, nil, nil); res.StatusCode != http.StatusNotFound ||
			ociCode(t, body) != "NAME_UNKNOWN" {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
		if res, body := w.do(t, "pull-secret", "GET", path, nil, nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s for the dyno manager: %d %s", path, res.StatusCode, body)
		}
	}
	err := filepath.WalkDir(w.dirOf(), func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(path, "hello") {
			t.Errorf("%s is left", path)
		}
		return err
	})
	must(t, err)
}

func TestWithoutReleaseOnPushAnImageIsStoredOnly(t *testing.T) {
	w := newFixture(t)
	w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "alice", Features: map[string]bool{renga.ReleaseOnPush: false}})
	img := image(t)
	w.push(t, "hello/web:latest", img)
	if pushes := w.released(); len(pushes) != 0 {
		t.Errorf("released %+v", pushes)
	}
	w.finds(t, renga.Web, "latest", digestOf(t, img))
	res, body := w.put(t, "hello/web", img)
	if res.StatusCode != http.StatusCreated || !strings.Contains(res.Header.Get("Warning"),
		"heroku container:release web -a hello") {
		t.Errorf("%d %s, warning %q", res.StatusCode, body, res.Header.Get("Warning"))
	}
	if stats := w.reg.Stats(); stats.Waiting != 0 {
		t.Errorf("%d intents wait", stats.Waiting)
	}
	idle := image(t, func(c *v1.ConfigFile) { c.Config.Entrypoint, c.Config.Cmd = nil, nil })
	wantRefusal(t, remote.Write(w.ref(t, "hello/web:latest"), idle, as("alice-token")...), http.StatusForbidden,
		"no command")
}
