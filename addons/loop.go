package addons

import (
	"context"
	"sync"
	"time"

	"renga"
	"renga/addons/provider"
)

const (
	// lookAtOnce is how many add-ons are looked at at once.
	lookAtOnce = 16
	// lookLimit bounds one look: a large image has to come over a slow line.
	lookLimit = time.Hour
	// soon is after what time a look is repeated that waits for dynos to end.
	soon = 2 * time.Second
)

// Run looks after the add-ons until ctx ends: at all of them first, then at those
// that something happened to.
func (s *Service) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for _, p := range s.Providers {
		if w, ok := p.(provider.Watcher); ok {
			running.Go(func() { s.watch(ctx, w) })
		}
	}
	running.Go(func() { s.lookAtAll(ctx) })
	slots := make(chan struct{}, lookAtOnce)
	for {
		due, next := s.queue.take()
		for _, id := range due {
			running.Go(func() {
				select {
				case slots <- struct{}{}:
					s.lookOnce(ctx, id)
					<-slots
				case <-ctx.Done():
				}
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.queue.wake:
		case <-time.After(next):
		}
	}
}

// lookAtAll has all add-ons looked at, as soon as the store can be read.
func (s *Service) lookAtAll(ctx context.Context) {
	for failures := 1; ; failures++ {
		all, err := s.Store.AddOns(ctx)
		if err == nil {
			for _, a := range all {
				s.queue.add(a.ID, 0)
			}
			return
		}
		s.Log.Warn("add-ons are not known", "err", err)
		if !wait(ctx, pause(failures)) {
			return
		}
	}
}

// watch is told by a provider what happens to its services. Whatever happened
// while nobody watched is found by looking at all of them.
func (s *Service) watch(ctx context.Context, w provider.Watcher) {
	for failures := 1; ctx.Err() == nil; failures++ {
		if err := w.Watch(ctx, func(id renga.AddOnID) { s.queue.add(id, 0) }); err != nil && ctx.Err() == nil {
			s.Log.Warn("services of add-ons are not watched", "err", err)
		}
		if !wait(ctx, pause(min(failures, 4))) {
			return
		}
		s.lookAtAll(ctx)
	}
}

// wait waits, and is false when ctx ended meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Look has an add-on looked at soon.
func (s *Service) Look(id renga.AddOnID) { s.queue.add(id, 0) }

// lookOnce is one look by the loop.
func (s *Service) lookOnce(ctx context.Context, id renga.AddOnID) {
	again, err := s.look(ctx, id)
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("an add-on is not as it should be", "addon", id, "err", err)
	}
	s.queue.done(id, again, err)
}

// answerLimit is how long whoever asked for a change waits for it at most; it
// goes on after that.
const answerLimit = 20 * time.Second

// lookNow has an add-on looked at for whoever asked for a change, and gives the
// error of that look. The change is recorded already: it is made too when they go
// away, and when it takes longer than they wait.
func (s *Service) lookNow(ctx context.Context, id renga.AddOnID) error {
	select {
	case err := <-s.queue.await(id):
		return err
	case <-time.After(answerLimit):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
