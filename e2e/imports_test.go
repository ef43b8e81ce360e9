package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// secondRegistry is a bare distribution. Its blobs come only half while it is held.
type secondRegistry struct {
	host string
	app  atomic.Pointer[handlers.App]
	held atomic.Bool
	half atomic.Int64 // blobs that came half
}

func newSecondRegistry(s *story) *secondRegistry {
	r := &secondRegistry{}
	r.restart(s)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		app := r.app.Load()
		if r.held.Load() && req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/") {
			rec := httptest.NewRecorder()
			app.ServeHTTP(rec, req)
			if body := rec.Body.Bytes(); len(body) > 64<<10 { // a layer
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				_, _ = w.Write(body[:len(body)/2])
				_ = http.NewResponseController(w).Flush()
				r.half.Add(1)
				<-req.Context().Done() // until the one who asked is gone
				return
			}
			_, _ = w.Write(rec.Body.Bytes())
			return
		}
		app.ServeHTTP(w, req)
	}))
	s.Cleanup(srv.Close)
	r.host = strings.TrimPrefix(srv.URL, "http://")
	return r
}

// restart starts it anew, empty, with those to whom it tells of what is pushed.
func (r *secondRegistry) restart(s *story, told ...configuration.Endpoint) {
	cfg := &configuration.Configuration{Storage: configuration.Storage{"inmemory": {}}}
	cfg.HTTP.Secret = strings.Repeat("s", 32)
	cfg.Catalog.MaxEntries = 10
	cfg.Notifications.Endpoints = told
	r.app.Store(handlers.NewApp(s.Context(), cfg))
}

func TestAnImageOfAnotherRegistryIsReleasedThoughWeAreKilledMeanwhile(t *testing.T) {
	s := newStory(t)
	other := newSecondRegistry(s)
	s.start("--egress-allow=127.0.0.0/8")
	s.api(http.StatusCreated, "POST", "/apps", map[string]any{"name": "hello"})

	img := s.image("v1")
	ref, err := name.ParseReference(other.host + "/acme/shop:stable")
	s.must(err)
	s.must(remote.Write(ref, img))
	digest, err := img.Digest()
	s.must(err)

	other.held.Store(true)
	var ordered struct{ ID, State string }
	s.must(json.Unmarshal(s.api(http.StatusAccepted, "POST", "/apps/hello/releases",
		map[string]any{"image": ref.Name()}), &ordered))
	s.poll(func() error {
		if other.half.Load() == 0 {
			return fmt.Errorf("no layer is under way: %s", s.api(http.StatusOK, "GET", "/apps/hello/imports/"+ordered.ID, nil))
		}
		return nil
	})
	s.must(s.w.Kill())
	other.held.Store(false)
	s.start("--egress-allow=127.0.0.0/8")

	var done struct {
		State, Digest string
		Reason        *string
		Release       struct{ Version int }
	}
	s.poll(func() error {
		answer := s.api(http.StatusOK, "GET", "/apps/hello/imports/"+ordered.ID, nil)
		s.must(json.Unmarshal(answer, &done))
		if done.State != "released" {
			return fmt.Errorf("the import is %s", answer)
		}
		return nil
	})
	if done.Digest != digest.String() || done.Release.Version != 2 {
		t.Errorf("released %+v, want v2 of %s", done, digest)
	}
	var release struct{ Images map[string]string }
	s.must(json.Unmarshal(s.api(http.StatusOK, "GET", "/apps/hello/releases/2", nil), &release))
	if release.Images["web"] != digest.String() {
		t.Errorf("v2 runs %v, want %s", release.Images, digest)
	}
	s.up("hello", "v1")
	if status, answer := s.ask("GET", "/apps/hello/releases/3", nil); status != http.StatusNotFound {
		t.Errorf("there is another release: %d %s", status, answer)
	}
}

// TestAPushToAnotherRegistryIsReleased has a bare distribution tell of pushes by its
// own notifications: one of a tag that the webhook is for, one of another.
func TestAPushToAnotherRegistryIsReleased(t *testing.T) {
	s := newStory(t)
	other := newSecondRegistry(s)
	s.start("--egress-allow=127.0.0.0/8")
	s.api(http.StatusCreated, "POST", "/apps", map[string]any{"name": "hello"})
	var hook struct{ ID, URL, Secret string }
	s.must(json.Unmarshal(s.api(http.StatusCreated, "POST", "/apps/hello/registry-webhooks", map[string]any{
		"source": "distribution", "repository": other.host + "/acme/shop", "tag": "v*",
	}), &hook))
	_, path, _ := strings.Cut(hook.URL, "/webhooks/")
	other.restart(s, configuration.Endpoint{
		Name: "renga", URL: "http://" + s.w.Addr + "/webhooks/" + path, Timeout: 10 * time.Second, Threshold: 3,
		Backoff: time.Second, Headers: http.Header{"Authorization": {"Bearer " + hook.Secret}},
	})

	img := s.image("v1")
	for _, tag := range []string{"latest", "v1"} { // told of in this order
		ref, err := name.ParseReference(other.host + "/acme/shop:" + tag)
		s.must(err)
		s.must(remote.Write(ref, img))
	}
	digest, err := img.Digest()
	s.must(err)
	type imported struct {
		Image, State, Digest string
		Rule                 struct{ ID string } `json:"registry_webhook"`
		Release              struct{ Version int }
	}
	var all []imported
	s.poll(func() error {
		answer := s.api(http.StatusOK, "GET", "/apps/hello/imports", nil)
		s.must(json.Unmarshal(answer, &all))
		if len(all) == 0 || all[0].State != "released" {
			return fmt.Errorf("the imports are %s", answer)
		}
		return nil
	})
	want := imported{Image: other.host + "/acme/shop:v1", State: "released", Digest: digest.String()}
	want.Rule.ID, want.Release.Version = hook.ID, 2
	if len(all) != 1 || all[0] != want {
		t.Errorf("the imports are %+v, want only %+v", all, want)
	}
	s.up("hello", "v1")
}

// TestATagOfAnotherRegistryIsPolled has an app find by itself what a bare distribution
// has, which tells nobody anything.
func TestATagOfAnotherRegistryIsPolled(t *testing.T) {
	s := newStory(t)
	other := newSecondRegistry(s)
	s.start("--egress-allow=127.0.0.0/8")
	s.api(http.StatusCreated, "POST", "/apps", map[string]any{"name": "hello"})
	ref, err := name.ParseReference(other.host + "/acme/shop:stable")
	s.must(err)
	img := s.image("v1")
	s.must(remote.Write(ref, img))
	digest, err := img.Digest()
	s.must(err)
	var made struct {
		ID      string
		URL     *string
		Secret  string
		Polling struct {
			Every  int `json:"every_seconds"`
			Digest string
		}
	}
	s.must(json.Unmarshal(s.api(http.StatusCreated, "POST", "/apps/hello/registry-webhooks", map[string]any{
		"source": "poll", "repository": other.host + "/acme/shop", "tag": "stable", "poll_seconds": 60,
	}), &made))
	if made.URL != nil || made.Secret != "" || made.Polling.Every != 60 {
		t.Errorf("it is %+v", made)
	}
	s.up("hello", "v1")
	s.poll(func() error {
		answer := s.api(http.StatusOK, "GET", "/apps/hello/registry-webhooks/"+made.ID, nil)
		s.must(json.Unmarshal(answer, &made))
		if made.Polling.Digest != digest.String() {
			return fmt.Errorf("it knows %s", answer)
		}
		return nil
	})
	var release struct{ Images map[string]string }
	s.must(json.Unmarshal(s.api(http.StatusOK, "GET", "/apps/hello/releases/2", nil), &release))
	if release.Images["web"] != digest.String() {
		t.Errorf("v2 runs %v, want %s", release.Images, digest)
	}
}
