package runtime_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"renga"
)

// written is what the store knows.
type written struct {
	live   int
	states []string
}

// onFirst tells what was written down when the router was told of a dyno that it
// was not told of before.
func (h *fixture) onFirst() <-chan written {
	h.router.mu.Lock()
	defer h.router.mu.Unlock()
	known := map[string]bool{}
	for _, r := range h.routes {
		for _, t := range r.Targets {
			known[t.ID] = true
		}
	}
	then := make(chan written, 1)
	h.router.hook = func(r renga.Route) {
		if !slices.ContainsFunc(r.Targets, func(t renga.Target) bool { return !known[t.ID] }) {
			return
		}
		w := written{states: h.states()}
		h.change(func(d *renga.Desired) { w.live = d.Live.Version })
		select {
		case then <- w:
		default: // it was told before
		}
	}
	return then
}

// TestWhatAnswersIsWrittenDown: when the router gets to know a dyno, the store
// knows it, and whose release it is.
func TestWhatAnswersIsWrittenDown(t *testing.T) {
	withRelease(t, func(h *fixture) {
		then := h.onFirst()
		h.deploy(3, "web=serve")
		w := <-then
		is(t, "dynos when v3 could be reached", w.states, "web.1 v3 up")
		if w.live != 3 {
			t.Errorf("when v3 could be reached, v%d was the one that serves", w.live)
		}
		then = h.onFirst()
		h.restart("web.1")
		w = <-then
		is(t, "dynos when the new one could be reached", w.states, "web.1 v3 up")
	})
}

// TestWhatIsNotWrittenDownIsNotSeen: as long as the store takes to note that a
// release has succeeded, the one before answers, and one-off dynos run in it.
func TestWhatIsNotWrittenDownIsNotSeen(t *testing.T) {
	withRelease(t, func(h *fixture) {
		before, noted := h.targets(), make(chan struct{})
		h.store.before = func(_ int, o renga.Outcome) error {
			if o.Status == renga.Succeeded {
				<-noted
			}
			return nil
		}
		h.deploy(3, "web=serve")
		is(t, "running", h.running(), "web.1 v2", "web.1 v3")
		is(t, "asked", h.targets(), before...)
		if d, _ := h.oneOff(renga.OneOff{Command: "x"}); d.Release != 2 {
			t.Errorf("it runs in v%d", d.Release)
		}
		close(noted)
		h.after(5 * time.Second)
		if now := h.targets(); slices.Equal(now, before) {
			t.Errorf("asked: %q still", now)
		}
		if d, _ := h.oneOff(renga.OneOff{Command: "x"}); d.Release != 3 {
			t.Errorf("it runs in v%d", d.Release)
		}
	})
}

// TestNobodyIsAnsweredByAReleaseThatWasReplaced: from before it is written down
// that the next one has succeeded until the router knows its dynos, requests wait.
func TestNobodyIsAnsweredByAReleaseThatWasReplaced(t *testing.T) {
	withRelease(t, func(h *fixture) {
		before, held := h.targets(), make(chan bool, 10)
		h.store.before = func(_ int, o renga.Outcome) error {
			if o.Status == renga.Succeeded {
				held <- h.router.held() && slices.Equal(h.targets(), before)
			}
			return nil
		}
		h.deploy(3, "web=serve")
		if !<-held {
			t.Error("requests were not held while it was written down")
		}
		if h.router.held() || slices.Equal(h.targets(), before) {
			t.Errorf("held still: %v; asked: %q", h.router.held(), h.targets())
		}
	})
}

// TestAStoreThatTakesNothingHoldsRequestsOnce: what cannot be written down leaves
// the app with the dynos that it has, and is tried again without holding it up.
func TestAStoreThatTakesNothingHoldsRequestsOnce(t *testing.T) {
	withRelease(t, func(h *fixture) {
		before, tries, holds := h.targets(), 0, 0
		h.store.before = func(_ int, o renga.Outcome) error {
			if o.Status != renga.Succeeded || tries == 3 {
				return nil
			}
			tries++
			if h.router.held() {
				holds++
			}
			return renga.Errorf(renga.NoSpace, "full")
		}
		h.deploy(3, "web=serve")
		h.after(time.Minute)
		if tries != 3 || holds != 1 || h.router.held() {
			t.Errorf("requests were held in %d of %d tries; still: %v", holds, tries, h.router.held())
		}
		if slices.Equal(h.targets(), before) {
			t.Errorf("asked: %q still", before)
		}
	})
}

// TestAOneOffRunsWhereTheFirstReleaseAnswers: some of its dynos may, long before
// all are up and it has succeeded.
func TestAOneOffRunsWhereTheFirstReleaseAnswers(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1 worker=1")
		h.deploy(2, "web=serve worker=longpull")
		if len(h.targets()) != 1 || h.outcome(2).Status == renga.Succeeded {
			t.Fatalf("asked: %q, outcome %+v", h.targets(), h.outcome(2))
		}
		if d, _ := h.oneOff(renga.OneOff{Command: "x"}); d.Release != 2 {
			t.Errorf("it runs in v%d", d.Release)
		}
	})
}

// TestAOneOffWaitsForTheFirstReleaseCommand: before that nothing of the release may
// run.
func TestAOneOffWaitsForTheFirstReleaseCommand(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.deploy(2, "web=serve release=migrate")
		_, _, err := h.m.RunOneOff(t.Context(), app, renga.OneOff{Command: "x"})
		if renga.KindOf(err) != renga.Invalid {
			t.Errorf("error: %v", err)
		}
	})
}

// TestAOneOffRunsInWhatTookThePlace: without preboot the old dynos are gone before
// the new release has succeeded.
func TestAOneOffRunsInWhatTookThePlace(t *testing.T) {
	withRelease(t, func(h *fixture) {
		h.change(func(d *renga.Desired) { d.App.Features = map[string]bool{renga.Preboot: false} })
		h.scale("web=1 worker=1")
		h.after(5 * time.Second)
		h.deploy(3, "web=serve worker=longpull")
		h.after(5 * time.Second)
		is(t, "running", h.running(), "web.1 v3")
		if d, _ := h.oneOff(renga.OneOff{Command: "x"}); d.Release != 3 {
			t.Errorf("it runs in v%d", d.Release)
		}
	})
}

// TestAOneOffIsFoundByWhoeverIsToldOfIt: at once, be it attached or not.
func TestAOneOffIsFoundByWhoeverIsToldOfIt(t *testing.T) {
	withRelease(t, func(h *fixture) {
		for _, asked := range []renga.OneOff{{Command: "x"}, {Command: "echo", Attach: true}} {
			d, s := h.oneOff(asked)
			if !slices.ContainsFunc(h.states(), func(state string) bool { return strings.HasPrefix(state, d.Name+" v2 ") }) {
				t.Errorf("%s is not among %q", d.Name, h.states())
			}
			if s != nil {
				if err := s.Close(t.Context(), ""); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// TestAOneOffDoesNotWaitForAStoreThatHangs: it runs, and that counts more.
func TestAOneOffDoesNotWaitForAStoreThatHangs(t *testing.T) {
	withRelease(t, func(h *fixture) {
		noted := make(chan struct{})
		h.store.before = func(int, renga.Outcome) error { <-noted; return nil }
		h.deploy(3, "web=serve")
		began := time.Now()
		if d, _ := h.oneOff(renga.OneOff{Command: "x"}); d.State != renga.Up || time.Since(began) > 3*time.Second {
			t.Errorf("%s is %s after %s", d.Name, d.State, time.Since(began))
		}
		close(noted)
	})
}
