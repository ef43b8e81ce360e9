package builds

import (
	"context"
	"os"
	"slices"
	"time"

	"renga"
)

// scanEvery is how often everything is read again, in case something was missed.
const scanEvery = 5 * time.Second

// errStopped is why builds end when Renga does.
var errStopped = renga.Errorf(renga.Unavailable, "The platform was stopped in the middle of this build. Push again.")

// Run builds what is to be built until ctx ends, and then waits for what is under way,
// which is cut short.
func (m *Builds) Run(ctx context.Context) error {
	defer m.tries.Wait()
	for {
		if err := m.scan(ctx); err != nil && ctx.Err() == nil {
			m.Log.Warn("builds wait", "err", err)
		}
		again := time.NewTimer(scanEvery)
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-again.C:
		case <-m.wake:
			again.Stop()
		}
	}
}

// scan begins what is due.
func (m *Builds) scan(ctx context.Context) error {
	open, err := m.open(ctx)
	if err != nil {
		return err
	}
	if m.isNew() {
		if err := m.takeUp(ctx, open); err != nil {
			return err
		}
		return m.scan(ctx)
	}
	slices.SortFunc(open, func(a, b renga.Build) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for _, b := range open {
		m.begin(ctx, b)
	}
	return nil
}

// open are the builds that are not over, of each app the oldest first.
func (m *Builds) open(ctx context.Context) ([]renga.Build, error) {
	apps, err := m.store.AppsWithBuilds(ctx)
	if err != nil {
		return nil, err
	}
	var open []renga.Build
	for _, app := range apps {
		all, err := m.store.Builds(ctx, app)
		if renga.KindOf(err) == renga.NotFound {
			err = m.forget(ctx, app)
		}
		if err != nil {
			return nil, err
		}
		for _, b := range all {
			if !b.State.Over() {
				open = append(open, b)
			}
		}
	}
	return open, nil
}

// forget removes all that is kept of an app that is gone.
func (m *Builds) forget(ctx context.Context, app renga.AppID) error {
	m.mu.Lock()
	r := m.running[app]
	m.mu.Unlock()
	if r != nil {
		r.end(renga.Errorf(renga.NotFound, "The app was deleted."))
		return nil // when that has ended it is looked again
	}
	if err := m.maker.Forget(ctx, app); err != nil {
		return err
	}
	if err := m.outputs.Forget(app); err != nil {
		return err
	}
	return m.store.ForgetBuilds(ctx, app)
}

// isNew tells whether it is still to be dealt with what a Renga before this one left.
func (m *Builds) isNew() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ours != nil
}

// isOurs tells whether a build was asked for since this Renga started.
func (m *Builds) isOurs(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ours[id]
}

// takeUp deals with what a Renga before this one left: containers, sources of builds that
// are over, and builds that nobody waits for any more.
func (m *Builds) takeUp(ctx context.Context, open []renga.Build) error {
	if err := m.maker.RemoveLeftovers(ctx); err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, b := range open {
		if b.Replaces && !m.isOurs(b.ID) {
			if err := m.settle(ctx, b, errStopped); err != nil {
				return err
			}
			continue
		}
		needed[b.ID] = true
	}
	left, err := os.ReadDir(m.Dir)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range left {
		if !needed[e.Name()] && !m.isOurs(e.Name()) {
			if err := m.dropSource(e.Name()); err != nil {
				return err
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ours = nil
	return nil
}

// begin begins a build, unless its app has one under way, or there are too many.
func (m *Builds) begin(ctx context.Context, b renga.Build) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running[b.App] != nil || len(m.running) >= m.Parallel || ctx.Err() != nil {
		return
	}
	ctx, end := context.WithCancelCause(ctx)
	m.running[b.App] = &running{b, end}
	m.tries.Go(func() {
		defer end(nil)
		m.try(ctx, b)
		m.mu.Lock()
		delete(m.running, b.App)
		m.mu.Unlock()
		m.look()
	})
}
