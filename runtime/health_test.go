package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"renga"
	"renga/runtime"
)

// fakeChecks answers health checks: well, until it is told what is wrong.
type fakeChecks struct {
	wrong atomic.Pointer[string]
	asked atomic.Int64
	takes atomic.Int64 // ns to an answer
}

func (c *fakeChecks) get(ctx context.Context, _, host, path string) error {
	c.asked.Add(1)
	select {
	case <-ctx.Done():
		return errors.New("no answer")
	case <-time.After(time.Duration(c.takes.Load())):
	}
	if host != "shop.renga.localhost" || path != "/health" {
		return fmt.Errorf("asked for %s of %s", path, host)
	}
	if wrong := c.wrong.Load(); wrong != nil {
		return errors.New(*wrong)
	}
	return nil
}

func (c *fakeChecks) says(wrong string) {
	c.wrong.Store(&wrong)
}

// withHealthCheck is withFixture with a release up whose app has a health check.
func withHealthCheck(t *testing.T, test func(h *fixture, c *fakeChecks)) {
	withFixture(t, func(h *fixture) {
		c := &fakeChecks{}
		h.options.Get = c.get
		h.change(func(d *renga.Desired) {
			d.App.HealthCheck = renga.HealthCheck{Path: "/health", Interval: 10 * time.Second, Timeout: time.Second, Threshold: 3}
		})
		h.run()
		h.scale("web=1")
		test(h, c)
	})
}

func TestADynoIsRoutedToOnceItsHealthCheckPasses(t *testing.T) {
	withHealthCheck(t, func(h *fixture, c *fakeChecks) {
		c.says("GET /health answered 503 Service Unavailable")
		h.deploy(2, "web=serve")
		is(t, "states", h.states(), "web.1 v2 starting")
		c.wrong.Store(nil)
		h.after(time.Second)
		is(t, "states", h.states(), "web.1 v2 up")
		if got := h.outcome(2).Status; got != renga.Succeeded {
			t.Errorf("outcome: %s", got)
		}
	})
}

func TestAReleaseFailsWhoseHealthCheckDoesNotPass(t *testing.T) {
	withHealthCheck(t, func(h *fixture, c *fakeChecks) {
		h.deploy(2, "web=serve")
		c.says("GET /health answered 500 Internal Server Error")
		h.push(3, "web=work")
		h.after(61 * time.Second)
		if got := h.outcome(3); got.Status != renga.Failed || !strings.Contains(got.Reason,
			"Health check did not pass within 60 seconds of launch (R10): GET /health answered 500") {
			t.Errorf("outcome: %+v", got)
		}
	})
}

func TestAReleaseFailsWithAnAnswerThatWasHeardToItsEnd(t *testing.T) {
	withHealthCheck(t, func(h *fixture, c *fakeChecks) {
		h.deploy(2, "web=serve")
		c.says("GET /health answered 500 Internal Server Error")
		c.takes.Store(int64(600 * time.Millisecond)) // so that the deadline cuts the last one
		h.push(3, "web=work")
		h.after(62 * time.Second)
		if got := h.outcome(3); got.Status != renga.Failed || !strings.Contains(got.Reason, "(R10): GET /health answered 500") {
			t.Errorf("outcome: %+v", got)
		}
	})
}

func TestADynoThatFallsIllIsReplacedWithPauses(t *testing.T) {
	withHealthCheck(t, func(h *fixture, c *fakeChecks) {
		h.deploy(2, "web=serve")
		first := h.targets()[0]
		h.did()
		c.says("GET /health answered 500 Internal Server Error")
		h.after(15 * time.Second) // one or two bad answers
		is(t, "targets", h.targets(), first)
		c.wrong.Store(nil)
		h.after(30 * time.Second)
		is(t, "targets after it got well", h.targets(), first)
		is(t, "what happened", h.did())

		c.says("GET /health answered 500 Internal Server Error")
		h.after(30 * time.Second)
		c.wrong.Store(nil)
		h.after(5 * time.Second)
		is(t, "states", h.states(), "web.1 v2 up")
		if got := h.targets(); len(got) != 1 || got[0] == first {
			t.Errorf("targets: %q, at first %s", got, first)
		}
		h.after(time.Minute)
		asked := c.asked.Load()
		h.after(time.Minute)
		if n := c.asked.Load() - asked; n != 6 {
			t.Errorf("asked %d times in a minute, want 6: by one only", n)
		}
	})
}

func TestACheckIsChangedAndTakenAwayWhileDynosRun(t *testing.T) {
	withHealthCheck(t, func(h *fixture, c *fakeChecks) {
		h.deploy(2, "web=serve")
		change := func(edit func(*renga.HealthCheck)) {
			h.change(func(d *renga.Desired) { edit(&d.App.HealthCheck) })
			h.m.Reconcile(app)
			h.after(0)
			c.asked.Store(0)
			h.after(time.Minute)
		}
		if change(func(c *renga.HealthCheck) { c.Interval = 5 * time.Second }); c.asked.Load() != 12 {
			t.Errorf("asked %d times in a minute, want 12", c.asked.Load())
		}
		if change(func(c *renga.HealthCheck) { *c = renga.HealthCheck{} }); c.asked.Load() != 0 {
			t.Errorf("asked %d times without a check", c.asked.Load())
		}
	})
}

func TestHealthChecksOverHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			w.WriteHeader(map[bool]int{true: 204, false: 500}[r.Host == "shop.renga.localhost"])
		case "/moved":
			http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusMovedPermanently)
		case "/ill":
			http.Error(w, "no database", http.StatusServiceUnavailable)
		case "/silent":
			<-r.Context().Done()
		case "/cut":
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	for path, want := range map[string]string{
		"/good": "", "/moved": "", "/ill": "GET /ill answered 503 Service Unavailable",
		"/silent": "GET /silent had no answer within 300ms", "/cut": "GET /cut had no answer: the connection was refused or broken off",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if path != "/silent" {
			ctx = t.Context()
		}
		got := ""
		if err := runtime.Get(ctx, server.Listener.Addr().String(), "shop.renga.localhost", path); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		cancel()
	}
}
