package runtime_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/runtime/engine"
)

// fakeOutputs is a runtime.Outputs in memory.
type fakeOutputs struct {
	mu     sync.Mutex
	sheets map[int]*fakeRecording
	begun  int
	forgot bool
}

type fakeRecording struct {
	strings.Builder
	closed bool
}

func (s *fakeRecording) Close() error {
	s.closed = true
	return nil
}

func (s *fakeOutputs) Record(_ renga.AppID, version int) (io.WriteCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun++
	s.sheets[version] = &fakeRecording{}
	return s.sheets[version], nil
}

func (s *fakeOutputs) Forget(renga.AppID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgot = true
	return nil
}

// withOutputs has one release up and keeps what release commands print.
func withOutputs(t *testing.T, test func(h *fixture, s *fakeOutputs)) {
	withFixture(t, func(h *fixture) {
		s := &fakeOutputs{sheets: map[int]*fakeRecording{}}
		h.options.Outputs = s
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.did()
		test(h, s)
	})
}

func TestAReleaseCommandRunsBeforeItsReleasesDynos(t *testing.T) {
	withOutputs(t, func(h *fixture, s *fakeOutputs) {
		h.push(3, "web=serve release=migrate")
		h.after(9 * time.Second)
		is(t, "did while it runs", h.did(), "start release.3 v3")
		is(t, "states", h.states(), "web.1 v2 up", "release.3 v3 up")
		if o := h.outcome(3); o.Status != renga.Pending || o.Phase != renga.PhaseBegun {
			t.Errorf("outcome while it runs: %+v", o)
		}
		h.after(5 * time.Second)
		is(t, "did then", slices.Sorted(slices.Values(h.did())), "start web.1 v3", "stop release.3 v3", "stop web.1 v2")
		if o := h.outcome(3); o.Status != renga.Succeeded || o.Phase != renga.PhasePassed {
			t.Errorf("outcome: %+v", o)
		}
		if out := s.sheets[3]; out.String() != "migrating db:5432\n" || !out.closed {
			t.Errorf("output: %q", out)
		}
		spec := h.Specs()[1]
		if spec.Env["DYNO"] != "release.3" || spec.Env["HEROKU_RELEASE_VERSION"] != "v3" || spec.Port != 0 || spec.Size.Name != "standard-1x" {
			t.Errorf("spec: %+v", spec)
		}
	})
}

func TestAReleaseCommandThatFailsLeavesTheOldRelease(t *testing.T) {
	withOutputs(t, func(h *fixture, _ *fakeOutputs) {
		h.push(3, "web=serve release=botch")
		h.after(5 * time.Second)
		is(t, "did", h.did(), "start release.3 v3", "stop release.3 v3")
		is(t, "running", h.running(), "web.1 v2")
		o := h.outcome(3)
		if o.Status != renga.Failed || o.Phase != renga.PhaseFailed || o.Reason != "The release command exited with status 3" {
			t.Errorf("outcome: %+v", o)
		}
		is(t, "log", o.Log, "no such table")
	})
}

func TestAReleaseCommandThatTakesTooLongIsEnded(t *testing.T) {
	withOutputs(t, func(h *fixture, _ *fakeOutputs) {
		h.push(3, "web=serve release=work")
		h.after(59 * time.Minute)
		is(t, "running", h.running(), "release.3 v3", "web.1 v2")
		h.after(2 * time.Minute)
		is(t, "running", h.running(), "web.1 v2")
		if o := h.outcome(3); o.Status != renga.Failed || !strings.Contains(o.Reason, "longer than 1h") {
			t.Errorf("outcome: %+v", o)
		}
	})
}

// TestAReleaseCommandIsFoundAgain: the manager ends and begins anew while it
// runs, and after it has ended.
func TestAReleaseCommandIsFoundAgain(t *testing.T) {
	withOutputs(t, func(h *fixture, s *fakeOutputs) {
		h.push(3, "web=serve release=migrate")
		h.after(3 * time.Second)
		h.run()
		h.after(3 * time.Second)
		h.end()
		h.after(time.Minute)
		h.run()
		h.after(5 * time.Second)
		is(t, "did", slices.Sorted(slices.Values(h.did())), "start release.3 v3", "start web.1 v3", "stop release.3 v3", "stop web.1 v2")
		if s.begun != 3 || s.sheets[3].String() != "migrating db:5432\n" {
			t.Errorf("recorded %d times, in the end %q", s.begun, s.sheets[3])
		}
	})
}

func TestANewerReleaseWaitsForTheOlderOnesCommand(t *testing.T) {
	withOutputs(t, func(h *fixture, _ *fakeOutputs) {
		h.push(3, "web=serve release=migrate")
		h.after(5 * time.Second)
		h.push(4, "web=serve release=migrate")
		h.after(3 * time.Second)
		is(t, "running", h.running(), "release.3 v3", "web.1 v2")
		h.after(4 * time.Second)
		is(t, "running", h.running(), "release.4 v4", "web.1 v2")
		h.after(15 * time.Second)
		is(t, "running", h.running(), "web.1 v4")
	})
}

func TestStoppingAReleaseCommandFailsTheRelease(t *testing.T) {
	withOutputs(t, func(h *fixture, _ *fakeOutputs) {
		h.push(3, "web=serve release=migrate")
		h.after(5 * time.Second)
		h.restart("release.3")
		h.after(time.Second)
		is(t, "running", h.running(), "web.1 v2")
		if o := h.outcome(3); o.Status != renga.Failed || !strings.Contains(o.Reason, "stopped") {
			t.Errorf("outcome: %+v", o)
		}
	})
}

// deafEngine cannot read outputs at first.
type deafEngine struct {
	engine.Engine
	deaf sync.Mutex // held while it cannot
}

func (e *deafEngine) ReadOutput(ctx context.Context, id string, since time.Time, tell func(engine.Printed)) error {
	if !e.deaf.TryLock() {
		return renga.Errorf(renga.Unavailable, "It is deaf.")
	}
	e.deaf.Unlock()
	return e.Engine.(engine.OutputReader).ReadOutput(ctx, id, since, tell)
}

func TestAnOutputThatBrokeOffIsRecordedAnew(t *testing.T) {
	withOutputs(t, func(h *fixture, s *fakeOutputs) {
		e := &deafEngine{Engine: h.engine}
		h.engine = e
		e.deaf.Lock()
		h.run()
		h.push(3, "web=serve release=migrate")
		h.after(5 * time.Second)
		e.deaf.Unlock()
		h.after(20 * time.Second)
		if got := s.sheets[3].String(); got != "migrating db:5432\n" {
			t.Errorf("output: %q", got)
		}
		is(t, "running", h.running(), "web.1 v3")
	})
}

func TestOutputsGoWithTheApp(t *testing.T) {
	withOutputs(t, func(h *fixture, s *fakeOutputs) {
		h.change(func(d *renga.Desired) { d.App.Deleting = true })
		h.m.Reconcile(app)
		h.after(time.Minute)
		if !s.forgot {
			t.Error("they stay")
		}
	})
}
