package runtime

import (
	"context"
	"fmt"
	"time"

	"renga/runtime/engine"
	"renga/runtime/plan"
)

const (
	// stopSlack and killTimeout bound what the engine may need besides the grace.
	stopSlack   = 30 * time.Second
	killTimeout = 30 * time.Second
)

// kill begins to end the instance and keep it.
func (w *watch) kill(ctx context.Context, k plan.Kill) {
	w.end(ctx, k.Instance, killing, func(ctx context.Context) error { return w.killNow(ctx, k.Instance, k.Gently) })
}

// stop begins to end the instance and remove it.
func (w *watch) stop(ctx context.Context, s plan.Stop) {
	w.end(ctx, s.Instance, stopping, func(ctx context.Context) error { return w.stopNow(ctx, s.Instance, s.Drain, s.Why) })
}

// end begins to stop or kill an instance.
func (w *watch) end(ctx context.Context, i engine.Instance, how ending, do func(context.Context) error) {
	w.mu.Lock()
	w.ending = how
	w.stopChecksLocked()
	w.mu.Unlock()
	w.tasks.Go(func() {
		err := do(ctx)
		if ctx.Err() != nil {
			return
		}
		w.m.stats.step(string(how), err)
		w.ended(err)
		if err != nil {
			w.logger().WarnContext(ctx, "dyno does not end", "dyno", i.Name, "release", i.Release, "err", err)
		}
		w.lookAgain()
	})
}

// ended notes what came of a stop or kill.
func (w *watch) ended(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ending = ""
	if err == nil {
		w.failedEnds, w.notBefore = 0, time.Time{}
		return
	}
	w.notBefore = w.m.opts.Now().Add(plan.RetryAfter(w.failedEnds))
	w.failedEnds++
}

// killNow ends an instance and keeps it, gently when requests may be under way.
func (w *watch) killNow(ctx context.Context, i engine.Instance, gently bool) error {
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

// stopNow lets requests in flight finish, then ends the instance, and removes it
// once its last lines are kept and it is told how a scheduled one ended.
func (w *watch) stopNow(ctx context.Context, i engine.Instance, drain bool, why string) error {
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
	w.awaitLastLines(ctx)
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
func (w *watch) terminate(ctx context.Context, ender engine.Ender, i engine.Instance) error {
	w.say(i.Name, "Stopping all processes with SIGTERM")
	killed, err := ender.Terminate(ctx, i.ID, w.m.opts.StopGrace)
	if killed {
		w.logger().WarnContext(ctx, "dyno did not end on SIGTERM in time and was killed (R12)", "dyno", i.Name, "release", i.Release)
		w.say(i.Name, "Error R12 (Exit timeout) -> At least one process failed to exit within %.0f seconds of SIGTERM",
			w.m.opts.StopGrace.Seconds())
		w.say(i.Name, "Stopping remaining processes with SIGKILL")
	}
	return err
}

func (w *watch) drain(ctx context.Context, i engine.Instance) {
	ctx, cancel := context.WithTimeout(ctx, w.m.opts.DrainTimeout)
	defer cancel()
	if err := w.m.rt.Drain(ctx, w.app, i.Dyno); err != nil {
		w.logger().InfoContext(ctx, "dyno is stopped with requests in flight", "dyno", i.Name, "release", i.Release, "err", err)
	}
}
