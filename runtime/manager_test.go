package runtime_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"renga"
	"renga/runtime"
	"renga/runtime/engine"
)

func TestReleaseComesUpAndIsRoutedTo(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=2 worker=1")
		h.after(0)
		if got := h.route(); got.Idle != renga.IdleBlank || got.Hosts[0] != "shop.renga.localhost" {
			t.Errorf("route before a release: %+v", got)
		}
		h.push(2, "web=serve worker=work")
		h.after(time.Second)
		is(t, "states", h.states(), "web.1 v2 starting", "web.2 v2 starting", "worker.1 v2 up")
		if got := h.route().Idle; got != renga.IdleStarting {
			t.Errorf("idle while it starts: %q", got)
		}
		h.after(2 * time.Second)
		is(t, "states", h.states(), "web.1 v2 up", "web.2 v2 up", "worker.1 v2 up")
		if got := h.targets(); len(got) != 2 {
			t.Errorf("targets: %q", got)
		}
		if got := h.outcome(2); got.Status != renga.Succeeded || got.At.IsZero() {
			t.Errorf("outcome: %+v", got)
		}
		if stats := h.m.Stats(); stats.Apps != 1 || stats.Dynos[renga.Up] != 3 || stats.Steps["start"] != 3 || stats.Errors != 0 {
			t.Errorf("stats: %+v", stats)
		}
	})
}

func TestDynosGetTheirEnvironment(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1 worker=1:eco")
		h.deploy(2, "web=serve worker=work")
		specs := h.Specs()
		slices.SortFunc(specs, func(a, b engine.Spec) int { return strings.Compare(a.Name, b.Name) })
		web, worker := specs[0], specs[1]
		for name, want := range map[string]string{
			"DATABASE_URL": "db:5432", "PORT": "8080", "DYNO": "web.1", "HEROKU_APP_ID": string(app), "HEROKU_APP_NAME": "shop",
			"HEROKU_APP_DEFAULT_DOMAIN_NAME": "shop.renga.localhost", "HEROKU_DYNO_ID": web.Dyno, "HEROKU_RELEASE_VERSION": "v2",
			"HEROKU_RELEASE_CREATED_AT": "0001-01-01T00:00:00Z", "HEROKU_SLUG_COMMIT": "sha256:serve", "HEROKU_SLUG_DESCRIPTION": "Deploy",
		} {
			if got := web.Env[name]; got != want {
				t.Errorf("%s is %q; want %q", name, got, want)
			}
		}
		if _, ok := worker.Env["PORT"]; ok || worker.Port != 0 || worker.Env["DYNO"] != "worker.1" || worker.Size.Name != "eco" {
			t.Errorf("worker: port %d, size %q", worker.Port, worker.Size.Name)
		}
	})
}

func TestNextReleaseReplacesTheOneBeforeWithoutAGap(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.did()
		h.router.linger = 10 * time.Second
		h.deploy(3, "web=serve")
		is(t, "did before the drain ended", h.did(), "start web.1 v3")
		is(t, "targets", h.targets(), "web.1 i000002:8080")
		h.after(10 * time.Second)
		is(t, "did after it", h.did(), "stop web.1 v2")
		for _, r := range h.routes[1:] {
			if len(r.Targets) == 0 && r.Idle != renga.IdleStarting {
				t.Errorf("route without targets: %+v", r)
			}
		}
	})
}

func TestWithoutPrebootTheOneBeforeGoesFirst(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.store.desired.App.Features = map[string]bool{renga.Preboot: false}
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.did()
		h.router.linger = 10 * time.Second
		h.push(3, "web=serve")
		h.after(5 * time.Second)
		is(t, "running while the old drains", h.running(), "web.1 v2")
		if got := h.route(); len(got.Targets) != 0 || got.Idle != renga.IdleStarting {
			t.Errorf("route meanwhile: %+v", got)
		}
		h.after(30 * time.Second)
		did := h.did() // the old one has ended before; it is removed at the same moment
		slices.Sort(did)
		is(t, "did", did, "start web.1 v3", "stop web.1 v2")
		if got := h.outcome(3).Status; got != renga.Succeeded {
			t.Errorf("outcome: %s", got)
		}
		h.deploy(4, "web=crash")
		is(t, "running after a failure", h.running(), "web.1 v3")
	})
}

func TestReleaseThatCrashesTwiceFailsAndTheOneBeforeServesOn(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.did()
		routes := len(h.routes)
		h.deploy(3, "web=crash")
		is(t, "did", h.did(), "start web.1 v3", "start web.1 v3", "stop web.1 v3", "stop web.1 v3")
		got := h.outcome(3)
		if got.Status != renga.Failed || got.Reason != "web.1 crashed twice in a row: Process exited with status 1" {
			t.Errorf("outcome: %+v", got)
		}
		is(t, "log", got.Log, "no database at db:5432", "bye")
		is(t, "running", h.running(), "web.1 v2")
		if len(h.routes) != routes {
			t.Errorf("the route changed: %+v", h.routes[routes:])
		}
	})
}

func TestMemoryQuotaIsTold(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1:eco")
		h.deploy(2, "web=grow")
		if got := h.outcome(2).Reason; !strings.Contains(got, "Memory quota exceeded") || !strings.Contains(got, "eco") {
			t.Errorf("reason: %q", got)
		}
	})
}

func TestWebDynoThatDoesNotListenIsR10(t *testing.T) {
	for command, want := range map[string]string{
		"mute":      "it listens on nothing",
		"elsewhere": "it listens on 127.0.0.1:9999; it must listen on 0.0.0.0:8080, the value of $PORT",
	} {
		t.Run(command, func(t *testing.T) {
			withFixture(t, func(h *fixture) {
				h.run()
				h.scale("web=1")
				h.deploy(2, "web=serve")
				h.push(3, "web="+command)
				h.after(59 * time.Second)
				if got := h.outcome(3).Status; got != "" {
					t.Errorf("decided too soon: %q", got)
				}
				h.after(2 * time.Second)
				got := h.outcome(3)
				if got.Status != renga.Failed || !strings.Contains(got.Reason, "(R10)") || !strings.Contains(got.Reason, want) {
					t.Errorf("outcome: %+v", got)
				}
				is(t, "running", h.running(), "web.1 v2")
			})
		})
	}
}

func TestLateDynoWithNothingBetterIsKilledAndTriedOn(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.push(2, "web=mute")
		h.after(61 * time.Second)
		is(t, "did", h.did(), "start web.1 v2", "kill web.1 v2", "start web.1 v2", "stop web.1 v2")
		h.after(60 * time.Second)
		is(t, "states", h.states(), "web.1 v2 crashed")
		if got := h.dynos[0].Reason; !strings.Contains(got, "R10") {
			t.Errorf("reason: %q", got)
		}
		if got := h.route().Idle; got != renga.IdleCrashed {
			t.Errorf("idle: %q", got)
		}
	})
}

func TestCrashedDynoIsStartedAgainWithGrowingPauses(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("worker=1")
		h.push(2, "worker=crash") // the first release: there is nothing better to run
		h.after(time.Hour)
		var pauses []string
		events := h.Events()
		var last time.Time
		for _, e := range events {
			if e.Verb == "start" {
				if !last.IsZero() {
					pauses = append(pauses, e.At.Sub(last).String())
				}
				last = e.At
			}
		}
		is(t, "pauses", pauses, "0s", "5s", "10s", "20s", "40s", "1m20s", "2m40s", "5m20s", "10m0s", "10m0s", "10m0s", "10m0s")
		if got := h.outcome(2).Status; got != renga.Failed {
			t.Errorf("outcome: %q", got)
		}
		if all, err := h.Memory.List(h.Context(), ""); err != nil || len(all) != 1 {
			t.Errorf("exited instances pile up: %v, %v", all, err)
		}
	})
}

func TestDynoThatRanForLongBeginsAnew(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("worker=1")
		h.push(2, "worker=flaky") // ends every six minutes
		h.after(time.Hour - time.Second)
		if got := h.Specs(); len(got) != 10 || got[9].Crashes != 1 {
			t.Errorf("%d starts, the last after %d crashes", len(got), got[len(got)-1].Crashes)
		}
	})
}

func TestFailedReleaseWithNothingBetterMaySucceedAfterAll(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.Refuse(func(engine.Spec) error { return renga.Errorf(renga.Invalid, "No such image.") })
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		if got := h.outcome(2); got.Status != renga.Failed || got.Reason != "web.1 could not be started: No such image." {
			t.Errorf("outcome: %+v", got)
		}
		h.Refuse(func(engine.Spec) error { return nil })
		h.after(11 * time.Minute)
		if got := h.outcome(2).Status; got != renga.Succeeded || len(h.targets()) != 1 {
			t.Errorf("outcome: %q", got)
		}
	})
}

func TestStartErrorsThatPassDoNotFailARelease(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.Refuse(func(engine.Spec) error { return errors.New("no space for the image: secret detail") })
		h.run()
		h.scale("web=1")
		h.push(2, "web=serve")
		h.after(9 * time.Minute)
		if got := h.outcome(2).Status; got != "" {
			t.Errorf("gave up after 9 minutes: %q", got)
		}
		is(t, "states", h.states(), "web.1 v2 crashed")
		h.Refuse(func(engine.Spec) error { return nil })
		h.after(time.Minute)
		if got := h.outcome(2).Status; got != renga.Succeeded {
			t.Errorf("outcome: %q", got)
		}
	})
}

func TestStartErrorsForTenMinutesFailARelease(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.Refuse(func(engine.Spec) error { return errors.New("no space for the image: secret detail") })
		h.push(3, "web=serve")
		h.after(11 * time.Minute)
		got := h.outcome(3)
		if got.Status != renga.Failed || strings.Contains(got.Reason, "secret detail") {
			t.Errorf("outcome: %+v", got)
		}
		is(t, "running", h.running(), "web.1 v2")
	})
}

func TestUnknownSizeFailsARelease(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1:gigantic")
		h.deploy(2, "web=serve")
		if got := h.outcome(2); got.Status != renga.Failed || !strings.Contains(got.Reason, "eco, standard-1x, standard-2x") {
			t.Errorf("outcome: %+v", got)
		}
	})
}

func TestReleaseThatWantsNoDynosSucceedsAtOnce(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.push(1, "")
		h.after(0)
		if got := h.outcome(1).Status; got != renga.Succeeded {
			t.Errorf("outcome: %q", got)
		}
	})
}

func TestScaleChangesOnlyWhatMustChange(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1 worker=1")
		h.deploy(2, "web=serve worker=work")
		h.did()
		h.scale("web=3 worker=1")
		h.after(5 * time.Second)
		is(t, "running", h.running(), "web.1 v2", "web.2 v2", "web.3 v2", "worker.1 v2")
		if got := h.did(); len(got) != 2 {
			t.Errorf("scaling up did %q", got)
		}
		h.scale("web=1 worker=0")
		h.after(5 * time.Second)
		is(t, "running", h.running(), "web.1 v2")
		if got := h.targets(); len(got) != 1 || len(h.outcomes) != 1 {
			t.Errorf("targets %q, outcomes %v", got, h.outcomes)
		}
	})
}

func TestScaleToZeroStopsAll(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=2")
		h.deploy(2, "web=serve")
		h.scale("web=0")
		h.after(time.Second)
		is(t, "running", h.running())
		if got := h.route(); got.Idle != renga.IdleScaled || len(got.Targets) != 0 {
			t.Errorf("route: %+v", got)
		}
		if len(h.dynos) != 0 {
			t.Errorf("records: %v", h.dynos)
		}
	})
}

func TestNewSizeIsUpBeforeTheOldEnds(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1:eco")
		h.deploy(2, "web=serve")
		h.did()
		h.scale("web=1:standard-2x")
		h.after(time.Second)
		is(t, "did at first", h.did(), "start web.1 v2")
		is(t, "targets at first", h.targets(), "web.1 i000001:8080")
		h.after(5 * time.Second)
		is(t, "did then", h.did(), "stop web.1 v2")
		is(t, "targets then", h.targets(), "web.1 i000002:8080")
	})
}

func TestRestartOfOneLeavesTheOthers(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=2 worker=1")
		h.deploy(2, "web=serve worker=work")
		h.did()
		h.restart("web.2")
		h.after(5 * time.Second)
		is(t, "did", h.did(), "start web.2 v2", "stop web.2 v2")
		h.restart("worker")
		h.after(5 * time.Second)
		is(t, "did", h.did(), "start worker.1 v2", "stop worker.1 v2")
		h.restart(renga.RestartAll)
		h.after(5 * time.Second)
		if got := h.did(); len(got) != 6 || len(h.running()) != 3 {
			t.Errorf("restart of all did %q", got)
		}
	})
}

func TestRestartEndsTheWaitOfACrashedDyno(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("worker=1")
		h.push(2, "worker=crash")
		h.after(30 * time.Minute)
		h.did()
		h.restart("worker.1")
		h.after(time.Second)
		if got := h.did(); len(got) == 0 {
			t.Error("nothing was started")
		}
		if specs := h.Specs(); specs[len(specs)-2].Crashes != 0 {
			t.Errorf("the restart begins with %d crashes", specs[len(specs)-2].Crashes)
		}
	})
}

func TestNewerReleaseTakesOverFromAPendingOne(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.did()
		h.push(3, "web=mute")
		h.after(10 * time.Second)
		h.deploy(4, "web=serve")
		h.after(5 * time.Second)
		is(t, "running", h.running(), "web.1 v4")
		got := h.did()
		is(t, "did last", got[3:], "stop web.1 v2")
		slices.Sort(got)
		is(t, "did", got, "start web.1 v3", "start web.1 v4", "stop web.1 v2", "stop web.1 v3")
		if _, ok := h.outcomes[3]; ok {
			t.Error("the one that was taken over has an outcome of the manager")
		}
	})
}

func TestDynoThatStopsSlowlyHoldsNothingUp(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=stubborn")
		h.deploy(3, "web=serve")
		h.deploy(4, "web=serve")
		is(t, "running", h.running(), "web.1 v2", "web.1 v4")
		if got := h.outcome(4).Status; got != renga.Succeeded {
			t.Errorf("outcome: %q", got)
		}
		h.after(30 * time.Second)
		is(t, "running", h.running(), "web.1 v4")
	})
}

func TestDrainEndsAtItsTimeout(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.router.linger = time.Hour
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.deploy(3, "web=serve")
		is(t, "running", h.running(), "web.1 v2", "web.1 v3")
		h.after(30 * time.Second)
		is(t, "running", h.running(), "web.1 v3")
	})
}

func TestWakesDuringALookAreOneMoreLook(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.after(2 * time.Second)
		before := h.m.Stats().Looks
		gate := make(chan struct{})
		h.store.mu.Lock()
		h.gate = gate
		h.store.mu.Unlock()
		for range 100 {
			h.m.Reconcile(app)
			synctest.Wait()
		}
		close(gate)
		h.after(0)
		if n := h.m.Stats().Looks - before; n != 2 {
			t.Errorf("%d looks; want 2", n)
		}
	})
}

func TestWakeBeforeRunIsRemembered(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.Memory.Away() // so that nothing but the wake tells of the app
		m := runtime.New(h.options, h.store, h.store, h.Memory, h.router)
		m.Reconcile(app)
		h.Memory.Back()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := m.Run(ctx); err != nil || len(h.routes) != 1 {
			t.Errorf("run %v, routes %v", err, h.routes)
		}
	})
}

func TestStartsAreLimited(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=20")
		h.push(2, "web=slowpull")
		h.after(time.Second)
		if n := len(h.running()); n != 8 {
			t.Errorf("%d at once; want 8", n)
		}
		h.after(5 * time.Second)
		if n := len(h.targets()); n != 20 {
			t.Errorf("%d targets; want 20", n)
		}
	})
}

func TestQuietAppCausesNoWork(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		routes, saves, looks := len(h.routes), h.saves, h.m.Stats().Looks
		h.after(5 * time.Minute)
		if n := h.m.Stats().Looks - looks; n > 80 {
			t.Errorf("%d looks in the 5 minutes in which a release is watched; want about 60", n)
		}
		looks = h.m.Stats().Looks
		h.after(time.Hour)
		if len(h.routes) != routes || h.saves != saves {
			t.Errorf("%d routes and %d saves for nothing", len(h.routes)-routes, h.saves-saves)
		}
		if n := h.m.Stats().Looks - looks; n < 80 || n > 160 {
			t.Errorf("%d looks in an hour; want about 120", n)
		}
	})
}

func TestAnAppMayBringItsOwnInit(t *testing.T) {
	for value, without := range map[string]bool{"none": true, "": false, "false": false} {
		withFixture(t, func(h *fixture) {
			h.vars = renga.Vars{"RENGA_INIT": value}
			h.run()
			h.scale("web=1")
			h.deploy(1, "web=serve")
			h.oneOff(renga.OneOff{Dyno: "d", As: "run", Command: "true", Size: "eco", Lasts: time.Minute})
			specs := h.Specs()
			if len(specs) != 2 || specs[0].NoInit != without || specs[1].NoInit {
				t.Errorf("%q: %+v", value, specs)
			}
		})
	}
}
