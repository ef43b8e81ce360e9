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
	state, wishErr := w.wish(brief)
	if wishErr != nil && !state.Away {
		return time.Time{}, false, wishErr
	}
	if err := w.observe(ctx, brief, &state); err != nil {
		w.routing.announce(state)
		return time.Time{}, false, errors.Join(wishErr, err, w.giveUp(ctx, state))
	}
	state.Tally = w.tally(state)
	state, next, err := w.succeed(brief, state, state.Plan())
	err = errors.Join(wishErr, err, w.apply(ctx, brief, state, next))
	state.Starts = w.starts.since(state.Starts)
	err = errors.Join(err, w.records.save(brief, state))
	if err == nil && state.Gone && len(state.Instances) == 0 && len(state.Starts) == 0 {
		over, err = true, w.forgetApp(brief)
	}
	return next.Again, over && err == nil, err
}

// wish asks what is wanted. When the store is away it remembers, and gives its
// error besides.
func (w *worker) wish(ctx context.Context) (plan.State, error) {
	state := plan.State{
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
		state.Desired, state.Gone = d, d.App.Deleting
		if d.AsleepSince.IsZero() {
			w.m.isAwake(w.app)
		}
		state.Requested = w.m.isWakingUp(w.app)
		state.IdleSince = plan.Later(w.m.rt.LastRequest(w.app), w.awake)
		return state, nil
	case kind == renga.NotFound:
		w.m.stats.store(nil)
		w.wanted = nil
		state.Gone = true
		return state, nil
	case kind == renga.Unavailable && w.wanted != nil && !w.wanted.App.Deleting:
		state.Desired, state.Away, state.Requested = *w.wanted, true, w.m.isWakingUp(w.app)
	}
	w.m.stats.store(err)
	return state, fmt.Errorf("read what is wanted: %w", err)
}

// observe adds what is there. What is under way is noted before the engine is
// asked: what ends in between is then seen at the next look, and never missed.
func (w *worker) observe(ctx, brief context.Context, state *plan.State) error {
	state.Starts = w.starts.all()
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
	state.Now = w.m.opts.Now()
	for _, i := range instances {
		i.OverDisk = i.State == engine.Exited && w.m.toldOfDisk.has(i.ID)
		seen, turns := w.watches.of(i.ID).see(ctx, state.Desired.App, i, state.Now)
		seen.Stopping, seen.Killing = endings[i.ID] == stopping, endings[i.ID] == killing
		state.Instances = append(state.Instances, seen)
		if !turns.IsZero() && (state.Turns.IsZero() || turns.Before(state.Turns)) {
			state.Turns = turns
		}
	}
	w.watches.drop(before, instances)
	w.starts.prune(*state)
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
func (w *worker) succeed(ctx context.Context, state plan.State, next plan.Plan) (plan.State, plan.Plan, error) {
	f, rest, ok := state.Success(next)
	if !ok {
		return state, next, nil
	}
	w.routing.hold(f.Version)
	if written, err := w.outcomes.finish(ctx, f); err != nil || !written {
		return state, rest, err
	}
	state = state.Succeeded()
	w.wanted = &state.Desired
	state.Tally = w.tally(state)
	return state, state.Plan(), nil
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
