package runtime_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"renga"
)

// aFifth is the canary of the tests.
var aFifth = renga.Canary{Percent: 20, For: 5 * time.Minute}

// withLive has v2 up with two web dynos and a worker, and v3 made as a canary.
func withLive(t *testing.T, what string, test func(h *fixture, lines *fakeLogs)) {
	withFixture(t, func(h *fixture) {
		lines := &fakeLogs{marks: map[string]renga.LogMark{}}
		h.options.Logs = lines
		h.run()
		h.scale("web=2 worker=1")
		h.deploy(2, "web=serve worker=work")
		h.did()
		h.pushCanary(3, what)
		h.after(5 * time.Second)
		test(h, lines)
	})
}

func (h *fixture) pushCanary(version int, what string) {
	h.change(func(d *renga.Desired) {
		d.Next = record(version, what, renga.Pending)
		d.Next.Canary, d.Next.Outcome.At = aFifth, time.Now()
	})
	h.m.Reconcile(app)
}

// tried lists who is asked as a canary, as "web.1 i000001:8080".
func (h *fixture) tried() []string {
	h.Helper()
	var all []string
	for _, t := range h.route().Canary {
		all = append(all, t.Dyno+" "+t.Addr)
	}
	return all
}

// wantServing checks that v2 serves all requests, with nothing of v3 left.
func (h *fixture) wantServing(before []string) {
	h.Helper()
	is(h, "running", h.running(), "web.1 v2", "web.2 v2", "worker.1 v2")
	is(h, "asked", h.targets(), before...)
	is(h, "tried", h.tried())
}

func TestACanaryTakesOverWhenItsTimeIsOver(t *testing.T) {
	withLive(t, "web=serve worker=work", func(h *fixture, lines *fakeLogs) {
		before := h.targets()
		began := time.Now()
		is(t, "running", h.running(), "web.1 v2", "web.1 v3", "web.2 v2", "web.2 v3", "worker.1 v2", "worker.1 v3")
		if len(before) != 2 || len(h.tried()) != 2 || h.route().Percent != 20 {
			t.Fatalf("route is %+v", h.route())
		}
		canary := h.tried()
		if o := h.outcome(3); o.Status != renga.Pending || o.CanaryUntil.Sub(began) < 4*time.Minute || o.CanaryUntil.Sub(began) > 5*time.Minute {
			t.Errorf("outcome: %+v", o)
		}
		h.after(4*time.Minute + 30*time.Second)
		is(t, "asked near the end", h.targets(), before...)
		h.after(time.Minute)
		is(t, "running", h.running(), "web.1 v3", "web.2 v3", "worker.1 v3")
		is(t, "asked", h.targets(), canary...)
		is(t, "tried", h.tried())
		if o := h.outcome(3); o.Status != renga.Succeeded {
			t.Errorf("outcome: %+v", o)
		}
		is(t, "told", lines.said("api"), "app[api]: Release v3 takes 20% of the requests for 300 seconds")
	})
}

func TestACanaryThatKeepsCrashingFails(t *testing.T) {
	withLive(t, "web=faint worker=work", func(h *fixture, lines *fakeLogs) {
		before := h.targets()
		h.after(20 * time.Second)
		if o := h.outcome(3); o.Status != renga.Pending {
			t.Errorf("after the first crash: %+v", o)
		}
		h.after(2 * time.Minute)
		h.wantServing(before)
		o := h.outcome(3)
		if o.Status != renga.Failed || !strings.HasPrefix(o.Reason, "The canary failed: web.") ||
			!strings.HasSuffix(o.Reason, " crashed 3 times in a row: Process exited with status 4") {
			t.Errorf("outcome: %+v", o)
		}
		is(t, "log", o.Log, "dizzy")
		is(t, "told", lines.said("api")[1:], "app[api]: Release v3 failed: "+o.Reason)
	})
}

func TestACanaryWhoseRequestsFailFails(t *testing.T) {
	withLive(t, "web=serve worker=work", func(h *fixture, _ *fakeLogs) {
		before := h.targets()
		h.router.count(renga.Tally{Requests: 10, Failed: 6}) // each of two
		h.after(6 * time.Second)
		h.wantServing(before)
		if o := h.outcome(3); o.Status != renga.Failed ||
			o.Reason != "The canary failed: 12 of its first 20 requests failed with a status of 500 or above" {
			t.Errorf("outcome: %+v", o)
		}
	})
}

func TestACanaryIsCanceledAndSuperseded(t *testing.T) {
	withLive(t, "web=serve worker=work", func(h *fixture, _ *fakeLogs) {
		before := h.targets()
		h.cancel()
		h.after(time.Second)
		h.wantServing(before)
		h.pushCanary(4, "web=serve worker=work")
		h.after(10 * time.Second)
		if len(h.tried()) != 2 {
			t.Fatalf("v4 is not tried: %+v", h.route())
		}
		h.deploy(5, "web=serve worker=work")
		is(t, "running", h.running(), "web.1 v5", "web.2 v5", "worker.1 v5")
		is(t, "tried", h.tried())
	})
}

// TestARestartGoesOnWithWhatIsLeft of a canary's time.
func TestARestartGoesOnWithWhatIsLeft(t *testing.T) {
	withLive(t, "web=serve worker=work", func(h *fixture, _ *fakeLogs) {
		until, canary := h.outcome(3).CanaryUntil, h.tried()
		h.after(2 * time.Minute)
		h.end()
		h.after(time.Minute)
		h.run()
		h.after(5 * time.Second)
		is(t, "tried", h.tried(), canary...)
		if o := h.outcome(3); o.Status != renga.Pending || !o.CanaryUntil.Equal(until) {
			t.Errorf("outcome: %+v, want until %v", o, until)
		}
		h.after(time.Until(until) + time.Second)
		if o := h.outcome(3); o.Status != renga.Succeeded {
			t.Errorf("outcome: %+v", o)
		}
	})
}

// TestACanaryEndsEarly when somebody says so.
func TestACanaryEndsEarly(t *testing.T) {
	withLive(t, "web=serve worker=work", func(h *fixture, _ *fakeLogs) {
		h.change(func(d *renga.Desired) {
			r := *d.Next
			r.Outcome.CanaryUntil = time.Now()
			d.Next = &r
		})
		h.m.Reconcile(app)
		h.after(time.Second)
		is(t, "running", h.running(), "web.1 v3", "web.2 v3", "worker.1 v3")
	})
}

// TestBothSidesOfACanaryAreScaledAndRestarted, for it may take long.
func TestBothSidesOfACanaryAreScaledAndRestarted(t *testing.T) {
	withLive(t, "web=serve worker=work", func(h *fixture, _ *fakeLogs) {
		h.scale("web=3:eco worker=0")
		h.after(30 * time.Second)
		is(t, "running", h.running(), "web.1 v2", "web.1 v3", "web.2 v2", "web.2 v3", "web.3 v2", "web.3 v3")
		for _, s := range h.Specs()[3:] {
			if s.Type == renga.Web && s.Size.Name != "eco" && s.Release == 2 {
				t.Errorf("%s of v2 has the size %s", s.Name, s.Size.Name)
			}
		}
		before, tried := h.targets(), h.tried()
		h.restart(renga.RestartAll)
		h.after(30 * time.Second)
		if len(h.targets()) != 3 || len(h.tried()) != 3 || h.targets()[0] == before[0] || h.tried()[0] == tried[0] {
			t.Errorf("asked %v, tried %v", h.targets(), h.tried())
		}
		h.after(5 * time.Minute)
		is(t, "running", h.running(), "web.1 v3", "web.2 v3", "web.3 v3")
	})
}

// TestWithoutAnyToCompareWithThereIsNoCanary: a first release, one of workers
// only, an app that is scaled to nothing, one without preboot.
func TestWithoutAnyToCompareWithThereIsNoCanary(t *testing.T) {
	for name, prepare := range map[string]func(h *fixture) string{
		"first": func(*fixture) string { return "web=serve" },
		"workers": func(h *fixture) string {
			h.deploy(2, "worker=work")
			return "worker=work"
		},
		"scaled": func(h *fixture) string {
			h.deploy(2, "web=serve worker=work")
			h.scale("web=0 worker=1")
			return "web=serve worker=work"
		},
		"noPreboot": func(h *fixture) string {
			h.deploy(2, "web=serve")
			h.change(func(d *renga.Desired) { d.App.Features = map[string]bool{renga.Preboot: false} })
			return "web=serve"
		},
	} {
		t.Run(name, func(t *testing.T) {
			withFixture(t, func(h *fixture) {
				h.run()
				h.scale("web=1 worker=1")
				h.pushCanary(3, prepare(h))
				h.after(10 * time.Second)
				if o := h.outcome(3); o.Status != renga.Succeeded || !o.CanaryUntil.IsZero() {
					t.Errorf("outcome: %+v", o)
				}
			})
		})
	}
}

// fakeRescuer notes why apps were taken back.
type fakeRescuer struct{ reasons []string }

func (r *fakeRescuer) Rescue(_ context.Context, _ renga.AppID, _ int, reason string) error {
	r.reasons = append(r.reasons, reason)
	return nil
}

// TestACanaryThatTookOverIsWatchedAnew: what it did well before does not excuse
// it.
func TestACanaryThatTookOverIsWatchedAnew(t *testing.T) {
	withFixture(t, func(h *fixture) {
		r := &fakeRescuer{}
		h.options.Rescuer = r
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.pushCanary(3, "web=serve")
		h.router.count(renga.Tally{Requests: 1000})
		h.after(5*time.Minute + 10*time.Second)
		h.store.change(func(d *renga.Desired) { d.Live.Outcome.At = time.Now() })
		h.router.count(renga.Tally{Requests: 1030, Failed: 20})
		h.after(6 * time.Second)
		if len(r.reasons) == 0 || r.reasons[0] != "20 of its first 30 requests failed with a status of 500 or above" {
			t.Errorf("taken back: %q", r.reasons)
		}
	})
}
