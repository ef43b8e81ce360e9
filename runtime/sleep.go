package runtime

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"renga"
)

// An app falls asleep in three steps, each of which a request may still undo:
// the router is told that it sleeps, so that no request reaches its dynos any
// more; if none had come until then, [Doze] writes down that it sleeps; and from
// that on nothing of its formation is wanted, so that the dynos are drained and
// stopped like those of any that is scaled down. Whatever dies in between, no
// request is lost: it has claimed a dyno, which is then drained, or it waits, and
// wakes the app.

// Doze writes down that the app sleeps, unless a request came meanwhile.
type Doze struct{}

// Rouse writes down that the app is awake.
type Rouse struct{}

func (Doze) step()  {}
func (Rouse) step() {}

// asleep tells whether nothing of the formation is to run.
func (w World) asleep() bool { return !w.Gone && !w.Roused && w.Desired.Asleep() }

// dozes decides whether the app is to fall asleep: nobody has asked for it for
// long enough, and nothing of it is on its way.
func (p *planner) dozes() bool {
	after, d := p.Desired.App.SleepAfter, p.Desired
	if after == 0 || p.Gone || p.Away || p.Roused || d.Next != nil || !d.AsleepSince.IsZero() || p.webWanted() == 0 {
		return false
	}
	if slices.ContainsFunc(p.live, func(v view) bool { return !v.up() && !v.crashed() }) {
		return false
	}
	return p.due(later(p.QuietSince, d.TouchedAt()).Add(after))
}

// rests plans the step of an app that falls asleep or wakes.
func (p *planner) rests() []Step {
	switch {
	case p.dozing:
		return []Step{Doze{}}
	case !p.Gone && !p.Away && !p.asleep() && !p.Desired.AsleepSince.IsZero():
		return []Step{Rouse{}}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sleepers lists the dynos of an app that sleeps: one for each that it is to
// have when it wakes.
func (w World) sleepers() []renga.Dyno {
	var all []renga.Dyno
	for _, v := range w.views(w.Desired.Live) {
		since := w.Desired.AsleepSince
		all = append(all, renga.Dyno{
			ID:  uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s %s %d", w.App, v.name, since.UnixNano())).String(),
			App: w.App, Name: v.name, Type: v.typ, Size: v.size, Release: v.release.Version,
			Command: v.release.Images[v.typ].Command, State: renga.Asleep, Since: since, Created: since,
		})
	}
	return all
}

// Rouse wakes an app that sleeps: somebody asks for it. It never blocks.
func (m *Manager) Rouse(app renga.AppID) {
	m.mu.Lock()
	m.roused[app] = true
	m.mu.Unlock()
	m.Wake(app)
}

// isRoused tells whether an app is to wake, or has woken and that is not written
// down yet.
func (m *Manager) isRoused(app renga.AppID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.roused[app]
}

// isAwake ends what Rouse began.
func (m *Manager) isAwake(app renga.AppID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.roused, app)
}

// doze takes part in the story that this file begins with. The router knows
// already.
func (w *worker) doze(ctx context.Context, world World) error {
	if w.m.rt.LastRequest(w.app).After(world.QuietSince) {
		poke(w.wake)
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
func (w *worker) rouse(ctx context.Context, world World) error {
	if err := w.setAsleep(ctx, "rouse", time.Time{}); err != nil {
		return err
	}
	w.awake = w.m.opts.Now()
	w.m.isAwake(w.app)
	w.logger().InfoContext(ctx, "app wakes", "asleep_since", world.Desired.AsleepSince)
	w.sayAll(world, "Unidling")
	return nil
}

func (w *worker) sayAll(world World, text string) {
	for _, v := range world.views(world.Desired.Live) {
		w.say(v.name, "%s", text)
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
	poke(w.wake)
	return nil
}
