package runtime

import (
	"context"
	"fmt"
	"time"

	"renga"
	"renga/runtime/plan"
)

// WakeUp ends the sleep of an app: somebody asks for it. It never blocks.
func (m *Manager) WakeUp(app renga.AppID) {
	m.mu.Lock()
	m.wakingUp[app] = true
	m.mu.Unlock()
	m.Reconcile(app)
}

// isWakingUp tells whether an app's sleep is to end, or has ended and that is not
// written down yet.
func (m *Manager) isWakingUp(app renga.AppID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wakingUp[app]
}

// isAwake ends what WakeUp began.
func (m *Manager) isAwake(app renga.AppID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.wakingUp, app)
}

// fallAsleep writes down that the app sleeps. The router knows already; the story of a
// sleep is told in package plan.
func (w *worker) fallAsleep(ctx context.Context, state plan.State) error {
	if w.m.rt.LastRequest(w.app).After(state.IdleSince) {
		w.lookAgain()
		return nil
	}
	if err := w.setAsleep(ctx, "fall_asleep", state.Asked); err != nil {
		return err
	}
	w.logger().InfoContext(ctx, "app falls asleep", "idle_since", state.IdleSince)
	w.sayOfLive(state, "Idling")
	return nil
}

// wakeUp ends the app's sleep. Its dynos are started next.
func (w *worker) wakeUp(ctx context.Context, state plan.State) error {
	if err := w.setAsleep(ctx, "wake_up", time.Time{}); err != nil {
		return err
	}
	w.awake = w.m.opts.Now()
	w.m.isAwake(w.app)
	w.logger().InfoContext(ctx, "app wakes up", "asleep_since", state.Desired.AsleepSince)
	w.sayOfLive(state, "Unidling")
	return nil
}

func (w *worker) sayOfLive(state plan.State, text string) {
	for _, name := range state.LiveNames() {
		w.say(name, "%s", text)
	}
}

// setAsleep writes down since when the app sleeps; zero for awake.
func (w *worker) setAsleep(ctx context.Context, verb string, since time.Time) error {
	err := w.m.db.SetAsleep(ctx, w.app, since)
	w.m.stats.step(verb, err)
	w.m.stats.store(err)
	if err != nil {
		return fmt.Errorf("write down since when the app sleeps: %w", err)
	}
	w.lookAgain()
	return nil
}
