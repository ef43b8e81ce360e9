package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

// lookTimeout bounds what a look asks of the store and the engine.
const lookTimeout = 30 * time.Second

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
		w.announce(world)
		return time.Time{}, false, errors.Join(wishErr, err, w.giveUp(ctx, world))
	}
	world.Tally = w.tally(world)
	world, next, err := w.succeed(brief, world, world.Plan())
	err = errors.Join(wishErr, err, w.apply(ctx, brief, world, next))
	world.Starts = w.attemptsSince(world.Starts)
	err = errors.Join(err, w.save(brief, world))
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
	world.Starts = w.attempts()
	busy := w.busyEnds()
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
		seen, turns := w.see(ctx, world.Desired.App, i, world.Now)
		if e, ok := busy[i.ID]; ok {
			seen.Stopping, seen.Killing = e.stopping, e.killing
		}
		world.Instances = append(world.Instances, seen)
		if !turns.IsZero() && (world.Turns.IsZero() || turns.Before(world.Turns)) {
			world.Turns = turns
		}
	}
	w.prune(instances, *world)
	return nil
}

// succeed writes down that the pending release has succeeded, when the plan says
// so, and plans anew: then it serves. Whoever sees it answer, and asks for more of
// it by the API, is not told of the release before.
func (w *worker) succeed(ctx context.Context, world plan.World, next plan.Plan) (plan.World, plan.Plan, error) {
	f, rest, ok := world.Success(next)
	if !ok {
		return world, next, nil
	}
	if written, err := w.finish(ctx, f); err != nil || !written {
		return world, rest, err
	}
	world = world.Succeeded()
	w.wanted = &world.Desired
	world.Tally = w.tally(world)
	return world, world.Plan(), nil
}

// announce tells the router of an app before the engine could be asked for its
// dynos, so that its requests wait for them and are not told that there is no
// such app. A route that is known already stays.
func (w *worker) announce(world plan.World) {
	if w.routed != nil || world.Gone {
		return
	}
	if route := world.Plan().Route; w.announced == nil || !reflect.DeepEqual(*w.announced, route) {
		w.m.rt.Route(route)
		w.announced = &route
	}
}

// attempts is what is known of starts now.
func (w *worker) attempts() map[string]plan.Attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.starts)
}

// attemptsSince is what is known of starts now, and of those that were under way
// before the engine was asked and have ended since: their dynos were not there to
// be listed, and are not gone.
func (w *worker) attemptsSince(before map[string]plan.Attempt) map[string]plan.Attempt {
	all := maps.Clone(before)
	maps.DeleteFunc(all, func(_ string, a plan.Attempt) bool { return !a.Busy })
	maps.Copy(all, w.attempts())
	return all
}

// prune forgets instances that are gone and starts of dynos that are not wanted
// any more; those under way are broken off.
func (w *worker) prune(instances []engine.Instance, world plan.World) {
	there := map[string]bool{}
	for _, i := range instances {
		there[i.ID] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, s := range w.sights {
		if !there[id] && !s.stopping && !s.killing {
			s.stopProbe()
			s.stopAttending()
			delete(w.sights, id)
		}
	}
	for key, a := range w.starts {
		switch {
		case world.Wants(key):
		case a.Busy:
			w.aborts[key]()
		default:
			delete(w.starts, key)
		}
	}
}

// save hands the dynos' records to the store when they changed, and says so.
func (w *worker) save(ctx context.Context, world plan.World) error {
	if world.Away || world.Gone && w.wanted == nil {
		return nil
	}
	dynos := world.Dynos()
	if w.hasSaved && reflect.DeepEqual(dynos, w.saved) {
		return nil
	}
	w.m.stats.have(w.app, dynos)
	err := w.m.db.SaveDynos(ctx, w.app, dynos)
	w.m.stats.store(err)
	w.tell(ctx, dynos)
	if err != nil {
		w.hasSaved = false
		return fmt.Errorf("save the dynos' states: %w", err)
	}
	w.saved, w.hasSaved = dynos, true
	return nil
}

// tell logs each dyno whose state changed, and says so in the app's log: there
// by name, for one dyno follows the other.
func (w *worker) tell(ctx context.Context, dynos []renga.Dyno) {
	before := map[string]renga.DynoState{}
	for _, d := range w.saved {
		before[d.ID] = d.State
	}
	for _, d := range dynos {
		if from := before[d.ID]; from != d.State {
			w.logger().InfoContext(ctx, "dyno changed", "dyno", d.Name, "release", d.Release,
				"from", from, "to", d.State, "reason", d.Reason)
		}
	}
	w.sayStates(dynos)
}

// sayStates tells the app's log which dynos changed their state. Dynos that ran
// before Renga was started are no news, and of an attached one its session tells.
func (w *worker) sayStates(dynos []renga.Dyno) {
	states := map[string]renga.DynoState{}
	for _, d := range dynos {
		if d.State == renga.Asleep || w.m.oneOffs.holds(d.ID) {
			continue // what sleeps is down
		}
		states[d.Name] = d.State
		from, known := w.states[d.Name]
		switch {
		case !known && w.states == nil && d.State != renga.Starting:
		case !known:
			w.say(d.Name, "State changed from %s to %s", renga.Down, d.State)
		case from != d.State:
			w.say(d.Name, "State changed from %s to %s", from, d.State)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.states)) {
		if _, ok := states[name]; !ok {
			w.say(name, "State changed from %s to %s", w.states[name], renga.Down)
		}
	}
	w.states = states
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
