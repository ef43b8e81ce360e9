package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3/notifications"

	"renga/e2e"
)

// receiver takes webhooks, or refuses them for as long as it is told to.
type receiver struct {
	*httptest.Server
	refusing atomic.Bool
	refused  atomic.Int64

	mu    sync.Mutex
	taken []string // what each delivery says, in short
	wrong []string // what was wrong with one
}

// what a delivery says, as far as the tests look.
type told struct {
	Action   string `json:"action"`
	Resource string `json:"resource"`
	Data     struct {
		Version int `json:"version"`
	} `json:"data"`
	Actor struct {
		Email string `json:"email"`
	} `json:"actor"`
}

func newReceiver(s *story, secret string) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.refusing.Load() {
			r.refused.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.take(req, secret)
	}))
	s.Cleanup(r.Close)
	return r
}

func (r *receiver) take(req *http.Request, secret string) {
	body, err := io.ReadAll(req.Body)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if got, want := req.Header.Get("Heroku-Webhook-Hmac-SHA256"), base64.StdEncoding.EncodeToString(mac.Sum(nil)); err != nil || got != want {
		r.wrong = append(r.wrong, fmt.Sprintf("signature %q, want %q, %v", got, want, err))
	}
	var t told
	if err := json.Unmarshal(body, &t); err != nil {
		r.wrong = append(r.wrong, err.Error())
	}
	r.taken = append(r.taken, fmt.Sprintf("%s %s v%d by %s", t.Resource, t.Action, t.Data.Version, t.Actor.Email))
}

// waits until all of those were delivered, in whatever order and however often.
func (r *receiver) waits(s *story, want ...string) {
	s.Helper()
	s.must(e2e.Poll(s.Context(), func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, w := range want {
			if !slices.Contains(r.taken, w) {
				return fmt.Errorf("not told of %q, only of %q", w, r.taken)
			}
		}
		return nil
	}))
	if len(r.wrong) > 0 {
		s.Errorf("deliveries were wrong: %q", r.wrong)
	}
}

// TestWebhooksTellOfEveryReleaseThoughRengaIsKilled: each acknowledged change is
// told to a receiver that was away when it happened, by a platform that was
// killed in between.
func TestWebhooksTellOfEveryReleaseThoughRengaIsKilled(t *testing.T) {
	s := newStory(t)
	s.must(s.w.Start(t.Context(), quickly("--egress-allow", "127.0.0.0/8")...))
	s.push("hello", "one")
	s.up("hello", "one")
	r := newReceiver(s, "between us")
	s.api(http.StatusCreated, http.MethodPost, "/apps/hello/webhooks", map[string]any{
		"include": []string{"api:release"}, "level": "sync", "url": r.URL, "secret": "between us",
	})
	operator := "operator@renga.localhost"
	s.set("hello", map[string]any{"A": "1"})
	r.waits(s, "release create v3 by "+operator, "release update v3 by "+operator)

	r.refusing.Store(true)
	s.set("hello", map[string]any{"A": "2"})
	s.must(e2e.Poll(t.Context(), func() error {
		if r.refused.Load() == 0 {
			return fmt.Errorf("nothing was refused yet")
		}
		return nil
	}))
	s.set("hello", map[string]any{"A": "3"})
	s.must(s.w.Kill())
	r.refusing.Store(false)
	s.must(s.w.Start(t.Context(), quickly("--egress-allow", "127.0.0.0/8")...))
	r.waits(s, "release create v4 by "+operator, "release create v5 by "+operator, "release update v5 by "+operator)
}

// TestRegistryWebhooksTellOfEveryPushThoughRengaIsKilled: as a registry does, to whoever
// knows the notifications of distribution; those of an app, and those of the platform.
func TestRegistryWebhooksTellOfEveryPushThoughRengaIsKilled(t *testing.T) {
	s := newStory(t)
	s.must(s.w.Start(t.Context(), quickly("--egress-allow", "127.0.0.0/8")...))
	s.api(http.StatusCreated, "POST", "/apps", map[string]any{"name": "hello"})
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.refusing.Load() {
			r.refused.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.takeContent(req)
	}))
	s.Cleanup(r.Close)
	for _, path := range []string{"/apps/hello/webhooks", "/platform/webhooks"} {
		s.api(http.StatusCreated, "POST", path, map[string]any{
			"include": []string{"registry:push", "registry:delete"}, "level": "sync", "url": r.URL + path,
		})
	}
	r.refusing.Store(true)
	img := s.image("one")
	digest, err := img.Digest()
	s.must(err)
	s.must(s.tryPush("hello:latest", img, http.DefaultTransport))
	s.must(s.tryPush("hello:other", img, http.DefaultTransport))
	s.poll(func() error {
		if r.refused.Load() == 0 {
			return fmt.Errorf("nothing was refused yet")
		}
		return nil
	})
	s.must(s.w.Kill())
	r.refusing.Store(false)
	s.must(s.w.Start(t.Context(), quickly("--egress-allow", "127.0.0.0/8")...))
	r.waits(s, "/apps/hello/webhooks push hello/web:latest "+digest.String()+" by operator@renga.localhost",
		"/apps/hello/webhooks push hello/web:other "+digest.String()+" by operator@renga.localhost",
		"/platform/webhooks push hello/web:latest "+digest.String()+" by operator@renga.localhost",
		"/platform/webhooks push hello/web:other "+digest.String()+" by operator@renga.localhost")
}

// takeContent reads what a registry tells.
func (r *receiver) takeContent(req *http.Request) {
	var envelope struct{ Events []notifications.Event }
	err := json.NewDecoder(req.Body).Decode(&envelope)
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := req.Header.Get("Content-Type"); err != nil || got != notifications.EventsMediaType {
		r.wrong = append(r.wrong, fmt.Sprintf("Content-Type %q, %v", got, err))
	}
	for _, e := range envelope.Events {
		r.taken = append(r.taken, fmt.Sprintf("%s %s %s:%s %s by %s", req.URL.Path, e.Action, e.Target.Repository, e.Target.Tag,
			e.Target.Digest, e.Actor.Name))
	}
}
