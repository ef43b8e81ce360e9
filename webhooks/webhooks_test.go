package webhooks_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/egress"
	"renga/store"
	"renga/store/storetest"
	"renga/webhooks"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// fixture is an app in a real store, and clocks to be wound.
type fixture struct {
	*testing.T
	db    *store.Store
	app   renga.App
	later atomic.Int64 // how much later it is than really
	open  []netip.Prefix
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db, err := storetest.New()
	if err != nil {
		t.Fatal(err)
	}
	app := renga.App{ID: renga.AppID(uuid.NewString()), Name: "hello", Owner: "ada"}
	if err := db.CreateApp(t.Context(), app, renga.ReleaseRecord{
		App: app.ID, Version: 1, Digest: "sha256:1",
	}); err != nil {
		t.Fatal(err)
	}
	return &fixture{T: t, db: db, app: app, open: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

func (r *fixture) hook(url string, level renga.WebhookLevel) renga.Webhook {
	r.Helper()
	w := renga.Webhook{
		ID: uuid.NewString(), URL: url, Level: level, Include: []renga.EventKind{renga.AppEvent},
		Secret: "sign", Authorization: "Bearer who", CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	if err := r.db.EditWebhooks(r.Context(), r.app.ID, func(hooks map[string]renga.Webhook) error {
		hooks[w.ID] = w
		return nil
	}); err != nil {
		r.Fatal(err)
	}
	return w
}

// event makes something happen.
func (r *fixture) event() {
	r.Helper()
	if _, err := r.db.UpdateApp(r.Context(), r.app.ID, func(a *renga.App) error {
		a.Maintenance = !a.Maintenance
		return nil
	}); err != nil {
		r.Fatal(err)
	}
}

// run runs the room until the test ends, or stop is called.
func (r *fixture) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	room := webhooks.New(webhooks.Options{
		Dial: egress.New(r.open).Dial, Pause: func(int) time.Duration { return time.Millisecond },
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(time.Duration(r.later.Load())) },
	}, r.db, r)
	go func() { ended <- room.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.Error(err)
		}
	})
	r.Cleanup(stop)
	return stop
}

// Payload stands in for the API.
func (r *fixture) Payload(_ context.Context, e renga.Event) (map[string]any, error) {
	if c := e.Subject.Content; c != nil {
		return map[string]any{"id": e.ID, "action": "push", "target": map[string]any{"repository": c.Repository}}, nil
	}
	return map[string]any{
		"id": e.ID, "resource": "app", "action": e.Action, "data": map[string]any{"maintenance": e.Subject.App.Maintenance},
	}, nil
}

// settled waits until no delivery is open, and gives all.
func (r *fixture) settled() []renga.Delivery {
	r.Helper()
	for range 400 {
		all, err := r.db.Deliveries(r.Context(), r.app.ID)
		if err != nil {
			r.Fatal(err)
		}
		open := 0
		for _, d := range all {
			if !d.NextAttempt.IsZero() {
				open++
			}
		}
		if open == 0 {
			return all
		}
		time.Sleep(25 * time.Millisecond) // what is waited for happens in another goroutine's own time
	}
	r.Fatal("deliveries are open after ten seconds")
	return nil
}

// received is one request that a receiver got.
type received struct {
	header http.Header
	body   []byte
}

// receiver answers with the given statuses, one after the other, the last one
// for ever.
func receiver(t *testing.T, statuses ...int) (url string, requests chan received) {
	t.Helper()
	requests = make(chan received, 100)
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests <- received{r.Header, body}
		status := statuses[min(int(n.Add(1)), len(statuses))-1]
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

func TestAnEventIsDeliveredSigned(t *testing.T) {
	r := newFixture(t)
	url, requests := receiver(t, 204)
	hook := r.hook(url, renga.Notify)
	r.event()
	r.run()
	got := <-requests
	mac := hmac.New(sha256.New, []byte("sign"))
	mac.Write(got.body)
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); got.header.Get("Heroku-Webhook-Hmac-SHA256") != want {
		t.Errorf("the signature is %q, want %q", got.header.Get("Heroku-Webhook-Hmac-SHA256"), want)
	}
	if got.header.Get("Authorization") != "Bearer who" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers are %v", got.header)
	}
	d := r.settled()[0]
	var said struct {
		ID, Resource, Action string
		Data                 map[string]any
		WebhookMetadata      struct {
			Attempt, Delivery, Webhook struct{ ID string }
			Event                      struct{ ID, Include string }
		} `json:"webhook_metadata"`
	}
	if err := json.Unmarshal(got.body, &said); err != nil {
		t.Fatal(err)
	}
	meta := said.WebhookMetadata
	if said.ID != d.Event || said.Data["maintenance"] != true || meta.Delivery.ID != d.ID || meta.Webhook.ID != hook.ID ||
		meta.Attempt.ID != d.Last.ID || meta.Event.ID != d.Event || meta.Event.Include != "api:app" {
		t.Errorf("said %+v of %+v", said, d)
	}
	if d.Status != renga.DeliverySucceeded || d.Attempts != 1 || d.Last.Code != 204 {
		t.Errorf("delivery is %+v", d)
	}
}

func TestLevelsDecideWhetherToTryAgain(t *testing.T) {
	for level, want := range map[renga.WebhookLevel]struct {
		attempts int
		status   renga.DeliveryStatus
	}{renga.Sync: {3, renga.DeliverySucceeded}, renga.Notify: {1, renga.DeliveryFailed}} {
		r := newFixture(t)
		url, requests := receiver(t, 500, 302, 200)
		r.hook(url, level)
		r.event()
		r.run()
		d := r.settled()[0]
		if d.Attempts != want.attempts || d.Status != want.status || len(requests) != want.attempts {
			t.Errorf("%s: %+v after %d requests", level, d, len(requests))
		}
	}
}

func TestSyncGivesUpAfterThreeDays(t *testing.T) {
	r := newFixture(t)
	url, requests := receiver(t, 500)
	r.hook(url, renga.Sync)
	r.event()
	r.run()
	<-requests
	r.later.Store(int64(73 * time.Hour))
	if d := r.settled()[0]; d.Status != renga.DeliveryFailed || d.Last.Code != 500 {
		t.Errorf("delivery is %+v", d)
	}
}

func TestWhatIsDueIsDeliveredAfterARestart(t *testing.T) {
	r := newFixture(t)
	url, requests := receiver(t, 503, 200)
	r.hook(url, renga.Sync)
	r.event()
	r.later.Store(-int64(time.Hour)) // nothing is due at the first start
	r.run()()
	if len(requests) != 0 {
		t.Fatal("delivered before it was due")
	}
	r.later.Store(0)
	r.run()
	if d := r.settled()[0]; d.Status != renga.DeliverySucceeded || d.Attempts != 2 {
		t.Errorf("delivery is %+v", d)
	}
}

func TestASlowReceiverHoldsUpNobodyElse(t *testing.T) {
	r := newFixture(t)
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(release) })
	url, requests := receiver(t, 200)
	r.hook(slow.URL, renga.Sync)
	r.hook(url, renga.Sync)
	for range 10 {
		r.event()
	}
	r.run()
	for range 10 {
		select {
		case <-requests:
		case <-time.After(10 * time.Second):
			t.Fatal("the quick receiver waits for the slow one")
		}
	}
}

func TestLoopbackIsRefused(t *testing.T) {
	r := newFixture(t)
	r.open = nil
	url, requests := receiver(t, 200)
	r.hook(strings.Replace(url, "127.0.0.1", "localhost", 1), renga.Notify)
	r.event()
	r.run()
	if d := r.settled()[0]; d.Status != renga.DeliveryFailed || d.Last.Code != 0 || d.Last.Error != "forbidden_address" ||
		len(requests) != 0 {
		t.Errorf("delivery is %+v, %+v", d, d.Last)
	}
}

func TestAReceiverThatIsAwayIsTriedAgain(t *testing.T) {
	r := newFixture(t)
	url, _ := receiver(t, 200)
	s := httptest.NewServer(nil)
	away := s.URL
	s.Close()
	r.hook(away, renga.Notify)
	r.hook(url, renga.Notify)
	r.event()
	r.run()
	errors := map[string]bool{}
	for _, d := range r.settled() {
		errors[d.Last.Error] = true
	}
	if !errors["connection_error"] || !errors[""] {
		t.Errorf("errors are %v", errors)
	}
}

// TestAReceiverThatAnswersWithoutEndIsLeft has receivers that send headers, or a
// body, for as long as somebody takes them.
func TestAReceiverThatAnswersWithoutEndIsLeft(t *testing.T) {
	r := newFixture(t)
	for what, begin := range map[string]string{
		"headers": "HTTP/1.1 200 OK\r\n", "body": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "interim": "",
	} {
		sent := make(chan int64, 1)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			piece := map[string]string{
				"headers": "X-Much: " + strings.Repeat("x", 1000) + "\r\n", "body": "3e8\r\n" + strings.Repeat("x", 1000) + "\r\n",
				"interim": "HTTP/1.1 103 Early Hints\r\nX-Much: " + strings.Repeat("x", 1000) + "\r\n\r\n",
			}[what]
			n, err := int64(0), error(nil)
			for _, err = io.WriteString(c, begin); err == nil; n += int64(len(piece)) {
				_, err = io.WriteString(c, piece)
			}
			sent <- n
		}))
		t.Cleanup(s.Close)
		hook := r.hook(s.URL, renga.Notify)
		t.Cleanup(func() {
			select {
			case n := <-sent:
				if n > 64<<20 { // what lies in the buffers of two sockets included
					t.Errorf("%s: %d bytes were taken", what, n)
				}
			case <-time.After(10 * time.Second):
				t.Errorf("%s: the receiver of %s is still being read", what, hook.ID)
			}
		})
	}
	r.event()
	stop := r.run()
	succeeded := 0
	for _, d := range r.settled() {
		if took := d.Last.Ended.Sub(d.Last.Began); took > 10*time.Second {
			t.Errorf("a delivery took %s", took)
		}
		if d.Status == renga.DeliverySucceeded { // what follows a good answer does not matter
			succeeded++
		}
	}
	if succeeded != 1 {
		t.Errorf("%d of three deliveries succeeded, want that whose answer had an end", succeeded)
	}
	stop()
}

// What happens to content comes in the envelope of distribution's notifications, to
// the platform's webhooks as to an app's, and signed like all else.
func TestContentEventsComeInTheEnvelopeOfRegistries(t *testing.T) {
	r := newFixture(t)
	got := make(chan *http.Request, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		got <- req
	}))
	defer receiver.Close()
	hook := renga.Webhook{
		ID: uuid.NewString(), URL: receiver.URL, Level: renga.Sync, Include: []renga.EventKind{renga.PushEvent}, Secret: "sign",
	}
	if err := r.db.EditWebhooks(t.Context(), renga.PlatformWebhooks, func(hooks map[string]renga.Webhook) error {
		hooks[hook.ID] = hook
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	defer r.run()()
	e := renga.ContentEvent{
		ID: uuid.NewString(), Kind: renga.PushEvent, App: r.app, At: time.Now(), Content: renga.Content{Repository: "hello/web"},
	}
	if err := r.db.PostContentEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	req := <-got
	body, _ := io.ReadAll(req.Body)
	mac := hmac.New(sha256.New, []byte("sign"))
	mac.Write(body)
	if want := `{"events":[{"action":"push","id":"` + e.ID + `","target":{"repository":"hello/web"}}]}`; string(body) != want {
		t.Errorf("got %s, want %s", body, want)
	}
	if req.Header.Get("Content-Type") != "application/vnd.docker.distribution.events.v2+json" ||
		req.Header.Get("Heroku-Webhook-Hmac-SHA256") != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		t.Errorf("headers %v", req.Header)
	}
}
