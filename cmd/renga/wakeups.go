package main

import (
	"context"
	"fmt"
	"sync"

	"renga"
)

// wakeUps is what the router asks of the dyno manager. The manager hands its
// routes to the router, which is therefore made first and knows of no manager: what
// it asks for waits here until the manager runs.
type wakeUps struct {
	asked chan struct{} // size one: somebody is in apps
	known chan struct{} // closed once every app has its route

	mu   sync.Mutex
	apps map[renga.AppID]bool // that sleep, and have a request
}

func newWakeUps() *wakeUps {
	return &wakeUps{asked: make(chan struct{}, 1), known: make(chan struct{}), apps: map[renga.AppID]bool{}}
}

// waker ends the sleep of apps.
type waker interface {
	WakeUp(app renga.AppID)
	// Settled returns once every app has its route, or with an error when ctx ends.
	Settled(ctx context.Context) error
}

// Ask asks for the end of an app's sleep. It never blocks.
func (w *wakeUps) Ask(app renga.AppID) {
	w.mu.Lock()
	w.apps[app] = true
	w.mu.Unlock()
	select {
	case w.asked <- struct{}{}:
	default:
	}
}

// TableComplete waits until every app has its route, or ctx ends.
func (w *wakeUps) TableComplete(ctx context.Context) error {
	select {
	case <-w.known:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for every app's route: %w", ctx.Err())
	}
}

// run hands on what is asked for until ctx ends.
func (w *wakeUps) run(ctx context.Context, manager waker) error {
	var own sync.WaitGroup
	defer own.Wait()
	own.Go(func() {
		if manager.Settled(ctx) == nil {
			close(w.known)
		}
	})
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.asked:
			for app := range w.take() {
				manager.WakeUp(app)
			}
		}
	}
}

// take empties the list.
func (w *wakeUps) take() map[renga.AppID]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.apps
	w.apps = map[renga.AppID]bool{}
	return all
}
