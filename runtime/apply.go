package runtime

import (
	"context"
	"errors"
	"fmt"

	"renga"
	"renga/runtime/plan"
)

// apply does what the plan says: the route and the releases' outcomes at once,
// which brief bounds; the rest beside the looks, until ctx ends.
func (w *worker) apply(ctx, brief context.Context, state plan.State, next plan.Plan) error {
	errs := []error{w.route(brief, state, next.Route)}
	for _, step := range next.Steps {
		switch s := step.(type) {
		case plan.Start:
			w.starts.start(ctx, state.Desired.App, s)
		case plan.Kill:
			w.watches.of(s.Instance.ID).kill(ctx, s)
		case plan.Stop:
			w.watches.of(s.Instance.ID).stop(ctx, s)
		case plan.Mark:
			errs = append(errs, w.outcomes.mark(brief, s))
		case plan.Finish:
			_, err := w.outcomes.finish(brief, s)
			errs = append(errs, err)
		case plan.Rescue:
			errs = append(errs, w.rescue(brief, s))
		case plan.FallAsleep:
			errs = append(errs, w.fallAsleep(brief, state))
		case plan.WakeUp:
			errs = append(errs, w.wakeUp(brief, state))
		default:
			panic(fmt.Sprintf("the plan has a step that nobody does: %T", s))
		}
	}
	return errors.Join(errs...)
}

// giveUp fails a pending release that has had its time while the engine cannot be
// asked.
func (w *worker) giveUp(ctx context.Context, state plan.State) error {
	f, late := state.TooLate(w.m.opts.Now())
	if !late {
		return nil
	}
	brief, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	_, err := w.outcomes.finish(brief, f)
	return err
}

// route tells the router, when it has to be told. A dyno that it does not know yet
// is written down before anybody can reach it, so that whoever does finds it among
// the app's; when that cannot be, requests still get to it.
func (w *worker) route(ctx context.Context, state plan.State, route renga.Route) error {
	if w.routing.knows(route) {
		return nil
	}
	var err error
	if w.routing.shows(route) {
		err = w.records.save(ctx, state)
	}
	w.routing.tell(route)
	return err
}
