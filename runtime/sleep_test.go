package runtime_test

import (
	"slices"
	"testing"
	"time"

	"renga"
)

const sleepAfter = 30 * time.Minute

// withSleepingApp is withLogs with an app that runs and sleeps after half an
// hour.
func withSleepingApp(t *testing.T, test func(*fixture, *fakeLogs)) {
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.change(func(d *renga.Desired) { d.App.SleepAfter = sleepAfter })
		h.run()
		h.scale("web=1 worker=1")
		h.deploy(2, "web=serve worker=work")
		is(t, "running", h.running(), "web.1 v2", "worker.1 v2")
		h.did()
		n.said()
		test(h, n)
	})
}

func (h *fixture) asleep() bool {
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	return !h.desired.AsleepSince.IsZero()
}

func (h *fixture) requested() {
	h.router.mu.Lock()
	defer h.router.mu.Unlock()
	h.router.last = time.Now()
}

func TestAnAppSleepsWhenNobodyAsksForItAndWakes(t *testing.T) {
	withSleepingApp(t, func(h *fixture, n *fakeLogs) {
		h.after(sleepAfter / 2)
		h.requested()
		h.after(sleepAfter - time.Second)
		is(t, "running before", h.running(), "web.1 v2", "worker.1 v2")
		h.after(time.Minute)
		is(t, "running then", h.running())
		is(t, "states", h.states(), "web.1 v2 idle", "worker.1 v2 idle")
		if got := h.route(); got.Idle != renga.IdleAsleep || len(got.Targets) != 0 || len(h.drains) != 1 {
			t.Errorf("route %+v, drained %q", got, h.drains)
		}
		said := n.said("web.1")
		slices.Sort(said[1:]) // the state changes while it stops
		is(t, "log", said, "heroku[web.1]: Idling", "heroku[web.1]: Process exited with status 143",
			"heroku[web.1]: State changed from up to down", "heroku[web.1]: Stopping all processes with SIGTERM")
		h.after(24 * time.Hour)
		h.did()
		n.said()
		h.m.WakeUp(app)
		h.after(3 * time.Second)
		is(t, "states awake", h.states(), "web.1 v2 up", "worker.1 v2 up")
		said = n.said("web.1")
		slices.Sort(said[1:])
		is(t, "log of the wake", said, "heroku[web.1]: Unidling", "heroku[web.1]: Starting process with command `serve`",
			"heroku[web.1]: State changed from down to starting", "heroku[web.1]: State changed from starting to up")
		h.after(sleepAfter - 4*time.Second)
		is(t, "running until the time is over again", h.running(), "web.1 v2", "worker.1 v2")
		h.after(time.Minute)
		is(t, "running then", h.running())
	})
}

func TestASleepingAppSleepsOnWhenRengaIsStartedAnew(t *testing.T) {
	withSleepingApp(t, func(h *fixture, n *fakeLogs) {
		h.after(sleepAfter + time.Minute)
		h.did()
		n.said()
		h.run()
		h.after(time.Hour)
		is(t, "did", h.did())
		is(t, "log", n.said())
		is(t, "states", h.states(), "web.1 v2 idle", "worker.1 v2 idle")
		h.m.WakeUp(app)
		h.after(3 * time.Second)
		is(t, "running", h.running(), "web.1 v2", "worker.1 v2")
		h.after(sleepAfter - time.Minute)
		h.run() // the time begins anew
		h.after(sleepAfter - time.Minute)
		is(t, "running half an hour after the start", h.running(), "web.1 v2", "worker.1 v2")
	})
}

func TestARequestThatComesWhileTheAppFallsAsleepKeepsItUp(t *testing.T) {
	for name, come := range map[string]func(h *fixture){
		"over its old route, just before it was taken away": (*fixture).requested,
		"before that is written down": func(h *fixture) {
			h.requested()
			h.m.WakeUp(app)
		},
		"when it is written down": func(h *fixture) { h.m.WakeUp(app) },
	} {
		t.Run(name, func(t *testing.T) {
			withSleepingApp(t, func(h *fixture, _ *fakeLogs) {
				h.router.mu.Lock()
				h.router.hook = func(r renga.Route) {
					if r.Idle == renga.IdleAsleep {
						come(h)
					}
				}
				h.router.mu.Unlock()
				h.after(sleepAfter)
				is(t, "did", h.did())
				is(t, "states", h.states(), "web.1 v2 up", "worker.1 v2 up")
				if len(h.targets()) != 1 || h.asleep() {
					t.Errorf("asked: %q, asleep: %v", h.targets(), h.asleep())
				}
			})
		})
	}
}

func TestRengaMayDieWhileAnAppFallsAsleepOrWakes(t *testing.T) {
	withSleepingApp(t, func(h *fixture, _ *fakeLogs) {
		h.end()
		h.change(func(d *renga.Desired) { d.AsleepSince = time.Now() }) // and then it was killed
		h.run()
		h.after(time.Second)
		is(t, "did", slices.Sorted(slices.Values(h.did())), "stop web.1 v2", "stop worker.1 v2")
		h.end()
		h.change(func(d *renga.Desired) { d.AsleepSince = time.Time{} })
		h.run()
		h.after(3 * time.Second)
		is(t, "states", h.states(), "web.1 v2 up", "worker.1 v2 up")
	})
}

func TestAnAppWakesThoughTheStoreIsAway(t *testing.T) {
	withSleepingApp(t, func(h *fixture, _ *fakeLogs) {
		h.after(sleepAfter + time.Minute)
		h.store.fail(renga.Errorf(renga.Unavailable, "Redis is away."))
		h.m.WakeUp(app)
		h.after(3 * time.Second)
		is(t, "running", h.running(), "web.1 v2", "worker.1 v2")
		if len(h.targets()) != 1 || !h.asleep() {
			t.Errorf("asked: %q, asleep: %v", h.targets(), h.asleep())
		}
		h.store.fail(nil)
		h.after(sleepAfter - time.Minute)
		is(t, "running once it is back", h.running(), "web.1 v2", "worker.1 v2")
		if h.asleep() {
			t.Error("it is asleep to the store")
		}
	})
}

func TestAnAppDoesNotFallAsleepWhileTheStoreIsAway(t *testing.T) {
	withSleepingApp(t, func(h *fixture, _ *fakeLogs) {
		h.store.fail(renga.Errorf(renga.Unavailable, "Redis is away."))
		h.after(2 * sleepAfter)
		is(t, "did", h.did())
		if len(h.targets()) != 1 {
			t.Errorf("asked: %q", h.targets())
		}
		h.store.fail(nil)
		h.after(time.Minute)
		is(t, "running when it is back", h.running())
	})
}

func TestAReleaseWakesTheAppAndItSleepsAgain(t *testing.T) {
	withSleepingApp(t, func(h *fixture, _ *fakeLogs) {
		h.after(sleepAfter + time.Minute)
		h.deploy(3, "web=crash worker=work")
		h.after(time.Minute)
		is(t, "running after one that failed", h.running(), "web.1 v2", "worker.1 v2")
		h.after(sleepAfter)
		is(t, "running after the time", h.running())
		h.deploy(4, "web=serve worker=work")
		is(t, "running after one that works", h.running(), "web.1 v4", "worker.1 v4")
		if h.outcome(4).Status != renga.Succeeded || h.asleep() {
			t.Errorf("outcome %+v, asleep %v", h.outcome(4), h.asleep())
		}
		h.after(sleepAfter + time.Minute)
		is(t, "running after the time", h.running())
		is(t, "states", h.states(), "web.1 v4 idle", "worker.1 v4 idle")
	})
}

func TestAnAppThatCrashesWhenItWakesIsToldOf(t *testing.T) {
	withSleepingApp(t, func(h *fixture, _ *fakeLogs) {
		h.after(sleepAfter + time.Minute)
		h.change(func(d *renga.Desired) { d.Live = record(2, "web=crash", renga.Succeeded) })
		h.m.WakeUp(app)
		h.after(time.Second)
		if got := h.route().Idle; got != renga.IdleCrashed {
			t.Errorf("idle: %q", got)
		}
		h.after(2 * sleepAfter)
		is(t, "states", h.states(), "web.1 v2 idle")
	})
}
