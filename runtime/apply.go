package runtime

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

const (
	// startTimeout bounds a start with its pull, stopSlack and killTimeout what
	// the engine may need besides the grace.
	startTimeout = 15 * time.Minute
	stopSlack    = 30 * time.Second
	killTimeout  = 30 * time.Second
	// tailLines of a failing dyno are kept with its release.
	tailLines   = 50
	tailTimeout = 5 * time.Second
)

// apply does what the plan says: the route and the releases' outcomes at once,
// which brief bounds; the rest beside the looks, until ctx ends.
func (w *worker) apply(ctx, brief context.Context, world plan.World, next plan.Plan) error {
	errs := []error{w.route(brief, world, next.Route)}
	for _, step := range next.Steps {
		switch s := step.(type) {
		case plan.Start:
			w.start(ctx, world.Desired.App, s)
		case plan.Kill:
			w.end(ctx, s.Instance, "kill", func(ctx context.Context, i engine.Instance) error { return w.kill(ctx, i, s.Gently) })
		case plan.Stop:
			w.end(ctx, s.Instance, "stop", func(ctx context.Context, i engine.Instance) error { return w.stop(ctx, i, s.Drain, s.Why) })
		case plan.Mark:
			errs = append(errs, w.mark(brief, s))
		case plan.Finish:
			_, err := w.finish(brief, s)
			errs = append(errs, err)
		case plan.Rescue:
			errs = append(errs, w.rescue(brief, s))
		case plan.FallAsleep:
			errs = append(errs, w.doze(brief, world))
		case plan.WakeUp:
			errs = append(errs, w.rouse(brief, world))
		default:
			panic(fmt.Sprintf("the plan has a step that nobody does: %T", s))
		}
	}
	return errors.Join(errs...)
}

// route tells the router, when it has to be told. A dyno that it does not know yet
// is written down before anybody can reach it, so that whoever does finds it among
// the app's; when that cannot be, requests still get to it.
func (w *worker) route(ctx context.Context, world plan.World, route renga.Route) error {
	if w.routed != nil && reflect.DeepEqual(*w.routed, route) {
		return nil
	}
	var err error
	if w.shows(route) {
		err = w.save(ctx, world)
	}
	w.m.rt.Route(route)
	w.routed = &route
	return err
}

// shows tells whether a route has a dyno that the router was not told of last.
func (w *worker) shows(route renga.Route) bool {
	known := map[string]bool{}
	if w.routed != nil {
		for _, t := range slices.Concat(w.routed.Targets, w.routed.Canary) {
			known[t.ID] = true
		}
	}
	return slices.ContainsFunc(slices.Concat(route.Targets, route.Canary), func(t renga.Target) bool { return !known[t.ID] })
}

// start begins to start a dyno.
func (w *worker) start(ctx context.Context, app renga.App, s plan.Start) {
	key, dyno := plan.StartKey(s.Name, s.Release.Version), uuid.NewString()
	wanted, abort := context.WithCancel(ctx)
	w.mu.Lock()
	a := w.starts[key]
	a.Dyno, a.Busy, a.Since = dyno, true, w.m.opts.Now()
	w.starts[key], w.aborts[key] = a, abort
	w.mu.Unlock()
	w.tasks.Go(func() {
		defer abort()
		i, err := w.startDyno(wanted, app, s, dyno)
		if ctx.Err() != nil {
			return // the next process finds what came of it
		}
		if err != nil && wanted.Err() != nil {
			w.aborted(key)
			return
		}
		w.m.stats.step("start", err)
		w.started(ctx, app, key, i, err)
		if err != nil {
			w.logger().WarnContext(ctx, "dyno does not start", "dyno", s.Name, "release", s.Release.Version, "err", err)
			w.say(s.Name, "Process could not be started: %s", renga.MessageOf(err, "an internal error, which is in Renga's log"))
		}
		poke(w.wake)
	})
}

// aborted forgets a start that nobody wanted any more.
func (w *worker) aborted(key string) {
	w.mu.Lock()
	delete(w.starts, key)
	delete(w.aborts, key)
	w.mu.Unlock()
	poke(w.wake)
}

// startDyno starts a dyno when it is its turn.
func (w *worker) startDyno(ctx context.Context, app renga.App, s plan.Start, dyno string) (engine.Instance, error) {
	select {
	case w.m.startSlots <- struct{}{}:
		defer func() { <-w.m.startSlots }()
	case <-ctx.Done():
		return engine.Instance{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	r, err := w.m.ledger.Release(ctx, app, s.Release.Digest)
	if err != nil {
		return engine.Instance{}, fmt.Errorf("open %s: %w", renga.VersionName(s.Release.Version), err)
	}
	spec, err := w.m.opts.spec(app, r, s, dyno)
	if err != nil {
		return engine.Instance{}, err
	}
	w.say(s.Name, "Starting process with command `%s`", renga.CommandLine(spec.Image.Command))
	i, err := w.m.engine.Start(ctx, spec)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = &renga.Error{Kind: renga.Unavailable, Err: err, Message: fmt.Sprintf("fetching the image and starting it took longer than %s", startTimeout)}
	}
	if err != nil {
		return engine.Instance{}, fmt.Errorf("start %s: %w", s.Name, err)
	}
	return i, nil
}

// started notes what came of a start. A web dyno is probed right away; the next
// look would do it a little later.
func (w *worker) started(ctx context.Context, app renga.App, key string, i engine.Instance, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.m.opts.Now()
	delete(w.aborts, key)
	if err != nil {
		w.starts[key] = w.starts[key].WithFailure(err, now)
		return
	}
	delete(w.starts, key)
	s := w.sightLocked(i.ID, now)
	w.followLocked(ctx, i, s)
	if i.Type == renga.Web {
		w.probeLocked(ctx, app, i, s, w.m.opts.BootTimeout)
	}
}

// end begins to stop or kill an instance.
func (w *worker) end(ctx context.Context, i engine.Instance, verb string, do func(context.Context, engine.Instance) error) {
	w.mu.Lock()
	s := w.sightLocked(i.ID, w.m.opts.Now())
	s.stopping, s.killing = verb == "stop", verb == "kill"
	s.stopProbe()
	s.stopAttending()
	w.mu.Unlock()
	w.tasks.Go(func() {
		err := do(ctx, i)
		if ctx.Err() != nil {
			return
		}
		w.m.stats.step(verb, err)
		w.ended(s, err)
		if err != nil {
			w.logger().WarnContext(ctx, "dyno does not end", "dyno", i.Name, "release", i.Release, "err", err)
		}
		poke(w.wake)
	})
}

// ended notes what came of a stop or kill.
func (w *worker) ended(s *sight, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.stopping, s.killing = false, false
	if err == nil {
		s.failed, s.notBefore = 0, time.Time{}
		return
	}
	s.notBefore = w.m.opts.Now().Add(plan.RetryAfter(s.failed))
	s.failed++
}

// kill ends an instance and keeps it, gently when requests may be under way.
func (w *worker) kill(ctx context.Context, i engine.Instance, gently bool) error {
	if ender, ok := w.m.engine.(engine.Ender); ok && gently {
		ctx, cancel := context.WithTimeout(ctx, w.m.opts.StopGrace+stopSlack)
		defer cancel()
		if err := w.terminate(ctx, ender, i); err != nil {
			return fmt.Errorf("end %s: %w", i.Name, err)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	if err := w.m.engine.Kill(ctx, i.ID); err != nil {
		return fmt.Errorf("kill %s: %w", i.Name, err)
	}
	return nil
}

// stop lets requests in flight finish, then ends the instance, and removes it
// once its last lines are kept and it is told how a scheduled one ended.
func (w *worker) stop(ctx context.Context, i engine.Instance, drain bool, why string) error {
	if drain {
		w.drain(ctx, i)
	}
	ctx, cancel := context.WithTimeout(ctx, w.m.opts.StopGrace+stopSlack)
	defer cancel()
	grace := w.m.opts.StopGrace
	if ender, ok := w.m.engine.(engine.Ender); ok && i.State == engine.Running {
		if err := w.terminate(ctx, ender, i); err != nil {
			return fmt.Errorf("stop %s: %w", i.Name, err)
		}
		grace = 0
	}
	w.awaitLastLines(ctx, i.ID)
	if i.Scheduled() && i.State == engine.Exited {
		if err := w.m.opts.Ends.RunEnded(ctx, plan.Ended(i, why)); err != nil {
			return fmt.Errorf("note the end of %s: %w", i.Name, err)
		}
	}
	if err := w.m.engine.Stop(ctx, i.ID, grace); err != nil {
		return fmt.Errorf("stop %s: %w", i.Name, err)
	}
	return w.m.opts.Logs.Forget(i.App, i.ID)
}

// terminate ends the instance and keeps it.
func (w *worker) terminate(ctx context.Context, ender engine.Ender, i engine.Instance) error {
	w.say(i.Name, "Stopping all processes with SIGTERM")
	killed, err := ender.Terminate(ctx, i.ID, w.m.opts.StopGrace)
	if killed {
		w.logger().WarnContext(ctx, "dyno did not end on SIGTERM in time and was killed (R12)", "dyno", i.Name, "release", i.Release)
		w.say(i.Name, "Error R12 (Exit timeout) -> At least one process failed to exit within %.0f seconds of SIGTERM", w.m.opts.StopGrace.Seconds())
		w.say(i.Name, "Stopping remaining processes with SIGKILL")
	}
	return err
}

func (w *worker) drain(ctx context.Context, i engine.Instance) {
	ctx, cancel := context.WithTimeout(ctx, w.m.opts.DrainTimeout)
	defer cancel()
	if err := w.m.rt.Drain(ctx, w.app, i.Dyno); err != nil {
		w.logger().InfoContext(ctx, "dyno is stopped with requests in flight", "dyno", i.Name, "release", i.Release, "err", err)
	}
}

// mark writes down how far a pending release came.
func (w *worker) mark(ctx context.Context, m plan.Mark) error {
	o := renga.Outcome{Status: renga.Pending, Phase: m.Phase, At: w.m.opts.Now()}
	if m.Canary.On() {
		o.CanaryUntil = o.At.Add(m.Canary.For)
	}
	err := w.m.db.SetOutcome(ctx, w.app, m.Version, o)
	w.m.stats.store(err)
	if err != nil {
		return w.overtaken(fmt.Errorf("mark %s: %w", renga.VersionName(m.Version), err))
	}
	if m.Canary.On() {
		w.logger().InfoContext(ctx, "canary", "release", m.Version, "percent", m.Canary.Percent, "until", o.CanaryUntil)
	} else {
		w.logger().InfoContext(ctx, "release command", "release", m.Version, "phase", m.Phase)
	}
	if m != w.marked { // as for finish
		w.marked = m
		if m.Canary.On() {
			w.tellOf(m.Version, "takes %d%% of the requests for %.0f seconds", m.Canary.Percent, m.Canary.For.Seconds())
		}
		poke(w.wake)
	}
	return nil
}

// finish writes down what became of a release, unless that is another meanwhile.
func (w *worker) finish(ctx context.Context, f plan.Finish) (written bool, err error) {
	o := renga.Outcome{Status: f.Status, Phase: f.Phase, Reason: f.Reason, Log: w.tail(ctx, f.Instance), At: w.m.opts.Now()}
	err = w.m.db.SetOutcome(ctx, w.app, f.Version, o)
	w.m.stats.step("finish", err)
	w.m.stats.store(err)
	if err != nil {
		return false, w.overtaken(fmt.Errorf("finish %s: %w", renga.VersionName(f.Version), err))
	}
	w.logger().InfoContext(ctx, "release finished", "release", f.Version, "status", f.Status, "reason", f.Reason)
	if f != w.finished { // a store that forgets it must not keep the worker spinning
		w.finished = f
		if f.Status == renga.Failed {
			w.tellOf(f.Version, "failed: %s", f.Reason)
		}
		poke(w.wake)
	}
	return true, nil
}

// tellOf adds a line about a release to the app's log, where those are that say
// who made it.
func (w *worker) tellOf(version int, format string, args ...any) {
	w.m.opts.Logs.Line(w.app, renga.SourceApp, "api", "Release "+renga.VersionName(version)+" "+fmt.Sprintf(format, args...))
}

// overtaken lets an error pass, unless it is that somebody else has said before
// what became of the release: then another look finds that out.
func (w *worker) overtaken(err error) error {
	if renga.KindOf(err) != renga.Conflict {
		return err
	}
	w.logger().Info("the release's outcome is another meanwhile", "err", err)
	poke(w.wake)
	return nil
}

// tail gives the last lines of an instance; none when nobody can tell.
func (w *worker) tail(ctx context.Context, id string) []string {
	tailer, ok := w.m.engine.(engine.Tailer)
	if !ok || id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	lines, err := tailer.Tail(ctx, id, tailLines)
	if err != nil {
		w.logger().WarnContext(ctx, "cannot read the dyno's last lines", "err", err)
	}
	return lines
}

// giveUp fails a pending release that has had its time while the engine cannot be
// asked.
func (w *worker) giveUp(ctx context.Context, world plan.World) error {
	f, late := world.TooLate(w.m.opts.Now())
	if !late {
		return nil
	}
	brief, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	_, err := w.finish(brief, f)
	return err
}
