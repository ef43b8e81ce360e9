package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"renga"
)

// fakeEnds is told how scheduled dynos ended, and cannot write it down for a while.
type fakeEnds struct {
	mu    sync.Mutex
	fails int
	told  []string
}

func (e *fakeEnds) RunEnded(_ context.Context, d renga.Dyno) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fails > 0 {
		e.fails--
		return errors.New("Redis is away")
	}
	e.told = append(e.told, fmt.Sprintf("%s v%d %d %s", d.ID, d.Release, d.Exit.Code, d.Reason))
	return nil
}

// all is what it was told.
func (e *fakeEnds) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.told)
}

// withSchedules is withRelease with somebody who is told of ends.
func withSchedules(t *testing.T, test func(h *fixture, e *fakeEnds)) {
	withFixture(t, func(h *fixture) {
		e := &fakeEnds{}
		h.options.Ends = e
		h.run()
		h.scale("web=1 scheduler=1")
		h.deploy(2, "web=serve scheduler=work")
		h.did()
		test(h, e)
	})
}

// scheduled runs a command whose image has no shell.
func (h *fixture) scheduled(command, id string) renga.Dyno {
	h.Helper()
	h.Refuse(shellless)
	d, _ := h.oneOff(renga.OneOff{Command: command, As: renga.Scheduler, Dyno: id})
	return d
}

func TestAScheduledDynoIsKeptUntilItsEndIsTold(t *testing.T) {
	withSchedules(t, func(h *fixture, e *fakeEnds) {
		e.fails = 3
		d := h.scheduled("migrate", "run-1")
		if typ, n, err := renga.ParseDynoName(d.Name); err != nil || typ != renga.Scheduler || n < 1000 || d.ID != "run-1" || d.Release != 2 {
			t.Errorf("dyno: %+v", d)
		}
		h.after(5 * time.Second)
		if !slices.Contains(h.states(), d.Name+" v2 up") {
			t.Errorf("states: %q", h.states())
		}
		h.after(6 * time.Second)
		is(t, "told too early", e.all())
		if _, err := h.m.FindOneOff(t.Context(), app, "run-1"); err != nil {
			t.Errorf("it is gone before its end was told: %v", err)
		}
		h.after(time.Minute)
		is(t, "told", e.all(), "run-1 v2 0 ")
		if _, err := h.m.FindOneOff(t.Context(), app, "run-1"); renga.KindOf(err) != renga.NotFound {
			t.Errorf("after its end: %v", err)
		}
		h.scheduled("botch", "run-2")
		h.after(5 * time.Second)
		is(t, "told", e.all()[1:], "run-2 v2 3 Process exited with status 3.")
	})
}

// TestAScheduledDynoThatIsThereIsNotStartedAgain: whoever died over the start
// asks for it again.
func TestAScheduledDynoThatIsThereIsNotStartedAgain(t *testing.T) {
	withSchedules(t, func(h *fixture, _ *fakeEnds) {
		first := h.scheduled("work", "run-1")
		h.run()
		if again := h.scheduled("work", "run-1"); again.Name != first.Name || !again.Created.Equal(first.Created) {
			t.Errorf("first %+v, then %+v", first, again)
		}
		h.after(time.Minute)
		is(t, "running", h.running(), "scheduler.1 v2", first.Name+" v2", "web.1 v2")
	})
}

func TestAScheduledDynoIsEndedWithAReason(t *testing.T) {
	withSchedules(t, func(h *fixture, e *fakeEnds) {
		d := h.scheduled("work", "run-1")
		h.after(time.Minute)
		h.restart(d.Name)
		h.after(time.Minute)
		h.scheduled("work", "run-2")
		h.after(23 * time.Hour)
		is(t, "told", e.all(), "run-1 v2 143 It was stopped.")
		h.after(2 * time.Hour)
		is(t, "told", e.all()[1:], "run-2 v2 143 It had not ended after 24h0m0s, and was stopped.")
		is(t, "running", h.running(), "scheduler.1 v2", "web.1 v2")
	})
}

// TestAProcessTypeOfThatNameIsNoOneOff: it is replaced at a release, and its
// dynos do not wait for those of schedules.
func TestAProcessTypeOfThatNameIsNoOneOff(t *testing.T) {
	withSchedules(t, func(h *fixture, e *fakeEnds) {
		h.change(func(d *renga.Desired) { d.App.Features = map[string]bool{renga.Preboot: false} })
		d := h.scheduled("work", "run-1")
		h.deploy(3, "web=serve scheduler=work")
		h.after(time.Minute)
		is(t, "running", h.running(), "scheduler.1 v3", d.Name+" v2", "web.1 v3")
		h.scale("web=1 scheduler=0")
		h.after(time.Minute)
		is(t, "running", h.running(), d.Name+" v2", "web.1 v3")
		h.change(func(d *renga.Desired) { d.App.Deleting = true })
		if _, _, err := h.m.RunOneOff(t.Context(), app, renga.OneOff{Command: "work"}); renga.KindOf(err) != renga.NotFound {
			t.Errorf("of an app on its way out: %v", err)
		}
		h.m.Reconcile(app)
		h.after(time.Minute)
		is(t, "running", h.running())
		is(t, "told", e.all())
	})
}

// TestAScheduledDynoIsNotEndedWhileTheStoreIsAway, like all others.
func TestAScheduledDynoIsNotEndedWhileTheStoreIsAway(t *testing.T) {
	withSchedules(t, func(h *fixture, e *fakeEnds) {
		d := h.scheduled("work", "run-1")
		h.after(time.Minute)
		h.fail(renga.Errorf(renga.Unavailable, "The store is away."))
		h.after(25 * time.Hour)
		is(t, "running", h.running(), "scheduler.1 v2", d.Name+" v2", "web.1 v2")
		h.fail(nil)
		h.after(2 * time.Minute)
		is(t, "running", h.running(), "scheduler.1 v2", "web.1 v2")
		is(t, "told", e.all(), "run-1 v2 143 It had not ended after 24h0m0s, and was stopped.")
	})
}

// TestAnAppThatSleepsRunsItsSchedules, and sleeps on.
func TestAnAppThatSleepsRunsItsSchedules(t *testing.T) {
	withSchedules(t, func(h *fixture, e *fakeEnds) {
		h.change(func(d *renga.Desired) { d.App.SleepAfter, d.AsleepSince = time.Hour, time.Now() })
		h.m.Reconcile(app)
		h.after(time.Minute)
		d := h.scheduled("migrate", "run-1")
		h.after(5 * time.Second)
		is(t, "running", h.running(), d.Name+" v2")
		h.after(time.Minute)
		is(t, "running", h.running())
		is(t, "told", e.all(), "run-1 v2 0 ")
	})
}

func TestOneOffsThatStartAtOnceHaveNamesOfTheirOwn(t *testing.T) {
	withSchedules(t, func(h *fixture, _ *fakeEnds) {
		h.Refuse(shellless)
		var wg sync.WaitGroup
		for n := range 45 {
			wg.Go(func() {
				_, _, err := h.m.RunOneOff(context.Background(), app, renga.OneOff{Command: "slowpull", As: renga.Scheduler, Dyno: fmt.Sprint(n)})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		names := map[string]bool{}
		all, err := h.Memory.List(t.Context(), app)
		for _, i := range all {
			names[i.Name] = true
		}
		if err != nil || len(names) != 47 {
			t.Errorf("%d dynos have %d names, %v", len(all), len(names), err)
		}
	})
}
