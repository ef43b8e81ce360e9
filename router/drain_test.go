package router_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"renga"
	"renga/router"
)

// contextWithEnd has no deadline; it ends when the function is called.
func contextWithEnd(tb testing.TB) (context.Context, func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	tb.Cleanup(cancel)
	return ctx, cancel
}

func TestDrainOfTheUnknownReturnsAtOnce(t *testing.T) {
	f := newFixture(t, router.Options{})
	if err := f.Drain(t.Context(), appID, "nobody"); err != nil {
		t.Error(err)
	}
	target := backend(t, says("ok"))
	f.serve(target)
	f.get(t, "/")
	f.serve()
	if err := f.Drain(t.Context(), appID, target.ID); err != nil {
		t.Error(err)
	}
}

func TestDrainWaitsForWhatIsInFlight(t *testing.T) {
	f := newFixture(t, router.Options{})
	h, arrived, unblock := blocks(t)
	old := backend(t, h)
	f.serve(old)
	got := make(chan string, 1)
	go func() {
		_, body := f.get(t, "/")
		got <- body
	}()
	receive(t, arrived, "the request")
	f.serve(backend(t, says("new")))
	if _, body := f.get(t, "/"); body != "new" {
		t.Errorf("after the change got %q", body)
	}
	ctx, end := contextWithEnd(t)
	end()
	if err := f.Drain(ctx, appID, old.ID); !errors.Is(err, context.Canceled) ||
		!strings.Contains(err.Error(), "1 requests") {
		t.Errorf("drain with a request in flight: %v", err)
	}
	unblock()
	if err := f.Drain(t.Context(), appID, old.ID); err != nil {
		t.Error(err)
	}
	if body := receive(t, got, "the answer"); body != "late" {
		t.Errorf("the request in flight got %q", body)
	}
}

func TestRemovedAppIsGoneAndItsHostIsFree(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, says("first")))
	other := renga.Route{
		App: "other", Name: "other", Hosts: []string{host}, Targets: []renga.Target{backend(t, says("second"))},
	}
	f.Route(other) // the name went from one app to the other
	f.Route(renga.Route{App: appID})
	if _, body := f.get(t, "/"); body != "second" {
		t.Errorf("got %q", body)
	}
	f.Route(renga.Route{App: "other"})
	if f.Serves(host) {
		t.Error("the host is still served")
	}
	f.get(t, "/")
	if s := f.Stats(); s.Apps != 0 || s.Hosts != 0 || s.ByFailure[router.NoSuchApp] != 1 {
		t.Errorf("stats are %+v", s)
	}
}

func TestServesIgnoresCaseAndPort(t *testing.T) {
	rt := router.New(router.Options{})
	rt.Route(renga.Route{App: appID, Hosts: []string{"shop.example", "bücher.example", "[::1]"}})
	for h, want := range map[string]bool{
		"shop.example": true, "SHOP.example:80": true, "shop.example.": true, "bücher.example:1": true, "[::1]:80": true,
		"[::1]": true,
		"":      false, "shop": false, "x.shop.example": false, "::1": false,
	} {
		if got := rt.Serves(h); got != want {
			t.Errorf("Serves(%q) is %v", h, got)
		}
	}
}

func TestTargetThatComesBackServesAgain(t *testing.T) {
	f := newFixture(t, router.Options{})
	h, arrived, unblock := blocks(t)
	target := backend(t, h)
	f.serve(target)
	got := make(chan string, 2)
	ask := func() {
		_, body := f.get(t, "/")
		got <- body
	}
	go ask()
	receive(t, arrived, "the first request")
	f.serve()
	f.serve(target)
	go ask()
	receive(t, arrived, "the second request")
	f.serve()
	ctx, end := contextWithEnd(t)
	end()
	if err := f.Drain(ctx, appID, target.ID); err == nil || !strings.Contains(err.Error(), "2 requests") {
		t.Errorf("drain: %v, want 2 requests in flight", err)
	}
	unblock()
	for range 2 {
		if body := receive(t, got, "an answer"); body != "late" {
			t.Errorf("got %q", body)
		}
	}
}

// TestSwapAtAnyMomentOfARequestIsSafe swaps the dynos every second time the
// router looks at the clock, which is also between finding the app and claiming its dyno. A
// drain that ends well stops the dyno, so one that missed the request fails it.
func TestSwapAtAnyMomentOfARequestIsSafe(t *testing.T) {
	over, end := contextWithEnd(t)
	end()
	var f *fixture
	current, stopped, kept, looks := dyno(), 0, 0, 0
	f = newFixture(t, router.Options{Now: func() time.Time {
		if looks++; looks%2 == 1 {
			return time.Now()
		}
		old := current
		current = dyno()
		t.Cleanup(current.Close)
		f.serve(target(current))
		if err := f.Drain(over, appID, target(old).ID); err == nil {
			stopped++
			old.Close()
		} else {
			kept++
		}
		return time.Now()
	}})
	f.serve(target(current))
	if err := f.exchange(1, 1); err != nil {
		t.Error(err)
	}
	f.record(t)
	if stopped == 0 || kept == 0 {
		t.Errorf("%d swaps found the dyno free, %d did not; both are wanted", stopped, kept)
	}
}

const (
	swapClients = 32
	swaps       = 200
)

// TestSwapsUnderLoadLoseNoRequest is what a deploy does, over and over: start
// new dynos, route to them, drain the old ones, and stop those for good.
func TestSwapsUnderLoadLoseNoRequest(t *testing.T) {
	f := newFixture(t, router.Options{RequestLog: noRequests{}})
	servers := []*httptest.Server{dyno(), dyno()}
	f.serve(targets(servers)...)
	ctx, stop := contextWithEnd(t)
	var served atomic.Int64
	var clients sync.WaitGroup
	for i := range swapClients {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := f.exchange(i, n); err != nil {
					t.Errorf("client %d, request %d: %v", i, n, err)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range swaps {
		next := []*httptest.Server{dyno(), dyno()}
		f.serve(targets(next)...)
		for _, s := range servers {
			if err := f.Drain(t.Context(), appID, target(s).ID); err != nil {
				t.Errorf("swap %d: %v", i, err)
			}
			s.CloseClientConnections()
			s.Close()
		}
		servers = next
		at := served.Load()
		eventually(t, "requests between two swaps", func() bool { return served.Load() >= at+swapClients || t.Failed() })
	}
	stop()
	clients.Wait()
	for _, s := range servers {
		s.Close()
	}
	t.Logf("%d requests through %d swaps", served.Load(), swaps)
}

// dyno echoes the body.
func dyno() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		_, _ = fmt.Fprintf(w, "%s:%s", r.URL.Path, b)
	}))
}

func target(s *httptest.Server) renga.Target {
	addr := s.Listener.Addr().String()
	return renga.Target{ID: "at " + addr, Dyno: "web.1", Addr: addr}
}

func targets(servers []*httptest.Server) (all []renga.Target) {
	for _, s := range servers {
		all = append(all, target(s))
	}
	return all
}

// exchange sends one request, in turn without and with a body, and checks the
// answer.
func (f *fixture) exchange(client, n int) error {
	path, method, body := fmt.Sprintf("/%d/%d", client, n), http.MethodGet, ""
	if n%3 == 2 {
		method, body = http.MethodPost, strings.Repeat("x", 10+n%5000)
	}
	r, err := http.NewRequest(method, f.server.URL+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Host = host
	res, err := f.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if want := path + ":" + body; res.StatusCode != http.StatusOK || string(b) != want {
		return fmt.Errorf("%s: status %d %s, %d bytes, want %d", method, res.StatusCode, res.Header.Get("X-Renga-Error"),
			len(b), len(want))
	}
	return nil
}

type noRequests struct{}

func (noRequests) Request(router.Record) {}

func TestRoutesRequestsAndDrainsAtTheSameTime(t *testing.T) {
	f := newFixture(t, router.Options{RequestLog: noRequests{}})
	pool := []renga.Target{backend(t, says("a")), backend(t, says("b")), backend(t, says("c"))}
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for range 200 {
				f.Route(renga.Route{App: appID, Hosts: []string{host}, Targets: pool[rand.IntN(3):]})
				f.Route(renga.Route{App: renga.AppID(fmt.Sprint(w)), Hosts: []string{fmt.Sprint(w)}})
			}
		})
		all.Go(func() {
			for range 100 {
				r := f.request(t, http.MethodGet, "/", nil)
				if res, err := f.client.Do(r); err != nil {
					t.Error(err)
				} else {
					_ = res.Body.Close()
				}
			}
		})
		all.Go(func() {
			ctx, end := contextWithEnd(t)
			end()
			for range 200 {
				_ = f.Drain(ctx, appID, pool[rand.IntN(3)].ID) // it may be in use: only the race matters
				f.Serves(host)
				f.Stats()
			}
		})
	}
	all.Wait()
	eventually(t, "the end of all requests", func() bool { return f.Stats().InFlight == 0 })
	if n := f.Stats().ByFailure[router.H99]; n > 0 {
		t.Errorf("%d requests failed by the router's own fault", n)
	}
}
