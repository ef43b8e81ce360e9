package router_test

import (
	"net/http"
	"testing"
	"time"

	"renga/router"
)

// still is a router for which no time passes, so that nothing it holds goes on.
func still(tb testing.TB, o router.Options) *fixture {
	tb.Helper()
	now := time.Now()
	o.Now = func() time.Time { return now }
	return newFixture(tb, o)
}

// TestHeldRequestsGoToTheNextRoute: none that comes after Hold is answered by a
// dyno of the route before.
func TestHeldRequestsGoToTheNextRoute(t *testing.T) {
	f := still(t, router.Options{})
	f.serve(backend(t, says("old")))
	if _, body := f.get(t, "/"); body != "old" {
		t.Fatalf("before: %q", body)
	}
	f.Hold(appID)
	got := make(chan string, 3)
	for range cap(got) {
		go func() {
			_, body := f.get(t, "/")
			got <- body
		}()
	}
	eventually(t, "the requests' arrival", func() bool { return f.Stats().InFlight == int64(cap(got)) })
	f.serve(backend(t, says("new")))
	for range cap(got) {
		if body := receive(t, got, "an answer"); body != "new" {
			t.Errorf("held: %q", body)
		}
	}
	start := time.Now()
	if _, body := f.get(t, "/"); body != "new" || time.Since(start) > time.Second/2 {
		t.Errorf("afterwards: %q after %s", body, time.Since(start))
	}
}

// TestRequestsAreNotHeldForLong: whoever holds them and never gives the next route
// costs them a second, and no other app anything.
func TestRequestsAreNotHeldForLong(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, says("old")))
	f.Hold("22222222-2222-2222-2222-222222222222") // nobody's
	start := time.Now()
	if _, body := f.get(t, "/"); body != "old" || time.Since(start) > time.Second/2 {
		t.Errorf("another app held: %q after %s", body, time.Since(start))
	}
	f.Hold(appID)
	if _, body := f.get(t, "/"); body != "old" || time.Since(start) < time.Second {
		t.Errorf("held: %q after %s", body, time.Since(start))
	}
}

// TestHoldingRefusesNoRequest: no more requests wait than the app's dynos may have,
// and those that find no place go to the dynos that are there.
func TestHoldingRefusesNoRequest(t *testing.T) {
	f := still(t, router.Options{MaxInFlightPerDyno: 1})
	f.serve(backend(t, says("old")), backend(t, says("old")))
	f.Hold(appID)
	got := make(chan string, 2)
	for range cap(got) {
		go func() {
			_, body := f.get(t, "/")
			got <- body
		}()
	}
	eventually(t, "two requests that wait", func() bool { return f.Waiting(appID) == 2 })
	if res, body := f.get(t, "/"); res.StatusCode != http.StatusOK || body != "old" {
		t.Errorf("the third: %d %q", res.StatusCode, body)
	}
	f.serve(backend(t, says("new")), backend(t, says("new")))
	for range cap(got) {
		if body := receive(t, got, "an answer"); body != "new" {
			t.Errorf("held: %q", body)
		}
	}
}
