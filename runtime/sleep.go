package runtime

import (
	"context"
	"fmt"
	"time"

	"renga"
	"renga/runtime/plan"
)

// WakeUp wakes an app that sleeps: somebody asks for it. It never blocks.
func (m *Manager) WakeUp(app renga.AppID) {
	m.mu.Lock()
	m.roused[app] = true
	m.mu.Unlock()
	m.Reconcile(app)
}

// isRoused tells whether an app is to wake, or has woken and that is not written
// down yet.
func (m *Manager) isRoused(app renga.AppID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.roused[app]
}

// isAwake ends what WakeUp began.
func (m *Manager) isAwake(app renga.AppID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.roused, app)
}

// doze writes down that the app sleeps. The router knows already; the story of a
// sleep is told in package plan.
func (w *worker) doze(ctx context.Context, world plan.World) error {
	if w.m.rt.LastRequest(w.app).After(world.QuietSince) {
		w.lookAgain()
		return nil
	}
	if err := w.setAsleep(ctx, "doze", world.Asked); err != nil {
		return err
	}
	w.logger().InfoContext(ctx, "app falls asleep", "quiet_since", world.QuietSince)
	w.sayAll(world, "Idling")
	return nil
}

// rouse ends the app's sleep. Its dynos are started next.
func (w *worker) rouse(ctx context.Context, world plan.World) error {
	if err := w.setAsleep(ctx, "rouse", time.Time{}); err != nil {
		return err
	}
	w.awake = w.m.opts.Now()
	w.m.isAwake(w.app)
	w.logger().InfoContext(ctx, "app wakes", "asleep_since", world.Desired.AsleepSince)
	w.sayAll(world, "Unidling")
	return nil
}

func (w *worker) sayAll(world plan.World, text string) {
	for _, name := range world.LiveNames() {
		w.say(name, "%s", text)
	}
}

// setAsleep writes down since when the app sleeps; zero for awake.
func (w *worker) setAsleep(ctx context.Context, verb string, since time.Time) error {
	err := w.m.db.SetAsleep(ctx, w.app, since)
	w.m.stats.step(verb, err)
	w.m.stats.store(err)
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	w.lookAgain()
	return nil
}
