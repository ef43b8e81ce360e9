package runtime

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"renga"
	"renga/runtime/plan"
)

// records are the dynos' records in the store, and what the log was told of them.
type records struct {
	*appScope
	saved    []renga.Dyno // as the store was told last, if hasSaved
	hasSaved bool
	states   map[string]renga.DynoState // by name, as the app's log was told last
}

// save hands the dynos' records to the store when they changed, and says so.
func (r *records) save(ctx context.Context, state plan.State) error {
	if state.Away || state.Gone && state.Desired.App.ID == "" {
		return nil
	}
	dynos := state.Dynos()
	if r.hasSaved && reflect.DeepEqual(dynos, r.saved) {
		return nil
	}
	r.m.stats.have(r.app, dynos)
	err := r.m.db.SaveDynos(ctx, r.app, dynos)
	r.m.stats.store(err)
	r.tell(ctx, dynos)
	if err != nil {
		r.hasSaved = false
		return fmt.Errorf("save the dynos' states: %w", err)
	}
	r.saved, r.hasSaved = dynos, true
	return nil
}

// tell logs each dyno whose state changed, and says so in the app's log: there
// by name, for one dyno follows the other.
func (r *records) tell(ctx context.Context, dynos []renga.Dyno) {
	before := map[string]renga.DynoState{}
	for _, d := range r.saved {
		before[d.ID] = d.State
	}
	for _, d := range dynos {
		if from := before[d.ID]; from != d.State {
			r.logger().InfoContext(ctx, "dyno changed", "dyno", d.Name, "release", d.Release,
				"from", from, "to", d.State, "reason", d.Reason)
		}
	}
	r.sayStates(dynos)
}

// sayStates tells the app's log which dynos changed their state. Dynos that ran
// before Renga was started are no news, and of an attached one its session tells.
func (r *records) sayStates(dynos []renga.Dyno) {
	states := map[string]renga.DynoState{}
	for _, d := range dynos {
		if d.State == renga.Asleep || r.m.oneOffs.has(d.ID) {
			continue // what sleeps is down
		}
		states[d.Name] = d.State
		from, known := r.states[d.Name]
		switch {
		case !known && r.states == nil && d.State != renga.Starting:
		case !known:
			r.say(d.Name, "State changed from %s to %s", renga.Down, d.State)
		case from != d.State:
			r.say(d.Name, "State changed from %s to %s", from, d.State)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.states)) {
		if _, ok := states[name]; !ok {
			r.say(name, "State changed from %s to %s", r.states[name], renga.Down)
		}
	}
	r.states = states
}
