package registry_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
	"renga/registry"
)

// told is what a registry has told, and what it gets for an answer.
type told struct {
	mu   sync.Mutex
	all  []renga.ContentEvent
	fail error
}

func (o *told) tell(_ context.Context, e renga.ContentEvent) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return o.fail
	}
	o.all = append(o.all, e)
	return nil
}

func (o *told) failWith(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = err
}

// take gives what was told since, in short, and forgets it.
func (o *told) take() (short []string, all []renga.ContentEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	all, o.all = o.all, nil
	for _, e := range all {
		short = append(short, strings.Join([]string{string(e.Kind), string(e.App.ID), e.Repository, e.Tag, e.Digest, string(e.By)}, " "))
	}
	slices.Sort(short)
	return short, all
}

func (o *told) wants(t *testing.T, what string, want ...string) []renga.ContentEvent {
	t.Helper()
	got, all := o.take()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s is told as %q, want %q", what, got, want)
	}
	return all
}

func newTold(t *testing.T) (*fixture, *told) {
	t.Helper()
	o := &told{}
	return newFixture(t, func(opts *registry.Options) { opts.Tell = o.tell }), o
}

func TestWhatHappensToContentIsTold(t *testing.T) {
	w, o := newTold(t)
	img := image(t)
	dgst := digestOf(t, img)
	w.push(t, "hello/web:latest", img)
	all := o.wants(t, "a push", "registry:push app-hello hello/web latest "+dgst+" alice")
	if pushed := w.released(); len(all) != 1 || len(pushed) != 1 || all[0].ID != pushed[0].ID ||
		all[0].MediaType == "" || all[0].Size == 0 || all[0].Method != "PUT" || !strings.HasPrefix(all[0].Addr, "127.0.0.1:") ||
		all[0].Host != w.host || all[0].UserAgent == "" {
		t.Errorf("the push is told as %+v, and its release is of %+v", all, pushed)
	}
	w.push(t, "hello/web:v1", img)
	o.wants(t, "a push to another tag", "registry:push app-hello hello/web v1 "+dgst+" alice")

	get := func(token, method, path string) {
		t.Helper()
		if res, body := w.do(t, token, method, path, nil, nil); res.StatusCode >= 300 {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	for range 3 {
		get("alice-token", "GET", "/v2/hello/web/manifests/v1")
	}
	o.wants(t, "pulling thrice", "registry:pull app-hello hello/web v1 "+dgst+" alice")
	get("alice-token", "HEAD", "/v2/hello/web/manifests/v1")
	get("pull-secret", "GET", "/v2/hello/web/manifests/v1")
	o.wants(t, "looking, and the platform's own pull")

	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	layer := digestOf(t, layers[0])
	get("alice-token", "POST", "/v2/hello/worker/blobs/uploads/?mount="+layer+"&from=hello/web")
	if all := o.wants(t, "a mount", "registry:mount app-hello hello/worker  "+layer+" alice"); len(all) == 1 && all[0].From != "hello/web" {
		t.Errorf("mounted from %q", all[0].From)
	}
	w.set(renga.App{ID: "app-second", Name: "second", Owner: "alice"})
	get("alice-token", "POST", "/v2/second/web/blobs/uploads/?mount="+layer+"&from=hello/web")
	if all := o.wants(t, "a mount of another app's", "registry:mount app-second second/web  "+layer+" alice"); len(all) == 1 &&
		all[0].From != "" {
		t.Errorf("the people of one app learn of the app in %q", all[0].From)
	}
	get("alice-token", "DELETE", "/v2/hello/web/manifests/v1")
	get("alice-token", "DELETE", "/v2/hello/web/manifests/"+dgst)
	get("alice-token", "DELETE", "/v2/hello/web/blobs/"+layer)
	o.wants(t, "deleting", "registry:delete app-hello hello/web v1  alice", "registry:delete app-hello hello/web  "+dgst+" alice",
		"registry:delete app-hello hello/web  "+layer+" alice")

	if err := remote.Write(w.ref(t, "hello/web:latest"), image(t), as("bob-token")...); err == nil {
		t.Error("bob may push")
	}
	o.wants(t, "what is refused")
}

// A push whose event cannot be written down is not acknowledged, and is told once that
// is over, under the same id.
func TestAPushIsToldThoughThatFailsAtFirst(t *testing.T) {
	w, o := newTold(t)
	o.failWith(renga.Errorf(renga.Unavailable, "Redis is away."))
	img := image(t)
	wantRefusal(t, remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...), http.StatusServiceUnavailable)
	wantRefusal(t, remote.Write(w.ref(t, "hello/web:other"), img, as("alice-token")...), http.StatusServiceUnavailable)
	o.failWith(nil)
	w.restart(t)
	if err := w.reg.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := o.wants(t, "the push", "registry:push app-hello hello/web latest "+digestOf(t, img)+" alice")
	if pushed := w.released(); len(all) != 1 || len(pushed) == 0 || all[0].ID != pushed[0].ID {
		t.Errorf("told %+v, released %+v", all, pushed)
	}
	o.failWith(errors.New("broken"))
	if res, body := w.do(t, "pull-secret", "GET", "/v2/hello/web/manifests/latest", nil, nil); res.StatusCode != http.StatusOK {
		t.Errorf("a pull fails for want of webhooks: %d %s", res.StatusCode, body)
	}
	if res, body := w.do(t, "alice-token", "GET", "/v2/hello/web/manifests/latest", nil, nil); res.StatusCode != http.StatusOK {
		t.Errorf("a pull fails for want of webhooks: %d %s", res.StatusCode, body)
	}
}
