package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"renga"
)

// sleepers is a dyno manager that notes whom it wakes up.
type sleepers struct {
	woken   map[renga.AppID]int
	settled chan struct{}
}

func (s *sleepers) WakeUp(app renga.AppID) { s.woken[app]++ }

func (s *sleepers) Settled(ctx context.Context) error {
	select {
	case <-s.settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestWhatTheRouterAsksForWaitsForTheManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWakeUps()
		for range 3 { // nobody listens yet, and nothing blocks
			w.Ask("a")
			w.Ask("b")
		}
		manager := &sleepers{woken: map[renga.AppID]int{}, settled: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.run(ctx, manager) }()
		synctest.Wait()
		w.Ask("c")
		synctest.Wait()
		if manager.woken["a"] != 1 || manager.woken["b"] != 1 || manager.woken["c"] != 1 {
			t.Errorf("woken %v, want each app once", manager.woken)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestRoutesAreKnownOnceTheManagerHasSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWakeUps()
		manager := &sleepers{settled: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.run(ctx, manager) }()
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := w.TableComplete(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("before that, a request that is gone gets %v", err)
		}
		close(manager.settled)
		if err := w.TableComplete(t.Context()); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
