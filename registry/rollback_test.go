package registry_test

import (
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
)

// seen is the digest that the tag names to alice, asking or reading; empty when
// there is none.
func (w *fixture) seen(t testing.TB, method, tag string) string {
	t.Helper()
	res, body := w.do(t, "alice-token", method, "/v2/hello/web/manifests/"+tag, nil, nil)
	if res.StatusCode == http.StatusNotFound {
		return ""
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s gets %d: %s", method, tag, res.StatusCode, body)
	}
	return res.Header.Get("Docker-Content-Digest")
}

// TestTheSameImagePushedAgainAfterARollbackIsReleased, though clients send no
// manifest that they are told is there.
func TestTheSameImagePushedAgainAfterARollbackIsReleased(t *testing.T) {
	w := newFixture(t)
	old, bad := image(t), image(t)
	w.push(t, "hello/web:latest", old)
	first := w.released()[0].Images
	w.push(t, "hello/web:latest", bad)
	w.push(t, "hello/web:latest", bad)
	if n := len(w.released()); n != 2 {
		t.Fatalf("%d releases, want 2: the client need not send what runs", n)
	}
	w.runs(first)
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		if got, want := w.seen(t, method, "latest"), digestOf(t, old); got != want {
			t.Errorf("%s after the rollback names %s, want %s", method, got, want)
		}
	}
	w.push(t, "hello/web:latest", bad)
	if all := w.released(); len(all) != 3 || all[2].Images[renga.Web].Digest != digestOf(t, bad) {
		t.Fatalf("%d releases, want a third of the same image", len(all))
	}
	if got, want := w.seen(t, http.MethodHead, "latest"), digestOf(t, bad); got != want {
		t.Errorf("latest is %s, want %s", got, want)
	}
}

func TestATagOfWhatNoReleaseRunsIsNotFoundByWhoOnlyAsks(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello/web:latest", img)
	w.push(t, "hello/web:v1", img)
	elsewhere := w.released()[0].Images[renga.Web]
	elsewhere.Digest, elsewhere.Pushed = digestOf(t, image(t)), ""
	for name, images := range map[string]map[renga.ProcessType]renga.Image{
		"the process type was removed": nil,
		"it runs a promoted image":     {renga.Web: elsewhere},
	} {
		w.runs(images)
		if got := w.seen(t, http.MethodHead, "latest"); got != "" {
			t.Errorf("%s: HEAD names %s", name, got)
		}
		for method, tag := range map[string]string{http.MethodGet: "latest", http.MethodHead: "v1"} {
			if got, want := w.seen(t, method, tag), digestOf(t, img); got != want {
				t.Errorf("%s: %s %s names %s, want %s", name, method, tag, got, want)
			}
		}
	}
	w.push(t, "hello/web:latest", img)
	if n := len(w.released()); n != 2 {
		t.Errorf("%d releases, want a second of the same image", n)
	}
}

func TestAnAppThatReleasesByItselfKeepsTheTagOfWhatWasPushed(t *testing.T) {
	w := newFixture(t)
	w.push(t, "hello/web:latest", image(t))
	w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "alice", Features: map[string]bool{renga.ReleaseOnPush: false}})
	img := image(t)
	w.push(t, "hello/web:latest", img)
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		if got, want := w.seen(t, method, "latest"), digestOf(t, img); got != want {
			t.Errorf("%s names %s, want %s", method, got, want)
		}
	}
	w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "alice"})
	w.push(t, "hello/web:latest", img)
	if n := len(w.released()); n != 2 {
		t.Errorf("%d releases: with the feature on again a push of the same releases it", n)
	}
}

func TestDockerPullsWhatRunsAfterARollback(t *testing.T) {
	w, d := newFixture(t), docker{t.TempDir()}
	old, bad := image(t), image(t)
	w.push(t, "hello/web:latest", old)
	first := w.released()[0].Images
	d.must(t, "alice-token", "login", "-u", "_", "--password-stdin", w.host)
	ref := d.load(t, w, "hello/web:latest", bad)
	d.must(t, "", "push", ref)
	w.runs(first)
	d.must(t, "", "push", ref)
	if all := w.released(); len(all) != 3 || all[2].Images[renga.Web].Digest != w.tagOf(t, "hello/web:latest") {
		t.Fatalf("%d releases, want a third of the same image", len(all))
	}
	w.runs(first)
	d.must(t, "", "rmi", ref)
	d.must(t, "", "pull", ref)
	if id, want := d.must(t, "", "image", "inspect", "--format", "{{.Id}}", ref),
		first[renga.Web].Config; id != want+"\n" {
		t.Errorf("pulled %s, want what runs: %s", id, want)
	}
	w.runs(nil)
	d.must(t, "", "rmi", ref)
	d.must(t, "", "pull", ref) // docker reads when it is told that there is nothing
	if err := remote.Write(w.ref(t, "hello/web:latest"), bad, as("alice-token")...); err != nil {
		t.Fatal(err)
	}
}
