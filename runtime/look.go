package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

const (
	// lookTimeout bounds what a look asks of the store and the engine.
	lookTimeout = 30 * time.Second
	// adoptTimeout is how long the first look waits for the dynos that it finds.
	adoptTimeout = 250 * time.Millisecond
)

// look finds out how the app is, decides, and does what is to be done. It is
// over once the app is gone and nothing of it is left.
func (w *worker) look(ctx context.Context) (again time.Time, over bool, err error) {
	brief, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	world, wishErr := w.wish(brief)
	if wishErr != nil && !world.Away {
		return time.Time{}, false, wishErr
	}
	if err := w.observe(ctx, brief, &world); err != nil {
		w.routing.announce(world)
		return time.Time{}, false, errors.Join(wishErr, err, w.giveUp(ctx, world))
	}
	world.Tally = w.tally(world)
	world, next, err := w.succeed(brief, world, world.Plan())
	err = errors.Join(wishErr, err, w.apply(ctx, brief, world, next))
	world.Starts = w.starts.since(world.Starts)
	err = errors.Join(err, w.records.save(brief, world))
	if err == nil && world.Gone && len(world.Instances) == 0 && len(world.Starts) == 0 {
		over, err = true, w.forgetApp(brief)
	}
	return next.Again, over && err == nil, err
}

// wish asks what is wanted. When the store is away it remembers, and gives its
// error besides.
func (w *worker) wish(ctx context.Context) (plan.World, error) {
	world := plan.World{
		App: w.app, Domain: w.m.opts.Domain, PhaseLimit: w.m.opts.PhaseLimit, WatchWindow: w.m.opts.WatchWindow,
		DeployLimit: w.m.opts.DeployLimit, Began: w.began,
		Asked: w.m.opts.Now(),
	}
	d, err := w.m.db.Desired(ctx, w.app)
	switch kind := renga.KindOf(err); {
	case err == nil:
		w.m.stats.store(nil)
		w.wanted = &d
		w.name.Store(&d.App.Name)
		w.m.apps.note(d.App)
		world.Desired, world.Gone = d, d.App.Deleting
		if d.AsleepSince.IsZero() {
			w.m.isAwake(w.app)
		}
		world.Requested = w.m.isRoused(w.app)
		world.QuietSince = plan.Later(w.m.rt.LastRequest(w.app), w.awake)
		return world, nil
	case kind == renga.NotFound:
		w.m.stats.store(nil)
		w.wanted = nil
		world.Gone = true
		return world, nil
	case kind == renga.Unavailable && w.wanted != nil && !w.wanted.App.Deleting:
		world.Desired, world.Away, world.Requested = *w.wanted, true, w.m.isRoused(w.app)
	}
	w.m.stats.store(err)
	return world, fmt.Errorf("read what is wanted: %w", err)
}

// observe adds what is there. What is under way is noted before the engine is
// asked: what ends in between is then seen at the next look, and never missed.
func (w *worker) observe(ctx, brief context.Context, world *plan.World) error {
	world.Starts = w.starts.all()
	before, endings := w.watches.all(), w.watches.endings()
	instances, err := w.m.engine.List(brief, w.app)
	w.m.stats.engine(err)
	if err != nil {
		return fmt.Errorf("list dynos: %w", err)
	}
	if !w.adopted {
		w.adopt(brief, instances)
		w.adopted = true
	}
	world.Now = w.m.opts.Now()
	for _, i := range instances {
		i.OverDisk = i.State == engine.Exited && w.m.full.has(i.ID)
		seen, turns := w.watches.of(i.ID).see(ctx, world.Desired.App, i, world.Now)
		seen.Stopping, seen.Killing = endings[i.ID] == stopping, endings[i.ID] == killing
		world.Instances = append(world.Instances, seen)
		if !turns.IsZero() && (world.Turns.IsZero() || turns.Before(world.Turns)) {
			world.Turns = turns
		}
	}
	w.watches.drop(before, instances)
	w.starts.prune(*world)
	return nil
}

// adopt asks the dynos that ran before this process once, all at the same time,
// so that the first route is complete.
func (w *worker) adopt(ctx context.Context, instances []engine.Instance) {
	ctx, cancel := context.WithTimeout(ctx, adoptTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, i := range instances {
		if i.Type != renga.Web || i.State != engine.Running || i.Addr == "" {
			continue
		}
		found := w.watches.of(i.ID)
		all.Go(func() {
			if w.m.opts.Probe(ctx, i.Addr) == nil {
				found.ready(i.StartedAt)
			}
		})
	}
	all.Wait()
}

// succeed writes down that the pending release has succeeded, when the plan says
// so, and plans anew: then it serves. Whoever sees it answer, and asks for more of
// it by the API, is not told of the release before; and whoever is told that it has
// succeeded is not answered by the one before: requests wait in between.
func (w *worker) succeed(ctx context.Context, world plan.World, next plan.Plan) (plan.World, plan.Plan, error) {
	f, rest, ok := world.Success(next)
	if !ok {
		return world, next, nil
	}
	w.routing.hold(f.Version)
	if written, err := w.outcomes.finish(ctx, f); err != nil || !written {
		return world, rest, err
	}
	world = world.Succeeded()
	w.wanted = &world.Desired
	world.Tally = w.tally(world)
	return world, world.Plan(), nil
}

// forgetApp removes the app's log and what release commands printed, and has
// the engine remove what it keeps for the app besides instances.
func (w *worker) forgetApp(ctx context.Context) error {
	if err := w.m.opts.Logs.Forget(w.app, ""); err != nil {
		return err
	}
	if w.m.opts.Outputs != nil {
		if err := w.m.opts.Outputs.Forget(w.app); err != nil {
			return err
		}
	}
	f, ok := w.m.engine.(engine.Forgetter)
	if !ok {
		return nil
	}
	err := f.Forget(ctx, w.app)
	w.m.stats.engine(err)
	if err != nil {
		return fmt.Errorf("remove what the engine keeps for the app: %w", err)
	}
	return nil
}
