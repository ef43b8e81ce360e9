package router_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"renga"
	"renga/router"
)

// sleepFixture is an app that sleeps, and those that woke it.
type sleepFixture struct {
	*fixture
	woken chan renga.AppID
}

func newSleepFixture(tb testing.TB, o router.Options) *sleepFixture {
	tb.Helper()
	b := &sleepFixture{woken: make(chan renga.AppID, 1000)}
	o.WakeUp = func(app renga.AppID) { b.woken <- app }
	b.fixture = newFixture(tb, o)
	b.Route(idle(renga.IdleAsleep))
	return b
}

// wake waits until the app is to wake, and has it come up.
func (b *sleepFixture) wake(tb testing.TB, h http.HandlerFunc) {
	tb.Helper()
	if app := receive(tb, b.woken, "the wake"); app != appID {
		tb.Errorf("woke %s", app)
	}
	b.Route(idle(renga.IdleStarting))
	b.serve(backend(tb, h))
}

func TestARequestWakesTheAppAndIsHeldUntilItIsUp(t *testing.T) {
	b := newSleepFixture(t, router.Options{})
	got := make(chan string, 1)
	go func() {
		_, body := b.do(t, b.request(t, http.MethodPost, "/", strings.NewReader("a body")))
		got <- body
	}()
	b.wake(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	if body := receive(t, got, "the answer"); body != "a body" {
		t.Errorf("got %q", body)
	}
}

func TestAWebSocketWakesTheAppAndKeepsItAwake(t *testing.T) {
	b := newSleepFixture(t, router.Options{})
	type dialled struct {
		*websocket.Conn
		err error
	}
	got := make(chan dialled, 1)
	go func() {
		c, _, err := websocket.Dial(t.Context(), b.server.URL+"/socket", &websocket.DialOptions{Host: host})
		got <- dialled{c, err}
	}()
	b.wake(t, func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}); err == nil {
			_, _, _ = c.Read(r.Context())
			_ = c.CloseNow()
		}
	})
	c := receive(t, got, "the connection")
	if c.err != nil {
		t.Fatal(c.err)
	}
	first := b.LastRequest(appID)
	if second := b.LastRequest(appID); !second.After(first) {
		t.Errorf("while it is open, %v comes after %v", second, first)
	}
	_ = c.CloseNow()
	b.record(t)
	if last := b.LastRequest(appID); last.IsZero() || !last.Equal(b.LastRequest(appID)) {
		t.Errorf("afterwards the last request was at %v", last)
	}
}

func TestManyRequestsWakeTheAppOnce(t *testing.T) {
	b := newSleepFixture(t, router.Options{})
	var herd sync.WaitGroup
	for range 200 {
		herd.Go(func() {
			if res, body := b.get(t, "/"); res.StatusCode != http.StatusOK || body != "up" {
				t.Errorf("%d %q", res.StatusCode, body)
			}
		})
	}
	eventually(t, "the herd's arrival", func() bool { return b.Stats().InFlight == 200 })
	b.wake(t, says("up"))
	herd.Wait()
	if n := len(b.woken); n != 0 {
		t.Errorf("woken %d times more", n)
	}
}

func TestAClientThatLeavesLeavesNothingAndTheAppWakes(t *testing.T) {
	b := newSleepFixture(t, router.Options{})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		if res, err := b.client.Do(b.request(t, http.MethodGet, "/", nil).WithContext(ctx)); err == nil {
			_ = res.Body.Close()
		}
	}()
	receive(t, b.woken, "the wake")
	leave()
	if r := b.record(t); r.Code != router.H27 {
		t.Errorf("it is told of as %q", r.Code)
	}
	if last := b.LastRequest(appID); last.IsZero() || !last.Equal(b.LastRequest(appID)) {
		t.Errorf("the last request was at %v, and nobody waits", last)
	}
}

func TestMaintenanceWakesNobody(t *testing.T) {
	b := newSleepFixture(t, router.Options{})
	r := idle(renga.IdleAsleep)
	r.Maintenance = true
	b.Route(r)
	b.wantPage(t, http.StatusServiceUnavailable, router.H80)
	if n, last := len(b.woken), b.LastRequest(appID); n != 0 || !last.IsZero() {
		t.Errorf("woken %d times, last request at %v", n, last)
	}
}

func TestAnAppThatDoesNotWakeIsToldOf(t *testing.T) {
	b := newSleepFixture(t, router.Options{StartTimeout: 50 * time.Millisecond})
	b.wantPage(t, http.StatusServiceUnavailable, router.H20)
	b.Route(idle(renga.IdleAsleep))
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.wantPage(t, http.StatusServiceUnavailable, router.H10)
	}()
	receive(t, b.woken, "the first wake")
	receive(t, b.woken, "the second wake")
	b.Route(idle(renga.IdleCrashed))
	receive(t, done, "the answer")
}

func TestARequestInFlightIsSeenAfterItsTargetWasTakenAway(t *testing.T) {
	f := newFixture(t, router.Options{})
	if last := f.LastRequest(appID); !last.IsZero() {
		t.Errorf("of an unknown app: %v", last)
	}
	h, arrived, unblock := blocks(t)
	f.serve(backend(t, h))
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.get(t, "/")
	}()
	receive(t, arrived, "the request")
	f.Route(idle(renga.IdleAsleep))
	before := time.Now()
	if last := f.LastRequest(appID); last.Before(before) {
		t.Errorf("%v is not now, %v", last, before)
	}
	unblock()
	receive(t, done, "the answer")
	f.record(t)
	if last := f.LastRequest(appID); last.Before(before) || !last.Equal(f.LastRequest(appID)) {
		t.Errorf("after its end the last request was at %v", last)
	}
}
