package runtime_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"renga"
	"renga/runtime/engine"
)

var errStore = renga.Errorf(renga.Unavailable, "Redis does not answer.")

func TestStoreAwayStopsNothingAndRestartsWhatCrashes(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=2")
		h.deploy(2, "web=serve")
		h.did()
		h.store.fail(errStore)
		h.change(func(d *renga.Desired) { d.Formation = formation("web=0") })
		h.End("web.1", 1)
		h.after(10 * time.Minute)
		is(t, "did while it was away", h.did(), "start web.1 v2")
		if got := h.targets(); len(got) != 2 {
			t.Errorf("targets while it was away: %q", got)
		}
		if got := h.m.Stats(); got.StoreErr == nil || got.EngineErr != nil {
			t.Errorf("stats: %+v", got)
		}
		h.store.fail(nil)
		h.after(time.Minute)
		is(t, "running once it was back", h.running())
	})
}

func TestStoreThatIsOddStopsNothing(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.did()
		h.store.fail(errors.New("unexpected end of JSON"))
		h.after(time.Hour)
		is(t, "did", h.did())
		is(t, "running", h.running(), "web.1 v2")
	})
}

func TestEngineAwayAndBackBringsAllBack(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.options.Resync = 24 * time.Hour // so that nothing but the watch tells
		h.run()
		h.scale("web=2 worker=1")
		h.deploy(2, "web=serve worker=work")
		h.after(10 * time.Minute)
		h.Away()
		h.after(0)
		h.End("", 137)
		h.after(5 * time.Second)
		h.Back()
		h.after(10 * time.Second)
		is(t, "running", h.running(), "web.1 v2", "web.2 v2", "worker.1 v2")
		if got := h.targets(); len(got) != 2 {
			t.Errorf("targets: %q", got)
		}
	})
}

// deaf is an engine whose List does not work.
type deaf struct{ engine.Engine }

func (deaf) List(context.Context, renga.AppID) ([]engine.Instance, error) {
	return nil, errors.New("unexpected EOF")
}

func TestListThatFailsStopsNothing(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.did()
		h.engine = deaf{h.Memory}
		routes := len(h.routes)
		h.change(func(d *renga.Desired) { d.Formation = formation("web=0") })
		h.run()
		h.after(time.Hour)
		is(t, "did", h.did())
		told := h.routes[routes:] // that there is such an app, and how it is
		if len(told) != 1 || told[0].Idle != renga.IdleScaled || h.m.Ready() {
			t.Errorf("routes %+v, ready %v", told, h.m.Ready())
		}
	})
}

func TestNewManagerAdoptsWhatRuns(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=2 worker=1")
		h.deploy(2, "web=serve worker=work")
		before := slices.Clone(h.targets())
		h.after(time.Hour)
		h.end()
		h.did()

		routes := len(h.routes)
		h.run()
		if err := h.m.Settled(h.Context()); err != nil {
			t.Fatal(err)
		}
		is(t, "first targets", h.targets(), before...)
		h.after(time.Hour)
		is(t, "did", h.did())
		if n := len(h.routes) - routes; n != 1 {
			t.Errorf("%d routes; want one", n)
		}
		if d := h.dynos[0]; d.State != renga.Up || time.Since(d.Since) < 2*time.Hour {
			t.Errorf("up since %v", d.Since)
		}
	})
}

func TestTimeWithoutAManagerIsNoBootTime(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.push(2, "web=slowboot") // needs 90 s
		h.after(30 * time.Second)
		h.end()
		h.after(20 * time.Second)
		h.run()
		h.after(41 * time.Second)
		is(t, "did", h.did(), "start web.1 v2")
		is(t, "states", h.states(), "web.1 v2 up")
	})
}

func TestWakeOfAnAppThatIsJustForgottenIsNotLost(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.options.Resync = 24 * time.Hour
		h.run()
		h.after(2 * time.Second)
		h.router.hook = func(r renga.Route) {
			if len(r.Hosts) == 0 { // the last look, which found no app
				h.store.fail(nil)
				h.m.Reconcile(app)
				time.Sleep(time.Millisecond) // the wake arrives
			}
		}
		h.store.fail(renga.Errorf(renga.NotFound, "No app."))
		h.m.Reconcile(app)
		h.after(time.Second)
		if got := h.route(); len(got.Hosts) != 1 {
			t.Errorf("route: %+v", got)
		}
	})
}

func TestNewManagerRemovesWhatNobodyWants(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.end()
		h.did()
		h.Leave(engine.Spec{App: app, Name: "web.1", Type: renga.Web, Release: 2})
		h.Leave(engine.Spec{App: "an-app-that-is-no-more", Name: "web.1", Type: renga.Web, Release: 9})
		h.run()
		h.after(time.Second)
		got := h.did()
		slices.Sort(got)
		is(t, "did", got, "stop web.1 v2", "stop web.1 v9")
		is(t, "running", h.running(), "web.1 v2")
		if got := h.m.Stats().Apps; got != 1 {
			t.Errorf("%d apps are looked after", got)
		}
	})
}

func TestAppThatIsGoneLeavesNothing(t *testing.T) {
	for name, end := range map[string]func(h *fixture){
		"deleting":  func(h *fixture) { h.change(func(d *renga.Desired) { d.App.Deleting = true }) },
		"not found": func(h *fixture) { h.store.fail(renga.Errorf(renga.NotFound, "No app.")) },
	} {
		t.Run(name, func(t *testing.T) {
			withFixture(t, func(h *fixture) {
				h.run()
				h.scale("web=2 worker=1")
				h.deploy(2, "web=serve worker=work")
				end(h)
				h.m.Reconcile(app)
				h.after(10 * time.Second)
				is(t, "running", h.running())
				if got := h.route(); got.App != app || len(got.Hosts) != 0 {
					t.Errorf("route: %+v", got)
				}
				if got := h.m.Stats(); got.Apps != 0 && name == "not found" {
					t.Errorf("%d apps are looked after", got.Apps)
				}
				if name == "deleting" && len(h.dynos) != 0 {
					t.Errorf("records: %v", h.dynos)
				}
			})
		})
	}
}

func TestRunEndsSoonAndLeavesDynosRunning(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1 worker=1")
		h.deploy(2, "web=stubborn worker=work")
		h.push(3, "web=serve worker=slowpull")
		h.after(3 * time.Second) // the old one has its SIGTERM
		begin := time.Now()
		h.end()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v", took)
		}
		is(t, "running", h.running(), "web.1 v2", "web.1 v3", "worker.1 v3")
		h.run()
		h.after(time.Minute)
		is(t, "running after another start", h.running(), "web.1 v3", "worker.1 v3")
	})
}
