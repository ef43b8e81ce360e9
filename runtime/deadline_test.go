package runtime_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/runtime/engine"
)

// stuckEngine hangs where the test says, from v3 on.
type stuckEngine struct {
	engine.Engine
	start func(context.Context) error // instead of starting
	list  func(context.Context) error // before listing
	read  func(context.Context) error // instead of reading outputs
	stop  func(context.Context) error // instead of stopping
	// untried has the image's HEALTHCHECK never decide.
	untried bool
}

func (e *stuckEngine) Start(ctx context.Context, s engine.Spec) (engine.Instance, error) {
	if e.start != nil && s.Release >= 3 {
		return engine.Instance{}, e.start(ctx)
	}
	return e.Engine.Start(ctx, s)
}

func (e *stuckEngine) List(ctx context.Context, app renga.AppID) ([]engine.Instance, error) {
	if e.list != nil {
		if err := e.list(ctx); err != nil {
			return nil, err
		}
	}
	all, err := e.Engine.List(ctx, app)
	for n := range all {
		if e.untried && all[n].Release >= 3 && all[n].State == engine.Running {
			all[n].Health = engine.Untried
		}
	}
	return all, err
}

func (e *stuckEngine) ReadOutput(ctx context.Context, id string, since time.Time, tell func(engine.Printed)) error {
	if e.read != nil {
		return e.read(ctx)
	}
	return e.Engine.(engine.OutputReader).ReadOutput(ctx, id, since, tell)
}

func (e *stuckEngine) Stop(ctx context.Context, id string, grace time.Duration) error {
	if e.stop != nil {
		return e.stop(ctx)
	}
	return e.Engine.Stop(ctx, id, grace)
}

// patient hangs until its caller has had enough.
func patient(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestWhateverHangsAReleaseEnds: in bounded time, with a reason, and the live
// one serves on.
func TestWhateverHangsAReleaseEnds(t *testing.T) {
	deaf := make(chan struct{}) // for what does not even heed its caller
	for name, c := range map[string]struct {
		engine stuckEngine
		images string
		within time.Duration
		reason string
	}{
		"a pull": {stuckEngine{start: patient}, "web=serve", 16 * time.Minute,
			"web.1 could not be started: fetching the image and starting it took longer than 15m0s"},
		"a pull of a worker's": {stuckEngine{start: patient}, "web=serve worker=work", 16 * time.Minute, "could not be started"},
		"a start for ever": {stuckEngine{start: func(context.Context) error { <-deaf; return nil }}, "web=serve", 31 * time.Minute,
			"It was not up within 30m0s: web.1 was being started, which takes fetching the image and Docker's answers"},
		"the engine": {stuckEngine{list: patient}, "web=serve", 32 * time.Minute,
			"It was not up within 30m0s: the engine could not be asked for its dynos"},
		"a HEALTHCHECK": {stuckEngine{untried: true}, "web=serve", 31 * time.Minute,
			"It was not up within 30m0s: the HEALTHCHECK of the image had neither passed nor failed in web.1"},
		"a release command": {stuckEngine{}, "web=serve release=work", 61 * time.Minute, "The release command ran longer than 1h0m0s"},
		"a release command's start": {stuckEngine{start: patient}, "web=serve release=migrate", 16 * time.Minute,
			"release.3 could not be started: fetching the image and starting it took longer than 15m0s"},
		"a release command's output": {stuckEngine{read: patient}, "web=serve release=migrate", 91 * time.Minute,
			"It was not up within 30m0s: its release command could not be started, or its end not be found out"},
	} {
		t.Run(name, func(t *testing.T) {
			withOutputs(t, func(h *fixture, _ *fakeOutputs) {
				before := h.targets()
				deaf = make(chan struct{})
				defer func() { close(deaf); h.end() }()
				e := c.engine
				list := e.list
				e.Engine, e.list = h.engine, nil
				h.engine = &e
				h.run()
				h.scale("web=1 worker=1")
				h.after(time.Second)
				e.list = list
				h.push(3, c.images)
				h.after(c.within)
				o := h.outcome(3)
				if o.Status != renga.Failed || !strings.Contains(o.Reason, c.reason) {
					t.Fatalf("after %v: %+v", c.within, o)
				}
				is(t, "asked", h.targets(), before...)
			})
		})
	}
}

// TestAnOldDynoThatDoesNotEndDoesNotHoldAReleaseForEver, without preboot, where
// the new one waits for its end.
func TestAnOldDynoThatDoesNotEndDoesNotHoldAReleaseForEver(t *testing.T) {
	withFixture(t, func(h *fixture) {
		e := &stuckEngine{Engine: h.engine, stop: patient}
		h.engine = e
		h.change(func(d *renga.Desired) { d.App.Features = map[string]bool{renga.Preboot: false} })
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.push(3, "web=serve")
		h.after(31 * time.Minute)
		if o := h.outcome(3); o.Status != renga.Failed ||
			o.Reason != "It was not up within 30m0s: web.1 waited for the dyno that it replaces to end" {
			t.Errorf("outcome: %+v", o)
		}
	})
}

// TestTheTimeInWhichNobodyLooksDoesNotCount: a release that is pending when
// Renga ends is brought up by the next start.
func TestTheTimeInWhichNobodyLooksDoesNotCount(t *testing.T) {
	withOutputs(t, func(h *fixture, _ *fakeOutputs) {
		h.push(3, "web=slowboot")
		h.after(5 * time.Second)
		h.end()
		h.options.BootTimeout = 2 * time.Minute
		h.after(3 * time.Hour)
		h.run()
		h.after(2 * time.Minute)
		if o := h.outcome(3); o.Status != renga.Succeeded {
			t.Errorf("outcome: %+v", o)
		}
	})
}
