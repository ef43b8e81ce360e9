package runtime_test

import (
	"testing"
	"time"

	"renga"
)

// cancel calls the pending release off, as the real store does.
func (h *fixture) cancel() {
	h.change(func(d *renga.Desired) {
		h.outcomes[d.Next.Version] = renga.Outcome{Status: renga.Failed, Phase: renga.PhaseFailed, Reason: "Canceled"}
		d.Restarts[renga.DynoName(renga.ReleaseType, d.Next.Version)] = time.Now()
		d.Barred, d.Next = d.Next.Version, nil
	})
	h.m.Reconcile(app)
}

func TestACanceledReleasesDynosGoAndTheLiveOneServesOn(t *testing.T) {
	withOutputs(t, func(h *fixture, _ *fakeOutputs) {
		before := h.targets()
		h.push(3, "web=slowboot")
		h.after(10 * time.Second)
		is(t, "running", h.running(), "web.1 v2", "web.1 v3")
		h.cancel()
		h.after(time.Second)
		is(t, "running then", h.running(), "web.1 v2")
		is(t, "asked", h.targets(), before...)
		h.after(10 * time.Minute)
		is(t, "did", h.did(), "start web.1 v3", "stop web.1 v3")
	})
}

// TestCancelingEndsAReleaseCommand: with SIGTERM, and with SIGKILL one that does
// not heed it.
func TestCancelingEndsAReleaseCommand(t *testing.T) {
	for program, grace := range map[string]time.Duration{"migrate": 0, "stubborn": 30 * time.Second} {
		t.Run(program, func(t *testing.T) {
			withOutputs(t, func(h *fixture, _ *fakeOutputs) {
				h.push(3, "web=serve release="+program)
				h.after(5 * time.Second)
				h.cancel()
				h.after(grace + time.Second)
				is(t, "running", h.running(), "web.1 v2")
				is(t, "did", h.did(), "start release.3 v3", "stop release.3 v3")
			})
		})
	}
}

// TestCancelingBreaksAPullOff: also that of a release command, which would begin
// afterwards.
func TestCancelingBreaksAPullOff(t *testing.T) {
	for _, images := range []string{"web=longpull", "web=serve release=longpull"} {
		t.Run(images, func(t *testing.T) {
			withOutputs(t, func(h *fixture, _ *fakeOutputs) {
				h.push(3, images)
				h.after(5 * time.Second)
				h.cancel()
				h.after(2 * time.Hour)
				is(t, "did", h.did())
				h.deploy(4, "web=serve")
				is(t, "running", h.running(), "web.1 v4")
			})
		})
	}
}

func TestTheFirstReleaseCanBeCanceled(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1")
		h.push(2, "web=slowboot")
		h.after(5 * time.Second)
		h.cancel()
		h.after(time.Hour)
		is(t, "running", h.running())
		is(t, "asked", h.targets())
		if idle := h.route().Idle; idle != renga.IdleBlank {
			t.Errorf("the router answers %q", idle)
		}
	})
}

func TestACanceledReleaseIsFoundAtTheNextStart(t *testing.T) {
	withOutputs(t, func(h *fixture, _ *fakeOutputs) {
		h.push(3, "web=serve release=migrate")
		h.after(5 * time.Second)
		h.end()
		h.change(func(d *renga.Desired) {
			d.Restarts["release.3"] = time.Now()
			d.Barred, d.Next = 3, nil
		})
		h.run()
		h.after(5 * time.Second)
		is(t, "running", h.running(), "web.1 v2")
	})
}

// TestSuccessThatComesTooLateIsNone: the release is canceled after a look has
// read what is wanted, and before it says that the release has succeeded.
func TestSuccessThatComesTooLateIsNone(t *testing.T) {
	withOutputs(t, func(h *fixture, _ *fakeOutputs) {
		before := h.targets()
		h.store.before = func(_ int, o renga.Outcome) error {
			if o.Status == renga.Succeeded && h.outcome(3).Status == "" {
				h.cancel()
			}
			return nil
		}
		h.deploy(3, "web=serve")
		if o := h.outcome(3); o.Status != renga.Failed {
			t.Errorf("outcome: %+v", o)
		}
		is(t, "running", h.running(), "web.1 v2")
		is(t, "asked", h.targets(), before...)
	})
}
